// pooling, pooling3d and globalPooling3d.
#include <algorithm>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/windows.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

enum class PoolKind : uint8_t { kMax, kAverage, kL2 };

struct Pool {
  PoolKind kind = PoolKind::kMax;
  std::vector<int64_t> kernel, strides;
  WindowPadding padding;
  bool ceil_mode = false;
  bool exclude_padding = false;
};

ir::Value* EmitPool(LayerContext& c, const Pool& pool, ir::Value* x) {
  Args args = {{"x", x},
               {"kernel_sizes", ir::Ints(pool.kernel)},
               {"strides", ir::Ints(pool.strides)},
               {"pad_type", ir::Literal::String(pool.padding.type)},
               {"pad", ir::Ints(pool.padding.pad)},
               {"ceil_mode", ir::Literal::Bool(pool.ceil_mode)}};
  if (pool.kind == PoolKind::kAverage) {
    args.push_back({"exclude_padding_from_average", ir::Literal::Bool(pool.exclude_padding)});
  }
  switch (pool.kind) {
    case PoolKind::kMax:
      return c.Op("max_pool", std::move(args));
    case PoolKind::kAverage:
      return c.Op("avg_pool", std::move(args));
    case PoolKind::kL2:
      return c.Op("l2_pool", std::move(args));
  }
  return nullptr;
}

ir::Value* EmitGlobal(LayerContext& c, PoolKind kind, ir::Value* x, std::vector<int64_t> axes) {
  std::string_view type = "reduce_max";
  if (kind == PoolKind::kAverage) type = "reduce_mean";
  if (kind == PoolKind::kL2) type = "reduce_l2_norm";
  return c.Op(type, {{"x", x}, {"axes", ir::Ints(axes)}, {"keep_dims", ir::Literal::Bool(true)}});
}

// Windows that start within the data or its padding on either side, the last one cut off.
Status IncludeLastPixel(const nn::PoolingLayerParams& params, const ir::Shape& dims, Pool* pool) {
  ANEMONE_ASSIGN(const auto amounts,
                 CheckedSizes(params.includelastpixel().paddingamounts(), "paddingAmounts", 0));
  if (!amounts.empty() && amounts.size() != 2) {
    return InvalidInput("paddingAmounts has {} values, not 2", amounts.size());
  }
  const std::vector<int64_t> pads = amounts.empty() ? std::vector<int64_t>{0, 0} : amounts;
  pool->padding.pad = {pads[0], pads[0], pads[1], pads[1]};
  pool->ceil_mode = true;
  for (size_t d = 0; d < 2; ++d) {
    if (pool->strides[d] > pool->kernel[d] && dims[d + 2] != ir::kDynamic) {
      // Without padding, Core ML keeps a last window that lies beyond the data.
      const int64_t span = dims[d + 2] + 2 * pads[d] - pool->kernel[d];
      const int64_t last = (span + pool->strides[d] - 1) / pool->strides[d] * pool->strides[d];
      if (last >= dims[d + 2] + pads[d] && pads[d] == 0) {
        return Unsupported("a last window beyond the data (stride {}, kernel {})", pool->strides[d],
                           pool->kernel[d]);
      }
    }
  }
  return {};
}

Result<PoolKind> KindOf(int type) {
  switch (type) {
    case nn::PoolingLayerParams::MAX:
      return PoolKind::kMax;
    case nn::PoolingLayerParams::AVERAGE:
      return PoolKind::kAverage;
    case nn::PoolingLayerParams::L2:
      return PoolKind::kL2;
    default:
      return InvalidInput("pooling type {} is unknown", type);
  }
}

Status EmitPooling(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::PoolingLayerParams& params = c.layer().pooling();
  Pool pool;
  ANEMONE_ASSIGN(pool.kind, KindOf(params.type()));
  ir::Value* x = c.Nchw(0);
  ANEMONE_TRY(c.status());
  if (params.globalpooling()) return c.SetNchw(0, EmitGlobal(c, pool.kind, x, {2, 3}), 0);
  ANEMONE_ASSIGN(pool.kernel, TwoSizesOr(params.kernelsize(), "kernelSize", 3));
  ANEMONE_ASSIGN(pool.strides, TwoSizesOr(params.stride(), "stride", 1));
  pool.exclude_padding = params.avgpoolexcludepadding();
  const ir::Shape dims = x->type.shape();
  if (params.has_same()) {
    ANEMONE_ASSIGN(pool.padding,
                   SamePaddingOf(params.same(), {dims[2], dims[3]}, pool.kernel, pool.strides));
  } else if (params.has_includelastpixel()) {
    ANEMONE_TRY(IncludeLastPixel(params, dims, &pool));
  } else {
    ANEMONE_ASSIGN(pool.padding, ValidPaddingOf(params.valid()));
  }
  return c.SetNchw(0, EmitPool(c, pool, x), 0);
}

Result<std::vector<int64_t>> Sizes3d(std::initializer_list<int32_t> sizes, std::string_view what,
                                     int32_t least) {
  std::vector<int64_t> checked;
  for (const int32_t size : sizes) {
    if (size < least) return InvalidInput("{} is {}", what, size);
    checked.push_back(size);
  }
  return checked;
}

Status EmitPooling3d(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 5));
  const nn::Pooling3DLayerParams& params = c.layer().pooling3d();
  Pool pool;
  ANEMONE_ASSIGN(pool.kind, KindOf(params.type()));
  if (pool.kind == PoolKind::kL2) return InvalidInput("pooling3d has no type L2");
  ANEMONE_ASSIGN(pool.kernel,
                 Sizes3d({params.kerneldepth(), params.kernelheight(), params.kernelwidth()},
                         "a kernel size", 1));
  ANEMONE_ASSIGN(
      pool.strides,
      Sizes3d({params.stridedepth(), params.strideheight(), params.stridewidth()}, "a stride", 1));
  pool.exclude_padding = params.countexcludepadding();
  switch (params.paddingtype()) {
    case nn::Pooling3DLayerParams::CUSTOM: {
      ANEMONE_ASSIGN(pool.padding.pad,
                     Sizes3d({params.custompaddingfront(), params.custompaddingback(),
                              params.custompaddingtop(), params.custompaddingbottom(),
                              params.custompaddingleft(), params.custompaddingright()},
                             "a padding", 0));
      break;
    }
    case nn::Pooling3DLayerParams::VALID:
      pool.padding = WindowPadding::Valid(3);
      break;
    case nn::Pooling3DLayerParams::SAME:
      pool.padding = WindowPadding::Same(3);
      break;
    default:
      return InvalidInput("padding type {} is unknown", static_cast<int>(params.paddingtype()));
  }
  return c.Set(0, EmitPool(c, pool, c.Value(0)));
}

Status EmitGlobalPooling3d(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 5));
  ANEMONE_ASSIGN(const PoolKind kind, KindOf(c.layer().globalpooling3d().type()));
  if (kind == PoolKind::kL2) return InvalidInput("globalPooling3d has no type L2");
  return c.Set(0, EmitGlobal(c, kind, c.Value(0), {2, 3, 4}));
}

constexpr LayerRow kPoolingRows[] = {
    {Layer::kPooling, "pooling", EmitPooling,
     "max_pool, avg_pool, l2_pool; global: reduce_max, reduce_mean, reduce_l2_norm",
     "INCLUDE_LAST_PIXEL with a last window beyond the data"},
    {Layer::kPooling3D, "pooling3d", EmitPooling3d, "max_pool, avg_pool"},
    {Layer::kGlobalPooling3D, "globalPooling3d", EmitGlobalPooling3d, "reduce_max, reduce_mean"},
};

}  // namespace

std::span<const LayerRow> PoolingLayers() { return kPoolingRows; }

}  // namespace anemone::neural_network
