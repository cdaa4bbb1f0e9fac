#include "onnx/quantized.h"

#include <gtest/gtest.h>

#include <numeric>

#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/fold.h"
#include "onnx/import.h"
#include "onnx/reader.h"

namespace anemone::onnx {
namespace {

using namespace testing;  // NOLINT: the builder's short names

// Every number of `dtype` in turn, and other scales and zero points for each block.
Quantized Sample(DType dtype, const ir::Shape& dims, const ir::Shape& blocks) {
  const int bits = BitWidth(dtype);
  const int64_t low = IsSignedInt(dtype) ? -(1 << (bits - 1)) : 0;
  std::vector<int64_t> values(static_cast<size_t>(*ir::ElementCount(dims)));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = low + static_cast<int64_t>(i * 7 % (size_t{1} << bits));
  Quantized q{.data = IntegerConstant(dtype, values, dims), .blocks = blocks, .scale = {}};
  for (int64_t i = 0; i < *ir::ElementCount(blocks); ++i) {
    q.scale.push_back(0.5f + static_cast<float>(i));
    q.zero.push_back(static_cast<float>(low + i % 3));
  }
  return q;
}

TEST(Quantized, ExpandsBlocks) {
  Quantized q{.data = IntegerConstant(DType::kInt4, {-8, 7, 1, 2, 3, -1}, {2, 3}),
              .blocks = {2, 1},
              .scale = {0.5f, 2.0f},
              .zero = {1.0f, -1.0f}};
  EXPECT_EQ(q.Expanded().AsFloats(), (std::vector<float>{-4.5f, 3, 0, 6, 8, 0}));
  q.blocks = {1, 3};
  q.scale = {1, 10, 100};
  q.zero.clear();
  EXPECT_EQ(q.Expanded().AsFloats(), (std::vector<float>{-8, 70, 100, 2, 30, -100}));
}

TEST(Quantized, TransposesAsItsFloatsDo) {
  for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kInt4, DType::kUInt4}) {
    const Quantized q = Sample(dtype, {4, 3, 6}, {2, 3, 1});
    for (const std::vector<int64_t>& perm :
         {std::vector<int64_t>{2, 0, 1}, {1, 0, 2}, {0, 2, 1}, {2, 1, 0}}) {
      const Quantized turned = q.Transposed(perm);
      EXPECT_EQ(turned.Expanded().AsFloats(), TransposeConstant(q.Expanded(), perm).AsFloats());
      EXPECT_EQ(turned.data.dtype, dtype);
    }
  }
}

TEST(Quantized, ReshapesWhereBlocksStayBlocks) {
  const Quantized q = Sample(DType::kInt8, {6, 4, 5}, {6, 2, 1});
  // Merged, split and with dims of 1: a block of ten elements stays together.
  for (const ir::Shape& dims :
       {ir::Shape{6, 20}, {6, 2, 2, 5}, {1, 6, 4, 5}, {3, 2, 20}, {12, 10}, {6, 2, 10}}) {
    const auto seen = q.Reshaped(dims);
    ASSERT_TRUE(seen) << ir::ShapeToString(dims);
    EXPECT_EQ(seen->dims(), dims);
    EXPECT_EQ(seen->Expanded().AsFloats(), q.Expanded().AsFloats()) << ir::ShapeToString(dims);
  }
  // Rows of four: a block would be cut.
  EXPECT_FALSE(q.Reshaped({30, 4}));
  EXPECT_FALSE(q.Reshaped({8, 15}));
}

TEST(Quantized, PicksRows) {
  const std::vector<int64_t> order = {2, 0, 1};
  for (const ir::Shape& blocks : {ir::Shape{6, 1}, {1, 1}, {3, 5}, {6, 5}}) {
    const Quantized q = Sample(DType::kInt4, {6, 5}, blocks);
    const auto floats = q.Expanded().AsFloats();
    std::vector<float> wanted;
    for (const int64_t block : order)
      wanted.insert(wanted.end(), floats.begin() + block * 10, floats.begin() + (block + 1) * 10);
    EXPECT_EQ(q.Rows(order, 2).Expanded().AsFloats(), wanted) << ir::ShapeToString(blocks);
  }
}

// ---- in a model

Message Int8s(std::string_view name, const std::vector<int64_t>& dims) {
  std::vector<int8_t> values(static_cast<size_t>(*ir::ElementCount(dims)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int8_t>(i * 37 % 255 - 127);
  return TensorHead(name, kInt8, dims).Array(9, values);
}
Message Scalar(std::string_view name, float value) { return Floats(name, {}, {value}); }
Message Zero(std::string_view name, int type) {
  return TensorHead(name, type, {}).Array(9, std::vector<uint8_t>{0});
}

Result<ir::Model> ImportFor(const Message& graph, ir::Opset target) {
  ANEMONE_ASSIGN(const Model model, ReadModel(ToBytes(MakeModel(graph, 21)), ""));
  ANEMONE_ASSIGN(ir::Model imported, ImportModel(model, {.input_shapes = {}, .target = target}));
  ANEMONE_TRY(ir::Verify(imported.program));
  return imported;
}

// x, quantized and back, times weights of 8 bits along their columns.
Message QdqGraph() {
  return MakeGraph(
      {.nodes = {MakeNode("QuantizeLinear", {"x", "s", "z"}, {"q"}),
                 MakeNode("DequantizeLinear", {"q", "s", "z"}, {"d"}),
                 MakeNode("DequantizeLinear", {"w", "ws"}, {"wd"}, {AttrInt("axis", 1)}),
                 MakeNode("MatMul", {"d", "wd"}, {"y"})},
       .inputs = {MakeValue("x", kFloat, {2, 16})},
       .outputs = {MakeValue("y", kFloat, {2, 8})},
       .initializers = {Scalar("s", 0.1f), Zero("z", kUint8), Int8s("w", {16, 8}),
                        Floats("ws", {8}, std::vector<float>(8, 0.01f))}});
}

TEST(QuantizedGraph, KeepsItsWeights) {
  const auto on17 = ImportFor(QdqGraph(), ir::Opset::kIOS17);
  ASSERT_TRUE(on17.ok()) << on17.error().ToString();
  EXPECT_EQ(Ops(*on17), "quantize dequantize constexpr_affine_dequantize linear");
  const auto on18 = ImportFor(QdqGraph(), ir::Opset::kIOS18);
  ASSERT_TRUE(on18.ok()) << on18.error().ToString();
  EXPECT_EQ(Ops(*on18), "quantize dequantize constexpr_blockwise_shift_scale linear");
  // Before ios17 activations are arithmetic.
  const auto on16 = ImportFor(QdqGraph(), ir::Opset::kIOS16);
  ASSERT_TRUE(on16.ok()) << on16.error().ToString();
  EXPECT_EQ(Ops(*on16), "real_div round add clip sub mul constexpr_affine_dequantize linear");
}

TEST(QuantizedGraph, NamesTheLowestTarget) {
  const auto on15 = ImportFor(QdqGraph(), ir::Opset::kIOS15);
  ASSERT_FALSE(on15.ok());
  EXPECT_NE(on15.error().ToString().find("which iOS16 and later hold"), std::string::npos)
      << on15.error().ToString();
  const auto graph = MakeGraph(
      {.nodes = {MakeNode("DequantizeLinear", {"w", "ws"}, {"wd"},
                          {AttrInt("axis", 0), AttrInt("block_size", 8)}),
                 MakeNode("MatMul", {"x", "wd"}, {"y"})},
       .inputs = {MakeValue("x", kFloat, {2, 16})},
       .outputs = {MakeValue("y", kFloat, {2, 8})},
       .initializers = {Int8s("w", {16, 8}), Floats("ws", {2, 8}, std::vector<float>(16, 0.5f))}});
  const auto on17 = ImportFor(graph, ir::Opset::kIOS17);
  ASSERT_FALSE(on17.ok());
  EXPECT_NE(on17.error().ToString().find("quantized in blocks, which iOS18"), std::string::npos)
      << on17.error().ToString();
  const auto on18 = ImportFor(graph, ir::Opset::kIOS18);
  ASSERT_TRUE(on18.ok()) << on18.error().ToString();
  EXPECT_EQ(Ops(*on18), "constexpr_blockwise_shift_scale linear");
}

// What rearranges weights leaves them integers.
TEST(QuantizedGraph, MovesIntegers) {
  const auto model = ImportFor(
      MakeGraph({.nodes = {MakeNode("DequantizeLinear", {"w", "s"}, {"wd"}),
                           MakeNode("Transpose", {"wd"}, {"t"}, {AttrInts("perm", {1, 0})}),
                           MakeNode("Reshape", {"t", "shape"}, {"r"}),
                           MakeNode("Conv", {"x", "r"}, {"y"})},
                 .inputs = {MakeValue("x", kFloat, {1, 16, 4, 4})},
                 .outputs = {MakeValue("y", kFloat, {1, 8, 4, 4})},
                 .initializers = {Int8s("w", {16, 8}), Scalar("s", 0.5f),
                                  Int64s("shape", {4}, {8, 16, 1, 1})}}),
      ir::Opset::kIOS17);
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(Ops(*model), "constexpr_affine_dequantize conv");
}

// The product of integers and its scaling become one linear on scaled operands; where another node
// reads the integers, they stay.
TEST(QuantizedGraph, FusesDynamicProducts) {
  const auto graph = [](bool shown) {
    GraphParts parts{
        .nodes = {MakeNode("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"}),
                  MakeNode("MatMulInteger", {"q", "w", "z"}, {"i"}),
                  MakeNode("Cast", {"i"}, {"f"}, {AttrInt("to", kFloat)}),
                  MakeNode("Mul", {"s", "ws"}, {"scale"}), MakeNode("Mul", {"f", "scale"}, {"y"})},
        .inputs = {MakeValue("x", kFloat, {2, 16})},
        .outputs = {MakeValue("y", kFloat, {2, 8})},
        .initializers = {Int8s("w", {16, 8}), Scalar("ws", 0.5f)}};
    if (shown) parts.outputs.push_back(MakeValue("i", kInt32, {2, 8}));
    return MakeGraph(parts);
  };
  const auto fused = ImportFor(graph(false), ir::Opset::kIOS17);
  ASSERT_TRUE(fused.ok()) << fused.error().ToString();
  EXPECT_TRUE(Ops(*fused).ends_with("constexpr_affine_dequantize linear")) << Ops(*fused);
  const auto kept = ImportFor(graph(true), ir::Opset::kIOS17);
  ASSERT_TRUE(kept.ok()) << kept.error().ToString();
  EXPECT_NE(Ops(*kept).find("linear cast"), std::string::npos) << Ops(*kept);
}

// Weights of 16 bits have no constexpr operator: they become floats, and the user is told.
TEST(QuantizedGraph, SaysWhatItExpands) {
  const Message weights = TensorHead("w", 5, {64, 32}).Array(9, std::vector<int16_t>(64 * 32, 3));
  const auto model =
      ImportFor(MakeGraph({.nodes = {MakeNode("DequantizeLinear", {"w", "s"}, {"wd"}),
                                     MakeNode("MatMul", {"x", "wd"}, {"y"})},
                           .inputs = {MakeValue("x", kFloat, {2, 64})},
                           .outputs = {MakeValue("y", kFloat, {2, 32})},
                           .initializers = {weights, Scalar("s", 0.5f)}}),
                ir::Opset::kIOS18);
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  ASSERT_EQ(model->notes.size(), 1u);
  EXPECT_NE(model->notes[0].find("'w' of int16 are stored as float32"), std::string::npos)
      << model->notes[0];
}

}  // namespace
}  // namespace anemone::onnx
