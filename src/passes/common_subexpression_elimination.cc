// Merges constants with the same type and bytes, and operations with the same operator and
// arguments. Operations with an effect or with bodies, and operators that the op table does not
// know, stay.
//
//   before                        after
//     a = relu(x = x);              a = relu(x = x);
//     b = relu(x = x);              y = add(x = a, y = a);
//     y = add(x = a, y = b);      } -> (y);
//   } -> (y);
#include <cstring>
#include <map>

#include "passes/pass.h"
#include "passes/rewriter.h"

namespace anemone::passes {
namespace {

// A hash of some of the bytes: weights are large, and those of one shape nearly always differ in
// the first few. All bytes are compared before two constants count as equal.
uint64_t SampleHash(const Bytes& bytes) {
  constexpr size_t kSamples = 64;
  uint64_t hash = 0xcbf29ce484222325u ^ bytes.size();
  const size_t step = std::max<size_t>(1, bytes.size() / kSamples);
  for (size_t i = 0; i < bytes.size(); i += step) {
    hash = (hash ^ static_cast<uint64_t>(bytes.data()[i])) * 0x100000001b3u;
  }
  return hash;
}

std::string KeyOfLiteral(const ir::Literal& literal) {
  std::string key = literal.type().ToString();
  if (literal.type().is_tensor() && literal.dtype() != DType::kString) {
    key += "#" + std::to_string(SampleHash(literal.bytes()));
  } else {
    key += literal.ToString();
  }
  return key;
}

// Operator and arguments by identity. The "name" attribute does not affect the result.
std::string KeyOfOperation(const ir::Operation& operation) {
  std::string key = operation.type();
  // Sorted by parameter, because the order in which arguments are written does not matter.
  std::map<std::string_view, const ir::Argument*> sorted;
  for (const ir::Argument& argument : operation.arguments()) sorted[argument.name] = &argument;
  for (const auto& [name, argument] : sorted) {
    key += fmt::format(";{}", name);
    for (const ir::Value* value : argument->values)
      key += fmt::format(",{}", static_cast<const void*>(value));
  }
  for (const auto& [name, literal] : operation.attributes()) {
    if (name != "name") key += fmt::format(";{}={}", name, literal.ToString());
  }
  return key;
}

class Merger {
 public:
  explicit Merger(ir::Function& function) : rewriter_(function) {}

  Result<bool> Run(PassContext& context) {
    ANEMONE_TRY(Visit(*rewriter_.function().block, context));
    return rewriter_.Finish();
  }

 private:
  // The candidates of a block: its own operations so far and those of the enclosing blocks. On
  // leaving, its own are forgotten.
  Status Visit(const ir::Block& block, PassContext& context) {
    std::vector<std::string> added;
    for (const auto& operation : block.operations()) {
      ANEMONE_TRY(context.CheckCancelled());
      for (const auto& inner : operation->blocks()) ANEMONE_TRY(Visit(*inner, context));
      if (rewriter_.IsDead(*operation)) continue;
      if (operation->is_const()) {
        VisitConst(*operation, &added);
      } else {
        VisitOperation(*operation, &added);
      }
    }
    for (const std::string& key : added) seen_[key].pop_back();
    return {};
  }

  void VisitConst(ir::Operation& operation, std::vector<std::string>* added) {
    ir::Value* value = operation.output();
    std::string key = KeyOfLiteral(*value->literal);
    std::vector<ir::Operation*>& same = seen_[key];
    for (ir::Operation* earlier : same) {
      if (!rewriter_.IsDead(*earlier) && *earlier->output()->literal == *value->literal &&
          rewriter_.CanReplace(value, earlier->output())) {
        if (rewriter_.UseCount(value) != 0) rewriter_.Replace(value, earlier->output());
        return;
      }
    }
    same.push_back(&operation);
    added->push_back(std::move(key));
  }

  void VisitOperation(ir::Operation& operation, std::vector<std::string>* added) {
    if (operation.def() == nullptr || !operation.def()->pure()) return;
    std::string key = KeyOfOperation(operation);
    std::vector<ir::Operation*>& same = seen_[key];
    for (ir::Operation* earlier : same) {
      if (rewriter_.IsDead(*earlier)) continue;
      // Two outputs of the function do not merge. What comes later can merge with the first, so
      // one is kept: a model may have thousands of equal outputs.
      TryMerge(operation, *earlier);
      return;
    }
    same.push_back(&operation);
    added->push_back(std::move(key));
  }

  void TryMerge(ir::Operation& operation, ir::Operation& earlier) {
    const size_t count = operation.outputs().size();
    if (earlier.outputs().size() != count) return;
    bool used = false;
    for (size_t i = 0; i < count; ++i) {
      if (!(earlier.output(i)->type == operation.output(i)->type)) return;
      if (rewriter_.UseCount(operation.output(i)) == 0) continue;
      used = true;
      if (!rewriter_.CanReplace(operation.output(i), earlier.output(i))) return;
    }
    if (!used) return;  // dead code: another pass's work
    for (size_t i = 0; i < count; ++i) {
      if (rewriter_.UseCount(operation.output(i)) != 0)
        rewriter_.Replace(operation.output(i), earlier.output(i));
    }
  }

  Rewriter rewriter_;
  std::map<std::string, std::vector<ir::Operation*>> seen_;
};

}  // namespace

Result<bool> CommonSubexpressionElimination(ir::Function& function, PassContext& context) {
  return Merger(function).Run(context);
}

}  // namespace anemone::passes
