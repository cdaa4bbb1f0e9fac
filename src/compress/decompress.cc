// See decompress.h.
//
//   before                                               after
//     w = constexpr_cast(source_val = fp16 tensor,         w = const()[val = tensor<fp32, ...>];
//                        output_dtype = "fp32");           y = conv(x = x, weight = w);
//     y = conv(x = x, weight = w);                       } -> (y);
//   } -> (y);
#include "compress/decompress.h"

#include "compress/weights.h"
#include "exec/kernel.h"

namespace anemone::compress {
namespace {

Result<std::vector<TensorRecord>> Run(ir::Function& function, passes::PassContext& context,
                                      bool* changed) {
  passes::Rewriter rewriter(function);
  std::vector<TensorRecord> records;
  for (ir::Operation* op : rewriter.operations()) {
    if (rewriter.IsDead(*op) || op->def() == nullptr || !op->is_constexpr()) continue;
    ANEMONE_TRY(context.CheckCancelled());
    const std::string place = fmt::format("{} '{}'", op->type(), op->name());
    std::vector<exec::FoldInput> inputs;
    int64_t bytes_before = 0;
    for (const ir::Argument& argument : op->arguments()) {
      exec::FoldInput input{argument.name, {}};
      for (const ir::Value* value : argument.values) {
        // Chains of constexpr operations are folded from the first on, so an argument left here is
        // not a constant at all.
        if (!value->is_const())
          return InvalidInput("its argument '{}' is not a constant", argument.name).At(place);
        input.literals.push_back(value->literal.get());
        bytes_before += static_cast<int64_t>(value->literal->bytes().size());
      }
      inputs.push_back(std::move(input));
    }
    ANEMONE_ASSIGN(auto results, exec::Fold(*op->def(), function.opset, inputs).At(place));
    if (results.size() != op->outputs().size())
      return Internal("{} results", results.size()).At(place);
    for (size_t i = 0; i < results.size(); ++i) {
      ir::Value* old = op->output(i);
      TensorRecord record{.name = old->name,
                          .op = op->type(),
                          .shape = results[i].shape(),
                          .dtype = results[i].dtype(),
                          .form = "dense",
                          .reason = {},
                          .bytes_before = bytes_before,
                          .bytes_after = static_cast<int64_t>(results[i].bytes().size())};
      ir::Value* dense = rewriter.builder().Const(std::move(results[i]), old->name);
      ANEMONE_TRY(rewriter.Commit(*op));
      if (!rewriter.CanReplace(old, dense))
        return Unsupported("a compressed constant cannot be an output").At(place);
      rewriter.Replace(old, dense);
      records.push_back(std::move(record));
    }
  }
  *changed = rewriter.Finish();
  return records;
}

}  // namespace

Result<bool> Decompress(ir::Function& function, passes::PassContext& context) {
  bool changed = false;
  ANEMONE_TRY(Run(function, context, &changed).status());
  return changed;
}

Result<Report> DecompressWeights(ir::Program& program) {
  Report report;
  passes::PassContext context;
  for (const auto& function : program.functions) {
    bool changed = false;
    report.bytes_before += ConstantBytes(*function);
    ANEMONE_ASSIGN(
        auto records,
        Run(*function, context, &changed).At(fmt::format("function '{}'", function->name)));
    report.bytes_after += ConstantBytes(*function);
    std::move(records.begin(), records.end(), std::back_inserter(report.compressed));
  }
  return report;
}

}  // namespace anemone::compress
