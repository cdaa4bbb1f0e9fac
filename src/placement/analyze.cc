#include "placement/analyze.h"

#include <algorithm>

#include "ir/runtime_values.h"

namespace anemone::placement {
namespace {

constexpr int64_t kWorthANote = 8;  // times the memory
// Apple: more enumerated shapes than this are not kept (coremltools' guide, faqs).
constexpr size_t kMostEnumerated = 128;
// Of one model: Apple's advice for phones; seen on an M1.
constexpr double kMostBytesPhone = 1e9;
constexpr double kMostBytesMac = 3e9;
constexpr int64_t kManyIslands = 5;

ComputeUnit UnitOf(Engine engine) {
  return engine == Engine::kAne ? ComputeUnit::kAne : ComputeUnit::kCpu;
}

// The last axis of a tensor on the Neural Engine is padded to 64 bytes (Apple's article on
// transformers): a last axis of 1 costs 32 times the memory in half precision.
std::string PaddingNote(const ir::Operation& operation) {
  for (const auto& output : operation.outputs()) {
    const ir::Type& type = output->type;
    if (!type.is_tensor() || !type.is_static() || type.rank() < 3) continue;
    const int64_t last = type.shape().back();
    const auto row = ByteSize(type.dtype(), last);
    const auto count = type.element_count();
    if (!row || *row == 0 || !count || *count < 1024) continue;
    const int64_t bytes = static_cast<int64_t>(*row);
    const int64_t padded = PaddedRowBytes(bytes);
    if (padded < kWorthANote * bytes) continue;
    return fmt::format("the last axis of {} elements pads to {} bytes: {} times the memory", last,
                       padded, padded / bytes);
  }
  return {};
}

struct Share {
  double count = 0;
  double flops = 0;
  double time = 0;

  void Add(const AnalyzedOp& op) {
    count += 1;
    flops += static_cast<double>(op.work.flops);
    time += op.beliefs.bnns_us.value_or(op.beliefs.classic_us.value_or(0));
  }
};

double Percent(double part, double whole, double otherwise) {
  return whole > 0 ? 100 * part / whole : otherwise;
}

Coverage CoverageOf(const Share& part, const Share& whole) {
  Coverage coverage;
  coverage.by_count_pct = Percent(part.count, whole.count, 0);
  coverage.by_flops_pct = Percent(part.flops, whole.flops, coverage.by_count_pct);
  coverage.by_time_pct = Percent(part.time, whole.time, coverage.by_count_pct);
  return coverage;
}

class Analyzer {
 public:
  Analyzer(const ir::Function& function, const Chip& chip, FlexibleShapes flexible,
           ComputeUnits units)
      : function_(function), flexible_(flexible) {
    analysis_.chip = &chip;
    analysis_.units = units;
  }

  Analysis Run() {
    Visit(*function_.block, false);
    Choose();
    Cover();
    Note();
    return std::move(analysis_);
  }

 private:
  void Visit(const ir::Block& block, bool nested) {
    for (const auto& operation : block.operations()) {
      AnalyzedOp op;
      op.operation = operation.get();
      op.nested = nested;
      runtime_.Visit(*operation);
      op.placement = Place(*operation, function_.opset, *analysis_.chip, flexible_, &runtime_);
      if (op.placement.placed) {
        op.work = WorkOf(*operation, function_.opset);
        op.beliefs = BeliefsOf(op.work, op.placement);
        op.note = PaddingNote(*operation);
        analysis_.static_shapes = analysis_.static_shapes && op.work.known;
        analysis_.flops += op.work.flops;
        analysis_.bytes += op.work.bytes();
        analysis_.operations.push_back(std::move(op));
      }
      for (const auto& inner : operation->blocks()) Visit(*inner, true);
    }
  }

  void Choose() {
    std::vector<EngineBeliefs> beliefs;
    for (const AnalyzedOp& op : analysis_.operations) {
      if (!op.nested) beliefs.push_back(Allowed(op.beliefs));
    }
    Segmentation segmentation = SegmentOperations(beliefs);
    size_t next = 0;
    for (AnalyzedOp& op : analysis_.operations) {
      op.engine = op.nested ? Engine::kClassicCpu : segmentation.engines[next++];
      if (analysis_.units == ComputeUnits::kCpuAndGpu) continue;
      op.preferred = UnitOf(op.engine);
    }
    analysis_.segments = std::move(segmentation.segments);
    analysis_.tie = segmentation.tie;
  }

  EngineBeliefs Allowed(EngineBeliefs beliefs) const {
    if (!Allows(analysis_.units, ComputeUnit::kAne)) beliefs.ane_us.reset();
    return beliefs;
  }

  void Cover() {
    Share all, supported, preferred;
    double low = 0;
    double high = 0;
    for (const AnalyzedOp& op : analysis_.operations) {
      all.Add(op);
      const Verdict& ane = op.placement.ane;
      if (ane.expected) supported.Add(op);
      if (op.preferred == ComputeUnit::kAne) preferred.Add(op);
      low += ane.support == Support::kSupported ? 1 : 0;
      high += ane.support != Support::kUnsupported ? 1 : 0;
    }
    analysis_.supported = CoverageOf(supported, all);
    analysis_.preferred = CoverageOf(preferred, all);
    analysis_.supported_low_pct = Percent(low, all.count, 0);
    analysis_.supported_high_pct = Percent(high, all.count, 0);
  }

  void Note() {
    double weights = 0;
    int64_t dynamic = 0;
    for (const AnalyzedOp& op : analysis_.operations) {
      weights += static_cast<double>(op.work.weight_bytes);
      const std::string_view rule = op.placement.ane.rule;
      dynamic += rule == "dynamic_shape" || rule == "dynamic_rank" ? 1 : 0;
    }
    std::string size = ModelSizeNote(weights, *analysis_.chip);
    if (!size.empty()) analysis_.notes.push_back(std::move(size));
    if (dynamic > 0 && dynamic < static_cast<int64_t>(analysis_.operations.size())) {
      analysis_.notes.push_back(fmt::format(
          "{} operators have dynamic shapes: by its messages the compiler then may keep the whole "
          "network off the Neural Engine [ANE validator, reverse-engineered]",
          dynamic));
    }
    const auto islands =
        std::count_if(analysis_.segments.begin(), analysis_.segments.end(),
                      [](const Segment& segment) { return segment.engine == Engine::kAne; });
    if (islands >= kManyIslands) {
      analysis_.notes.push_back(
          fmt::format("{} separate segments on the Neural Engine: its compiler refuses networks "
                      "that bounce too often, at a number that is not published [M6, "
                      "reverse-engineered]",
                      islands));
    }
  }

  const ir::Function& function_;
  FlexibleShapes flexible_;
  ir::RuntimeValues runtime_;
  Analysis analysis_;
};

}  // namespace

std::string ModelSizeNote(double weight_bytes, const Chip& chip) {
  const double most = chip.phone ? kMostBytesPhone : kMostBytesMac;
  if (weight_bytes <= most) return {};
  return fmt::format(
      "{:.1f} GB of weights: the Neural Engine takes about {:.0f} GB of one model; split it into "
      "several [{}]",
      weight_bytes * 1e-9, most * 1e-9,
      chip.phone ? "coremltools, documented" : "more-ane-transformers, measured");
}

int64_t Analysis::CountPreferred(ComputeUnit unit) const {
  return std::count_if(operations.begin(), operations.end(),
                       [&](const AnalyzedOp& op) { return op.preferred == unit; });
}

FlexibleShapes FlexibilityOf(const ir::Model& model, const std::string& function) {
  const ir::FunctionDescription* description =
      function.empty() ? model.main() : model.FindFunction(function);
  FlexibleShapes flexible = FlexibleShapes::kNone;
  if (description == nullptr) return flexible;
  for (const ir::Feature& feature : description->inputs) {
    bool range = false;
    bool enumerated = false;
    if (const auto* array = feature.array()) {
      range = !array->shape_range.empty();
      enumerated = !array->enumerated.empty();
      range |= array->enumerated.size() > kMostEnumerated;
    } else if (const auto* image = feature.image()) {
      range = image->size_range.has_value();
      enumerated = !image->enumerated.empty();
      range |= image->enumerated.size() > kMostEnumerated;
    }
    if (range) return FlexibleShapes::kRange;
    if (enumerated) flexible = FlexibleShapes::kEnumerated;
  }
  return flexible;
}

Analysis Analyze(const ir::Function& function, const Chip& chip, FlexibleShapes flexible,
                 ComputeUnits units) {
  return Analyzer(function, chip, flexible, units).Run();
}

}  // namespace anemone::placement
