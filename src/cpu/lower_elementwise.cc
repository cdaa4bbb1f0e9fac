// Elementwise operations: each becomes steps, which join the group that computes an operand when
// they are its only reader, or open their own group.
#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "cpu/kernels/elementwise.h"
#include "cpu/lowerings.h"

namespace anemone::cpu {
namespace {

using ir::OpArgs;
using K = StepKind;

struct Unary {
  StepKind kind;
  // The parameters that give the step's alpha and beta; when empty, a fixed value does.
  std::string_view alpha_param = {};
  std::string_view beta_param = {};
  float alpha = 0.0f;
  float beta = 0.0f;
  // Rounding the result changes nothing when the argument is half.
  bool exact = false;
};

const std::unordered_map<std::string_view, Unary>& UnaryTable() {
  static const std::unordered_map<std::string_view, Unary> table = {
      {"relu", {.kind = K::kRelu, .exact = true}},
      {"relu6", {.kind = K::kClamp, .alpha = 0.0f, .beta = 6.0f, .exact = true}},
      {"clip", {.kind = K::kClamp, .alpha_param = "alpha", .beta_param = "beta"}},
      {"leaky_relu", {.kind = K::kLeakyRelu, .alpha_param = "alpha"}},
      {"elu", {.kind = K::kElu, .alpha_param = "alpha"}},
      {"linear_activation", {.kind = K::kLinear, .alpha_param = "alpha", .beta_param = "beta"}},
      {"scaled_tanh", {.kind = K::kScaledTanh, .alpha_param = "alpha", .beta_param = "beta"}},
      {"sigmoid", {.kind = K::kSigmoid}},
      {"sigmoid_hard", {.kind = K::kHardSigmoid, .alpha_param = "alpha", .beta_param = "beta"}},
      {"silu", {.kind = K::kSilu}},
      {"softplus", {.kind = K::kSoftplus}},
      {"softsign", {.kind = K::kSoftsign}},
      {"tanh", {.kind = K::kTanh}},
      {"erf", {.kind = K::kErf}},
      {"exp", {.kind = K::kExp}},
      {"sqrt", {.kind = K::kSqrt}},
      {"abs", {.kind = K::kAbs, .exact = true}},
      {"square", {.kind = K::kSquare}},
      {"floor", {.kind = K::kFloor}},
      {"ceil", {.kind = K::kCeil}},
      {"round", {.kind = K::kRoundEven}},
      {"gelu", {.kind = K::kGeluErf}},
  };
  return table;
}

struct Binary {
  StepKind kind;
  StepKind reversed;  // y op x
};
const std::unordered_map<std::string_view, Binary>& BinaryTable() {
  static const std::unordered_map<std::string_view, Binary> table = {
      {"add", {K::kAdd, K::kAdd}},     {"sub", {K::kSub, K::kReverseSub}},
      {"mul", {K::kMul, K::kMul}},     {"real_div", {K::kDiv, K::kReverseDiv}},
      {"maximum", {K::kMax, K::kMax}}, {"minimum", {K::kMin, K::kMin}},
  };
  return table;
}

// The steps of an operation of one argument; empty when it is not in the table.
Result<std::vector<GroupStep>> UnarySteps(const Node& node, bool* exact) {
  const std::string& type = node.operation->type();
  const OpArgs& args = *node.args;
  *exact = false;
  if (type == "rsqrt" || type == "inverse") {
    ANEMONE_ASSIGN(const double epsilon, args.Float("epsilon"));
    const Step shift{.kind = K::kLinear, .alpha = 1.0f, .beta = static_cast<float>(epsilon)};
    const Step step{.kind = type == "rsqrt" ? K::kRsqrt : K::kInverse};
    return std::vector<GroupStep>{{.step = shift}, {.step = step}};
  }
  if (type == "pow") return std::vector<GroupStep>{{.step = {.kind = K::kSquare}}};  // of LowerPow
  const auto found = UnaryTable().find(type);
  if (found == UnaryTable().end()) return std::vector<GroupStep>{};
  const Unary& unary = found->second;
  Step step{.kind = unary.kind, .alpha = unary.alpha, .beta = unary.beta};
  if (!unary.alpha_param.empty()) {
    ANEMONE_ASSIGN(const double alpha, args.Float(unary.alpha_param));
    step.alpha = static_cast<float>(alpha);
  }
  if (!unary.beta_param.empty()) {
    ANEMONE_ASSIGN(const double beta, args.Float(unary.beta_param));
    step.beta = static_cast<float>(beta);
  }
  if (type == "gelu") {
    ANEMONE_ASSIGN(const std::string mode, args.String("mode"));
    if (mode == "TANH_APPROXIMATION") step.kind = K::kGeluTanh;
    if (mode == "SIGMOID_APPROXIMATION") step.kind = K::kGeluSigmoid;
  }
  *exact = unary.exact;
  return std::vector<GroupStep>{{.step = step}};
}

// How an operand of `shape` broadcasts to a result of `type` in a group of the given layout and
// view. On success `columns` is the view's (0 when any will do).
struct OperandView {
  StepOperand operand;
  bool whole = false;
  int64_t columns = 0;
};
std::optional<OperandView> ViewOperand(const ir::Shape& operand_shape, const ir::Type& type,
                                       Layout layout) {
  const ir::Shape& out = type.shape();
  if (operand_shape.size() > out.size()) return std::nullopt;
  ir::Shape shape(out.size() - operand_shape.size(), 1);
  shape.insert(shape.end(), operand_shape.begin(), operand_shape.end());
  OperandView view;
  if (shape == out) {
    view.whole = true;
    return view;
  }
  if (std::all_of(shape.begin(), shape.end(), [](int64_t n) { return n == 1; })) return view;
  if (layout == Layout::kChannelsLast) {
    const int64_t spatial = SpatialCount(type);
    const bool per_image =
        std::all_of(shape.begin() + 2, shape.end(), [](int64_t n) { return n == 1; });
    const bool per_pixel = std::equal(shape.begin() + 2, shape.end(), out.begin() + 2);
    view.columns = out[1];
    if (per_image && shape[1] == out[1]) {  // a value per channel, of all images or of each
      view.operand.row_stride = shape[0] == 1 ? 0 : out[1];
      view.operand.rows_per_step = spatial;
      view.operand.column_stride = 1;
      return view;
    }
    if (shape[1] != 1) return std::nullopt;
    if (per_image || (per_pixel && shape[0] == out[0])) {  // a value per image or per pixel
      view.operand.row_stride = 1;
      view.operand.rows_per_step = per_pixel ? 1 : spatial;
      return view;
    }
    return std::nullopt;
  }
  // Row-major: equal to the result in its last dimensions and 1 before, or the reverse.
  size_t leading_ones = 0;
  while (leading_ones < shape.size() && shape[leading_ones] == 1) ++leading_ones;
  if (std::equal(shape.begin() + leading_ones, shape.end(), out.begin() + leading_ones)) {
    view.columns = 1;
    for (size_t i = leading_ones; i < out.size(); ++i) view.columns *= out[i];
    view.operand.column_stride = 1;
    return view;
  }
  size_t trailing = shape.size();
  while (trailing > 0 && shape[trailing - 1] == 1) --trailing;
  if (std::equal(shape.begin(), shape.begin() + trailing, out.begin())) {
    view.columns = 1;
    for (size_t i = trailing; i < out.size(); ++i) view.columns *= out[i];
    view.operand.row_stride = 1;
    return view;
  }
  return std::nullopt;
}

bool Fits(const Group& group, const OperandView& view) {
  return view.columns == 0 || group.columns == 0 || group.columns == view.columns;
}

Result<bool> LowerUnary(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  if (!IsFloat32(node.types[0]) || x == nullptr || !IsFloat32(planner.TypeOf(x))) return false;
  if (CountOf(node.types[0]) == 0) return false;
  bool exact = false;
  ANEMONE_ASSIGN(std::vector<GroupStep> steps, UnarySteps(node, &exact));
  if (steps.empty()) return false;
  // The argument's values are half only if they were rounded.
  exact = exact && planner.Rounds(planner.TypeOf(x)) && !planner.IsKnown(x);
  Group* group = planner.Joinable(x, *node.operation);
  if (group != nullptr) {
    planner.Join(*group, *node.operation, std::move(steps));
  } else {
    ANEMONE_ASSIGN(group, OpenElementwise(planner, node, x, planner.LayoutOf(x)));
    group->steps = std::move(steps);
  }
  planner.FinishOperation(*group, exact);
  return true;
}

// x to the power of 2, as variances and spectra have it; other powers are the reference kernel's.
Result<bool> LowerPow(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Value* y = node.operation->Input("y");
  if (x == nullptr || y == nullptr || !planner.IsKnown(y) || CountOf(planner.TypeOf(y)) != 1)
    return false;
  if (planner.TypeOf(x).shape() != node.types[0].shape()) return false;
  ANEMONE_ASSIGN(const LiteralRef power, planner.LiteralOf(y));
  const auto values = power->AsFloats();
  if (!values || values->front() != 2.0f) return false;
  return LowerUnary(planner, node);
}

// x op y where `base` is the operand that has the shape of the result.
struct Side {
  const ir::Value* base;
  const ir::Value* other;
  StepKind kind;
};

Result<bool> LowerBinary(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Value* y = node.operation->Input("y");
  const ir::Type& type = node.types[0];
  if (!IsFloat32(type) || x == nullptr || y == nullptr || CountOf(type) == 0) return false;
  if (!IsFloat32(planner.TypeOf(x)) || !IsFloat32(planner.TypeOf(y))) return false;
  const Binary& binary = BinaryTable().at(node.operation->type());
  std::vector<Side> sides;
  if (planner.TypeOf(x).shape() == type.shape()) sides.push_back({x, y, binary.kind});
  if (planner.TypeOf(y).shape() == type.shape()) sides.push_back({y, x, binary.reversed});
  // Prefer a base that is not a constant, then one that is not stored as integers, which are read as an
  // operand, then the operand computed last.
  const auto rank = [&](const Side& side) {
    return 2 * int{planner.IsKnown(side.base)} + int{planner.IntegersOf(side.base) != nullptr};
  };
  std::stable_sort(sides.begin(), sides.end(),
                   [&](const Side& a, const Side& b) { return rank(a) < rank(b); });
  for (const Side& side : sides) {
    Group* group = planner.Joinable(side.base, *node.operation);
    if (group == nullptr) continue;
    const bool comes_back = group->saved != nullptr && side.other == group->saved;
    auto view = ViewOperand(planner.TypeOf(side.other).shape(), type, group->layout);
    if (!view || !Fits(*group, *view)) continue;
    GroupStep step{.step = {.kind = side.kind, .operand = view->operand},
                   .value = side.other,
                   .whole = view->whole && !comes_back};
    if (view->columns != 0) group->columns = view->columns;
    planner.Join(*group, *node.operation, {step});
    planner.FinishOperation(*group);
    return true;
  }
  for (const Side& side : sides) {
    // When both operands are whole tensors, use a layout that one already has.
    Layout layout = planner.LayoutOf(side.base);
    if (layout == Layout::kRowMajor && planner.IsKnown(side.base)) {
      layout = planner.LayoutOf(side.other);
    }
    if (!HasChannels(type)) layout = Layout::kRowMajor;
    auto view = ViewOperand(planner.TypeOf(side.other).shape(), type, layout);
    if (!view) continue;
    ANEMONE_ASSIGN(Group * group, OpenElementwise(planner, node, side.base, layout));
    if (view->columns != 0) group->columns = view->columns;
    group->steps.push_back({.step = {.kind = side.kind, .operand = view->operand},
                            .value = side.other,
                            .whole = view->whole});
    planner.FinishOperation(*group);
    return true;
  }
  return false;
}

// The channel's scale and shift: (x - mean) / sqrt(variance + epsilon) * gamma + beta.
Result<bool> LowerBatchNorm(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type& type = node.types[0];
  if (!IsFloat32(type) || !HasChannels(type) || CountOf(type) == 0) return false;
  const auto channels = static_cast<size_t>(type.shape()[1]);
  std::vector<float> values[4];
  bool fixed = true;
  constexpr std::string_view kParams[] = {"mean", "variance", "gamma", "beta"};
  for (size_t i = 0; i < 4; ++i) {
    const ir::Value* value = node.operation->Input(kParams[i]);
    values[i].assign(channels, i == 2 ? 1.0f : 0.0f);
    if (value == nullptr) continue;
    if (!planner.IsKnown(value)) return false;
    fixed = fixed && planner.IsFixed(value);
    ANEMONE_ASSIGN(const LiteralRef literal, planner.LiteralOf(value));
    auto floats = literal->AsFloats();
    if (!floats || floats->size() != channels) return false;
    values[i] = std::move(*floats);
  }
  ANEMONE_ASSIGN(const double epsilon, node.args->Float("epsilon"));
  std::vector<float> scale(channels), shift(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double s = values[2][c] / std::sqrt(double{values[1][c]} + epsilon);
    scale[c] = static_cast<float>(s);
    shift[c] = static_cast<float>(values[3][c] - values[0][c] * s);
  }
  Group* group = planner.Joinable(x, *node.operation);
  const bool joins = group != nullptr && group->layout == Layout::kChannelsLast;
  // Packed weights are kept for other shapes, so only what does not depend on shapes is folded in.
  if (joins && fixed && group->fold_affine && group->steps.empty()) {
    planner.Join(*group, *node.operation, {});
    group->fold_affine(std::move(scale), std::move(shift));
    planner.FinishOperation(*group);
    return true;
  }
  const StepOperand per_channel{.column_stride = 1};
  std::vector<GroupStep> steps = {
      {.step = {.kind = K::kMul, .operand = per_channel}, .buffer = planner.NewConstant(scale)},
      {.step = {.kind = K::kAdd, .operand = per_channel}, .buffer = planner.NewConstant(shift)}};
  if (joins) {
    planner.Join(*group, *node.operation, std::move(steps));
  } else {
    ANEMONE_ASSIGN(group, OpenElementwise(planner, node, x, Layout::kChannelsLast));
    group->steps = std::move(steps);
  }
  planner.FinishOperation(*group);
  return true;
}

Result<bool> LowerPRelu(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Value* alpha = node.operation->Input("alpha");
  const ir::Type& type = node.types[0];
  if (!IsFloat32(type) || !HasChannels(type) || CountOf(type) == 0) return false;
  if (planner.TypeOf(alpha).shape() != ir::Shape{type.shape()[1]}) return false;
  GroupStep step{.step = {.kind = K::kPRelu, .operand = {.column_stride = 1}}, .value = alpha};
  Group* group = planner.Joinable(x, *node.operation);
  if (group != nullptr && group->layout == Layout::kChannelsLast) {
    planner.Join(*group, *node.operation, {step});
  } else {
    ANEMONE_ASSIGN(group, OpenElementwise(planner, node, x, Layout::kChannelsLast));
    group->steps = {step};
  }
  planner.FinishOperation(*group);
  return true;
}

// Between float types: the same number, rounded where the result is half.
Result<bool> LowerCast(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Type& type = node.types[0];
  if (!IsFloat32(type) || !IsFloat32(planner.TypeOf(x)) || CountOf(type) == 0) return false;
  Group* group = planner.Joinable(x, *node.operation);
  if (group != nullptr) {
    planner.Join(*group, *node.operation, {});
  } else {
    ANEMONE_ASSIGN(group, OpenElementwise(planner, node, x, planner.LayoutOf(x)));
  }
  planner.FinishOperation(*group);
  return true;
}

std::vector<LoweringEntry> MakeEntries() {
  std::vector<LoweringEntry> entries = {
      {"batch_norm", LowerBatchNorm}, {"prelu", LowerPRelu},   {"cast", LowerCast},
      {"rsqrt", LowerUnary},          {"inverse", LowerUnary}, {"pow", LowerPow}};
  for (const auto& [name, unary] : UnaryTable()) entries.push_back({name, LowerUnary});
  for (const auto& [name, binary] : BinaryTable()) entries.push_back({name, LowerBinary});
  return entries;
}

}  // namespace

Result<Group*> OpenElementwise(Planner& planner, const Node& node, const ir::Value* base,
                               Layout layout) {
  ANEMONE_ASSIGN(const BufferId in, planner.Read(base, layout));
  Group& group = planner.Open(*node.operation, "elementwise", layout);
  group.reads = {in};
  group.can_store_integers = true;
  group.only_copies = in;
  Group* self = &group;
  group.prepare = [self, in]() -> Result<Group::Run> {
    const int64_t count = CountOf(self->type);
    const int64_t columns = self->columns == 0 ? count : self->columns;
    return Group::Run(
        [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
          if (count == 0) return {};
          Elementwise(steps, frame.In(in), out, count / columns, columns, *frame.pool);
          return {};
        });
  };
  return &group;
}

bool IsBinary(const ir::Operation& operation) { return BinaryTable().contains(operation.type()); }

bool IsPlainStep(const Planner& planner, const ir::Operation& operation) {
  if (UnaryTable().contains(operation.type())) return true;
  if (!IsBinary(operation)) return false;
  for (const std::string_view param : {"x", "y"}) {
    const ir::Value* value = operation.Input(param);
    if (planner.IsKnown(value) && CountOf(planner.TypeOf(value)) == 1 &&
        planner.TypeOf(value).rank() <= planner.TypeOf(operation.output()).rank()) {
      // The other operand must have the result's shape.
      const ir::Value* other = operation.Input(param == "x" ? "y" : "x");
      return planner.TypeOf(other).shape() == planner.TypeOf(operation.output()).shape() &&
             IsFloat32(planner.TypeOf(other)) && IsFloat32(planner.TypeOf(value));
    }
  }
  return false;
}

std::span<const LoweringEntry> ElementwiseLowerings() {
  static const std::vector<LoweringEntry> entries = MakeEntries();
  return entries;
}

}  // namespace anemone::cpu
