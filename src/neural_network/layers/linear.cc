// innerProduct, batchedMatmul, embedding and embeddingND.
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

Status EmitInnerProduct(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const nn::InnerProductLayerParams& params = c.layer().innerproduct();
  ANEMONE_ASSIGN(const int64_t inputs, CheckedSize(params.inputchannels(), "inputChannels"));
  ANEMONE_ASSIGN(const int64_t outputs, CheckedSize(params.outputchannels(), "outputChannels"));
  const ir::Shape dims = c.Dims(0);
  // Channel, height and width of rank 4 and 5 are one vector.
  const bool spatial = dims.size() > 3;
  ir::Value* x = nullptr;
  if (spatial) {
    int64_t lead = 1;
    for (size_t d = 0; d + 3 < dims.size(); ++d) {
      lead = lead == ir::kDynamic || dims[d] == ir::kDynamic ? ir::kDynamic : lead * dims[d];
    }
    x = c.View(c.Carried(0), {lead, inputs});
  } else {
    x = c.Value(0);
  }
  Args args = {{"x", x}, {"weight", c.Weights(params.weights(), {outputs, inputs}, "weight")}};
  if (params.hasbias()) args.push_back({"bias", c.Weights(params.bias(), {outputs}, "bias")});
  ir::Value* y = c.Op("linear", std::move(args));
  if (!spatial) return c.Set(0, y);
  ir::Shape result(dims.begin(), dims.end() - 3);
  result.insert(result.end(), {outputs, 1, 1});
  return c.SetView(0, y, std::move(result));
}

Status EmitBatchedMatmul(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  const nn::BatchedMatMulLayerParams& params = c.layer().batchedmatmul();
  ir::Value* bias = nullptr;
  if (c.InputCount() == 1) {
    ANEMONE_ASSIGN(const int64_t rows,
                   CheckedSize(params.weightmatrixfirstdimension(), "weightMatrixFirstDimension"));
    ANEMONE_ASSIGN(const int64_t columns, CheckedSize(params.weightmatrixseconddimension(),
                                                      "weightMatrixSecondDimension"));
    // The flags of transposition are for two inputs: writers set them for matrices of the file too,
    // which they have transposed already.
    Args args = {{"x", c.Value(0)},
                 {"weight", c.Weights(params.weights(), {columns, rows}, "weight")}};
    if (params.hasbias()) args.push_back({"bias", c.Weights(params.bias(), {columns}, "bias")});
    return c.Set(0, c.Op("linear", std::move(args)));
  }
  ir::Value* x = c.Value(0);
  ir::Value* y = c.Value(1);
  if (params.hasbias()) {
    ANEMONE_TRY(c.CheckRank(1, 1));
    const int64_t columns =
        params.transposeb() && c.Rank(1) > 1 ? c.Dims(1).end()[-2] : c.Dims(1).back();
    if (columns == ir::kDynamic) return Unsupported("a bias for an unknown number of columns");
    bias = c.Weights(params.bias(), {columns}, "bias");
  }
  // A vector acts as one row or one column, and the result keeps that dimension.
  ANEMONE_TRY(c.CheckRank(0, 1));
  ANEMONE_TRY(c.CheckRank(1, 1));
  if (c.Rank(0) == 1) x = c.Op("expand_dims", {{"x", x}, {"axes", ir::Ints({0})}});
  if (c.Rank(1) == 1) y = c.Op("expand_dims", {{"x", y}, {"axes", ir::Ints({1})}});
  ir::Value* product = c.Op("matmul", {{"x", x},
                                       {"y", y},
                                       {"transpose_x", ir::Literal::Bool(params.transposea())},
                                       {"transpose_y", ir::Literal::Bool(params.transposeb())}});
  if (bias != nullptr) product = c.Binary("add", product, bias);
  return c.Set(0, product);
}

// The table of an embedding, one row for each index. The file holds it transposed.
Result<ir::Literal> Table(const LayerContext& c, const nn::WeightParams& params, int64_t width,
                          int64_t count) {
  ANEMONE_ASSIGN(const auto stored, c.traits().weights.ReadFloats(params, {width, count}));
  std::vector<float> table(stored.size());
  const auto columns = static_cast<size_t>(width), rows = static_cast<size_t>(count);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      table[row * columns + column] = stored[column * rows + row];
    }
  }
  return ir::Literal::Fp32s(std::move(table), {count, width});
}

ir::Value* Lookup(LayerContext& c, ir::Literal table, const nn::WeightParams* bias, int64_t width,
                  ir::Value* indices) {
  ir::Value* y = c.Op(
      "gather", {{"x", std::move(table)}, {"indices", indices}, {"axis", ir::Literal::Int32(0)}});
  if (bias != nullptr) y = c.Binary("add", y, c.Weights(*bias, {width}, "bias"));
  return y;
}

Status EmitEmbedding(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const nn::EmbeddingLayerParams& params = c.layer().embedding();
  ANEMONE_ASSIGN(const int64_t count, CheckedSize(params.inputdim(), "inputDim"));
  ANEMONE_ASSIGN(const int64_t width, CheckedSize(params.outputchannels(), "outputChannels"));
  ANEMONE_ASSIGN(ir::Literal table, Table(c, params.weights(), width, count));
  // The index is the channel of [.., 1, 1, 1]; of lower ranks, the last dimension.
  const ir::Shape dims = c.Dims(0);
  const size_t tail = dims.size() > 3 ? 3 : 1;
  for (size_t d = dims.size() - tail; d < dims.size(); ++d) {
    if (dims[d] != 1) {
      return Unsupported("an index of shape {}", ir::ShapeToString(dims))
          .Advise("an embedding takes one index for each place of sequence and batch");
    }
  }
  const ir::Shape lead(dims.begin(), dims.end() - static_cast<std::ptrdiff_t>(tail));
  ir::Value* indices = c.Cast(c.In(0).value, DType::kInt32);
  indices = c.View(indices, lead.empty() ? ir::Shape{1} : lead);
  ir::Value* y =
      Lookup(c, std::move(table), params.hasbias() ? &params.bias() : nullptr, width, indices);
  ir::Shape result = lead;
  result.push_back(width);
  if (tail == 3) result.insert(result.end(), {1, 1});
  return c.SetView(0, y, std::move(result));
}

Status EmitEmbeddingNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 2));
  const nn::EmbeddingNDLayerParams& params = c.layer().embeddingnd();
  ANEMONE_ASSIGN(const int64_t count, CheckedSize(params.vocabsize(), "vocabSize"));
  ANEMONE_ASSIGN(const int64_t width, CheckedSize(params.embeddingsize(), "embeddingSize"));
  ANEMONE_ASSIGN(ir::Literal table, Table(c, params.weights(), width, count));
  if (c.Dims(0).back() != 1) {
    return InvalidInput("the last dimension of its input {} is not 1",
                        ir::ShapeToString(c.Dims(0)));
  }
  ir::Value* indices = c.Op("squeeze", {{"x", c.Int(0)}, {"axes", ir::Ints({-1})}});
  return c.Set(
      0, Lookup(c, std::move(table), params.hasbias() ? &params.bias() : nullptr, width, indices));
}

constexpr LayerRow kLinearRows[] = {
    {Layer::kInnerProduct, "innerProduct", EmitInnerProduct, "linear",
     "int8DynamicQuantize: with the weights dequantized, the data in float"},
    {Layer::kBatchedMatmul, "batchedMatmul", EmitBatchedMatmul, "matmul, linear",
     "int8DynamicQuantize: with the weights dequantized, the data in float"},
    {Layer::kEmbedding, "embedding", EmitEmbedding, "gather", "more than one index at a place"},
    {Layer::kEmbeddingND, "embeddingND", EmitEmbeddingNd, "gather"},
};

}  // namespace

std::span<const LayerRow> LinearLayers() { return kLinearRows; }

}  // namespace anemone::neural_network
