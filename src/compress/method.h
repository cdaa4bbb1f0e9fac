// Method: one way to compress a weight: its settings, the sites and op sets where it works, the
// data that it needs, how it encodes a weight, and the form of the result in a program. apply.cc,
// sites.cc, configuration_json.cc, the mapping of the command's options (facade/compress.cc) and the
// lab's search put these questions to a method; none of them names one.
//
// A new method is one file, which holds its setting (op_config.h) and its Method, and one line in
// methods.inc. A method with a header is also used by name elsewhere.
//
// Two kinds of compression are not methods. Storage in half precision (half_storage.h) takes every
// tensor from a number of bytes on, vectors too, and has no setting by operator: it is all or
// nothing. Quantized activations (activations.h) change the computation, not how a constant is
// stored: they put operators around operators, with observed ranges.
//
// Thread rules: a method has no state; its functions may run on many threads at once, except
// CompressedWeight::Emit, which has the rewriter's program to itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anemone/options.h"
#include "base/status.h"
#include "compress/calibration.h"
#include "compress/config_table.h"
#include "compress/learned_roundings.h"
#include "compress/op_config.h"
#include "compress/sites.h"
#include "ir/literal.h"
#include "passes/rewriter.h"

namespace anemone::compress {

// The lowest op set that has a form, and the part of the setting that needs it ("quantization to 4
// bits"), for messages.
struct OpsetNeed {
  ir::Opset opset = ir::Opset::kIOS16;
  std::string_view what;
};

// A weight to encode.
struct EncodeInput {
  const Site& site;
  // Its values, dense, in the shape of the site, even where the program stores them differently.
  const ir::Literal& weight;
  // kSparseValues: 1 for each element that is kept. Empty at other sites.
  std::span<const uint8_t> mask = {};
  ir::Opset opset = ir::Opset::kIOS16;
  const InputMoments* moments = nullptr;  // null: nothing is known of its inputs
  LearnedRoundings* learned = nullptr;    // null: nothing to share
};

// The compressed form of a weight.
class CompressedWeight {
 public:
  virtual ~CompressedWeight() = default;

  // The values that it represents, in `dtype` (that of the weight), bit for bit as the emitted
  // operators give them. For dense sites only.
  virtual Result<ir::Literal> Restore(DType dtype) const = 0;
  // Replaces the site by constexpr operators of the rewriter's op set; `bytes` becomes the size of
  // data and parameters.
  virtual Status Emit(passes::Rewriter& rewriter, const Site& site, int64_t* bytes) const = 0;

  std::string form;  // "int8 per_channel"
  // Largest |restored - weight|, and the square root of the mean square.
  double max_error = 0;
  double rms_error = 0;
};

// A setting for the lab's search to choose from.
struct SearchForm {
  std::string name;  // for tables and charts: "palette 4"
  OpConfig config;
  double bits = 0;  // per element, approximately: the search orders forms by it
};

class Method {
 public:
  virtual ~Method() = default;

  // Its name in documents, where `config_type` selects the method; coremltools' names.
  virtual std::string_view config_type() const = 0;
  virtual OpConfig Default() const = 0;

  // Below, `config` is a setting of this method.

  // Its keys in documents.
  virtual ConfigTable FieldsOf(OpConfig& config) const = 0;
  // kUsage with the rule when no weight could be compressed this way.
  virtual Status Check(const OpConfig& config) const = 0;
  virtual OpsetNeed NeedOf(const OpConfig& config) const = 0;
  virtual DataNeed DataNeedOf(const OpConfig&) const { return DataNeed::kNothing; }

  // The setting that the options ask for, once each is one of its choices; none when they ask for
  // another method. kUsage for options that contradict one another.
  virtual Result<std::optional<OpConfig>> FromOptions(const CompressOptions&) const {
    return std::optional<OpConfig>();
  }

  // Whether it does something at such a site. `joint`: the step compresses further what earlier
  // steps have compressed.
  virtual bool Takes(SiteKind kind, bool joint) const = 0;
  // The part of the setting that is only for conv and linear ("n:m pruning"); empty: none.
  virtual std::string_view ForConvAndLinearOnly(const OpConfig&) const { return ""; }
  // kUsage when the setting cannot apply to this site, whatever its values.
  virtual Status CheckSite(const OpConfig&, const Site&) const { return {}; }

  // kInvalidInput with the reason when this weight cannot be compressed; it then stays.
  virtual Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                           const EncodeInput& input) const = 0;

  // The forms that the lab's search tries, on op sets that have them, with data where needed.
  virtual std::vector<SearchForm> SearchForms() const { return {}; }
};

}  // namespace anemone::compress
