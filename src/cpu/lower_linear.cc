// linear and matmul, and the list of products.
#include <algorithm>
#include <memory>

#include "cpu/kernels/bf16_conv.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/half_gemv.h"
#include "cpu/kernels/layout.h"
#include "cpu/lowerings.h"

namespace anemone::cpu {
namespace {

// x as rows of `k` values times a constant matrix: weight(i, j) = data[i * row_stride + j *
// column_stride].
struct ConstantProduct {
  const ir::Value* weight = nullptr;
  const ir::Value* bias = nullptr;  // null: none
  int64_t k = 0;
  int64_t n = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
};

Result<std::vector<float>> ReadProductBias(Planner& planner, const ConstantProduct& product) {
  if (product.bias == nullptr) return std::vector<float>();
  ANEMONE_ASSIGN(const LiteralRef given, planner.LiteralOf(product.bias));
  auto floats = given->AsFloats();
  if (!floats || std::ssize(*floats) != product.n) {
    return Unsupported("this kind of bias is not supported");
  }
  return std::move(*floats);
}

Result<std::shared_ptr<const HalfMatrix>> PackHalf(Planner& planner,
                                                   const ConstantProduct& product) {
  ANEMONE_ASSIGN(const LiteralRef literal, planner.LiteralOf(product.weight));
  ANEMONE_ASSIGN(const std::vector<float> bias, ReadProductBias(planner, product));
  return std::make_shared<const HalfMatrix>(literal->As<Half>().data(), product.k, product.n,
                                            product.row_stride, product.column_stride,
                                            bias.empty() ? nullptr : bias.data(), planner.pool());
}

// A constant product's weights and bias as floats.
struct PlainMatrix {
  LiteralRef literal;  // keeps `weight` alive where it is not copied
  const float* weight = nullptr;
  std::vector<float> storage;
  std::vector<float> bias;

  const float* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
};

Result<PlainMatrix> ReadMatrix(Planner& planner, const ConstantProduct& product) {
  PlainMatrix plain;
  ANEMONE_ASSIGN(plain.literal, planner.LiteralOf(product.weight));
  if (plain.literal->dtype() == DType::kFp32) {
    plain.weight = plain.literal->As<float>().data();
  } else {
    auto floats = plain.literal->AsFloats();
    if (!floats)
      return Unsupported("weights of type {} are not supported", DTypeName(plain.literal->dtype()));
    plain.storage = std::move(*floats);
    plain.weight = plain.storage.data();
  }
  ANEMONE_ASSIGN(plain.bias, ReadProductBias(planner, product));
  return plain;
}

Result<std::shared_ptr<const PackedMatrix>> Pack(Planner& planner, const ConstantProduct& product) {
  ANEMONE_ASSIGN(const PlainMatrix plain, ReadMatrix(planner, product));
  return std::make_shared<const PackedMatrix>(plain.weight, product.k, product.n,
                                              product.row_stride, product.column_stride,
                                              plain.bias_or_null(), planner.pool());
}

// The product as a convolution of bfloat16 numbers: rows are the pixels of an image one pixel wide.
ConvShape ShapeOfRows(const ConstantProduct& product, int64_t rows) {
  ConvShape shape;
  shape.in_c = product.k;
  shape.out_c = product.n;
  shape.in_h = shape.out_h = rows;
  return shape;
}

Result<Group::Run> PrepareBfloat16(Planner& planner, const ir::Operation& operation, Group* group,
                                   const ConstantProduct& product, int64_t rows) {
  using Shared = std::shared_ptr<const PackedBf16Conv>;
  const ConvShape shape = ShapeOfRows(product, rows);
  const auto pack = [&]() -> Result<Shared> {
    ANEMONE_ASSIGN(const PlainMatrix plain, ReadMatrix(planner, product));
    std::vector<float> turned;
    const float* weight = plain.weight;
    if (product.row_stride != 1) {
      for (int64_t j = 0; j < product.n; ++j) {
        for (int64_t i = 0; i < product.k; ++i) {
          turned.push_back(weight[i * product.row_stride + j * product.column_stride]);
        }
      }
      weight = turned.data();
    }
    return Shared(std::make_shared<const PackedBf16Conv>(shape, weight, plain.bias_or_null()));
  };
  ANEMONE_ASSIGN(const Shared packed,
                 planner.Packed<PackedBf16Conv>(operation, PackedForm::kBfloat16, pack));
  auto conv = std::make_shared<const PackedBf16Conv>(shape, *packed);
  const BufferId scratch = planner.NewBuffer(conv->ScratchFloats() * int64_t{sizeof(float)});
  group->scratch = {scratch};
  return Group::Run([=, from = group->reads[0]](Frame& frame, const Destination& out,
                                                std::span<const Step> steps) -> Status {
    conv->Run(frame.In(from), out, frame.Out(scratch), steps, *frame.pool);
    return {};
  });
}

Result<bool> LowerConstantProduct(Planner& planner, const Node& node, const ir::Value* x,
                                  const ConstantProduct& product) {
  if (product.column_stride == product.k) {  // columns lie one after the other, as integers do
    ANEMONE_ASSIGN(const bool taken,
                   LowerInt8Product(planner, node, x, product.weight, product.bias));
    if (taken) return true;
  }
  ANEMONE_ASSIGN(const BufferId from, planner.Read(x, Layout::kRowMajor));
  const int64_t rows = CountOf(node.types[0]) / product.n;
  const bool bf16 =
      planner.MultipliesBfloat16() && PackedBf16Conv::CanRun(ShapeOfRows(product, rows));
  Group& group = planner.Open(*node.operation, bf16 ? "gemm_bf16" : "gemm", Layout::kRowMajor);
  group.columns = product.n;
  group.reads = {from};
  group.can_store_integers = true;
  group.prepare = [=, &planner, &operation = *node.operation,
                   self = &group]() -> Result<Group::Run> {
    if (bf16) return PrepareBfloat16(planner, operation, self, product, rows);
    if (rows <= HalfMatrix::kMaxRows && planner.TypeOf(product.weight).dtype() == DType::kFp16) {
      ANEMONE_ASSIGN(const auto halves,
                     planner.Packed<HalfMatrix>(operation, PackedForm::kHalf,
                                                [&] { return PackHalf(planner, product); }));
      return Group::Run(
          [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
            halves->Multiply(frame.In(from), rows, out, steps, *frame.pool);
            return {};
          });
    }
    ANEMONE_ASSIGN(const auto packed,
                   planner.Packed<PackedMatrix>(operation, PackedForm::kFloats,
                                                [&] { return Pack(planner, product); }));
    return Group::Run(
        [=](Frame& frame, const Destination& out, std::span<const Step> steps) -> Status {
          Gemm(frame.In(from), product.k, rows, packed->view(), out, product.n, steps, *frame.pool);
          return {};
        });
  };
  planner.FinishOperation(group);
  return true;
}

Result<bool> LowerLinear(Planner& planner, const Node& node) {
  const ir::Value* weight = node.operation->Input("weight");
  const ir::Value* bias = node.operation->Input("bias");
  const ir::Value* x = node.operation->Input("x");
  if (!IsFloat32(node.types[0]) || CountOf(node.types[0]) == 0) return false;
  if (!planner.IsKnown(weight) || (bias != nullptr && !planner.IsKnown(bias))) return false;
  const ir::Shape& shape = planner.TypeOf(weight).shape();
  ConstantProduct product;
  product.weight = weight;
  product.bias = bias;
  product.n = shape[0];
  product.k = shape[1];
  product.row_stride = 1;
  product.column_stride = shape[1];
  return LowerConstantProduct(planner, node, x, product);
}

// A batch of products of two tensors; each packs y, and transposes x where required.
struct BatchProduct {
  BufferId x = kNoBuffer;
  BufferId y = kNoBuffer;
  BufferId scratch = kNoBuffer;
  int64_t batch = 1, m = 0, k = 0, n = 0;
  bool x_repeats = false;  // one matrix for the whole batch
  bool y_repeats = false;
  bool transpose_x = false;
  bool transpose_y = false;

  int64_t BiasFloats() const { return PackedColumns(n); }
  int64_t ScratchFloats() const {
    const int64_t each = PackedFloats(k, n) + (transpose_x ? m * k : 0);
    return (each + 15) / 16 * 16;  // each product's scratch starts at a vector boundary
  }

  void Run(const Frame& frame, float* out) const {
    float* bias = frame.Out(scratch);
    std::fill_n(bias, BiasFloats(), 0.0f);
    float* work = bias + (BiasFloats() + 15) / 16 * 16;
    frame.pool->ParallelFor(batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        float* panels = work + b * ScratchFloats();
        const float* left = frame.In(x) + (x_repeats ? 0 : b * m * k);
        const float* right = frame.In(y) + (y_repeats ? 0 : b * k * n);
        PackMatrix(right, k, n, transpose_y ? 1 : n, transpose_y ? k : 1, panels);
        if (transpose_x) {
          float* turned = panels + PackedFloats(k, n);
          TransposeMatrices(left, turned, 1, k, m, *frame.pool);
          left = turned;
        }
        Gemm(left, k, m, {panels, bias, k, n}, out + b * m * n, n, {}, *frame.pool);
      }
    });
  }
};

int64_t Product(const ir::Shape& shape, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= shape[i];
  return product;
}

Result<bool> LowerMatmul(Planner& planner, const Node& node) {
  const ir::Value* x = node.operation->Input("x");
  const ir::Value* y = node.operation->Input("y");
  const ir::Shape& xs = planner.TypeOf(x).shape();
  const ir::Shape& ys = planner.TypeOf(y).shape();
  const ir::Shape& os = node.types[0].shape();
  if (!IsFloat32(node.types[0]) || CountOf(node.types[0]) == 0) return false;
  if (xs.size() < 2 || ys.size() < 2) return false;
  // From iOS17 on a constant operand may be int32 beside float data; the fast kernels read floats.
  if (!IsFloat32(planner.TypeOf(x)) || !IsFloat32(planner.TypeOf(y))) return false;
  ANEMONE_ASSIGN(const bool transpose_x, node.args->Bool("transpose_x"));
  ANEMONE_ASSIGN(const bool transpose_y, node.args->Bool("transpose_y"));
  BatchProduct p;
  p.m = xs[xs.size() - (transpose_x ? 1 : 2)];
  p.k = xs[xs.size() - (transpose_x ? 2 : 1)];
  p.n = ys[ys.size() - (transpose_y ? 2 : 1)];
  if (p.k == 0) return false;
  if (ys.size() == 2 && !transpose_x && planner.IsKnown(y)) {
    ConstantProduct product;
    product.weight = y;
    product.k = p.k;
    product.n = p.n;
    product.row_stride = transpose_y ? 1 : p.n;
    product.column_stride = transpose_y ? p.k : 1;
    return LowerConstantProduct(planner, node, x, product);
  }
  p.batch = Product(os, 0, os.size() - 2);
  const int64_t x_batch = Product(xs, 0, xs.size() - 2);
  const int64_t y_batch = Product(ys, 0, ys.size() - 2);
  if ((x_batch != p.batch && x_batch != 1) || (y_batch != p.batch && y_batch != 1)) return false;
  p.x_repeats = x_batch == 1;
  p.y_repeats = y_batch == 1;
  p.transpose_x = transpose_x;
  p.transpose_y = transpose_y;
  ANEMONE_ASSIGN(p.x, planner.Read(x, Layout::kRowMajor));
  ANEMONE_ASSIGN(p.y, planner.Read(y, Layout::kRowMajor));
  const int64_t floats = p.BiasFloats() + 16 + p.batch * p.ScratchFloats();
  p.scratch = planner.NewBuffer(floats * int64_t{sizeof(float)});
  Group& group = planner.OpenSimple(*node.operation, "batch_gemm", Layout::kRowMajor, {p.x, p.y},
                                    [p](const Frame& frame, float* out) { p.Run(frame, out); });
  group.scratch = {p.scratch};
  planner.FinishOperation(group);
  return true;
}

constexpr LoweringEntry kLinearLowerings[] = {{"linear", LowerLinear},
                                              {"matmul", LowerMatmul},
                                              {"scaled_dot_product_attention", LowerAttention}};

}  // namespace

std::span<const LoweringEntry> LinearLowerings() { return kLinearLowerings; }

}  // namespace anemone::cpu
