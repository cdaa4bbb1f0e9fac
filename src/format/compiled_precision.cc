#include "format/compiled_precision.h"

#include <algorithm>
#include <bit>
#include <map>

#include "format/data_types.h"
#include "format/operation_releases.h"

namespace anemone::format {
namespace {

struct Precision {
  std::string_view name;  // empty for what has none: bool and strings
  bool seen = true;
};

Result<Precision> PrecisionOf(int32_t data_type) {
  ANEMONE_ASSIGN(const DType dtype, DTypeOfMil(data_type));
  switch (dtype) {
    case DType::kFp16:
      return Precision{"Float16"};
    case DType::kFp32:
      return Precision{"Float32"};
    case DType::kFp64:
      return Precision{"Float64", false};
    case DType::kInt8:
      return Precision{"Int8"};
    case DType::kInt16:
      return Precision{"Int16"};
    case DType::kInt32:
      return Precision{"Int32"};
    case DType::kInt64:
      return Precision{"Int64", false};
    case DType::kUInt8:
      return Precision{"UInt8"};
    case DType::kUInt16:
      return Precision{"UInt16"};
    case DType::kUInt32:
      return Precision{"UInt32", false};
    case DType::kUInt64:
      return Precision{"UInt64", false};
    default:
      return Precision{};
  }
}

class Names {
 public:
  explicit Names(std::set<std::string>* unconfirmed) : unconfirmed_(unconfirmed) {}

  Status Add(const proto::ValueType& type) {
    if (!type.has_tensortype()) {
      unconfirmed_->insert("metadata.json: whether lists and dictionaries count for the precision");
      return {};
    }
    ANEMONE_ASSIGN(const Precision precision, PrecisionOf(type.tensortype().datatype()));
    if (precision.name.empty()) return {};
    if (!precision.seen) {
      unconfirmed_->insert(
          fmt::format("metadata.json: the name '{}' of an element type", precision.name));
    }
    names_.emplace(precision.name);
    return {};
  }
  void Add(std::string name) { names_.insert(std::move(name)); }
  const std::set<std::string>& names() const { return names_; }

 private:
  std::set<std::string>* unconfirmed_;
  std::set<std::string> names_;
};

const proto::Block& BodyOf(const proto::Function& function) {
  return function.block_specializations(0).value();
}

const proto::Value* AttributeOf(const proto::Operation& operation, std::string_view name) {
  for (const proto::AttributeEntry& attribute : operation.attributes()) {
    if (attribute.key() == name) return &attribute.value();
  }
  return nullptr;
}

// Elements of a value whose dimensions are all constant; 1 for a scalar.
uint64_t ElementsOf(const proto::Value& value) {
  uint64_t count = 1;
  for (const proto::Dimension& dimension : value.type().tensortype().dimensions()) {
    count *= dimension.constant().size();
  }
  return count;
}

// Tells of a blob among a constexpr_ operation's parameters whose type nothing else names: whether
// it counts cannot be known.
Status NoteBlobs(const proto::Operation& operation, std::initializer_list<std::string_view> counted,
                 const std::set<std::string>& names, std::set<std::string>* unconfirmed) {
  for (const proto::AttributeEntry& attribute : operation.attributes()) {
    if (!attribute.value().has_blobfilevalue()) continue;
    if (std::ranges::find(counted, attribute.key()) != counted.end()) continue;
    ANEMONE_ASSIGN(const Precision precision,
                   PrecisionOf(attribute.value().type().tensortype().datatype()));
    if (!names.contains(std::string(precision.name))) {
      unconfirmed->insert(
          fmt::format("metadata.json: whether '{}' of {} counts for "
                      "storagePrecision",
                      attribute.key(), operation.type()));
    }
  }
  return {};
}

Status AddStorage(const proto::Operation& operation, Names* names) {
  if (operation.type() == "const") {
    const proto::Value* value = AttributeOf(operation, "val");
    return value != nullptr && value->has_blobfilevalue() ? names->Add(value->type()) : Status();
  }
  if (operation.type() == "constexpr_affine_dequantize") {
    const proto::Value* data = AttributeOf(operation, "quantized_data");
    return data != nullptr && data->has_blobfilevalue() ? names->Add(data->type()) : Status();
  }
  if (operation.type() == "constexpr_lut_to_dense") {
    const proto::Value* lut = AttributeOf(operation, "lut");
    const uint64_t entries = lut == nullptr ? 0 : ElementsOf(*lut);
    if (entries > 0) names->Add(fmt::format("Palettized ({} bits)", std::bit_width(entries) - 1));
  }
  if (operation.type() == "constexpr_sparse_to_dense") names->Add("Sparse");
  return {};
}

}  // namespace

std::string MixedText(const std::set<std::string>& names) {
  if (names.size() == 1) return *names.begin();
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "Mixed (" : ", ") + name;
  return text.empty() ? text : text + ")";
}

Result<std::set<std::string>> ComputePrecisionOf(const proto::Function& function,
                                                 std::set<std::string>* unconfirmed) {
  Names names(unconfirmed);
  for (const proto::NamedValueType& input : function.inputs()) {
    ANEMONE_TRY(names.Add(input.type()));
  }
  for (const proto::Operation& operation : BodyOf(function).operations()) {
    for (const proto::NamedValueType& output : operation.outputs()) {
      ANEMONE_TRY(names.Add(output.type()));
    }
  }
  return names.names();
}

Result<std::set<std::string>> StoragePrecisionOf(const proto::Program& program,
                                                 std::set<std::string>* unconfirmed) {
  Names names(unconfirmed);
  for (const auto& entry : program.functions()) {
    for (const proto::Operation& operation : BodyOf(entry.value()).operations()) {
      ANEMONE_TRY(AddStorage(operation, &names));
    }
  }
  for (const auto& entry : program.functions()) {
    for (const proto::Operation& operation : BodyOf(entry.value()).operations()) {
      if (!operation.type().starts_with("constexpr_")) continue;
      ANEMONE_TRY(
          NoteBlobs(operation, {"quantized_data", "indices", "mask"}, names.names(), unconfirmed));
    }
  }
  return names.names();
}

Result<Histogram> HistogramOf(const proto::Function& function, std::set<std::string>* unconfirmed) {
  ANEMONE_ASSIGN(const ir::Opset opset, OpsetFromWire(function.opset()));
  Histogram counts;
  std::set<std::string> unseen;
  for (const proto::Operation& operation : BodyOf(function).operations()) {
    if (operation.type() == "const") continue;
    ReleasedName name = ReleasedNameOf(operation.type(), opset);
    if (!name.seen) unseen.insert(operation.type());
    ++counts[std::move(name.name)];
  }
  if (!unseen.empty()) {
    std::string list;
    for (const std::string& name : unseen) list += (list.empty() ? "" : ", ") + name;
    unconfirmed->insert(fmt::format("metadata.json: the release that defines {} at {}", list,
                                    ir::OpsetName(opset)));
  }
  return counts;
}

}  // namespace anemone::format
