// Method: one way to compress a weight: what its settings are, where and on which op sets it works,
// what it needs to know, how it encodes a weight, and what the result is in a program. apply.cc,
// sites.cc, configuration_json.cc, the command's modes and the lab's search ask these questions of
// whatever method a setting belongs to; none of them names one.
//
// A new method is one file, whose setting (op_config.h) and whose Method stand in it, and one line
// in methods.inc. What has a header besides is used by name elsewhere.
//
// Two kinds of compression are no methods. Storage in half precision (half_storage.h) takes every
// tensor from a number of bytes on, vectors too, and has no setting by operator: it is all or
// nothing. Quantized activations (activations.h) change what is computed and not how a constant is
// kept: they put operators around operators, by ranges that are observed.
//
// Thread rules: a method has no state; its functions may run on many threads at once, but for
// CompressedWeight::Emit, which has the rewriter's program to itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "compress/calibration.h"
#include "compress/config_table.h"
#include "compress/learned_roundings.h"
#include "compress/op_config.h"
#include "compress/sites.h"
#include "ir/literal.h"
#include "passes/rewriter.h"

namespace anemone::compress {

// The lowest op set that holds a form, and what of the setting asks for it ("quantization to 4
// bits"), for messages.
struct OpsetNeed {
  ir::Opset opset = ir::Opset::kIOS16;
  std::string_view what;
};

// A weight to encode.
struct EncodeInput {
  const Site& site;
  // Its values, dense, in the shape of the site: also where the program keeps them otherwise.
  const ir::Literal& weight;
  // kSparseValues: 1 for each element that is kept. Empty at other sites.
  std::span<const uint8_t> mask = {};
  ir::Opset opset = ir::Opset::kIOS16;
  const InputMoments* moments = nullptr;  // null: nothing is known of its inputs
  LearnedRoundings* learned = nullptr;    // null: there is none to share with
};

// What became of a weight.
class CompressedWeight {
 public:
  virtual ~CompressedWeight() = default;

  // The values that it stands for, in `dtype` (that of the weight), bit for bit as the emitted
  // operators give them. Of dense sites only.
  virtual Result<ir::Literal> Restore(DType dtype) const = 0;
  // Puts the constexpr operators of the rewriter's op set in the place of the site; `bytes` becomes
  // the size of data and parameters.
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
  double bits = 0;  // that one element takes, about: the search lists forms by it
};

class Method {
 public:
  virtual ~Method() = default;

  // Its name in documents, where `config_type` says whose settings follow: coremltools' names.
  virtual std::string_view config_type() const = 0;
  virtual OpConfig Default() const = 0;

  // In what follows `config` is a setting of this method.

  // Its keys in documents.
  virtual ConfigTable FieldsOf(OpConfig& config) const = 0;
  // kUsage with the rule when no weight could be compressed so.
  virtual Status Check(const OpConfig& config) const = 0;
  virtual OpsetNeed NeedOf(const OpConfig& config) const = 0;
  virtual DataNeed DataNeedOf(const OpConfig&) const { return DataNeed::kNothing; }

  // Whether it has something to do at such a site. `joint`: the step compresses further what
  // earlier steps have compressed.
  virtual bool Takes(SiteKind kind, bool joint) const = 0;
  // What of the setting is for the weights of conv and linear only ("n:m pruning"); empty: nothing.
  virtual std::string_view ForConvAndLinearOnly(const OpConfig&) const { return ""; }
  // kUsage when the setting cannot be that of this site, whatever its values.
  virtual Status CheckSite(const OpConfig&, const Site&) const { return {}; }

  // kInvalidInput with the reason when this weight cannot be compressed so; it is then left alone.
  virtual Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                           const EncodeInput& input) const = 0;

  // What the lab's search shall try, on op sets that have it and with data where it needs some.
  virtual std::vector<SearchForm> SearchForms() const { return {}; }
};

}  // namespace anemone::compress
