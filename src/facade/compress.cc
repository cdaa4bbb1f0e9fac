#include "facade/compress.h"

namespace anemone::facade {

Status Compress(ir::Model&, const CompressOptions& options, CompressReport*) {
  return Unsupported("compression mode '{}'", options.mode);
}

}  // namespace anemone::facade
