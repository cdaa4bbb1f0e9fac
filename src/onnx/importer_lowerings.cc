// Lowerings that the caller gives as templates in MIL text.
#include <algorithm>

#include "onnx/importer.h"

namespace anemone::onnx {
namespace {

// An attribute as a literal of MIL.
Result<ir::Literal> LiteralOf(const Attribute& attribute) {
  using Kind = Attribute::Kind;
  switch (attribute.kind) {
    case Kind::kFloat:
      return ir::Literal::Fp32(attribute.f);
    case Kind::kInt:
      return Constant::Int64s({attribute.i}, {}).ToLiteral();
    case Kind::kString:
      return ir::Literal::String(attribute.s);
    case Kind::kFloats:
      return Constant::Floats(attribute.floats, {std::ssize(attribute.floats)}).ToLiteral();
    case Kind::kInts:
      return Constant::Int64s(attribute.ints).ToLiteral();
    case Kind::kTensor: {
      ANEMONE_ASSIGN(const Constant constant, Constant::FromTensor(attribute.tensors.at(0)));
      return constant.ToLiteral();
    }
    default:
      return Unsupported("the attribute '{}' is no number, text or tensor", attribute.name);
  }
}

std::string NameOf(const ir::TextTemplate& lowering) {
  return lowering.domain.empty() ? lowering.op : lowering.domain + "::" + lowering.op;
}

}  // namespace

const ir::TextTemplate* Importer::FindLowering(const Node& node) const {
  const auto found = std::ranges::find_if(options_.lowerings, [&](const auto& lowering) {
    return lowering.op == node.op && lowering.domain == node.domain;
  });
  return found == options_.lowerings.end() ? nullptr : &*found;
}

Status Importer::Lower(const ir::TextTemplate& lowering, NodeContext& context,
                       ir::Builder& builder) {
  used_.insert(&lowering);
  std::map<std::string, ir::Value*> values;
  for (size_t i = 0; i < context.InputCount(); ++i) {
    if (!context.Has(i)) continue;
    if (i >= lowering.inputs.size()) {
      return InvalidInput("the node has more inputs than the lowering's {}",
                          lowering.inputs.size());
    }
    if (context.IsOpen(i)) {
      return Unsupported("its input '{}' has an open shape, which a lowering cannot take",
                         context.In(i).name)
          .Advise("fix the shape with --input");
    }
    values[lowering.inputs[i]] = context.Value(i);
  }
  for (const auto& setting : lowering.settings) {
    const Attribute* attribute = context.node().Find(setting.name);
    if (attribute == nullptr && !setting.value)
      return InvalidInput("the node has no attribute '{}'", setting.name);
    std::optional<ir::Literal> literal = setting.value;
    if (attribute != nullptr) {
      ANEMONE_ASSIGN(literal, LiteralOf(*attribute));
    }
    values[setting.name] = context.MakeConst(*literal, setting.name);
  }
  ANEMONE_TRY(context.status());
  const std::string& name = context.node().name.empty() ? lowering.op : context.node().name;
  auto outputs = ir::Instantiate(lowering, values, builder, name);
  if (!outputs.ok()) return std::move(outputs).status().At("the lowering of " + NameOf(lowering));
  if (outputs->size() < context.outputs().size()) {
    return InvalidInput("the node has {} outputs, the lowering {}", context.outputs().size(),
                        outputs->size());
  }
  for (size_t i = 0; i < context.outputs().size(); ++i) {
    const ir::Type& type = (*outputs)[i]->type;
    if (!type.is_tensor() || !type.is_static())
      return Unsupported("the lowering's output {} is {}", i, type.ToString());
    ANEMONE_TRY(context.Set(i, (*outputs)[i]));
  }
  return {};
}

void Importer::NoteUnusedLowerings() {
  for (const auto& lowering : options_.lowerings) {
    if (used_.contains(&lowering)) continue;
    notes_.push_back(fmt::format("no node is a {}: its lowering was not used", NameOf(lowering)));
  }
}

}  // namespace anemone::onnx
