// See equalize.h.
//
//   before                              after, for a channel i with s = sqrt(r1 / r2)
//     a = conv(x = x, weight = w,         a = conv(x = x, weight = w[i] / s, bias = b[i] / s);
//              bias = b);                 r = relu(x = a);
//     r = relu(x = a);                    y = conv(x = r, weight = v[:, i] * s);
//     y = conv(x = r, weight = v);      } -> (y);
//   } -> (y);
#include "compress/equalize.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "passes/match.h"
#include "passes/rewriter.h"

namespace anemone::compress {
namespace {

constexpr int kRounds = 3;           // chains of layers settle in a few
constexpr double kMostScale = 1000;  // of a channel

struct Layer {
  std::vector<double> weight;
  std::vector<double> bias;  // empty: none
  ir::Shape shape;
  int64_t groups = 1;
  bool changed = false;

  int64_t outputs() const { return shape[0]; }
  int64_t inputs() const { return shape[1] * groups; }
  int64_t row() const { return static_cast<int64_t>(weight.size()) / shape[0]; }
  int64_t kernel() const { return row() / shape[1]; }

  // Calls fn(element) for all elements that make output channel `o`.
  template <typename Fn>
  void ForOutput(int64_t o, Fn&& fn) {
    for (int64_t i = 0; i < row(); ++i) fn(weight[static_cast<size_t>(o * row() + i)]);
  }
  // Calls fn(element) for all elements that multiply input channel `c`.
  template <typename Fn>
  void ForInput(int64_t c, Fn&& fn) {
    const int64_t per_group = outputs() / groups;
    const int64_t group = c / shape[1];
    for (int64_t o = group * per_group; o < (group + 1) * per_group; ++o) {
      const int64_t first = o * row() + c % shape[1] * kernel();
      for (int64_t k = 0; k < kernel(); ++k) fn(weight[static_cast<size_t>(first + k)]);
    }
  }
};

class Equalizer {
 public:
  explicit Equalizer(ir::Function& function) : rewriter_(function) {}

  Result<int> Run() {
    std::vector<std::pair<ir::Operation*, ir::Operation*>> pairs;
    for (ir::Operation* op : rewriter_.operations()) {
      if (op->type() != "conv" || !Load(op)) continue;
      ir::Operation* next = rewriter_.OnlyUser(op->output());
      if (next != nullptr && (next->type() == "relu" || next->type() == "leaky_relu"))
        next = rewriter_.OnlyUser(next->output());
      if (next == nullptr || next->type() != "conv" || !Load(next)) continue;
      if (layers_.at(next).inputs() != layers_.at(op).outputs()) continue;
      pairs.emplace_back(op, next);
    }
    for (int round = 0; round < kRounds; ++round)
      for (const auto& [first, second] : pairs) Equalize(&layers_.at(first), &layers_.at(second));
    for (auto& [op, layer] : layers_) {
      if (!layer.changed) continue;
      const DType dtype = op->Input("weight")->type.dtype();
      if (!passes::FitDType(layer.weight, dtype) || !passes::FitDType(layer.bias, dtype))
        return InvalidInput("equalized weights of '{}' leave the range of {}", op->name(),
                            DTypeName(dtype));
    }
    // In program order, so that the names are the same each time.
    for (ir::Operation* op : rewriter_.operations()) {
      const auto found = layers_.find(op);
      if (found == layers_.end() || !found->second.changed) continue;
      Store(op, found->second);
    }
    rewriter_.Finish();
    if (!status_.ok()) return status_;
    return static_cast<int>(pairs.size());
  }

 private:
  // Reads the layer; false when its weights may not be changed.
  bool Load(ir::Operation* op) {
    if (layers_.contains(op)) return true;
    const ir::Value* weight = op->Input("weight");
    const ir::Value* bias = op->Input("bias");
    const auto own = [&](const ir::Value* value) {
      return value != nullptr && value->is_const() && rewriter_.UseCount(value) == 1;
    };
    if (!own(weight) || weight->type.rank() < 3 || (bias != nullptr && !bias->is_const()))
      return false;
    Layer layer;
    const auto weights = passes::DoublesOf(weight);
    if (!weights || weights->empty()) return false;
    layer.weight = *weights;
    if (bias != nullptr) {
      const auto values = passes::DoublesOf(bias);
      if (!values || static_cast<int64_t>(values->size()) != weight->type.shape()[0]) return false;
      layer.bias = *values;
    }
    layer.shape = weight->type.shape();
    const ir::Value* groups = op->Input("groups");
    if (groups != nullptr) {
      if (!groups->is_const()) return false;
      layer.groups = groups->literal->AsInt().value_or(1);
    }
    if (layer.groups < 1 || layer.shape[0] % layer.groups != 0 || layer.shape[1] < 1) return false;
    layers_[op] = std::move(layer);
    return true;
  }

  static void Equalize(Layer* first, Layer* second) {
    for (int64_t c = 0; c < first->outputs(); ++c) {
      double range1 = 0;
      double range2 = 0;
      first->ForOutput(c, [&](double& w) { range1 = std::max(range1, std::abs(w)); });
      second->ForInput(c, [&](double& w) { range2 = std::max(range2, std::abs(w)); });
      if (range1 == 0 || range2 == 0) continue;
      const double scale = std::clamp(std::sqrt(range1 / range2), 1 / kMostScale, kMostScale);
      first->ForOutput(c, [&](double& w) { w /= scale; });
      if (!first->bias.empty()) first->bias[static_cast<size_t>(c)] /= scale;
      second->ForInput(c, [&](double& w) { w *= scale; });
    }
    first->changed = second->changed = true;
  }

  void Store(ir::Operation* op, const Layer& layer) {
    const ir::Value* old = op->Input("weight");
    const DType dtype = old->type.dtype();
    ir::Value* weight = rewriter_.builder().Const(
        passes::FloatsFromDoubles(dtype, layer.weight, layer.shape), old->name);
    ir::Value* bias = nullptr;
    if (!layer.bias.empty()) {
      bias = rewriter_.builder().Const(
          passes::FloatsFromDoubles(dtype, layer.bias, op->Input("bias")->type.shape()),
          op->Input("bias")->name);
    }
    const Status status = rewriter_.Commit(*op);
    if (!status.ok()) {
      if (status_.ok()) status_ = status;
      return;
    }
    rewriter_.SetInputs(*op, "weight", {weight});
    if (bias != nullptr) rewriter_.SetInputs(*op, "bias", {bias});
  }

  passes::Rewriter rewriter_;
  std::map<ir::Operation*, Layer> layers_;
  Status status_;
};

}  // namespace

Result<int> EqualizeLayers(ir::Function& function) { return Equalizer(function).Run(); }

}  // namespace anemone::compress
