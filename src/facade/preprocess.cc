#include "facade/preprocess.h"

#include "options/option.h"

namespace anemone::facade {

Result<lab::Preprocess> PreprocessOf(const PreprocessOptions& options) {
  ANEMONE_TRY(options::Check(options));
  lab::Preprocess preprocess;
  preprocess.crop = options.crop;
  preprocess.resize = options.resize;
  preprocess.mean = options.mean;
  preprocess.deviation = options.deviation;
  preprocess.filter =
      media::FilterFromName(options.interpolation).value_or(media::Filter::kBicubic);
  return preprocess;
}

}  // namespace anemone::facade
