#include "placement/plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "base/mapped_file.h"

namespace anemone::placement {
namespace {

constexpr size_t kMaxPlanBytes = size_t{256} << 20;
constexpr size_t kMaxOperations = 1'000'000;
constexpr int kMaxDepth = 16;
constexpr size_t kMaxNameBytes = 4096;

// "ios17.conv" is "conv".
std::string WithoutOpset(std::string_view type) {
  const size_t dot = type.rfind('.');
  const bool opset =
      dot != std::string_view::npos &&
      (type.starts_with("ios") || type.starts_with("macos") || type.starts_with("coreml"));
  return std::string(opset ? type.substr(dot + 1) : type);
}

Result<std::string> Text(const Json& object, const char* key, bool required) {
  const Json* found = object.Find(key);
  if (found == nullptr || found->is_null()) {
    if (required) return InvalidInput("the key '{}' is missing", key);
    return std::string();
  }
  if (!found->is_text()) return InvalidInput("the key '{}' must be a text", key);
  std::string text = found->text();
  if (text.size() > kMaxNameBytes)
    return InvalidInput("the key '{}' holds {} bytes, the limit is {}", key, text.size(),
                        kMaxNameBytes);
  return text;
}

// A unit that is not told, or not one, is kUnknown.
Result<ComputeUnit> OneUnit(const Json& object, const char* key) {
  ANEMONE_ASSIGN(const std::string name, Text(object, key, false));
  if (name.empty() || name == "unknown" || name == "mixed") return ComputeUnit::kUnknown;
  const auto unit = HardwareUnitFromAnyName(name);
  if (!unit) return InvalidInput("the key '{}' names no compute unit: '{}'", key, name);
  return *unit;
}

Result<std::vector<ComputeUnit>> Units(const Json& object, const char* key) {
  std::vector<ComputeUnit> units;
  const Json* found = object.Find(key);
  if (found == nullptr || found->is_null()) return units;
  if (!found->is_array()) return InvalidInput("the key '{}' must be a list", key);
  for (const Json& item : *found) {
    const auto unit = item.is_text() ? HardwareUnitFromAnyName(item.text()) : std::nullopt;
    if (!unit) return InvalidInput("the key '{}' names no compute unit: {}", key, item.Dump());
    if (std::find(units.begin(), units.end(), *unit) == units.end()) units.push_back(*unit);
  }
  return units;
}

Result<std::optional<double>> Cost(const Json& object, double scale) {
  const Json* found = object.Find("cost");
  if (found == nullptr || found->is_null()) return std::optional<double>();
  if (!found->is_number()) return InvalidInput("the key 'cost' must be a number or null");
  const double cost = found->number() * scale;
  // A plan's shares add up to 1, give or take rounding.
  if (!std::isfinite(cost) || cost < 0 || cost > 1.01)
    return InvalidInput("the key 'cost' must be a share from 0 to 1, not {}", cost);
  return std::optional<double>(cost);
}

Result<PlannedOperation> ReadOperation(const Json& item, const char* preferred, double cost_scale) {
  if (!item.is_object()) return InvalidInput("an operation must be an object");
  PlannedOperation operation;
  ANEMONE_ASSIGN(operation.preferred, OneUnit(item, preferred));
  ANEMONE_ASSIGN(operation.supported, Units(item, "supported"));
  ANEMONE_ASSIGN(operation.cost, Cost(item, cost_scale));
  if (operation.preferred != ComputeUnit::kUnknown && !operation.supported.empty() &&
      std::find(operation.supported.begin(), operation.supported.end(), operation.preferred) ==
          operation.supported.end()) {
    return InvalidInput("the preferred unit {} is not among the supported ones",
                        ComputeUnitName(operation.preferred));
  }
  return operation;
}

Result<ComputePlan> ReadOwn(const Json& json) {
  const Json* version = json.Find("schema_version");
  if (version == nullptr || !version->is_integer() || version->integer() != 1)
    return Unsupported("this tool reads schema version 1 of a compute plan");
  ComputePlan plan;
  plan.form = "anemone";
  ANEMONE_ASSIGN(plan.chip, Text(json, "chip", false));
  ANEMONE_ASSIGN(const std::string units, Text(json, "compute_units", false));
  if (!units.empty()) {
    ANEMONE_ASSIGN(plan.units, ComputeUnitsFromName(units));
  }
  const Json* operations = json.Find("operations");
  if (operations == nullptr || !operations->is_array())
    return InvalidInput("the key 'operations' must be a list");
  if (operations->size() > kMaxOperations)
    return InvalidInput("{} operations exceed the limit of {}", operations->size(), kMaxOperations);
  for (size_t i = 0; i < operations->size(); ++i) {
    const Json& item = (*operations)[i];
    const auto read = [&]() -> Result<PlannedOperation> {
      ANEMONE_ASSIGN(PlannedOperation operation, ReadOperation(item, "preferred", 1));
      ANEMONE_ASSIGN(operation.name, Text(item, "name", true));
      ANEMONE_ASSIGN(const std::string type, Text(item, "type", true));
      operation.type = WithoutOpset(type);
      return operation;
    };
    ANEMONE_ASSIGN(PlannedOperation operation, read().At(fmt::format("operations[{}]", i)));
    // Constants have no unit; coremltools says null for both.
    if (operation.preferred == ComputeUnit::kUnknown && operation.supported.empty()) continue;
    plan.operations.push_back(std::move(operation));
  }
  return plan;
}

Result<ComputePlan> ReadWhisperKit(const Json& json) {
  if (json.size() > kMaxOperations)
    return InvalidInput("{} operations exceed the limit of {}", json.size(), kMaxOperations);
  ComputePlan plan;
  plan.form = "whisperkit";
  for (const auto& [name, item] : json.items()) {
    if (name.size() > kMaxNameBytes)
      return InvalidInput("a name of {} bytes exceeds the limit of {}", name.size(), kMaxNameBytes);
    const std::string place = fmt::format("'{}'", name);
    if (!item.is_object() || !item.contains("dispatch")) {
      return InvalidInput("an operation is an object with 'dispatch', 'supported' and 'cost'")
          .At(place);
    }
    // The costs are percentages.
    ANEMONE_ASSIGN(PlannedOperation operation, ReadOperation(item, "dispatch", 0.01).At(place));
    operation.name = name;
    plan.operations.push_back(std::move(operation));
  }
  if (plan.operations.empty()) return InvalidInput("the plan holds no operation");
  return plan;
}

// Null when there is no such member, or nothing to have one.
const Json* Member(const Json* object, const char* key) {
  if (object == nullptr || !object->is_object()) return nullptr;
  return object->Find(key);
}

// A unit as Swift's encoder writes it: "neuralEngine", or {"neuralEngine": {}}; in a device, below
// "deviceType".
std::optional<ComputeUnit> XcodeUnit(const Json* device) {
  if (const Json* type = Member(device, "deviceType")) device = type;
  if (device == nullptr) return std::nullopt;
  if (device->is_text()) return HardwareUnitFromAnyName(device->text());
  if (!device->is_object() || device->size() != 1) return std::nullopt;
  return HardwareUnitFromAnyName(device->items().front().key);
}

Result<PlannedOperation> ReadXcodeOperation(const Json& item, const Json& usage) {
  PlannedOperation operation;
  ANEMONE_ASSIGN(const std::string type, Text(item, "operatorName", true));
  operation.type = WithoutOpset(type);
  const Json* outputs = Member(&item, "outputs");
  if (outputs == nullptr || !outputs->is_array() || outputs->empty() ||
      !outputs->front().is_object()) {
    return InvalidInput("the key 'outputs' must be a list of objects");
  }
  ANEMONE_ASSIGN(operation.name, Text(outputs->front(), "name", true));
  const auto preferred = XcodeUnit(Member(&usage, "preferred"));
  if (!preferred) return InvalidInput("'deviceUsage.preferred' names no compute unit");
  operation.preferred = *preferred;
  const Json none = Json::Array();
  const Json* supported = Member(&usage, "supported");
  if (supported == nullptr) supported = &none;
  if (!supported->is_array()) return InvalidInput("'deviceUsage.supported' must be a list");
  for (const Json& device : *supported) {
    const auto unit = XcodeUnit(&device);
    if (!unit) return InvalidInput("'deviceUsage.supported' names no compute unit");
    if (std::find(operation.supported.begin(), operation.supported.end(), *unit) ==
        operation.supported.end()) {
      operation.supported.push_back(*unit);
    }
  }
  if (const Json* weight = Member(Member(&item, "cost"), "weight")) {
    ANEMONE_ASSIGN(operation.cost, Cost({{"cost", *weight}}, 1));
  }
  return operation;
}

Status ReadXcodeBlock(const Json& block, const std::string& place, ComputePlan& plan) {
  const Json* operations = Member(&block, "operations");
  if (operations == nullptr || !operations->is_array()) {
    return InvalidInput("the key 'operations' must be a list").At(place);
  }
  for (size_t i = 0; i < operations->size(); ++i) {
    const Json& item = (*operations)[i];
    const std::string here = fmt::format("{}.operations[{}]", place, i);
    if (!item.is_object()) return InvalidInput("an operation must be an object").At(here);
    // Constants have no unit.
    const Json* usage = Member(&item, "deviceUsage");
    if (usage != nullptr && !usage->is_null()) {
      ANEMONE_ASSIGN(PlannedOperation operation, ReadXcodeOperation(item, *usage).At(here));
      plan.operations.push_back(std::move(operation));
      if (plan.operations.size() > kMaxOperations)
        return InvalidInput("more than {} operations", kMaxOperations);
    }
    const Json* blocks = Member(&item, "blocks");
    if (blocks == nullptr || !blocks->is_array()) continue;
    for (const Json& inner : *blocks) ANEMONE_TRY(ReadXcodeBlock(inner, here, plan));
  }
  return {};
}

// deviceResults.modelStructure.program._0.functions.NAME.block.operations; enumerations with values
// are encoded as {"program": {"_0": VALUE}}.
Result<ComputePlan> ReadXcode(const Json& json) {
  const Json* structure = Member(Member(&json, "deviceResults"), "modelStructure");
  if (structure == nullptr || !structure->is_object()) {
    return Unsupported("this performance report names no operations")
        .Advise("export it with Xcode 16 or later, or use tools/placement/dump_plan.py");
  }
  const Json* program = Member(structure, "program");
  if (const Json* inner = Member(program, "_0")) program = inner;
  const Json* functions = Member(program, "functions");
  if (functions == nullptr || !functions->is_object() || functions->empty()) {
    return Unsupported("only reports about ML Programs are read; this one holds no functions");
  }
  ComputePlan plan;
  plan.form = "xcode";
  if (const Json* unit = json.Find("computeUnit"); unit != nullptr && unit->is_integer()) {
    static constexpr ComputeUnits kUnits[] = {ComputeUnits::kCpuOnly, ComputeUnits::kCpuAndGpu,
                                              ComputeUnits::kAll, ComputeUnits::kCpuAndNe};
    const auto value = unit->integer();
    if (value < 0 || value > 3) {
      return InvalidInput("the key 'computeUnit' is {}, expected 0 to 3", value);
    }
    plan.units = kUnits[value];
  }
  for (const auto& [name, function] : functions->items()) {
    const std::string place = fmt::format("function '{}'", name.substr(0, 80));
    const Json* block = Member(&function, "block");
    if (block == nullptr) return InvalidInput("a function must have a block").At(place);
    ANEMONE_TRY(ReadXcodeBlock(*block, place, plan));
  }
  if (plan.operations.empty()) return InvalidInput("the report gives no operation a unit");
  return plan;
}

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Reads a count at the front of `text` and drops it.
std::optional<int64_t> TakeCount(std::string_view* text) {
  *text = Trimmed(*text);
  int64_t value = 0;
  const auto result = std::from_chars(text->data(), text->data() + text->size(), value);
  if (result.ec != std::errc() || value < 0) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(result.ptr - text->data()));
  return value;
}

// "ANE:   412 / 480 ( 85.8%)", then under "Non-ANE op types:" lines of "32  ios17.cast".
Result<ComputePlan> ReadExecuTorch(std::string_view text) {
  ComputePlan plan;
  plan.form = "executorch";
  plan.counts_only = true;
  bool types = false;
  int models = 0;
  int64_t line_number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++line_number;
    if (line.empty()) continue;
    if (line.starts_with("===")) {
      if (++models > 1)
        return Unsupported("line {}: a report of several models; give one at a time", line_number);
      types = false;
    } else if (line.starts_with("Non-ANE op types")) {
      types = true;
    } else if (types) {
      const auto count = TakeCount(&line);
      const std::string_view type = Trimmed(line);
      if (!count || type.empty() || type.size() > kMaxNameBytes)
        return InvalidInput("line {}: expected a count and an operator", line_number);
      PlannedOperation operation;
      operation.type = WithoutOpset(type);
      operation.count = *count;
      plan.operations.push_back(std::move(operation));
      if (plan.operations.size() > kMaxOperations)
        return InvalidInput("more than {} operators", kMaxOperations);
    } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
      const auto unit = HardwareUnitFromAnyName(line.substr(0, colon));
      std::string_view rest = line.substr(colon + 1);
      const auto count = TakeCount(&rest);
      rest = Trimmed(rest);
      if (!count || !rest.starts_with("/"))
        return InvalidInput("line {}: expected 'UNIT: COUNT / TOTAL'", line_number);
      rest.remove_prefix(1);
      const auto total = TakeCount(&rest);
      if (!total || *count > *total)
        return InvalidInput("line {}: {} of what total?", line_number, *count);
      if (unit == ComputeUnit::kAne) plan.ane_count = *count;
      plan.total_count = *total;
    } else {
      return InvalidInput("line {}: not understood: '{}'", line_number,
                          std::string(line.substr(0, 80)));
    }
  }
  if (plan.total_count == 0) return InvalidInput("the report counts no operation");
  int64_t listed = 0;
  for (const PlannedOperation& operation : plan.operations) {
    if (operation.count > plan.total_count - plan.ane_count - listed)
      return InvalidInput("the operators listed are more than those that miss the Neural Engine");
    listed += operation.count;
  }
  return plan;
}

}  // namespace

Result<ComputePlan> ParseComputePlan(std::string_view text) {
  if (text.size() > kMaxPlanBytes)
    return InvalidInput("{} bytes exceed the limit of {}", text.size(), kMaxPlanBytes);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return InvalidInput("the file is empty");
  if (text[first] != '{') {
    if (text[first] == '=') return ReadExecuTorch(text);
    return InvalidInput("neither a JSON object nor the report of ExecuTorch's script");
  }
  const Json json = ParseJsonOrNull(text, {.max_depth = kMaxDepth});
  if (!json.is_object()) return InvalidInput("this is not a JSON object");
  if (json.contains("deviceResults")) return ReadXcode(json);
  const Json* schema = json.Find("schema");
  if (schema == nullptr || schema->is_object()) return ReadWhisperKit(json);
  if (!schema->is_text() || schema->text() != "anemone.compute_plan")
    return InvalidInput("the schema is {}, expected \"anemone.compute_plan\"", schema->Dump());
  return ReadOwn(json);
}

Result<ComputePlan> ReadComputePlan(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const std::string report = (std::filesystem::path(path) / "report.json").string();
    if (!path.ends_with(".mlperf") && !path.ends_with(".mlperf/")) {
      return Unsupported("a folder is not a compute plan, unless it is Xcode's NAME.mlperf")
          .At(path);
    }
    if (!std::filesystem::exists(report, error)) {
      return Unsupported("this performance report has no report.json: its structure is not known")
          .At(path)
          .Advise("export it with Xcode 16 or later, or use tools/placement/dump_plan.py");
    }
    return ReadComputePlan(report);
  }
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  return ParseComputePlan(bytes.text()).At(path);
}

}  // namespace anemone::placement
