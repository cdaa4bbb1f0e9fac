// Options as data: one row for each field of a struct of anemone/options.h, in one table for each
// struct. From the rows come the command's flags (cli/option_flags.h), the keys of JSON objects
// (options/json.h), Python's keywords with their signatures and help, the check of the fields, and
// docs/options.md. A new option is a field, a row, and the code that reads it.
//
//   ConvertOptions options;
//   for (const Option& option : TableOf(options)) Use(option.name, option.field);
//
// Ownership: the fields of a table belong to the struct that it was made of, which must outlive it;
// texts are literals. Thread rules: pure functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "anemone/options.h"
#include "base/status.h"

namespace anemone::options {

using Shapes = std::map<std::string, std::vector<Dimension>>;
using Field = std::variant<bool*, int*, int64_t*, uint64_t*, double*, std::optional<int64_t>*,
                           std::optional<double>*, std::string*, std::vector<std::string>*,
                           std::vector<double>*, std::array<float, 3>*, Shapes*>;

// What a text is beyond a text, and a number beyond a number.
enum class Holds { kPlain, kPath, kJsonObject, kByteCount };

struct Option {
  // The key, the keyword, and the field. The flag is "--" and this with dashes, and "--no-" before
  // a bool that is true by default.
  std::string_view name;
  Field field;
  std::string_view help;  // what it means, in flags' terms
  std::string_view example = {};
  // The values there are.
  std::vector<std::string_view> choices = {};
  bool may_be_absent = false;  // "" and 0 too: what is chosen depends on the other options
  bool ignore_case = false;    // of the choices
  // Limits of a number; `low` and `high` belong to the range, `above` does not.
  std::optional<double> low = {};
  std::optional<double> above = {};
  std::optional<double> high = {};
  Holds holds = Holds::kPlain;
  std::string_view flag = {};         // where it is not called by the name; "MODEL" by its position
  bool required = false;              // in the command
  bool comma_separated = false;       // the flag of a list of texts also takes "a,b"
  std::string_view environment = {};  // the variable that stands for an absent flag
  bool command_wide = false;          // the flag is one of all commands
};
using Table = std::vector<Option>;

Table TableOf(LoadOptions& options);
Table TableOf(ConvertOptions& options);
Table TableOf(PreprocessOptions& options);
Table TableOf(CompressOptions& options);
Table TableOf(SessionOptions& options);
Table TableOf(GateOptions& options);
Table TableOf(LabOptions& options);
Table TableOf(MatrixOptions& options);
Table TableOf(CompareOptions& options);
Table TableOf(EvaluateOptions& options);
Table TableOf(BenchOptions& options);
Table TableOf(PlacementOptions& options);
Table TableOf(DoctorOptions& options);
Table TableOf(InspectOptions& options);
Table TableOf(ViewOptions& options);
Table TableOf(CompileOptions& options);
Table TableOf(RunOptions& options);
Table TableOf(ServeOptions& options);
Table TableOf(DemoOptions& options);
Table TableOf(DownloadOptions& options);
Table TableOf(FetchOptions& options);
Table TableOf(CacheListOptions& options);
Table TableOf(CacheClearOptions& options);
Table TableOf(CacheVerifyOptions& options);
Table TableOf(ConvertFileOptions& options);
Table TableOf(CompressFileOptions& options);

// Each table with its name ("convert", "cache_list"); its fields hold their defaults, and live as
// long as the call.
void ForEachTable(const std::function<void(std::string_view name, const Table& table)>& visit);

// "weight_threshold" is "--weight-threshold".
std::string FlagOf(const Option& option);
// What a value must be: "0 to 1024", "min_max, percentile, mse or entropy", "text".
std::string RuleOf(const Option& option);
// "a, b or c".
std::string OneOf(std::span<const std::string_view> names);

// kUsage that names every field out of its range, with the rule.
Status Check(const Table& table);
template <typename Options>
Status Check(Options options) {
  return Check(TableOf(options));
}

}  // namespace anemone::options
