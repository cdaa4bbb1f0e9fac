#include "cpu/specialize.h"

#include <algorithm>
#include <unordered_set>

#include "exec/kernel.h"

namespace anemone::cpu {
namespace {

// Operators on constants that grow their input beyond this (fill, tile) run each time instead.
constexpr int64_t kFoldGrowthBytes = 1 << 20;
// A weight is computed when it is asked for, through this many operations at most: the bound of the
// recursion.
constexpr int kMaxDeferredDepth = 8;

bool IsInterpreted(const ir::Operation& operation) {
  return operation.def() == nullptr || operation.def()->traits.run_by == ir::RunBy::kInterpreter;
}

// Whether it must run though nothing uses its results. Bodies are not searched: each may write.
bool MustRun(const ir::Operation& operation) {
  if (operation.def() == nullptr) return false;
  const ir::Effects effects = operation.def()->traits.effects;
  return effects == ir::Effects::kWrites || effects == ir::Effects::kBodies;
}

int64_t Bytes(const ir::Type& type) {
  const auto count = type.element_count();
  return count ? static_cast<int64_t>(ByteSize(type.dtype(), *count).value_or(0)) : 0;
}

// Every value that an operation reads, its bodies included.
template <typename Visit>
void ForEachRead(const ir::Operation& operation, const Visit& visit) {
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) visit(*value);
  }
  for (const auto& block : operation.blocks()) {
    ir::ForEachOperation(*block, [&](const ir::Operation& inner) {
      for (const ir::Argument& argument : inner.arguments()) {
        for (const ir::Value* value : argument.values) visit(*value);
      }
      for (const auto& body : inner.blocks()) {
        for (const ir::Value* value : body->outputs()) visit(*value);
      }
    });
    for (const ir::Value* value : block->outputs()) visit(*value);
  }
}

class Specializer {
 public:
  Specializer(const ir::Function& function, FoldedConstants& constants)
      : function_(function), constants_(constants) {}

  Result<Specialized> Run(const std::map<std::string, ir::Shape>& shapes) {
    for (const auto& input : function_.inputs()) {
      ValueFacts& facts = out_.values[input.get()];
      facts.type = input->type;
      if (!input->type.is_tensor()) {
        facts.dynamic = true;
        continue;
      }
      const auto found = shapes.find(input->name);
      if (found == shapes.end()) return Usage("input '{}' is not given", input->name);
      facts.type = ir::Type::Tensor(input->type.dtype(), found->second);
    }
    for (const auto& operation : function_.block->operations()) {
      ANEMONE_TRY(
          Visit(*operation).At(fmt::format("{} '{}'", operation->type(), operation->name())));
    }
    KeepLive();
    return std::move(out_);
  }

 private:
  Status Visit(const ir::Operation& operation) {
    if (operation.is_const()) {
      const ir::Value* value = operation.output();
      ValueFacts& facts = out_.values[value];
      facts.type = value->type;
      facts.known = value->literal.get();
      facts.fixed = true;
      return {};
    }
    Node node;
    node.operation = &operation;
    node.interpreted = IsInterpreted(operation);
    for (const ir::Argument& argument : operation.arguments()) {
      for (const ir::Value* value : argument.values) {
        if (out_.values.at(value).dynamic) node.interpreted = true;
      }
    }
    if (!node.interpreted) {
      ANEMONE_TRY(Infer(operation, &node));
      for (const ir::Type& type : node.types) {
        if (!type.is_tensor() || !type.is_static()) node.interpreted = true;
      }
    }
    if (node.interpreted) {
      node.args.reset();
      node.types.clear();
      for (const auto& output : operation.outputs()) {
        node.types.push_back(output->type);
        ValueFacts& facts = out_.values[output.get()];
        facts.type = output->type;
        facts.dynamic = !output->type.is_tensor() || !output->type.is_static();
      }
      out_.nodes.push_back(std::move(node));
      return {};
    }
    for (size_t i = 0; i < node.types.size(); ++i) {
      out_.values[operation.output(i)].type = node.types[i];
    }
    ANEMONE_ASSIGN(const bool folded, Fold(operation, node));
    if (!folded) out_.nodes.push_back(std::move(node));
    return {};
  }

  Status Infer(const ir::Operation& operation, Node* node) {
    node->args.emplace(*operation.def(), function_.opset);
    for (const ir::Argument& argument : operation.arguments()) {
      std::vector<ir::OpArgs::Arg> list;
      for (const ir::Value* value : argument.values) {
        const ValueFacts& facts = out_.values.at(value);
        list.push_back({facts.type, facts.known});
      }
      node->args->AddAll(argument.name, std::move(list));
    }
    ANEMONE_TRY(ir::InferTypes(*node->args, &node->types));
    // Where an operand becomes known here that was not when the program was written, inference may
    // choose the dtype of another operand (matmul of integers and floats): what is declared holds.
    for (size_t i = 0; i < node->types.size(); ++i) {
      const ir::Type& declared = operation.output(i)->type;
      ir::Type& type = node->types[i];
      if (!declared.is_tensor() || !type.is_static() || declared.dtype() == type.dtype()) continue;
      type = ir::Type::Tensor(declared.dtype(), type.shape());
      node->as_declared = true;
    }
    return {};
  }

  Result<bool> Fold(const ir::Operation& operation, const Node& node) {
    if (!operation.def()->pure() || node.as_declared) return false;
    if (operation.type() == "shape") {
      const ir::Value* x = operation.Input("x");
      if (node.types[0].dtype() != DType::kInt32) return false;
      Keep(operation.output(), ir::Literal::Int32s(out_.values.at(x).type.shape()));
      return true;
    }
    bool fixed = true;
    int depth = 0;
    int64_t bytes = 0;
    for (const ir::Argument& argument : operation.arguments()) {
      for (const ir::Value* value : argument.values) {
        const ValueFacts& facts = out_.values.at(value);
        if (facts.known == nullptr && !facts.deferred) return false;
        fixed = fixed && facts.fixed;
        depth = std::max(depth, facts.deferred_depth);
        bytes += Bytes(facts.type);
      }
    }
    int64_t result_bytes = 0;
    for (const ir::Type& type : node.types) result_bytes += Bytes(type);
    if (!operation.def()->constexpr_op && result_bytes > 4 * bytes + kFoldGrowthBytes) return false;
    if (fixed) return FoldOnce(operation, node, depth + 1);
    std::vector<LiteralRef> held;
    std::vector<exec::FoldInput> inputs;
    for (const ir::Argument& argument : operation.arguments()) {
      exec::FoldInput input{argument.name, {}};
      for (const ir::Value* value : argument.values) {
        const ir::Literal* known = out_.values.at(value).known;
        if (known == nullptr) {
          ANEMONE_ASSIGN(LiteralRef literal, constants_.Get(*value));
          known = held.emplace_back(std::move(literal)).get();
        }
        input.literals.push_back(known);
      }
      inputs.push_back(std::move(input));
    }
    ANEMONE_ASSIGN(auto results, exec::Fold(*operation.def(), function_.opset, inputs,
                                            operation.has_int64_results()));
    for (size_t i = 0; i < results.size(); ++i) Keep(operation.output(i), std::move(results[i]));
    return true;
  }

  // The values of an operation on constants, from what the plans of the function share.
  Result<bool> FoldOnce(const ir::Operation& operation, const Node& node, int depth) {
    // Large floats are weights: inference needs their types only.
    const bool defer =
        depth <= kMaxDeferredDepth &&
        std::all_of(node.types.begin(), node.types.end(), [](const ir::Type& type) {
          return IsFloat(type.dtype()) && Bytes(type) > static_cast<int64_t>(kSmallLiteralBytes);
        });
    for (const auto& output : operation.outputs()) {
      ValueFacts& facts = out_.values[output.get()];
      facts.fixed = true;
      facts.deferred = defer;
      facts.deferred_depth = defer ? depth : 0;
      if (defer) continue;
      ANEMONE_ASSIGN(LiteralRef literal, constants_.Get(*output));
      facts.known = out_.literals.emplace_back(std::move(literal)).get();
    }
    return true;
  }

  // A value that depends on the shapes.
  void Keep(const ir::Value* value, ir::Literal literal) {
    out_.own_bytes += static_cast<int64_t>(literal.bytes().size());
    out_.literals.push_back(std::make_shared<const ir::Literal>(std::move(literal)));
    out_.values[value].known = out_.literals.back().get();
  }

  // Drops operations that no output needs and records the users of each value.
  void KeepLive() {
    std::unordered_set<const ir::Value*> needed;
    for (const ir::Value* output : function_.outputs()) {
      needed.insert(output);
      out_.values[output].is_output = true;
    }
    std::vector<bool> live(out_.nodes.size());
    for (size_t i = out_.nodes.size(); i-- > 0;) {
      const ir::Operation& operation = *out_.nodes[i].operation;
      live[i] = MustRun(operation);
      for (const auto& output : operation.outputs())
        live[i] = live[i] || needed.contains(output.get());
      if (live[i]) ForEachRead(operation, [&](const ir::Value& value) { needed.insert(&value); });
    }
    std::deque<Node> kept;
    for (size_t i = 0; i < live.size(); ++i) {
      if (!live[i]) continue;
      const ir::Operation* operation = out_.nodes[i].operation;
      ForEachRead(*operation, [&](const ir::Value& value) {
        const auto found = out_.values.find(&value);  // missing: a value of a nested body
        if (found != out_.values.end()) found->second.users.push_back(operation);
      });
      kept.push_back(std::move(out_.nodes[i]));
    }
    out_.nodes = std::move(kept);
  }

  const ir::Function& function_;
  FoldedConstants& constants_;
  Specialized out_;
};

}  // namespace

Result<Specialized> Specialize(const ir::Function& function,
                               const std::map<std::string, ir::Shape>& shapes,
                               FoldedConstants& constants) {
  return Specializer(function, constants).Run(shapes);
}

}  // namespace anemone::cpu
