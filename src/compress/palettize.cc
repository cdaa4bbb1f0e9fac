// See palettize.h.
//
//   before                                        after (ios16, 4 bits)
//     w = const()[val = tensor<fp32, ...>];         w = constexpr_lut_to_dense(indices = uint8
//     bytes, lut = 16 values, y = conv(x = x, weight = w); shape = the weight's);
//   } -> (y);                                       y = conv(x = x, weight = w);
//                                                 } -> (y);
#include "compress/palettize.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/thread_pool.h"
#include "compress/kmeans_1d.h"

namespace anemone::compress {
namespace {

struct Job {
  Weight weight;
  std::string reason;  // why it is left alone after all
  std::vector<float> table;
  Bytes indices;  // packed, nbits each
  double max_error = 0;
  double rms_error = 0;
};

Bytes Pack(const std::vector<uint32_t>& values, int nbits) {
  std::vector<uint8_t> packed((values.size() * static_cast<size_t>(nbits) + 7) / 8, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t bit = i * static_cast<size_t>(nbits);
    const unsigned shifted = values[i] << (bit % 8);
    packed[bit / 8] = static_cast<uint8_t>(packed[bit / 8] | shifted);
    if (bit % 8 + static_cast<size_t>(nbits) > 8) {
      packed[bit / 8 + 1] = static_cast<uint8_t>(packed[bit / 8 + 1] | (shifted >> 8));
    }
  }
  return Bytes::FromVector(std::move(packed));
}

void Palettize(int nbits, Job* job) {
  const ir::Literal& literal = *job->weight.value->literal;
  job->reason = WhyNotFinite(literal);
  if (!job->reason.empty()) return;
  const std::vector<float> values = *literal.AsFloats();
  const int entries = 1 << nbits;
  const Clusters clusters = KMeans1D(values, entries);
  job->table = clusters.centers;
  if (literal.dtype() == DType::kFp16) RoundToHalf(job->table);
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double difference = std::abs(double{values[i]} - job->table[clusters.indices[i]]);
    job->max_error = std::max(job->max_error, difference);
    squares += difference * difference;
  }
  job->rms_error = std::sqrt(squares / static_cast<double>(std::max<size_t>(1, values.size())));
  // A table has all its entries; those that nothing points at repeat the last.
  job->table.resize(static_cast<size_t>(entries), job->table.back());
  job->indices = Pack(clusters.indices, nbits);
}

DType IndexDType(int nbits) {
  switch (nbits) {
    case 1:
      return DType::kUInt1;
    case 2:
      return DType::kUInt2;
    case 3:
      return DType::kUInt3;
    case 4:
      return DType::kUInt4;
    case 6:
      return DType::kUInt6;
    default:
      return DType::kUInt8;
  }
}

Result<std::vector<ir::ArgInit>> Arguments(const Job& job, int nbits, ir::Opset opset) {
  const ir::Type& type = job.weight.value->type;
  const auto entries = static_cast<int64_t>(job.table.size());
  std::vector<ir::ArgInit> args;
  if (opset >= ir::Opset::kIOS18) {
    ir::Shape table_shape(type.shape().size(), 1);
    table_shape.push_back(entries);
    table_shape.push_back(1);
    ANEMONE_ASSIGN(
        ir::Literal indices,
        ir::Literal::FromBytes(ir::Type::Tensor(IndexDType(nbits), type.shape()), job.indices));
    args.push_back({"indices", std::move(indices)});
    args.push_back({"lut", ir::Literal::Floats(type.dtype(), job.table, table_shape)});
    return args;
  }
  const auto bytes = static_cast<int64_t>(job.indices.size());
  ANEMONE_ASSIGN(ir::Literal indices,
                 ir::Literal::FromBytes(ir::Type::Tensor(DType::kUInt8, {bytes}), job.indices));
  const ir::Type shape_type = ir::Type::Tensor(DType::kUInt32, {type.rank()});
  ANEMONE_ASSIGN(ir::Literal shape,
                 ir::Literal::FromBytes(shape_type, ir::PackInts(type.shape(), DType::kUInt32)));
  args.push_back({"indices", std::move(indices)});
  args.push_back({"lut", ir::Literal::Floats(type.dtype(), job.table, {entries})});
  args.push_back({"shape", std::move(shape)});
  return args;
}

Status PalettizeFunction(ir::Function& function, const PaletteOptions& options, Report* report) {
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
    if (!reason.empty()) {
      skip(weight, std::move(reason));
    } else {
      jobs.push_back({.weight = std::move(weight), .reason = {}, .table = {}, .indices = {}});
    }
  }
  ThreadPool pool(options.threads);
  std::atomic<bool> cancelled = false;
  pool.ParallelFor(static_cast<int64_t>(jobs.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (options.cancelled && options.cancelled()) cancelled = true;
      if (cancelled) return;
      Palettize(options.nbits, &jobs[static_cast<size_t>(i)]);
    }
  });
  if (cancelled) return Cancelled("interrupted");
  for (const Job& job : jobs) {
    if (!job.reason.empty()) {
      skip(job.weight, job.reason);
      continue;
    }
    TensorRecord record = RecordOf(job.weight);
    record.form = fmt::format("{}-bit palette per_tensor", options.nbits);
    record.max_error = job.max_error;
    record.rms_error = job.rms_error;
    ANEMONE_ASSIGN(auto args, Arguments(job, options.nbits, function.opset));
    const int width = BitWidth(job.weight.value->type.dtype()) / 8;
    record.bytes_after =
        static_cast<int64_t>(job.indices.size() + job.table.size() * static_cast<size_t>(width));
    ir::Value* value = job.weight.value;
    ir::Value* compressed =
        rewriter.builder().Op("constexpr_lut_to_dense", std::move(args), value->name);
    ANEMONE_TRY(rewriter.Commit(*job.weight.op));
    rewriter.Replace(value, compressed);
    report->compressed.push_back(std::move(record));
  }
  rewriter.Finish();
  return {};
}

Status CheckTarget(const ir::Function& function, int nbits) {
  const ir::Opset needed = nbits == 3 ? ir::Opset::kIOS18 : ir::Opset::kIOS16;
  if (function.opset >= needed) return {};
  return Unsupported("palettization to {} bits needs the op set {} or later, function '{}' is {}",
                     nbits, ir::OpsetName(needed), function.name, ir::OpsetName(function.opset))
      .Advise(fmt::format("convert again with a deployment target of {} or later",
                          ir::OpsetName(needed)));
}

}  // namespace

Result<Report> PalettizeWeights(ir::Program& program, const PaletteOptions& options) {
  constexpr int kBits[] = {1, 2, 3, 4, 6, 8};
  if (std::ranges::find(kBits, options.nbits) == std::end(kBits)) {
    return Usage("there are no palettes of {} bits", options.nbits).Advise("1, 2, 3, 4, 6 or 8");
  }
  if (options.weight_threshold < 0) {
    return Usage("the weight threshold {} is negative", options.weight_threshold);
  }
  for (const auto& function : program.functions) ANEMONE_TRY(CheckTarget(*function, options.nbits));
  Report report;
  for (const auto& function : program.functions) {
    report.bytes_before += ConstantBytes(*function);
    ANEMONE_TRY(PalettizeFunction(*function, options, &report)
                    .At(fmt::format("function '{}'", function->name)));
    report.bytes_after += ConstantBytes(*function);
  }
  return report;
}

}  // namespace anemone::compress
