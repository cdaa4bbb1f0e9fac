#include <algorithm>
#include <array>

#include "format/data_types.h"
#include "format/program_codec.h"
#include "format/proto/mil.pb.h"
#include "format/type_codec.h"

namespace anemone::format {
namespace {

using ir::Literal;
using ir::Operation;
using ir::Value;

// How an operation's constant argument is written.
enum class Binding {
  kName,       // the name of a const operation: the rule
  kImmediate,  // its value, in the model file
  kValue,      // its value, in the weight file when large
  kAttribute,  // as kValue, but among the operation's attributes
};

// Parameters that Core ML's compiler only takes as values in place.
struct ImmediateParameter {
  std::string_view operation;
  std::string_view parameter;
};
constexpr std::array<ImmediateParameter, 4> kImmediateParameters{{
    {"classify", "classes"},
    {"reshape_like", "begins"},
    {"reshape_like", "ends"},
    {"reshape_like", "end_masks"},
}};

// constexpr_ operations took attributes in iOS16; from iOS18 on they take inputs. iOS18 redefined
// all of the older ones but this one.
bool TakesAttributes(std::string_view constexpr_type, ir::Opset opset) {
  return opset < ir::Opset::kIOS18 || constexpr_type == "constexpr_affine_dequantize";
}

Binding BindingOf(const Operation& operation, std::string_view parameter, ir::Opset opset) {
  if (operation.is_constexpr()) {
    return TakesAttributes(operation.type(), opset) ? Binding::kAttribute : Binding::kValue;
  }
  for (const ImmediateParameter& row : kImmediateParameters) {
    if (row.operation == operation.type() && row.parameter == parameter) return Binding::kImmediate;
  }
  return Binding::kName;
}

Status AddAttribute(const std::string& key, const Literal& literal, const LiteralTarget& target,
                    google::protobuf::RepeatedPtrField<proto::AttributeEntry>* entries) {
  proto::AttributeEntry* entry = entries->Add();
  entry->set_key(key);
  return EncodeLiteral(literal, target, entry->mutable_value())
      .At(fmt::format("attribute '{}'", key));
}

class FunctionWriter {
 public:
  FunctionWriter(const ir::Function& function, const LiteralTarget& target)
      : function_(function),
        target_(target),
        immediate_{.spec_version = target.spec_version},
        uses_(ir::FindUses(function)) {}

  Status Write(proto::Function* wire) const {
    const std::string opset(OpsetToWire(function_.opset));
    wire->set_opset(opset);
    for (const auto& [key, literal] : function_.attributes) {
      ANEMONE_TRY(AddAttribute(key, literal, immediate_, wire->mutable_attributes()));
    }
    for (const auto& input : function_.inputs()) {
      ANEMONE_TRY(WriteNamedType(*input, wire->add_inputs()));
    }
    auto* entry = wire->add_block_specializations();
    entry->set_key(opset);
    return WriteBody(*function_.block, entry->mutable_value());
  }

 private:
  static Status WriteNamedType(const Value& value, proto::NamedValueType* wire) {
    wire->set_name(value.name);
    return EncodeType(value.type, wire->mutable_type()).At(fmt::format("value '{}'", value.name));
  }

  Status WriteBody(const ir::Block& block, proto::Block* wire) const {
    for (const auto& operation : block.operations()) {
      if (operation->is_const() && IsBoundInPlace(*operation)) continue;
      Status status = WriteOperation(*operation, wire->add_operations());
      if (!status.ok()) {
        return std::move(status).At(
            fmt::format("operation {} '{}'", operation->type(), operation->name()));
      }
    }
    for (const Value* output : block.outputs()) wire->add_outputs(output->name);
    return {};
  }

  // Whether every use of the constant writes its value in place, so that the const operation itself
  // is left out.
  bool IsBoundInPlace(const Operation& constant) const {
    const auto uses = uses_.find(constant.output());
    if (uses == uses_.end() || uses->second.empty()) return false;
    return std::ranges::all_of(uses->second, [&](const ir::Use& use) {
      if (use.operation == nullptr) return false;
      const std::string& parameter = use.operation->arguments()[use.argument].name;
      return BindingOf(*use.operation, parameter, function_.opset) != Binding::kName;
    });
  }

  Status WriteOperation(const Operation& operation, proto::Operation* wire) const {
    wire->set_type(operation.type());
    // The attributes: the name, in any case, then the rest by name.
    ANEMONE_TRY(AddAttribute("name", Literal::String(operation.name()), immediate_,
                             wire->mutable_attributes()));
    for (const auto& [key, literal] : operation.attributes()) {
      // The mark of 64 bits is written as metadata (format/int64_results.h).
      if (key == "name" || key == ir::kInt64Results) continue;
      ANEMONE_TRY(AddAttribute(key, literal, immediate_, wire->mutable_attributes()));
    }
    if (operation.is_const()) {
      const Value* output = operation.outputs().size() == 1 ? operation.output() : nullptr;
      if (output == nullptr || output->literal == nullptr)
        return Internal("a constant has no value");
      ANEMONE_TRY(AddAttribute("val", *output->literal, target_, wire->mutable_attributes()));
    }
    ANEMONE_TRY(WriteArguments(operation, wire));
    for (const auto& block : operation.blocks()) {
      proto::Block* inner = wire->add_blocks();
      for (const auto& input : block->inputs()) {
        ANEMONE_TRY(WriteNamedType(*input, inner->add_inputs()));
      }
      ANEMONE_TRY(WriteBody(*block, inner));
    }
    for (const auto& output : operation.outputs()) {
      ANEMONE_TRY(WriteNamedType(*output, wire->add_outputs()));
    }
    return {};
  }

  Status WriteArguments(const Operation& operation, proto::Operation* wire) const {
    std::vector<const ir::Argument*> arguments;
    for (const ir::Argument& argument : operation.arguments()) arguments.push_back(&argument);
    std::ranges::sort(arguments, {}, [](const ir::Argument* argument) -> const std::string& {
      return argument->name;
    });
    for (const ir::Argument* argument : arguments) {
      Status status = WriteArgument(operation, *argument, wire);
      if (!status.ok()) {
        return std::move(status).At(fmt::format("parameter '{}'", argument->name));
      }
    }
    return {};
  }

  Status WriteArgument(const Operation& operation, const ir::Argument& argument,
                       proto::Operation* wire) const {
    const Binding how = BindingOf(operation, argument.name, function_.opset);
    if (how == Binding::kAttribute) {
      if (argument.values.size() != 1 || !argument.values[0]->is_const()) {
        return Unsupported("{} takes constants only before iOS18", operation.type());
      }
      return AddAttribute(argument.name, *argument.values[0]->literal, target_,
                          wire->mutable_attributes());
    }
    auto* entry = wire->add_inputs();
    entry->set_key(argument.name);
    for (const Value* value : argument.values) {
      if (value == nullptr) return Internal("an argument is null");
      proto::Argument::Binding* binding = entry->mutable_value()->add_arguments();
      if (how == Binding::kName || !value->is_const()) {
        binding->set_name(value->name);
      } else {
        ANEMONE_TRY(EncodeLiteral(*value->literal, how == Binding::kValue ? target_ : immediate_,
                                  binding->mutable_value()));
      }
    }
    return {};
  }

  const ir::Function& function_;
  const LiteralTarget& target_;
  LiteralTarget immediate_;
  ir::UseMap uses_;
};

}  // namespace

Status EncodeProgram(const ir::Program& program, const LiteralTarget& target,
                     proto::Program* wire) {
  wire->set_version(program.version);
  const LiteralTarget immediate{.spec_version = target.spec_version};
  for (const auto& [key, literal] : program.attributes) {
    ANEMONE_TRY(AddAttribute(key, literal, immediate, wire->mutable_attributes()));
  }
  for (const auto& function : program.functions) {
    auto* entry = wire->add_functions();
    entry->set_key(function->name);
    Status status = FunctionWriter(*function, target).Write(entry->mutable_value());
    if (!status.ok()) return std::move(status).At(fmt::format("function '{}'", function->name));
  }
  return {};
}

}  // namespace anemone::format
