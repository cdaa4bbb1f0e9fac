// See linear.h.
//
//   before (int8, per tensor)                     after
//     w = const()[val = tensor<fp32, ...>];         w = constexpr_affine_dequantize(quantized_data
//     = int8 tensor, y = conv(x = x, weight = w);                          zero_point = int8(0),
//     scale = 0.0125, axis = 0);
//   } -> (y);                                       y = conv(x = x, weight = w);
//                                                 } -> (y);
#include "compress/linear.h"

#include <algorithm>
#include <atomic>

#include "base/thread_pool.h"

namespace anemone::compress {
namespace {

std::string_view NameOf(Granularity granularity) {
  switch (granularity) {
    case Granularity::kPerTensor:
      return "per_tensor";
    case Granularity::kPerChannel:
      return "per_channel";
    case Granularity::kPerBlock:
      return "per_block";
  }
  return "";
}

Status CheckTarget(const ir::Function& function, const LinearOptions& options) {
  const ir::Opset opset = function.opset;
  const auto refuse = [&](std::string_view what, ir::Opset needed) {
    return Unsupported("{} needs the op set {} or later, function '{}' is {}", what,
                       ir::OpsetName(needed), function.name, ir::OpsetName(opset))
        .Advise(fmt::format("convert again with a deployment target of {} or later",
                            ir::OpsetName(needed)));
  };
  if (opset < ir::Opset::kIOS16) return refuse("quantization of weights", ir::Opset::kIOS16);
  if (opset >= ir::Opset::kIOS18) return {};
  if (BitWidth(options.dtype) < 8) return refuse("quantization to 4 bits", ir::Opset::kIOS18);
  if (options.granularity == Granularity::kPerBlock)
    return refuse("quantization per block", ir::Opset::kIOS18);
  return {};
}

Status CheckOptions(const LinearOptions& options) {
  const DType dtype = options.dtype;
  if (dtype != DType::kInt8 && dtype != DType::kUInt8 && dtype != DType::kInt4 &&
      dtype != DType::kUInt4) {
    return Usage("{} is no dtype of linear quantization", DTypeName(dtype))
        .Advise("int8, uint8, int4 or uint4");
  }
  if (options.granularity == Granularity::kPerBlock && options.block_size < 1) {
    return Usage("the block size {} is not positive", options.block_size);
  }
  if (options.weight_threshold < 0)
    return Usage("the weight threshold {} is negative", options.weight_threshold);
  return {};
}

// Block sizes of a weight for the granularity; or why it has none, in `reason`.
ir::Shape BlocksOf(const Weight& weight, const LinearOptions& options, std::string* reason) {
  ir::Shape blocks(weight.value->type.shape().size(), 0);
  if (options.granularity == Granularity::kPerTensor) return blocks;
  const ChannelAxes axes = AxesOf(weight);
  const bool per_block = options.granularity == Granularity::kPerBlock;
  if (!axes.output || (per_block && !axes.input)) {
    *reason = "its users disagree on which dimension holds the channels";
    return blocks;
  }
  blocks[static_cast<size_t>(*axes.output)] = 1;
  if (!per_block) return blocks;
  const auto input = static_cast<size_t>(*axes.input);
  blocks[input] = options.block_size;
  const int64_t size = weight.value->type.shape()[input];
  if (size % options.block_size != 0) {
    *reason = fmt::format("{} input channels are no multiple of the block size {}", size,
                          options.block_size);
  }
  return blocks;
}

struct Job {
  Weight weight;
  ir::Shape blocks;
  Result<LinearTensor> result = Internal("not run");
};

// Scale or offset as the constant that the op set wants: shaped like the data from ios18 on, a
// scalar or vector before.
ir::Shape ParameterShape(const LinearTensor& tensor, bool blockwise) {
  if (blockwise) return tensor.scale_shape;
  if (tensor.scale.size() == 1) return {};
  return {static_cast<int64_t>(tensor.scale.size())};
}

Result<ir::Literal> OffsetLiteral(const LinearTensor& tensor, DType dtype, const ir::Shape& shape) {
  std::vector<int64_t> values;
  for (const int8_t bits : tensor.offset) {
    values.push_back(IsUnsignedInt(dtype) ? static_cast<uint8_t>(bits) : bits);
  }
  if (values.empty()) values.assign(tensor.scale.size(), 0);
  return ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape), ir::PackInts(values, dtype));
}

Status Apply(passes::Rewriter& rewriter, const Job& job, DType dtype, TensorRecord* record) {
  const LinearTensor& tensor = *job.result;
  ir::Value* value = job.weight.value;
  const bool blockwise = rewriter.opset() >= ir::Opset::kIOS18;
  const ir::Shape shape = ParameterShape(tensor, blockwise);
  ir::Literal scale = ir::Literal::Floats(value->type.dtype(), tensor.scale, shape);
  ANEMONE_ASSIGN(ir::Literal offset, OffsetLiteral(tensor, dtype, shape));
  record->bytes_after = static_cast<int64_t>(tensor.data.bytes().size() + scale.bytes().size());
  std::vector<ir::ArgInit> args;
  if (blockwise) {
    args = {{"data", tensor.data}, {"scale", std::move(scale)}};
    if (!tensor.offset.empty()) args.push_back({"offset", std::move(offset)});
  } else {
    const auto axis =
        std::ranges::find_if(tensor.scale_shape, [](int64_t size) { return size != 1; });
    const int64_t position =
        axis == tensor.scale_shape.end() ? 0 : axis - tensor.scale_shape.begin();
    args = {{"quantized_data", tensor.data},
            {"zero_point", std::move(offset)},
            {"scale", std::move(scale)},
            {"axis", ir::Literal::Int32(static_cast<int32_t>(position))}};
  }
  if (!tensor.offset.empty() || !blockwise) {
    record->bytes_after += static_cast<int64_t>(
        ByteSize(dtype, static_cast<int64_t>(tensor.scale.size())).value_or(0));
  }
  const std::string_view type =
      blockwise ? "constexpr_blockwise_shift_scale" : "constexpr_affine_dequantize";
  ir::Value* compressed = rewriter.builder().Op(type, std::move(args), value->name);
  ANEMONE_TRY(rewriter.Commit(*job.weight.op));
  rewriter.Replace(value, compressed);
  return {};
}

Status QuantizeFunction(ir::Function& function, const LinearOptions& options, Report* report) {
  passes::Rewriter rewriter(function);
  std::vector<Job> jobs;
  const auto skip = [&](const Weight& weight, std::string reason) {
    TensorRecord record = RecordOf(weight);
    record.reason = std::move(reason);
    report->skipped.push_back(std::move(record));
  };
  for (Weight& weight : FindWeights(rewriter)) {
    std::string reason = WhyTooSmall(weight, options.weight_threshold);
    if (reason.empty() && options.select && !options.select(weight)) reason = "not selected";
    ir::Shape blocks;
    if (reason.empty()) blocks = BlocksOf(weight, options, &reason);
    if (!reason.empty()) {
      skip(weight, std::move(reason));
    } else {
      jobs.push_back({std::move(weight), std::move(blocks)});
    }
  }
  ThreadPool pool(options.threads);
  std::atomic<bool> cancelled = false;
  pool.ParallelFor(static_cast<int64_t>(jobs.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Job& job = jobs[static_cast<size_t>(i)];
      if (cancelled || (options.cancelled && options.cancelled())) {
        cancelled = true;
        return;
      }
      const ir::Literal& literal = *job.weight.value->literal;
      const std::string reason = WhyNotFinite(literal);
      job.result = reason.empty() ? QuantizeLinear(literal, job.blocks, options.dtype, options.mode)
                                  : Result<LinearTensor>(InvalidInput("{}", reason));
    }
  });
  if (cancelled) return Cancelled("interrupted");
  for (const Job& job : jobs) {
    if (!job.result.ok()) {
      skip(job.weight, job.result.error().message());
      continue;
    }
    TensorRecord record = RecordOf(job.weight);
    record.form = fmt::format("{} {}", DTypeName(options.dtype), NameOf(options.granularity));
    record.max_error = job.result->max_error;
    record.rms_error = job.result->rms_error;
    ANEMONE_TRY(Apply(rewriter, job, options.dtype, &record));
    report->compressed.push_back(std::move(record));
  }
  rewriter.Finish();
  return {};
}

}  // namespace

Result<Report> QuantizeLinearWeights(ir::Program& program, const LinearOptions& options) {
  ANEMONE_TRY(CheckOptions(options));
  for (const auto& function : program.functions) ANEMONE_TRY(CheckTarget(*function, options));
  Report report;
  for (const auto& function : program.functions) {
    report.bytes_before += ConstantBytes(*function);
    ANEMONE_TRY(QuantizeFunction(*function, options, &report)
                    .At(fmt::format("function '{}'", function->name)));
    report.bytes_after += ConstantBytes(*function);
  }
  return report;
}

}  // namespace anemone::compress
