#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "format/data_types.h"
#include "format/program_codec.h"
#include "format/proto/mil.pb.h"
#include "format/type_codec.h"

namespace anemone::format {
namespace {

using ir::Literal;
using ir::Operation;
using ir::Value;

constexpr std::string_view kConst = "const";
constexpr std::string_view kConstexprPrefix = "constexpr_";
constexpr std::string_view kNameAttribute = "name";
constexpr std::string_view kValueAttribute = "val";

template <typename Entries>
Status CheckUniqueKeys(const Entries& entries, std::string_view what) {
  std::unordered_set<std::string_view> seen;
  for (const auto& entry : entries) {
    ANEMONE_TRY(CheckedName(entry.key(), what).status());
    if (!seen.insert(entry.key()).second) {
      return InvalidInput("{} '{}' occurs twice", what, entry.key());
    }
  }
  return {};
}

template <typename Entries>
Result<std::map<std::string, Literal>> DecodeAttributes(const Entries& entries,
                                                        WeightFiles& weights) {
  ANEMONE_TRY(CheckUniqueKeys(entries, "attribute"));
  std::map<std::string, Literal> attributes;
  for (const proto::AttributeEntry& entry : entries) {
    ANEMONE_ASSIGN(
        Literal literal,
        DecodeLiteral(entry.value(), weights).At(fmt::format("attribute '{}'", entry.key())));
    attributes.emplace(entry.key(), std::move(literal));
  }
  return attributes;
}

// "conv 'stem'" for error places.
std::string PlaceOf(const proto::Operation& wire) {
  std::string name = wire.outputs_size() > 0 ? wire.outputs(0).name() : std::string();
  if (!CheckedName(name, "").ok()) name = "?";
  const std::string type = CheckedName(wire.type(), "").ok() ? wire.type() : "?";
  return fmt::format("operation {} '{}'", type, name);
}

// Reads one function. Keeps the names that are visible at the current place: a stack of scopes, as
// a map with an undo log.
class FunctionReader {
 public:
  FunctionReader(ir::Function& function, WeightFiles& weights)
      : function_(function), weights_(weights) {}

  Status Read(const proto::Function& wire) {
    const proto::Block* body = nullptr;
    ANEMONE_TRY(CheckUniqueKeys(wire.block_specializations(), "block specialization"));
    for (const auto& entry : wire.block_specializations()) {
      if (entry.key() == wire.opset()) body = &entry.value();
    }
    ANEMONE_ASSIGN(const std::string opset, CheckedName(wire.opset(), "the op set"));
    if (body == nullptr)
      return InvalidInput("the function has no block for the op set '{}'", opset);
    ANEMONE_ASSIGN(function_.opset, OpsetFromWire(opset));
    ANEMONE_ASSIGN(function_.attributes, DecodeAttributes(wire.attributes(), weights_));
    if (body->inputs_size() != 0)
      return InvalidInput("the block of a function must not have inputs");
    CollectNames(wire.inputs());
    CollectNames(*body);
    ANEMONE_TRY(ReadInputs(wire.inputs(), *function_.block));
    return ReadBody(*body, *function_.block);
  }

 private:
  using NamedValues = google::protobuf::RepeatedPtrField<proto::NamedValueType>;
  struct Visible {
    Value* value = nullptr;
    int depth = 0;
  };
  struct Undo {
    std::string name;
    Visible before;
  };

  void CollectNames(const NamedValues& values) {
    for (const proto::NamedValueType& value : values) file_names_.insert(value.name());
  }
  void CollectNames(const proto::Block& block) {
    CollectNames(block.inputs());
    for (const proto::Operation& operation : block.operations()) {
      CollectNames(operation.outputs());
      for (const proto::Block& inner : operation.blocks()) CollectNames(inner);
    }
  }

  // `wanted` when no value of the IR has that name yet, else a variation that the file does not
  // use.
  std::string NameInIr(const std::string& wanted, bool from_file) {
    std::string name = wanted;
    if (ir_names_.contains(name) || (!from_file && file_names_.contains(name))) {
      int& suffix = next_suffix_[wanted];  // so that even a name used 10,000 times is cheap
      do {
        name = fmt::format("{}_{}", wanted, suffix++);
      } while (ir_names_.contains(name) || file_names_.contains(name));
    }
    ir_names_.insert(name);
    return name;
  }

  // Makes `value` visible under the file's `name` in the current block.
  Status Define(const std::string& name, Value* value) {
    Visible& slot = visible_[name];
    if (slot.value != nullptr && slot.depth == depth_) {
      return InvalidInput("value '{}' is defined twice", name);
    }
    undo_.push_back({name, slot});
    slot = {value, depth_};
    return {};
  }

  Result<Value*> Lookup(const std::string& name) const {
    const auto found = visible_.find(name);
    if (found != visible_.end() && found->second.value != nullptr) return found->second.value;
    ANEMONE_ASSIGN(const std::string checked, CheckedName(name, "a value's name"));
    return InvalidInput("value '{}' is used before it is defined", checked);
  }

  Status ReadInputs(const NamedValues& wire, ir::Block& block) {
    for (const proto::NamedValueType& input : wire) {
      ANEMONE_ASSIGN(const std::string name, CheckedName(input.name(), "an input's name"));
      ANEMONE_ASSIGN(ir::Type type, DecodeType(input.type()).At(fmt::format("input '{}'", name)));
      ANEMONE_TRY(Define(name, block.AddInput(NameInIr(name, true), std::move(type))));
    }
    return {};
  }

  Status ReadBody(const proto::Block& wire, ir::Block& block) {
    if (wire.attributes_size() != 0) {
      return Unsupported("attributes of a block are not supported");
    }
    for (const proto::Operation& operation : wire.operations()) {
      Status status = ReadOperation(operation, block);
      if (!status.ok()) return std::move(status).At(PlaceOf(operation));
    }
    for (const std::string& name : wire.outputs()) {
      Result<Value*> value = Lookup(name);
      if (!value.ok()) return std::move(value).status().At("block outputs");
      // A function that returns a value twice gives it once, by its name. In a nested block, each
      // position counts.
      if (depth_ == 0 && std::ranges::find(block.outputs(), *value) != block.outputs().end()) {
        continue;
      }
      block.outputs().push_back(*value);
    }
    return {};
  }

  Status ReadNestedBlock(const proto::Block& wire, ir::Block& block) {
    const size_t undo_mark = undo_.size();
    ++depth_;
    ANEMONE_TRY(ReadInputs(wire.inputs(), block));
    ANEMONE_TRY(ReadBody(wire, block));
    --depth_;
    while (undo_.size() > undo_mark) {
      visible_[undo_.back().name] = undo_.back().before;
      undo_.pop_back();
    }
    return {};
  }

  // A const operation for a value that the file binds in place, as parameter `parameter` of an
  // operation.
  Value* AddConst(Literal literal, const std::string& hint, ir::Block& block) {
    const std::string name = NameInIr(hint, false);
    auto operation = std::make_unique<Operation>(std::string(kConst), ir::FindOpDef(kConst));
    operation->attributes().emplace(kNameAttribute, Literal::String(name));
    Value* value = operation->AddOutput(name, literal.type());
    value->literal = std::make_shared<const Literal>(std::move(literal));
    block.Insert(std::move(operation));
    return value;
  }

  Status ReadOperation(const proto::Operation& wire, ir::Block& block) {
    ANEMONE_ASSIGN(const std::string type, CheckedName(wire.type(), "the operation's type"));
    ANEMONE_ASSIGN(auto attributes, DecodeAttributes(wire.attributes(), weights_));
    auto operation = std::make_unique<Operation>(type, ir::FindOpDef(type));
    std::shared_ptr<const Literal> literal;
    if (type == kConst) {
      ANEMONE_ASSIGN(literal, TakeConstant(wire, attributes));
    } else if (type.starts_with(kConstexprPrefix)) {
      BindAttributes(wire, attributes, *operation, block);
    }
    operation->attributes() = std::move(attributes);
    ANEMONE_TRY(ReadArguments(wire, *operation, block));
    for (const proto::Block& inner : wire.blocks()) {
      ANEMONE_TRY(ReadNestedBlock(inner, *operation->AddBlock()));
    }
    for (const proto::NamedValueType& output : wire.outputs()) {
      ANEMONE_ASSIGN(const std::string name, CheckedName(output.name(), "an output's name"));
      ANEMONE_ASSIGN(ir::Type output_type,
                     DecodeType(output.type()).At(fmt::format("output '{}'", name)));
      if (literal != nullptr && !(output_type == literal->type())) {
        return InvalidInput("the constant's value has the type {}, but its output has {}",
                            literal->type().ToString(), output_type.ToString());
      }
      Value* value = operation->AddOutput(NameInIr(name, true), std::move(output_type));
      value->literal = literal;
      ANEMONE_TRY(Define(name, value));
    }
    block.Insert(std::move(operation));
    return {};
  }

  // The value of a const operation, taken out of its attributes.
  static Result<std::shared_ptr<const Literal>> TakeConstant(
      const proto::Operation& wire, std::map<std::string, Literal>& attributes) {
    if (wire.inputs_size() != 0 || wire.blocks_size() != 0 || wire.outputs_size() != 1) {
      return InvalidInput("a constant must have no inputs, no blocks and one output");
    }
    const auto value = attributes.find(std::string(kValueAttribute));
    if (value == attributes.end()) return InvalidInput("attribute 'val' is missing");
    auto literal = std::make_shared<const Literal>(std::move(value->second));
    attributes.erase(value);
    return literal;
  }

  // Up to iOS17, constexpr_ operations carry their parameters as attributes.
  void BindAttributes(const proto::Operation& wire, std::map<std::string, Literal>& attributes,
                      Operation& operation, ir::Block& block) {
    for (auto it = attributes.begin(); it != attributes.end();) {
      if (it->first == kNameAttribute) {
        ++it;
        continue;
      }
      const std::string hint = HintFor(wire, it->first);
      Value* value = AddConst(std::move(it->second), hint, block);
      operation.arguments().push_back({it->first, {value}});
      it = attributes.erase(it);
    }
  }

  static std::string HintFor(const proto::Operation& wire, const std::string& parameter) {
    const std::string& base = wire.outputs_size() > 0 ? wire.outputs(0).name() : wire.type();
    return fmt::format("{}_{}", base, parameter);
  }

  Status ReadArguments(const proto::Operation& wire, Operation& operation, ir::Block& block) {
    ANEMONE_TRY(CheckUniqueKeys(wire.inputs(), "parameter"));
    for (const auto& entry : wire.inputs()) {
      const std::string& parameter = entry.key();
      std::vector<Value*> values;
      for (const proto::Argument::Binding& binding : entry.value().arguments()) {
        Result<Value*> value = ReadBinding(binding, wire, parameter, block);
        if (!value.ok()) {
          return std::move(value).status().At(fmt::format("parameter '{}'", parameter));
        }
        values.push_back(*value);
      }
      operation.arguments().push_back({parameter, std::move(values)});
    }
    SortArguments(operation);
    const auto& arguments = operation.arguments();
    const auto twice = std::ranges::adjacent_find(arguments, {}, &ir::Argument::name);
    if (twice != arguments.end()) {
      return InvalidInput("parameter '{}' is given as an input and as an attribute", twice->name);
    }
    return {};
  }

  Result<Value*> ReadBinding(const proto::Argument::Binding& binding, const proto::Operation& wire,
                             const std::string& parameter, ir::Block& block) {
    switch (binding.binding_case()) {
      case proto::Argument::Binding::kName:
        return Lookup(binding.name());
      case proto::Argument::Binding::kValue: {
        ANEMONE_ASSIGN(Literal literal, DecodeLiteral(binding.value(), weights_));
        return AddConst(std::move(literal), HintFor(wire, parameter), block);
      }
      case proto::Argument::Binding::BINDING_NOT_SET:
        break;
    }
    return InvalidInput("a binding has neither a name nor a value");
  }

  // The order of the file's map means nothing: known parameters are sorted as their definition
  // lists them, the rest by name.
  static void SortArguments(Operation& operation) {
    const ir::OpDef* def = operation.def();
    const auto place = [def](const ir::Argument& argument) {
      size_t index = 0;
      if (def != nullptr) {
        while (index < def->params.size() && def->params[index].name != argument.name) ++index;
      }
      return std::pair<size_t, std::string_view>(index, argument.name);
    };
    std::ranges::sort(operation.arguments(), {}, place);
  }

  ir::Function& function_;
  WeightFiles& weights_;
  std::unordered_map<std::string, Visible> visible_;
  std::vector<Undo> undo_;
  int depth_ = 0;
  std::unordered_set<std::string> file_names_;  // every value's name in the file
  std::unordered_set<std::string> ir_names_;    // names given so far
  std::unordered_map<std::string, int> next_suffix_;
};

}  // namespace

Result<ir::Program> DecodeProgram(const proto::Program& wire, WeightFiles& weights) {
  constexpr int64_t kVersion = 1;
  if (wire.version() != kVersion) {
    return InvalidInput("program version {} is not known; {} is expected", wire.version(),
                        kVersion);
  }
  ir::Program program;
  program.version = wire.version();
  ANEMONE_ASSIGN(program.attributes, DecodeAttributes(wire.attributes(), weights));
  ANEMONE_TRY(CheckUniqueKeys(wire.functions(), "function"));
  if (wire.functions_size() == 0) return InvalidInput("the program has no function");
  for (const auto& entry : wire.functions()) {
    auto function = std::make_unique<ir::Function>();
    function->name = entry.key();
    Status status = FunctionReader(*function, weights).Read(entry.value());
    if (!status.ok()) return std::move(status).At(fmt::format("function '{}'", entry.key()));
    program.functions.push_back(std::move(function));
  }
  // The order of the file's map means nothing either.
  std::ranges::sort(program.functions, {}, [](const auto& function) { return function->name; });
  return program;
}

}  // namespace anemone::format
