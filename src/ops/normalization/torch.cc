// PyTorch: batch, layer, group, instance and RMS normalization, and norms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::normalization {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// A vector of `channels` equal numbers.
std::string Filled(Context& c, int64_t channels, float value) {
  return c.Known(
      onnx::Constant::Floats(std::vector<float>(static_cast<size_t>(channels), value), {channels}));
}

std::string OrFilled(Context& c, std::string_view name, int64_t channels, float value) {
  return c.Has(name) ? c.In(name) : Filled(c, channels, value);
}

// Without running statistics: by those of the batch, in evaluation too.
Status EmitBatchStatistics(Context& c) {
  const int64_t rank = c.Rank("input");
  std::vector<int64_t> axes, dims(static_cast<size_t>(std::max<int64_t>(rank - 1, 1)), 1);
  for (int64_t d = 0; d < rank; ++d) {
    if (d != 1) axes.push_back(d);
  }
  dims[0] = -1;
  const std::string x = c.Need("input"), along = c.Int64s(axes);
  const std::string centered = c.Op("Sub", {x, c.Op("ReduceMean", {x, along})});
  const std::string variance = c.Op("ReduceMean", {c.Op("Mul", {centered, centered}), along});
  const std::string eps = c.Number(c.Number("eps", 1e-5));
  std::string y = c.Op("Div", {centered, c.Op("Sqrt", {c.Op("Add", {variance, eps})})});
  if (c.Has("weight")) y = c.Op("Mul", {y, c.Reshape(c.In("weight"), dims)});
  if (c.Has("bias")) y = c.Op("Add", {y, c.Reshape(c.In("bias"), dims)});
  return c.Set(0, y);
}

Status EmitBatchNorm(Context& c) {
  if (!c.Has("running_mean")) return EmitBatchStatistics(c);
  if (c.Flag("training", false)) {
    // The result is by the statistics of the batch; the running ones, which change, must serve nothing.
    if (c.ReadersOf("running_mean") != 1 || c.ReadersOf("running_var") != 1) {
      return Unsupported("batch normalization in training mode, whose statistics something reads")
          .Advise("call model.eval() before the export");
    }
    return EmitBatchStatistics(c);
  }
  const int64_t channels = c.FixedDim("input", 1);
  const std::string y =
      c.Op("BatchNormalization",
           {c.Need("input"), OrFilled(c, "weight", channels, 1), OrFilled(c, "bias", channels, 0),
            c.In("running_mean"), c.Need("running_var")},
           {Float("epsilon", c.Number("eps", 1e-5))});
  return c.Set(0, y);
}

Status EmitLayerNorm(Context& c) {
  const std::vector<int64_t> shape = c.Ints("normalized_shape");
  const int64_t axis = -std::ssize(shape);
  const auto one = onnx::Constant::Floats({1}, {1});
  const std::string scale = c.Has("weight") ? c.In("weight") : c.Known(one);
  return c.Set(0, c.Op("LayerNormalization", {c.Need("input"), scale, c.In("bias")},
                       {Int("axis", axis), Float("epsilon", c.Number("eps", 1e-5))}));
}

Status EmitRmsNorm(Context& c) {
  const std::vector<int64_t> shape = c.Ints("normalized_shape");
  std::vector<int64_t> axes;
  for (int64_t d = -std::ssize(shape); d < 0; ++d) axes.push_back(d);
  const double eps = c.Number("eps", std::numeric_limits<float>::epsilon());
  const std::string x = c.Need("input");
  const std::string mean = c.Op("ReduceMean", {c.Op("Mul", {x, x}), c.Int64s(axes)});
  const std::string root = c.Op("Sqrt", {c.Op("Add", {mean, c.Number(eps)})});
  std::string y = c.Op("Div", {x, root});
  if (c.Has("weight")) y = c.Op("Mul", {y, c.In("weight")});
  return c.Set(0, y);
}

Status EmitGroupNorm(Context& c) {
  const int64_t channels = c.FixedDim("input", 1);
  const std::string y =
      c.Op("GroupNormalization",
           {c.Need("input"), OrFilled(c, "weight", channels, 1), OrFilled(c, "bias", channels, 0)},
           {Int("num_groups", c.Int("num_groups", 1)), Float("epsilon", c.Number("eps", 1e-5))});
  return c.Set(0, y);
}

Status EmitInstanceNorm(Context& c) {
  if (!c.Flag("use_input_stats", true)) {
    if (!c.Has("running_mean")) return InvalidInput("it has no running statistics");
    return EmitBatchNorm(c);
  }
  const int64_t channels = c.FixedDim("input", 1);
  return c.Set(0, c.Op("InstanceNormalization",
                       {c.Need("input"), OrFilled(c, "weight", channels, 1),
                        OrFilled(c, "bias", channels, 0)},
                       {Float("epsilon", c.Number("eps", 1e-5))}));
}

// The decomposed form: normalized, mean, 1/deviation.
Status EmitNativeBatchNorm(Context& c) {
  if (c.Flag("training", false))
    return Unsupported("batch normalization in training mode").Advise("call model.eval() first");
  return EmitBatchNorm(c);
}

// The p-norm along axes.
Status NormOf(Context& c, const std::string& x, double p, const std::vector<int64_t>& axes,
              bool keep) {
  const Attributes keepdims = {Int("keepdims", keep ? 1 : 0)};
  const std::string along = c.Int64s(axes);
  if (p == 1) return c.Set(0, c.Op("ReduceL1", {x, along}, keepdims));
  if (p == 2) return c.Set(0, c.Op("ReduceL2", {x, along}, keepdims));
  const std::string size = c.Op("Abs", {x});
  if (std::isinf(p))
    return c.Set(0, c.Op(p > 0 ? "ReduceMax" : "ReduceMin", {size, along}, keepdims));
  if (p == 0) {
    const std::string any = c.Op("Greater", {size, c.Number(0)});
    return c.Set(0, c.Op("ReduceSum", {c.Cast(any, DType::kFp32), along}, keepdims));
  }
  const std::string sum = c.Op("ReduceSum", {c.Op("Pow", {size, c.Number(p)}), along}, keepdims);
  return c.Set(0, c.Op("Pow", {sum, c.Number(1 / p)}));
}

Status EmitNorm(Context& c) {
  return NormOf(c, c.FloatIn("self"), c.Has("p") ? c.Number("p", 2) : c.Number("ord", 2),
                c.Axes("dim", c.Rank("self")), c.Flag("keepdim", false));
}

// The norm of a matrix: of the sums along one of its two axes, or that of all elements.
Status EmitMatrixNorm(Context& c) {
  const int64_t rank = c.Rank("self");
  std::vector<int64_t> axes = c.Ints("dim", {-2, -1});
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  if (axes.size() != 2) return InvalidInput("it has {} axes", axes.size());
  const bool keep = c.Flag("keepdim", false);
  const std::string named = c.Text("ord", "");
  const Argument* order = c.Find("ord");
  if (order == nullptr || order->kind == Argument::Kind::kString) {
    if (named == "nuc") return Unsupported("the nuclear norm, which needs singular values");
    return NormOf(c, c.FloatIn("self"), 2, axes, keep);
  }
  const double p = c.Number("ord", 2);
  const bool infinite = std::isinf(p);
  if (!infinite && std::abs(p) != 1)
    return Unsupported("the matrix norm of order {}, which needs singular values", p);
  const Attributes kept = {Int("keepdims", 1)};
  const std::string sums =
      c.Op("ReduceL1", {c.FloatIn("self"), c.Int64s({axes[infinite ? 1 : 0]})}, kept);
  std::string y =
      c.Op(p > 0 ? "ReduceMax" : "ReduceMin", {sums, c.Int64s({axes[infinite ? 0 : 1]})}, kept);
  if (!keep) {
    std::ranges::sort(axes);
    y = c.Squeeze(y, axes);
  }
  return c.Set(0, y);
}

// Without an order it is that of all elements; with one, two axes are a matrix.
Status EmitLinalgNorm(Context& c) {
  const Argument* axes = c.Find("dim");
  const size_t count = axes != nullptr ? axes->ints.size() : static_cast<size_t>(c.Rank("self"));
  if (!c.Has("ord")) return EmitNorm(c);
  return count == 2 ? EmitMatrixNorm(c) : EmitNorm(c);
}

// g * v / |v|, the norm taken over all axes but one.
Status EmitWeightNorm(Context& c) {
  const int64_t rank = c.Rank("v"), kept = c.Int("dim", 0);
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < rank; ++d) {
    if (d != (kept < -1 ? kept + rank : kept)) axes.push_back(d);
  }
  const std::string v = c.Need("v");
  const std::string norm = c.Op("ReduceL2", {v, c.Int64s(axes)});
  return c.Set(0, c.Op("Mul", {v, c.Op("Div", {c.Need("g"), norm})}));
}

Status EmitNativeGroupNorm(Context& c) {
  const int64_t channels = c.FixedDim("input", 1);
  return c.Set(
      0,
      c.Op("GroupNormalization",
           {c.Need("input"), OrFilled(c, "weight", channels, 1), OrFilled(c, "bias", channels, 0)},
           {Int("num_groups", c.Int("group", 1)), Float("epsilon", c.Number("eps", 1e-5))}));
}

// The p-norm of the differences, with eps added to each.
Status EmitPairwiseDistance(Context& c) {
  const int64_t rank = std::max(c.Rank("x1"), c.Rank("x2"));
  std::string x = c.Op("Sub", {c.Need("x1"), c.Need("x2")});
  x = c.Op("Add", {x, c.Number(c.Number("eps", 1e-6))});
  return NormOf(c, x, c.Number("p", 2), {rank - 1}, c.Flag("keepdim", false));
}

// x * sqrt(1 / sum) and so on are torch.nn.functional.normalize, which PyTorch decomposes.
Status EmitCosineSimilarity(Context& c) {
  const int64_t rank = std::max(c.Rank("x1"), c.Rank("x2"));
  const std::string axis = c.Int64s({c.Axis("dim", 1, rank)});
  const std::string a = c.Need("x1"), b = c.Need("x2");
  const Attributes drop = {Int("keepdims", 0)};
  const std::string eps = c.Number(c.Number("eps", 1e-8));
  const auto length = [&](const std::string& x) {
    return c.Op("Max", {c.Op("ReduceL2", {x, axis}, drop), eps});
  };
  const std::string dot = c.Op("ReduceSum", {c.Op("Mul", {a, b}), axis}, drop);
  return c.Set(0, c.Op("Div", {dot, c.Op("Mul", {length(a), length(b)})}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.batch_norm.default", .emit = EmitBatchNorm},
    {.target = "aten._native_batch_norm_legit_no_training.default", .emit = EmitNativeBatchNorm},
    {.target = "aten._native_batch_norm_legit.default", .emit = EmitNativeBatchNorm},
    {.target = "aten.native_batch_norm.default", .emit = EmitNativeBatchNorm},
    {.target = "aten.layer_norm.default", .emit = EmitLayerNorm},
    {.target = "aten.native_layer_norm.default", .emit = EmitLayerNorm},
    {.target = "aten.rms_norm.default", .emit = EmitRmsNorm},
    {.target = "aten._fused_rms_norm.default", .emit = EmitRmsNorm},
    {.target = "aten.group_norm.default", .emit = EmitGroupNorm},
    {.target = "aten.instance_norm.default", .emit = EmitInstanceNorm},
    {.target = "aten.linalg_vector_norm.default", .emit = EmitNorm},
    {.target = "aten.norm.ScalarOpt_dim", .emit = EmitNorm},
    {.target = "aten.norm.Scalar", .emit = EmitNorm},
    {.target = "aten.norm.ScalarOpt_dtype", .emit = EmitNorm},
    {.target = "aten.linalg_norm.default", .emit = EmitLinalgNorm},
    {.target = "aten.linalg_norm.ord_str", .emit = EmitMatrixNorm},
    {.target = "aten.linalg_matrix_norm.default", .emit = EmitMatrixNorm},
    {.target = "aten.linalg_matrix_norm.str_ord", .emit = EmitMatrixNorm},
    {.target = "aten._weight_norm.default", .emit = EmitWeightNorm},
    {.target = "aten._weight_norm_interface.default", .emit = EmitWeightNorm},
    {.target = "aten.native_group_norm.default", .emit = EmitNativeGroupNorm},
    {.target = "aten.pairwise_distance.default", .emit = EmitPairwiseDistance},
    {.target = "aten.frobenius_norm.dim", .emit = EmitNorm},
    {.target = "aten.cosine_similarity.default", .emit = EmitCosineSimilarity},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::normalization
