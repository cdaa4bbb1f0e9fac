#include "placement/latency_model.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace anemone::placement {
namespace {

// Shared by all chips: efficiencies of convolutions, depthwise convolutions and products; bytes
// that activations, movement and reductions move for each unit of a chip's traffic rate.
struct Shared {
  double conv, depthwise, matmul, activation, movement, reduction;
};

// Of one chip: compute in TFLOP/s, on-chip traffic and weights from memory in GB/s, milliseconds of
// an empty call, half width of the interval in logarithms, networks measured on it.
struct ChipRates {
  std::string_view chip;
  double compute_tflops, traffic_gbps, stream_gbps, floor_ms, log_spread;
  int networks;
};

#define ANEMONE_LATENCY_SHARED(...) constexpr Shared kShared{__VA_ARGS__};
#define ANEMONE_LATENCY_CHIP(...)
#include "placement/latency_model_data.inc"
#undef ANEMONE_LATENCY_SHARED
#undef ANEMONE_LATENCY_CHIP

#define ANEMONE_LATENCY_SHARED(...)
#define ANEMONE_LATENCY_CHIP(...) {__VA_ARGS__},
constexpr ChipRates kChipRates[] = {
#include "placement/latency_model_data.inc"
};
#undef ANEMONE_LATENCY_SHARED
#undef ANEMONE_LATENCY_CHIP

constexpr double kSharpness = 6;    // how sharply the larger of two overlapping times wins
constexpr double kInt8Gain = 1.85;  // measured on M4: 35.1 against 18.6 TOPS, networks 1.85
constexpr double kSegmentMs = 0.1;  // a further segment of the Neural Engine: dispatch on M4

// The CPU: the rates that the segmenter believes of M4's BNNS, which the measured products on M4
// (1.2 to 1.5 TFLOP/s in float32) and networks bracket. Other chips by the clock of their fast
// cores (hearsay where Apple does not print it). An interval by a factor.
struct CpuRates {
  std::string_view chip;
  double scale;
  double factor;
};
constexpr CpuRates kCpuRates[] = {
    {"a14", 0.68, 3.0},   {"a15", 0.73, 3.0},     {"a16", 0.79, 3.0},   {"a17pro", 0.86, 3.0},
    {"a18", 0.92, 3.0},   {"a18pro", 0.92, 3.0},  {"m1", 0.73, 2.5},    {"m1pro", 0.73, 2.5},
    {"m1max", 0.73, 2.5}, {"m1ultra", 0.73, 2.5}, {"m2", 0.79, 2.5},    {"m2pro", 0.79, 2.5},
    {"m2max", 0.79, 2.5}, {"m3", 0.92, 2.5},      {"m3pro", 0.92, 2.5}, {"m3max", 0.92, 2.5},
    {"m4", 1.0, 2.0},     {"m4pro", 1.0, 2.0},    {"m4max", 1.0, 2.0},  {"m5", 1.25, 2.5},
    {"m5max", 1.25, 2.5}};
constexpr double kCpuFloorMs = 0.02;

// The GPU of Macs: three networks in batches of 16 on M4 Pro (59 to 68 % of its rate, 56 % of its
// memory), products on M4. Phones and M5: no evidence here.
constexpr double kGpuEfficiency = 0.63;
constexpr double kGpuMemory = 0.56;
constexpr double kGpuFloorMs = 0.5;
constexpr double kGpuFactor = 2.0;

template <typename Row, size_t kSize>
const Row* FindRates(const Row (&table)[kSize], std::string_view chip) {
  const auto found = std::find_if(std::begin(table), std::end(table),
                                  [&](const Row& rates) { return rates.chip == chip; });
  return found == std::end(table) ? nullptr : &*found;
}

// Outside the sizes of the networks of the fit the errors grow (its report: MobileNetV3-Small at
// the small end, ViT-L at the large one): the interval widens with the distance.
constexpr double kFittedFromFlops = 0.5e9;
constexpr double kFittedToFlops = 150e9;
constexpr double kWidening = 0.25;

double LogSpread(const Workload& work, const ChipRates& rates) {
  const double flops = std::max(1.0, work.conv_flops + work.depthwise_flops + work.matmul_flops);
  const double below = std::max(0.0, std::log(kFittedFromFlops / flops));
  const double above = std::max(0.0, std::log(flops / kFittedToFlops));
  return rates.log_spread + kWidening * std::min(below + above, 4.0);
}

Interval Around(double value, double log_spread) {
  return {value, value * std::exp(-log_spread), value * std::exp(log_spread)};
}

// Flops over TFLOP/s and bytes over GB/s are 1e-9 and 1e-6 milliseconds.
double AneWorkMs(const Workload& work, double streamed_bytes, const ChipRates& rates, bool int8) {
  double conv = work.conv_flops / kShared.conv;
  double matmul = work.matmul_flops / kShared.matmul;
  if (int8 && work.int8_flops > 0) {
    const double all = work.conv_flops + work.matmul_flops;
    const double gain = 1 - work.int8_flops / all * (1 - 1 / kInt8Gain);
    conv *= gain;
    matmul *= gain;
  }
  const double compute =
      (conv + work.depthwise_flops / kShared.depthwise + matmul) * 1e-9 / rates.compute_tflops;
  const double traffic =
      (work.activation_bytes / kShared.activation + work.movement_bytes / kShared.movement +
       work.reduction_bytes / kShared.reduction) *
      1e-6 / rates.traffic_gbps;
  const double stream = streamed_bytes * 1e-6 / rates.stream_gbps;
  return std::pow(std::pow(compute + traffic, kSharpness) + std::pow(stream, kSharpness),
                  1 / kSharpness);
}

double CpuWorkUs(const AnalyzedOp& op) {
  return op.beliefs.bnns_us.value_or(op.beliefs.classic_us.value_or(0));
}

bool OnAne(const AnalyzedOp& op) { return op.preferred == ComputeUnit::kAne; }

// The parts of the whole, each with its spread.
struct Part {
  double ms = 0;
  double log_spread = 0;
};

Interval Sum(const Part& a, const Part& b) {
  return {a.ms + b.ms, a.ms * std::exp(-a.log_spread) + b.ms * std::exp(-b.log_spread),
          a.ms * std::exp(a.log_spread) + b.ms * std::exp(b.log_spread)};
}

class Estimator {
 public:
  explicit Estimator(const Analysis& analysis)
      : analysis_(analysis),
        ane_(FindRates(kChipRates, analysis.chip->name)),
        cpu_(FindRates(kCpuRates, analysis.chip->name)) {}

  LatencyReport Run() const {
    LatencyReport report;
    report.basis = Basis();
    if (!analysis_.static_shapes || analysis_.operations.empty()) {
      report.basis = "no estimate: shapes are dynamic, or there are no operations";
      return report;
    }
    const auto every = [](const AnalyzedOp&) { return true; };
    const bool all_supported =
        std::all_of(analysis_.operations.begin(), analysis_.operations.end(),
                    [](const AnalyzedOp& op) { return op.Supports(ComputeUnit::kAne); });
    if (ane_ != nullptr && all_supported) {
      const Part part = AnePart(every, 1);
      report.ane_ms = Around(part.ms, part.log_spread);
    }
    report.gpu_ms = Gpu();
    if (cpu_ != nullptr) {
      const Part part = CpuPart(every);
      report.cpu_ms = Around(part.ms, part.log_spread);
    }
    report.placed_ms = Placed();
    if (report.cpu_ms && report.placed_ms) report.speedup_over_cpu = Speedup(report);
    return report;
  }

 private:
  template <typename Keep>
  Part AnePart(Keep keep, size_t segments) const {
    double streamed = 0;
    for (const AnalyzedOp& op : analysis_.operations) {
      if (keep(op)) streamed += StreamedWeightBytes(op, analysis_.chip->family);
    }
    const Workload work = SumWorkloads(analysis_, keep);
    const double further = segments > 1 ? kSegmentMs * static_cast<double>(segments - 1) : 0;
    return {
        ane_->floor_ms + further + AneWorkMs(work, streamed, *ane_, analysis_.chip->int8_compute),
        ane_->log_spread};
  }

  template <typename Keep>
  Part CpuPart(Keep keep) const {
    double us = 0;
    for (const AnalyzedOp& op : analysis_.operations) {
      if (keep(op)) us += CpuWorkUs(op);
    }
    return {kCpuFloorMs + us * 1e-3 / cpu_->scale, std::log(cpu_->factor)};
  }

  std::optional<Interval> Gpu() const {
    const Chip& chip = *analysis_.chip;
    if (chip.phone || chip.family > AneFamily::kH16 || !chip.gpu_fp16_tflops || !chip.dram_gbps)
      return std::nullopt;
    for (const AnalyzedOp& op : analysis_.operations) {
      if (!op.Supports(ComputeUnit::kGpu)) return std::nullopt;
    }
    double bytes = 0;
    double flops = 0;
    for (const AnalyzedOp& op : analysis_.operations) {
      const Workload work = WorkloadOf(op, chip.family);
      bytes +=
          work.weight_bytes + work.activation_bytes + work.movement_bytes + work.reduction_bytes;
      flops += static_cast<double>(op.work.flops);
    }
    const double ms = kGpuFloorMs + flops * 1e-9 / (*chip.gpu_fp16_tflops * kGpuEfficiency) +
                      bytes * 1e-6 / (*chip.dram_gbps * kGpuMemory);
    return Around(ms, std::log(kGpuFactor));
  }

  std::optional<Interval> Placed() const {
    if (analysis_.units == ComputeUnits::kCpuAndGpu) return std::nullopt;
    const size_t segments = static_cast<size_t>(
        std::count_if(analysis_.segments.begin(), analysis_.segments.end(),
                      [](const Segment& segment) { return segment.engine == Engine::kAne; }));
    const bool any_cpu = analysis_.CountPreferred(ComputeUnit::kCpu) > 0;
    if ((segments > 0 && ane_ == nullptr) || (any_cpu && cpu_ == nullptr)) return std::nullopt;
    Part ane;
    Part cpu;
    if (segments > 0) ane = AnePart(OnAne, segments);
    if (any_cpu) cpu = CpuPart([](const AnalyzedOp& op) { return !OnAne(op); });
    return Sum(ane, cpu);
  }

  // The two estimates err independently, but for a model that stays on the CPU altogether.
  Interval Speedup(const LatencyReport& report) const {
    if (analysis_.CountPreferred(ComputeUnit::kAne) == 0) return {1, 1, 1};
    const Interval& placed = *report.placed_ms;
    const double value = report.cpu_ms->value / placed.value;
    const double cpu_spread = std::log(cpu_->factor);
    const double placed_spread = std::log(placed.high / placed.value);
    return Around(value, std::hypot(cpu_spread, placed_spread));
  }

  std::string Basis() const {
    if (ane_ == nullptr) return "no measurement of this chip's Neural Engine is published";
    if (ane_->networks == 0) {
      return fmt::format(
          "{}: no whole network is published; the rates are those of a chip with "
          "the same engine",
          analysis_.chip->title);
    }
    return fmt::format("{}: fitted on {} published networks", analysis_.chip->title,
                       ane_->networks);
  }

  const Analysis& analysis_;
  const ChipRates* ane_;
  const CpuRates* cpu_;
};

// The operation that makes a weight from its stored form; null when it is a plain constant.
const ir::Operation* Decompressor(const ir::Operation& operation) {
  for (const std::string_view param : {"weight", "y", "x"}) {
    const ir::Value* value = operation.Input(param);
    if (value != nullptr && value->producer != nullptr && value->producer->is_constexpr())
      return value->producer;
  }
  return nullptr;
}

}  // namespace

std::optional<Interval> AneLatency(const Workload& work, double streamed_weight_bytes,
                                   const Chip& chip) {
  const ChipRates* rates = FindRates(kChipRates, chip.name);
  if (rates == nullptr) return std::nullopt;
  return Around(rates->floor_ms + AneWorkMs(work, streamed_weight_bytes, *rates, chip.int8_compute),
                LogSpread(work, *rates));
}

double StreamedWeightBytes(const AnalyzedOp& op, AneFamily family) {
  const ir::Operation* decompressor = Decompressor(*op.operation);
  const auto stored = static_cast<double>(op.work.weight_bytes);
  const double unfolded = 2 * static_cast<double>(op.work.weight_elements);
  if (decompressor == nullptr) return stored;
  const std::string& type = decompressor->type();
  const bool linear =
      type == "constexpr_affine_dequantize" || type == "constexpr_blockwise_shift_scale";
  if (linear && HasPerBlockScales(*decompressor))
    return family >= AneFamily::kH15 ? stored : std::max(stored, unfolded);
  if (linear && family == AneFamily::kH13) return std::max(stored, unfolded);
  return stored;
}

LatencyReport EstimateLatency(const Analysis& analysis) { return Estimator(analysis).Run(); }

}  // namespace anemone::placement
