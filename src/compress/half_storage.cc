// See half_storage.h.
//
//   before                                  after
//     w = const()[val =                       w = constexpr_cast(source_val = tensor<fp16, ...>,
//         tensor<fp32, ...>];                                    output_dtype = "fp32");
//     y = conv(x = x, weight = w);            y = conv(x = x, weight = w);
//   } -> (y);                               } -> (y);
#include "compress/half_storage.h"

#include <algorithm>
#include <cmath>

#include "compress/linear_kernels.h"
#include "compress/lowest_opset.h"

namespace anemone::compress {
namespace {

constexpr float kLargestHalf = 65504;

// Rounds the tensor and measures the change; or sets `reason` when it cannot be half.
ir::Literal RoundedToHalf(const ir::Literal& weight, TensorRecord* record, std::string* reason) {
  const std::span<const float> values = weight.As<float>();
  std::vector<Half> halves(values.size());
  FloatToHalf(values, halves);
  std::vector<float> back(values.size());
  HalfToFloat(halves, back);
  float low = 0;
  float high = 0;
  FindRange(values, &low, &high);
  const float largest = std::max(-low, high);
  if (largest > kLargestHalf) {
    *reason = fmt::format("it reaches {:g}, beyond float16's 65504", largest);
  }
  StepErrors errors;
  Compare(values, back, &errors);
  record->max_error = errors.largest;
  record->rms_error =
      values.empty() ? 0 : std::sqrt(errors.squares / static_cast<double>(values.size()));
  return ir::Literal::FromBytes(ir::Type::Tensor(DType::kFp16, weight.shape()),
                                Bytes::FromVector(std::move(halves)))
      .value();
}

Status StoreFunction(ir::Function& function, const HalfStorageOptions& options, Report* report) {
  passes::Rewriter rewriter(function);
  for (const Weight& weight : FindWeights(rewriter)) {
    TensorRecord record = RecordOf(weight);
    const ir::Literal& literal = *weight.value->literal;
    ir::Literal half;
    if (literal.dtype() != DType::kFp32) {
      record.reason = "half already";
    } else if (record.bytes_before < options.min_bytes) {
      record.reason =
          fmt::format("{} bytes, fewer than {}", record.bytes_before, options.min_bytes);
    } else if (options.select && !options.select(weight)) {
      record.reason = "not selected";
    } else {
      record.reason = WhyNotFinite(literal);
      if (record.reason.empty()) half = RoundedToHalf(literal, &record, &record.reason);
    }
    if (!record.reason.empty()) {
      record.max_error = record.rms_error = 0;
      report->skipped.push_back(std::move(record));
      continue;
    }
    record.form = "fp16";
    record.bytes_after = static_cast<int64_t>(half.bytes().size());
    ir::Value* wide = rewriter.builder().Op(
        "constexpr_cast",
        {{"source_val", std::move(half)}, {"output_dtype", ir::Literal::String("fp32")}},
        weight.value->name);
    ANEMONE_TRY(rewriter.Commit(*weight.op));
    rewriter.Replace(weight.value, wide);
    report->compressed.push_back(std::move(record));
  }
  rewriter.Finish();
  return {};
}

}  // namespace

Result<Report> StoreWeightsInHalf(ir::Program& program, const HalfStorageOptions& options) {
  for (const auto& function : program.functions) {
    if (function->opset >= kHalfStorageOpset) continue;
    return Unsupported(
               "half storage of float32 weights needs the op set ios16 or later, but function '{}' "
               "is "
               "{}",
               function->name, ir::OpsetName(function->opset))
        .Advise("convert again with a deployment target of ios16 or later");
  }
  Report report;
  for (const auto& function : program.functions) {
    report.bytes_before += ConstantBytes(*function);
    ANEMONE_TRY(StoreFunction(*function, options, &report)
                    .At(fmt::format("function '{}'", function->name)));
    report.bytes_after += ConstantBytes(*function);
  }
  return report;
}

}  // namespace anemone::compress
