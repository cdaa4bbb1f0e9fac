// See sparse_weight.h.
//
//   before (ios18)                                  after
//     w = const()[val = tensor<fp32, ...>];           w = constexpr_sparse_to_dense(
//     y = conv(x = x, weight = w);                            nonzero_data = tensor<fp32, [kept]>,
//   } -> (y);                                                 mask = uint1 tensor);
//                                                     y = conv(x = x, weight = w);
//                                                   } -> (y);
#include "compress/sparse_weight.h"

#include <algorithm>
#include <cmath>

#include "compress/emit.h"
#include "compress/pack_bits.h"

namespace anemone::compress {
namespace {

class SparseWeight final : public CompressedWeight {
 public:
  explicit SparseWeight(SparseTensor tensor) : tensor_(std::move(tensor)) {
    const auto kept = static_cast<double>(tensor_.values.element_count());
    form =
        fmt::format("{:.1f} % sparse", 100 * (1 - kept / static_cast<double>(tensor_.mask.size())));
    max_error = tensor_.max_error;
    rms_error = tensor_.rms_error;
  }

  Result<ir::Literal> Restore(DType dtype) const override {
    const std::vector<float> kept = *tensor_.values.AsFloats();
    std::vector<float> values;
    values.reserve(tensor_.mask.size());
    size_t next = 0;
    for (const uint8_t set : tensor_.mask) values.push_back(set != 0 ? kept[next++] : 0.0f);
    return ir::Literal::Floats(dtype, values, tensor_.shape);
  }

  Status Emit(passes::Rewriter& rewriter, const Site& site, int64_t* bytes) const override {
    if (site.kind == SiteKind::kCompressed) return EmitJoint(rewriter, site, bytes);
    const bool flat = rewriter.opset() < ir::Opset::kIOS18;
    ANEMONE_ASSIGN(ir::Literal mask, flat ? BytesLiteral(PackBits(tensor_.mask, 1))
                                          : MaskLiteral(tensor_.mask, tensor_.shape));
    *bytes = SizeOf(mask) + SizeOf(tensor_.values);
    std::vector<ir::ArgInit> args{{"nonzero_data", tensor_.values}, {"mask", std::move(mask)}};
    if (flat) {
      ANEMONE_ASSIGN(ir::Literal shape, ShapeLiteral(tensor_.shape));
      args.push_back({"shape", std::move(shape)});
    }
    return TakePlace(rewriter, site,
                     rewriter.builder().Op("constexpr_sparse_to_dense", std::move(args),
                                           site.weight.value->name));
  }

 private:
  // A weight that is already compressed keeps its parameters, and the data that the mask keeps.
  Status EmitJoint(passes::Rewriter& rewriter, const Site& site, int64_t* bytes) const {
    ir::Operation& op = *site.weight.op;
    const bool palette = op.type() == "constexpr_lut_to_dense";
    const std::string_view data_name = palette ? "indices" : "data";
    const ir::Value* data = op.Input(data_name);
    if (data == nullptr || !data->is_const())
      return InvalidInput("'{}' of '{}' is not a constant", data_name, op.name());
    if (data->literal->shape() != tensor_.shape)
      return InvalidInput("palettes of vectors cannot be pruned");
    ANEMONE_ASSIGN(ir::Literal values, Gather(*data->literal, tensor_.mask));
    ANEMONE_ASSIGN(ir::Literal mask, MaskLiteral(tensor_.mask, tensor_.shape));
    *bytes = SizeOf(values) + SizeOf(mask);
    std::vector<ir::ArgInit> args;
    for (const ir::Argument& argument : op.arguments()) {
      if (argument.name != data_name) args.push_back({argument.name, argument.values[0]});
      if (argument.values[0]->is_const() && argument.name != data_name)
        *bytes += SizeOf(*argument.values[0]->literal);
    }
    args.push_back({palette ? "indices_mask" : "data_mask", std::move(mask)});
    args.push_back({palette ? "indices_nonzero_data" : "nonzero_data", std::move(values)});
    ANEMONE_ASSIGN(ir::Operation * sparse,
                   rewriter.builder().Add(palette ? "constexpr_lut_to_sparse"
                                                  : "constexpr_sparse_blockwise_shift_scale",
                                          std::move(args), site.weight.value->name));
    return TakeSparsePlace(rewriter, op, sparse->output(1), sparse->output(0));
  }

  SparseTensor tensor_;
};

}  // namespace

Result<SparseTensor> KeepMasked(const ir::Literal& weight, const std::vector<float>& values,
                                std::vector<uint8_t> mask) {
  SparseTensor sparse;
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (mask[i] != 0 && values[i] != 0) continue;
    mask[i] = 0;
    const double lost = std::abs(double{values[i]});
    squares += lost * lost;
    sparse.max_error = std::max(sparse.max_error, lost);
  }
  if (!values.empty()) sparse.rms_error = std::sqrt(squares / static_cast<double>(values.size()));
  sparse.shape = weight.shape();
  ANEMONE_ASSIGN(sparse.values, Gather(weight, mask));
  sparse.mask = std::move(mask);
  return sparse;
}

std::unique_ptr<CompressedWeight> MakeSparseWeight(SparseTensor tensor) {
  return std::make_unique<SparseWeight>(std::move(tensor));
}

OpsetNeed SparseNeed() { return {ir::Opset::kIOS16, "pruning of weights"}; }

bool TakesSparse(SiteKind kind, bool joint) {
  return joint ? kind == SiteKind::kCompressed : kind == SiteKind::kDense;
}

}  // namespace anemone::compress
