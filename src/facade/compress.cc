#include "facade/compress.h"

#include "compress/half_storage.h"
#include "compress/linear.h"
#include "facade/convert.h"

namespace anemone::facade {
namespace {

Result<compress::LinearOptions> LinearOptionsOf(const CompressOptions& options) {
  compress::LinearOptions linear;
  const auto dtype = DTypeFromName(options.dtype);
  if (!dtype || (*dtype != DType::kInt8 && *dtype != DType::kUInt8 && *dtype != DType::kInt4 &&
                 *dtype != DType::kUInt4)) {
    return Usage("weights cannot be quantized to '{}'", options.dtype)
        .Advise("choose int8, uint8, int4, uint4 or float16");
  }
  linear.dtype = *dtype;
  if (options.mode == "linear" || options.mode == "linear_symmetric") {
    linear.mode = compress::LinearMode::kSymmetric;
  } else if (options.mode == "linear_asymmetric") {
    linear.mode = compress::LinearMode::kAsymmetric;
  } else {
    return Unsupported("there is no compression mode '{}'", options.mode)
        .Advise("choose linear, linear_symmetric or linear_asymmetric");
  }
  if (options.granularity == "per_tensor") {
    linear.granularity = compress::Granularity::kPerTensor;
  } else if (options.granularity == "per_channel") {
    linear.granularity = compress::Granularity::kPerChannel;
  } else if (options.granularity == "per_block") {
    linear.granularity = compress::Granularity::kPerBlock;
  } else {
    return Usage("there is no granularity '{}'", options.granularity)
        .Advise("choose per_tensor, per_channel or per_block");
  }
  if (options.block_size <= 0)
    return Usage("a block has at least one element, not {}", options.block_size);
  if (options.weight_threshold < 0)
    return Usage("the weight threshold {} is negative", options.weight_threshold);
  linear.block_size = options.block_size;
  linear.weight_threshold = options.weight_threshold;
  linear.threads = options.threads;
  return linear;
}

void Record(const compress::Report& done, CompressReport* report) {
  for (const auto& row : done.compressed) {
    report->tensors.push_back({row.name, ir::ElementCount(row.shape).value_or(0), row.bytes_before,
                               row.bytes_after, row.max_error, ""});
  }
  for (const auto& row : done.skipped) {
    report->tensors.push_back({row.name, ir::ElementCount(row.shape).value_or(0), row.bytes_before,
                               row.bytes_after, 0, row.reason});
  }
  report->bytes_before = done.bytes_before;
  report->bytes_after = done.bytes_after;
}

Status CompressToHalf(ir::Model& model, const CompressOptions& options, CompressReport* report) {
  if (!options.compute_float16) {
    ANEMONE_ASSIGN(const auto done, compress::StoreWeightsInHalf(model.program));
    Record(done, report);
    return {};
  }
  int64_t before = 0;
  int64_t after = 0;
  const auto count = [&](int64_t* total) {
    for (const auto& function : model.program.functions) {
      ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
        if (operation.is_const())
          *total += static_cast<int64_t>(operation.output()->literal->bytes().size());
      });
    }
  };
  count(&before);
  ConvertOptions convert;
  convert.target =
      model.program.main() != nullptr ? model.program.main()->opset : ir::Opset::kIOS15;
  convert.precision = Precision::kFloat16;
  ANEMONE_TRY(Convert(model, convert));
  count(&after);
  report->bytes_before = before;
  report->bytes_after = after;
  return {};
}

}  // namespace

Status Compress(ir::Model& model, const CompressOptions& options, CompressReport* report) {
  CompressReport local;
  CompressReport& out = report != nullptr ? *report : local;
  out = {};
  if (options.dtype == "float16" || options.dtype == "fp16")
    return CompressToHalf(model, options, &out);
  ANEMONE_ASSIGN(const auto linear, LinearOptionsOf(options));
  ANEMONE_ASSIGN(const auto done, compress::QuantizeLinearWeights(model.program, linear));
  Record(done, &out);
  return {};
}

}  // namespace anemone::facade
