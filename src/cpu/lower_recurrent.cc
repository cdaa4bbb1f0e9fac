// lstm, gru and rnn.
#include <cmath>
#include <memory>

#include "base/dtype.h"
#include "cpu/kernels/recurrent.h"
#include "cpu/lowerings.h"

namespace anemone::cpu {
namespace {

// The step of an activation by MIL's name; nullopt for a name that is not known. Of the identity it is
// an empty step.
std::optional<std::optional<Step>> StepOf(std::string name) {
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  using Found = std::optional<Step>;
  if (name == "tanh" || name == "scaled_tanh") return Found(Step{.kind = StepKind::kTanh});
  if (name == "sigmoid") return Found(Step{.kind = StepKind::kSigmoid});
  if (name == "hard_sigmoid" || name == "sigmoid_hard")
    return Found(Step{.kind = StepKind::kHardSigmoid, .alpha = 0.2f, .beta = 0.5f});
  if (name == "relu") return Found(Step{.kind = StepKind::kRelu});
  if (name == "linear") return Found();
  return std::nullopt;
}

struct Layers {
  RecurrentKind kind = RecurrentKind::kRnn;
  RecurrentFunctions functions;
  float clip = std::numeric_limits<float>::infinity();
  int64_t features = 0, hidden = 0, directions = 1;
};

// The activation that a parameter names, into `function`; false when it is none of StepOf's.
Result<bool> ReadFunction(const ir::OpArgs& args, std::string_view param,
                          std::optional<Step>* function) {
  ANEMONE_ASSIGN(const std::string name, args.String(param));
  const auto step = StepOf(name);
  if (step) *function = *step;
  return step.has_value();
}

Result<std::optional<Layers>> ReadLayers(const Node& node, const ir::Type& x,
                                         const ir::Type& weight) {
  const ir::OpArgs& args = *node.args;
  const std::string& type = node.operation->type();
  Layers layers;
  layers.features = x.shape()[2];
  layers.hidden = weight.shape()[1];
  layers.directions = node.types[1].shape()[1] / layers.hidden;
  ANEMONE_ASSIGN(bool known, ReadFunction(args, "activation", &layers.functions.output));
  if (type != "rnn" && known) {
    ANEMONE_ASSIGN(known, ReadFunction(args, "recurrent_activation", &layers.functions.gates));
  }
  if (type == "gru") {
    ANEMONE_ASSIGN(const bool reset_after, args.Bool("reset_after"));
    layers.kind = reset_after ? RecurrentKind::kGruResetAfter : RecurrentKind::kGru;
  } else if (type == "lstm") {
    layers.kind = RecurrentKind::kLstm;
    if (known) {
      ANEMONE_ASSIGN(known, ReadFunction(args, "cell_activation", &layers.functions.cell));
    }
    if (args.Has("clip")) {
      ANEMONE_ASSIGN(const double clip, args.Float("clip"));
      layers.clip = static_cast<float>(clip);
    }
  }
  if (!known) return std::optional<Layers>();
  return std::optional(layers);
}

using Packed = std::vector<RecurrentLayer>;

// Both directions of a layer.
Result<std::shared_ptr<const Packed>> PackLayers(Planner& planner, const ir::Operation& operation,
                                                 const Layers& layers) {
  auto packed = std::make_shared<Packed>();
  for (int64_t direction = 0; direction < layers.directions; ++direction) {
    std::vector<std::vector<float>> kept;
    const auto read = [&](std::string name) -> Result<const float*> {
      if (direction == 1) name += "_back";
      const ir::Value* value = operation.Input(name);
      if (value == nullptr) return static_cast<const float*>(nullptr);
      ANEMONE_ASSIGN(const LiteralRef literal, planner.LiteralOf(value));
      auto floats = literal->AsFloats();
      if (!floats) return Unsupported("{} of type {}", name, DTypeName(literal->dtype()));
      return kept.emplace_back(std::move(*floats)).data();
    };
    kept.reserve(5);  // pointers stay
    RecurrentWeights weights;
    ANEMONE_ASSIGN(weights.input, read("weight_ih"));
    ANEMONE_ASSIGN(weights.recurrent, read("weight_hh"));
    ANEMONE_ASSIGN(weights.bias, read("bias"));
    ANEMONE_ASSIGN(weights.input_bias, read("input_bias"));
    ANEMONE_ASSIGN(weights.peephole, read("peephole"));
    packed->emplace_back(layers.kind, layers.features, layers.hidden, weights, layers.functions,
                         layers.clip, planner.pool());
  }
  return std::shared_ptr<const Packed>(std::move(packed));
}

Result<bool> LowerRecurrent(Planner& planner, const Node& node) {
  const ir::Operation& operation = *node.operation;
  for (const ir::Type& type : node.types) {
    if (!IsFloat32(type) || CountOf(type) == 0) return false;
  }
  const ir::Type x = planner.TypeOf(operation.Input("x"));
  if (!IsFloat32(x) || CountOf(x) == 0) return false;
  for (const ir::Argument& argument : operation.arguments()) {
    const bool is_state = argument.name == "x" || argument.name.starts_with("initial_");
    if (!is_state && !planner.IsFixed(argument.values.front())) return false;
  }
  ANEMONE_ASSIGN(const auto layers,
                 ReadLayers(node, x, planner.TypeOf(operation.Input("weight_hh"))));
  if (!layers) return false;
  const bool is_lstm = layers->kind == RecurrentKind::kLstm;

  RecurrentRun run;
  run.steps = x.shape()[0];
  run.batch = x.shape()[1];
  run.width = layers->directions * layers->hidden;
  ANEMONE_ASSIGN(run.sequence, node.args->Bool("output_sequence"));
  ANEMONE_ASSIGN(const std::string direction, node.args->String("direction"));
  run.reverse = direction == "reverse";
  const auto pack = [&] { return PackLayers(planner, operation, *layers); };
  ANEMONE_ASSIGN(const auto packed, planner.Packed<Packed>(operation, PackedForm::kFloats, pack));

  Instruction instruction;
  instruction.kernel = operation.type();
  instruction.operations = {&operation};
  std::vector<const char*> read = {"x", "initial_h"};
  if (is_lstm) read.push_back("initial_c");
  for (const char* name : read) {
    ANEMONE_ASSIGN(const BufferId buffer, planner.Read(operation.Input(name), Layout::kRowMajor));
    instruction.reads.push_back(buffer);
  }
  std::vector<bool> rounds;
  for (size_t i = 0; i < node.types.size(); ++i) {
    const BufferId buffer = planner.NewBuffer(StorageBytes(node.types[i]));
    instruction.writes.push_back(buffer);
    rounds.push_back(planner.Rounds(node.types[i]));
    planner.SetBuffer(operation.output(i), Layout::kRowMajor, buffer);
  }
  const int64_t scratch_floats = packed->front().ScratchFloats(run.batch);
  const BufferId scratch = planner.NewBuffer(scratch_floats * int64_t{sizeof(float)});
  instruction.run = [=, reads = instruction.reads, writes = instruction.writes,
                     types = node.types](Frame& frame) -> Status {
    RecurrentRun now = run;
    now.x = frame.In(reads[0]);
    now.initial_h = frame.In(reads[1]);
    if (is_lstm) now.initial_c = frame.In(reads[2]);
    now.outputs = frame.Out(writes[0]);
    now.final_h = frame.Out(writes[1]);
    if (is_lstm) now.final_c = frame.Out(writes[2]);
    for (const RecurrentLayer& layer : *packed) {
      layer.Run(now, frame.Out(scratch), *frame.pool);
      // The second direction of two goes backward, and gives its values in the order of x.
      now.column += layer.hidden();
      now.reverse = now.in_order_of_x = true;
    }
    for (size_t i = 0; i < types.size(); ++i) {
      if (rounds[i]) RoundToHalf({frame.Out(writes[i]), static_cast<size_t>(CountOf(types[i]))});
    }
    return {};
  };
  instruction.writes.push_back(scratch);
  planner.Emit(std::move(instruction));
  return true;
}

constexpr LoweringEntry kRecurrentLowerings[] = {
    {"gru", LowerRecurrent}, {"lstm", LowerRecurrent}, {"rnn", LowerRecurrent}};

}  // namespace

std::span<const LoweringEntry> RecurrentLowerings() { return kRecurrentLowerings; }

}  // namespace anemone::cpu
