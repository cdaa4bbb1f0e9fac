#include "compress/apply.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "base/thread_pool.h"
#include "compress/adaround.h"
#include "compress/calibrate.h"
#include "compress/emit.h"
#include "compress/equalize.h"
#include "compress/gptq.h"
#include "compress/moments.h"
#include "compress/pack_bits.h"
#include "exec/kernel.h"

namespace anemone::compress {
namespace {

struct Job {
  Site site;
  TensorRecord record;
  std::variant<std::monostate, LinearTensor, PaletteForm, SparseTensor> result;
  // What the compression adds to the mean of each output channel; empty: not known.
  std::vector<double> bias_shift = {};
};

// What is known of the inputs of a dense weight; null: nothing.
const InputMoments* MomentsOf(const Site& site, const WeightData* data) {
  if (data == nullptr || data->inputs == nullptr || site.kind != SiteKind::kDense) return nullptr;
  const auto found = data->inputs->find(site.weight.value->name);
  return found == data->inputs->end() || found->second.count == 0 ? nullptr : &found->second;
}

// The mean square of the input that each element of the weight meets.
std::vector<float> Sensitivity(const InputMoments& moments, const ir::Shape& shape) {
  std::vector<float> result;
  const auto row = static_cast<size_t>(moments.row);
  const int64_t per_group = shape[0] / moments.groups;
  for (int64_t o = 0; o < shape[0]; ++o) {
    const size_t first = static_cast<size_t>(o / per_group) * row;
    for (size_t i = 0; i < row; ++i)
      result.push_back(static_cast<float>(moments.squares[first + i] / moments.count));
  }
  return result;
}

// Block sizes of a weight for the granularity.
Result<ir::Shape> BlocksOf(const Site& site, const LinearConfig& config) {
  const ir::Shape& shape = site.shape;
  if (site.kind == SiteKind::kTable) return ir::Shape(site.weight.value->type.shape().size(), 0);
  ir::Shape blocks(shape.size(), 0);
  if (config.granularity == Granularity::kPerTensor) return blocks;
  const bool per_block = config.granularity == Granularity::kPerBlock;
  if (per_block && !config.block_sizes.empty()) {
    blocks = config.block_sizes;
  } else {
    const ChannelAxes axes = AxesOf(site.weight);
    if (!axes.output || (per_block && !axes.input))
      return InvalidInput("its users disagree on which dimension holds the channels");
    blocks[static_cast<size_t>(*axes.output)] = 1;
    if (per_block) {
      const auto input = static_cast<size_t>(*axes.input);
      blocks[input] = config.block_size;
      if (shape[input] % config.block_size != 0) {
        return InvalidInput("{} input channels are no multiple of the block size {}", shape[input],
                            config.block_size);
      }
    }
  }
  return blocks;
}

// The weight as it is now, dense: restored for sparse and compressed sites.
Result<ir::Literal> DenseValue(const Site& site, ir::Opset opset, std::vector<uint8_t>* mask) {
  if (site.kind == SiteKind::kCompressed) {
    const ir::Operation& op = *site.weight.op;
    std::vector<exec::FoldInput> inputs;
    for (const ir::Argument& argument : op.arguments()) {
      if (!argument.values[0]->is_const())
        return InvalidInput("'{}' of '{}' is no constant", argument.name, op.name());
      inputs.push_back({argument.name, {argument.values[0]->literal.get()}});
    }
    ANEMONE_ASSIGN(auto results, exec::Fold(*op.def(), opset, inputs));
    return std::move(results[0]);
  }
  const ir::Literal& literal = *site.weight.value->literal;
  if (site.kind != SiteKind::kSparseValues) return literal;
  ANEMONE_ASSIGN(*mask, MaskOf(*site.child, "mask"));
  const auto width = static_cast<size_t>(BitWidth(literal.dtype())) / 8;
  if (width < 2) return InvalidInput("its values are {} already", DTypeName(literal.dtype()));
  std::vector<std::byte> dense(mask->size() * width, std::byte{0});
  const std::byte* from = literal.bytes().data();
  for (size_t i = 0; i < mask->size(); ++i) {
    if ((*mask)[i] == 0) continue;
    std::copy_n(from, width, dense.data() + i * width);
    from += width;
  }
  return ir::Literal::FromBytes(ir::Type::Tensor(literal.dtype(), site.shape),
                                Bytes::FromVector(std::move(dense)));
}

std::string_view KindSuffix(SiteKind kind) {
  switch (kind) {
    case SiteKind::kDense:
      return "";
    case SiteKind::kSparseValues:
      return " of a sparse weight";
    case SiteKind::kTable:
      return " of a palette";
    case SiteKind::kQuantizedData:
      return " of integers";
    case SiteKind::kCompressed:
      return " of a compressed weight";
  }
  return "";
}

// Rounds by inputs, or finds it done.
Status RoundLearned(const LinearConfig& config, const ir::Shape& blocks, const ir::Literal& weight,
                    const InputMoments& moments, LearnedRoundings* learned, const std::string& name,
                    LinearTensor* tensor) {
  // Copies of a model share the bytes of its weights: their place tells namesakes apart.
  const std::string key =
      fmt::format("{} {} {} {} {} {}", static_cast<int>(config.rounding),
                  static_cast<int>(config.mode), DTypeName(config.dtype), ir::ShapeToString(blocks),
                  name, static_cast<const void*>(weight.bytes().data()));
  if (learned != nullptr) {
    if (auto found = learned->Find(key)) {
      *tensor = std::move(*found);
      return {};
    }
  }
  ANEMONE_TRY(config.rounding == Rounding::kAdaRound
                  ? RoundByLearning(weight, moments, config.mode, tensor)
                  : RoundByInputs(weight, moments, config.mode, tensor));
  if (learned != nullptr) learned->Keep(key, *tensor);
  return {};
}

Status Run(const LinearConfig& config, const ir::Literal& weight, const InputMoments* moments,
           LearnedRoundings* learned, Job* job) {
  ANEMONE_ASSIGN(const ir::Shape blocks, BlocksOf(job->site, config));
  ANEMONE_ASSIGN(LinearTensor tensor, QuantizeLinear(weight, blocks, config.dtype, config.mode));
  const bool by_inputs =
      config.rounding != Rounding::kNearest && moments != nullptr && !moments->products.empty();
  if (by_inputs) {
    ANEMONE_TRY(RoundLearned(config, blocks, weight, *moments, learned,
                             job->site.weight.value->name, &tensor));
  }
  job->record.form =
      fmt::format("{} {}", DTypeName(config.dtype),
                  GranularityName(job->site.kind == SiteKind::kTable ? Granularity::kPerTensor
                                                                     : config.granularity));
  if (by_inputs) job->record.form += config.rounding == Rounding::kAdaRound ? " adaround" : " gptq";
  job->record.max_error = tensor.max_error;
  job->record.rms_error = tensor.rms_error;
  job->result = std::move(tensor);
  return {};
}

// The largest magnitude over the channel axis, for each position of the other axes, as coremltools
// has it; 1 where all is 0.
void ChannelScales(const std::vector<float>& values, const ir::Shape& shape, int axis,
                   PaletteForm* form) {
  form->channel_scale_shape = shape;
  form->channel_scale_shape[static_cast<size_t>(axis)] = 1;
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i)
    inner *= static_cast<size_t>(shape[i]);
  const auto channels = static_cast<size_t>(shape[static_cast<size_t>(axis)]);
  form->channel_scale.assign(values.size() / channels, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    float& scale = form->channel_scale[i / (inner * channels) * inner + i % inner];
    scale = std::max(scale, std::abs(values[i]));
  }
  for (float& scale : form->channel_scale)
    if (scale == 0) scale = 1;
}

// Error of the palette behind its scales, against the weight itself.
Status MeasureScaled(const std::vector<float>& values, const PaletteForm& form, DType dtype,
                     size_t inner, size_t channels, TensorRecord* record) {
  ANEMONE_ASSIGN(const ir::Literal plain, Depalettize(form.tensor, DType::kFp32));
  const auto looked_up = plain.As<float>();
  double squares = 0;
  record->max_error = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    float value = looked_up[i];
    if (!form.channel_scale.empty())
      value *= form.channel_scale[i / (inner * channels) * inner + i % inner];
    if (dtype == DType::kFp16) value = HalfToFloat(FloatToHalf(value));
    const double error = std::abs(double{values[i]} - value);
    squares += error * error;
    record->max_error = std::max(record->max_error, error);
  }
  record->rms_error = std::sqrt(squares / static_cast<double>(values.size()));
  return {};
}

Status Run(const PaletteConfig& config, const ir::Literal& weight,
           std::span<const float> importance, ir::Opset opset, Job* job) {
  const Site& site = job->site;
  int axis = 0;
  if (config.channel_axis) {
    axis = *config.channel_axis < 0 ? *config.channel_axis + static_cast<int>(site.shape.size())
                                    : *config.channel_axis;
  } else {
    const ChannelAxes axes = AxesOf(site.weight);
    if (axes.output) {
      axis = *axes.output;
    } else if (config.granularity != Granularity::kPerTensor || config.cluster_dim > 1 ||
               config.enable_per_channel_scale) {
      return InvalidInput("its users disagree on which dimension holds the channels");
    }
  }
  if (axis < 0 || static_cast<size_t>(axis) >= site.shape.size())
    return InvalidInput("there is no channel axis {}", axis);
  if (config.cluster_dim > 1) {
    // The channels of one group of a convolution are what its kernels meet.
    for (const ir::Use& use : site.weight.uses) {
      const ir::Value* groups = use.operation->Input("groups");
      if (axis != 0 || groups == nullptr || !groups->is_const()) continue;
      const int64_t count = groups->literal->AsInt().value_or(1);
      if (site.shape[0] / std::max<int64_t>(1, count) % config.cluster_dim != 0) {
        return InvalidInput("{} channels in {} groups are no multiple of the cluster dimension {}",
                            site.shape[0], count, config.cluster_dim);
      }
    }
  }
  PaletteParameters parameters{.mode = config.mode,
                               .nbits = config.nbits,
                               .three_bits = opset >= ir::Opset::kIOS18,
                               .channel_axis = axis,
                               .group_size = 0,
                               .cluster_dim = config.cluster_dim,
                               .importance = importance};
  if (config.granularity == Granularity::kPerGroupedChannel)
    parameters.group_size = config.group_size;

  PaletteForm form;
  ir::Literal normal = weight;
  std::vector<float> values;
  std::vector<float> scaled_importance;
  const bool measure = config.enable_per_channel_scale || config.lut_dtype != DType::kInvalid;
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < site.shape.size(); ++i)
    inner *= static_cast<size_t>(site.shape[i]);
  const auto channels = static_cast<size_t>(site.shape[static_cast<size_t>(axis)]);
  if (measure) values = *weight.AsFloats();
  if (config.enable_per_channel_scale) {
    ChannelScales(values, site.shape, axis, &form);
    std::vector<float> divided(values.size());
    scaled_importance.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const float scale = form.channel_scale[i / (inner * channels) * inner + i % inner];
      divided[i] = values[i] / scale;
      // An error of the quotient counts as much as the scale multiplies it.
      scaled_importance[i] = scale * scale * (importance.empty() ? 1 : importance[i]);
    }
    normal = ir::Literal::Floats(weight.dtype(), divided, site.shape);
    parameters.importance = scaled_importance;
  }
  ANEMONE_ASSIGN(form.tensor, Palettize(normal, parameters));
  if (config.lut_dtype != DType::kInvalid) {
    const ir::Literal table =
        ir::Literal::Floats(weight.dtype(), form.tensor.table, form.tensor.table_shape);
    ANEMONE_ASSIGN(form.integer_table,
                   QuantizeLinear(table, ir::Shape(form.tensor.table_shape.size(), 0),
                                  config.lut_dtype, LinearMode::kSymmetric));
    ANEMONE_ASSIGN(const ir::Literal back, DequantizeLinear(*form.integer_table, weight.dtype()));
    form.tensor.table = *back.AsFloats();
  }
  job->record.form =
      fmt::format("{}-bit palette {}", form.tensor.nbits, GranularityName(config.granularity));
  if (config.cluster_dim > 1) job->record.form += fmt::format(" of {}", config.cluster_dim);
  if (config.enable_per_channel_scale) job->record.form += " scaled";
  if (form.integer_table) job->record.form += fmt::format(" {} table", DTypeName(config.lut_dtype));
  job->record.max_error = form.tensor.max_error;
  job->record.rms_error = form.tensor.rms_error;
  if (measure) {
    ANEMONE_TRY(MeasureScaled(values, form, weight.dtype(), inner, channels, &job->record));
  }
  // Here, where all cores work, and not when it takes its place.
  form.packed_indices = PackBits(form.tensor.indices, form.tensor.nbits);
  job->result = std::move(form);
  return {};
}

Status RunPrune(Result<SparseTensor> sparse, Job* job) {
  ANEMONE_ASSIGN(SparseTensor tensor, std::move(sparse));
  const double kept = static_cast<double>(tensor.values.element_count());
  const double all = static_cast<double>(tensor.mask.size());
  job->record.form = fmt::format("{:.1f} % sparse", 100 * (1 - kept / all));
  job->record.max_error = tensor.max_error;
  job->record.rms_error = tensor.rms_error;
  job->result = std::move(tensor);
  return {};
}

// The values that a result of a dense site stands for.
Result<std::vector<float>> Restored(const Job& job, DType dtype) {
  if (const auto* linear = std::get_if<LinearTensor>(&job.result)) {
    ANEMONE_ASSIGN(const ir::Literal dense, DequantizeLinear(*linear, dtype));
    return *dense.AsFloats();
  }
  if (const auto* palette = std::get_if<PaletteForm>(&job.result)) {
    ANEMONE_ASSIGN(const ir::Literal dense, Depalettize(palette->tensor, dtype));
    std::vector<float> values = *dense.AsFloats();
    if (!palette->channel_scale.empty()) {
      const auto axis = static_cast<size_t>(palette->tensor.channel_axis);
      const ir::Shape& shape = job.site.shape;
      size_t inner = 1;
      for (size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
      const size_t block = inner * static_cast<size_t>(shape[axis]);
      for (size_t i = 0; i < values.size(); ++i)
        values[i] *= palette->channel_scale[i / block * inner + i % inner];
    }
    return values;
  }
  const auto& sparse = std::get<SparseTensor>(job.result);
  const std::vector<float> kept = *sparse.values.AsFloats();
  std::vector<float> values;
  size_t next = 0;
  for (const uint8_t set : sparse.mask) values.push_back(set != 0 ? kept[next++] : 0.0f);
  return values;
}

// How far the mean of each output channel moves: the error of the weights times the mean inputs.
Status FindBiasShift(const InputMoments& moments, const ir::Literal& weight, Job* job) {
  ANEMONE_ASSIGN(const std::vector<float> restored, Restored(*job, weight.dtype()));
  const std::vector<float> values = *weight.AsFloats();
  const int64_t outputs = job->site.shape[0];
  const auto row = static_cast<size_t>(moments.row);
  job->bias_shift.assign(static_cast<size_t>(outputs), 0);
  for (size_t o = 0; o < job->bias_shift.size(); ++o) {
    const size_t group = o / static_cast<size_t>(outputs / moments.groups);
    for (size_t i = 0; i < row; ++i) {
      job->bias_shift[o] += (double{restored[o * row + i]} - values[o * row + i]) *
                            moments.sums[group * row + i] / moments.count;
    }
  }
  return {};
}

// Takes the shift out of the bias of the operator that has the weight.
Status CorrectBias(passes::Rewriter& rewriter, const Job& job) {
  if (job.bias_shift.empty()) return {};
  ir::Operation& op = *job.site.weight.uses[0].operation;
  const ir::Value* bias = op.Input("bias");
  if (bias != nullptr && !bias->is_const()) return {};
  std::vector<float> values(job.bias_shift.size(), 0.0f);
  if (bias != nullptr) {
    const auto old = bias->literal->AsFloats();
    if (!old || old->size() != values.size()) return {};
    values = *old;
  }
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(double{values[i]} - job.bias_shift[i]);
  const DType dtype = job.site.weight.value->type.dtype();
  ir::Value* corrected = rewriter.builder().Const(
      ir::Literal::Floats(dtype, values, {static_cast<int64_t>(values.size())}),
      bias != nullptr ? bias->name : op.name() + "_bias");
  ANEMONE_TRY(rewriter.Commit(op));
  rewriter.SetInputs(op, "bias", {corrected});
  return {};
}

Status Encode(ir::Opset opset, const WeightData* data, Job* job) {
  const Site& site = job->site;
  std::vector<uint8_t> mask;
  ANEMONE_ASSIGN(const ir::Literal weight, DenseValue(site, opset, &mask));
  const OpConfig& config = *site.config;
  if (IsFloat(weight.dtype())) {
    // QuantizeLinear looks itself, as it goes over the values anyway.
    const bool linear = std::holds_alternative<LinearConfig>(config);
    const std::string reason = linear ? "" : WhyNotFinite(weight);
    if (!reason.empty()) return InvalidInput("{}", reason);
  } else if (BitWidth(weight.dtype()) < 8) {
    return InvalidInput("{} needs no table", DTypeName(weight.dtype()));
  }
  const InputMoments* moments = MomentsOf(site, data);
  if (const auto* linear = std::get_if<LinearConfig>(&config)) {
    ANEMONE_TRY(
        Run(*linear, weight, moments, data != nullptr ? data->learned.get() : nullptr, job));
  } else if (const auto* palette = std::get_if<PaletteConfig>(&config)) {
    // What is 0 already is not looked up: it shapes no table.
    std::vector<float> importance(mask.begin(), mask.end());
    const bool by_inputs = palette->sensitivity && moments != nullptr;
    if (by_inputs) importance = Sensitivity(*moments, site.shape);
    ANEMONE_TRY(Run(*palette, weight, importance, opset, job));
    if (by_inputs) job->record.form += " by sensitivity";
  } else if (const auto* threshold = std::get_if<ThresholdConfig>(&config)) {
    ANEMONE_TRY(RunPrune(PruneByThreshold(weight, *threshold), job));
  } else {
    ANEMONE_TRY(RunPrune(PruneByMagnitude(weight, std::get<MagnitudeConfig>(config)), job));
  }
  if (data != nullptr && data->correct_bias && moments != nullptr)
    return FindBiasShift(*moments, weight, job);
  return {};
}

Status Emit(passes::Rewriter& rewriter, Job* job) {
  int64_t* bytes = &job->record.bytes_after;
  if (const auto* linear = std::get_if<LinearTensor>(&job->result))
    return EmitLinear(rewriter, job->site, *linear, bytes);
  if (const auto* palette = std::get_if<PaletteForm>(&job->result))
    return EmitPalette(rewriter, job->site, *palette, bytes);
  return EmitSparse(rewriter, job->site, std::get<SparseTensor>(job->result), bytes);
}

Status ApplyToFunction(ir::Function& function, const WeightStep& step, const ApplyOptions& options,
                       const WeightData* data, ThreadPool& pool, Report* report) {
  passes::Rewriter rewriter(function);
  ANEMONE_ASSIGN(std::vector<Site> sites, FindSites(rewriter, step));
  std::vector<Job> jobs;
  const auto skip = [&](TensorRecord record, std::string reason) {
    record.reason = std::move(reason);
    record.form.clear();
    record.max_error = record.rms_error = 0;
    record.bytes_after = record.bytes_before;
    report->skipped.push_back(std::move(record));
  };
  for (Site& site : sites) {
    TensorRecord record = RecordOf(site.weight);
    record.shape = site.shape;
    if (!site.reason.empty()) {
      skip(std::move(record), std::move(site.reason));
      continue;
    }
    jobs.push_back({std::move(site), std::move(record), {}});
  }
  // The largest first, so that no core is left with one at the end.
  std::vector<size_t> order(jobs.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](size_t i) { return jobs[i].record.bytes_before; });
  std::vector<Status> outcomes(jobs.size());
  std::atomic<bool> cancelled = false;
  std::mutex mutex;
  int64_t done = 0;
  const auto total = static_cast<int64_t>(jobs.size());
  pool.ParallelFor(total, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (cancelled || (options.cancelled && options.cancelled())) {
        cancelled = true;
        return;
      }
      const size_t at = order[static_cast<size_t>(i)];
      outcomes[at] = Encode(function.opset, data, &jobs[at]);
      if (!options.progress) continue;
      const std::lock_guard lock(mutex);
      options.progress("tensors", ++done, total);
    }
  });
  if (cancelled) return Cancelled("interrupted");
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (!outcomes[i].ok()) {
      if (outcomes[i].error().code() != ErrorCode::kInvalidInput) return outcomes[i];
      skip(std::move(jobs[i].record), outcomes[i].error().message());
      continue;
    }
    const std::string place = fmt::format("'{}'", jobs[i].record.name);
    ANEMONE_TRY(CorrectBias(rewriter, jobs[i]).At(place));
    ANEMONE_TRY(Emit(rewriter, &jobs[i]).At(place));
    jobs[i].record.form += KindSuffix(jobs[i].site.kind);
    jobs[i].result = std::monostate();
    report->compressed.push_back(std::move(jobs[i].record));
  }
  rewriter.Finish();
  return {};
}

// Whether a weight step asks for what `wants` says.
template <typename Wants>
bool AnyStep(const Configuration& configuration, Wants&& wants) {
  for (const WeightStep& step : configuration.weights) {
    if (step.global_config && wants(*step.global_config)) return true;
    for (const auto* configs : {&step.op_type_configs, &step.op_name_configs}) {
      for (const auto& [key, config] : *configs)
        if (config && wants(*config)) return true;
    }
  }
  return false;
}

// Runs the calibration inputs when the weights need them.
Result<WeightData> GatherWeightData(const ir::Model& model, const Configuration& configuration,
                                    const ApplyOptions& options) {
  WeightData data;
  data.correct_bias = configuration.correct_bias;
  const bool products = AnyStep(configuration, [](const OpConfig& config) {
    const auto* linear = std::get_if<LinearConfig>(&config);
    return linear != nullptr && linear->rounding != Rounding::kNearest;
  });
  const bool sensitivity = AnyStep(configuration, [](const OpConfig& config) {
    const auto* palette = std::get_if<PaletteConfig>(&config);
    return palette != nullptr && palette->sensitivity;
  });
  if (!products && !sensitivity && !data.correct_bias) return data;
  // Layers that are made alike first are driven otherwise than before.
  if (options.inputs != nullptr && !configuration.equalize) {
    data.inputs = options.inputs;
    data.learned = options.learned;
    return data;
  }
  ANEMONE_ASSIGN(InputStatistics inputs,
                 CollectMoments(model, *options.calibration, MatrixNames(model.program), products,
                                options.progress, options.cancelled));
  data.inputs = std::make_shared<const InputStatistics>(std::move(inputs));
  return data;
}

Status QuantizeActivations(ir::Model& model, const ActivationStep& step,
                           const ApplyOptions& options, Report* report) {
  const ir::FunctionDescription* main = model.main();
  ir::Function* function = main != nullptr ? model.program.Find(main->name) : model.program.main();
  if (function == nullptr) return InvalidInput("there is no function to calibrate");
  passes::Rewriter rewriter(*function);
  ANEMONE_ASSIGN(const ActivationPlan plan, PlanActivations(rewriter, step));
  std::set<std::string> names;
  for (const ActivationSite& site : plan.sites) names.insert(site.value->name);
  for (const auto& group : plan.shared) names.insert(group.begin(), group.end());
  ANEMONE_ASSIGN(
      const Observers observers,
      ObserveActivations(model, *options.calibration, names, step.observer != Observer::kMinMax,
                         options.progress, options.cancelled));
  ANEMONE_TRY(InsertActivations(rewriter, step, plan, observers, report));
  rewriter.Finish();
  return {};
}

}  // namespace

Result<Report> ApplyStep(ir::Program& program, const WeightStep& step, const ApplyOptions& options,
                         const WeightData* data) {
  Configuration configuration;
  configuration.weights = {step};
  ANEMONE_TRY(Check(configuration));
  // All functions are looked at before one is changed.
  for (const auto& function : program.functions) {
    const passes::Rewriter rewriter(*function);
    ANEMONE_TRY(
        FindSites(rewriter, step).status().At(fmt::format("function '{}'", function->name)));
  }
  Report report;
  ThreadPool pool(options.threads);
  for (const auto& function : program.functions) {
    report.bytes_before += ConstantBytes(*function);
    ANEMONE_TRY(ApplyToFunction(*function, step, options, data, pool, &report)
                    .At(fmt::format("function '{}'", function->name)));
    report.bytes_after += ConstantBytes(*function);
  }
  return report;
}

Result<Report> Apply(ir::Model& model, const Configuration& configuration,
                     const ApplyOptions& options) {
  ANEMONE_TRY(Check(configuration));
  if (NeedsData(configuration) && options.calibration == nullptr) {
    return Usage("the configuration needs calibration inputs")
        .Advise("give a folder of images or .npy files with --calibration");
  }
  Report report;
  for (const auto& function : model.program.functions)
    report.bytes_before += ConstantBytes(*function);
  const ir::FunctionDescription* described = model.main();
  ir::Function* main =
      described != nullptr ? model.program.Find(described->name) : model.program.main();
  if (configuration.equalize && main != nullptr) ANEMONE_TRY(EqualizeLayers(*main).status());
  ANEMONE_ASSIGN(const WeightData data, GatherWeightData(model, configuration, options));
  if (configuration.activations)
    ANEMONE_TRY(QuantizeActivations(model, *configuration.activations, options, &report));
  for (const WeightStep& step : configuration.weights) {
    ANEMONE_ASSIGN(Report done, ApplyStep(model.program, step, options, &data));
    std::ranges::move(done.compressed, std::back_inserter(report.compressed));
    std::ranges::move(done.skipped, std::back_inserter(report.skipped));
  }
  for (const auto& function : model.program.functions)
    report.bytes_after += ConstantBytes(*function);
  return report;
}

}  // namespace anemone::compress
