// Layers that join, repeat, broadcast or mask their inputs.
#include <algorithm>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

Status EmitConcat(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, SIZE_MAX));
  for (size_t i = 0; i < c.InputCount(); ++i) ANEMONE_TRY(c.CheckRank(i, 3));
  if (c.layer().concat().sequenceconcat()) {
    std::vector<ir::Value*> values = c.Values();
    if (c.Rank(0) != kMaxRank) {
      return Unsupported("a sequence of rank {}", c.Rank(0))
          .Advise("sequences have five dimensions");
    }
    return c.Set(0, c.Op("concat", {{"values", std::move(values)}, {"axis", Int(0)}}));
  }
  bool same_lead = true;
  for (size_t i = 1; i < c.InputCount(); ++i) same_lead = same_lead && c.Rank(i) == c.Rank(0);
  if (!same_lead) return InvalidInput("its inputs have different ranks");
  std::vector<ir::Value*> values;
  for (size_t i = 0; i < c.InputCount(); ++i) values.push_back(c.Nchw(i));
  return c.SetNchw(0, c.Op("concat", {{"values", std::move(values)}, {"axis", Int(1)}}), 0);
}

Status EmitConcatNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, SIZE_MAX));
  const nn::ConcatNDLayerParams& params = c.layer().concatnd();
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  return c.Set(0, c.Op("concat", {{"values", c.Values()},
                                  {"axis", Int(axis)},
                                  {"interleave", ir::Literal::Bool(params.interleave())}}));
}

Status EmitStack(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, SIZE_MAX));
  ANEMONE_TRY(c.CheckRank(0));
  const int64_t axis = c.layer().stack().axis();
  if (axis < -c.Rank(0) - 1 || axis > c.Rank(0)) {
    return InvalidInput("axis {} of inputs of rank {}", axis, c.Rank(0));
  }
  return c.Set(0, c.Op("stack", {{"values", c.Values()}, {"axis", Int(axis)}}));
}

Status EmitSequenceRepeat(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const uint64_t given = c.layer().sequencerepeat().nrepetitions();
  ANEMONE_ASSIGN(const int64_t count, CheckedSize(std::max<uint64_t>(given, 1), "nRepetitions"));
  if (c.Rank(0) != kMaxRank) {
    return Unsupported("a sequence of rank {}", c.Rank(0)).Advise("sequences have five dimensions");
  }
  return c.Set(0, c.Op("tile", {{"x", c.Value(0)}, {"reps", ir::Ints({count, 1, 1, 1, 1})}}));
}

// Repetitions for fewer dimensions than there are are those of the last ones.
Status EmitTile(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  ANEMONE_TRY(c.CheckRank(0, 1));
  std::optional<std::vector<int64_t>> reps;
  if (c.InputCount() == 2) {
    reps = c.KnownInts(1);
  } else {
    ANEMONE_ASSIGN(reps, CheckedSizes(c.layer().tile().reps(), "reps"));
  }
  const auto rank = static_cast<size_t>(c.Rank(0));
  if (reps) {
    if (reps->size() > rank) {
      return InvalidInput("{} repetitions for rank {}", reps->size(), rank);
    }
    reps->insert(reps->begin(), rank - reps->size(), 1);
    return c.Set(0, c.Op("tile", {{"x", c.Raw(0)}, {"reps", ir::Ints(*reps)}}));
  }
  ir::Value* given = c.Int(1);
  const int64_t count = c.In(1).ranked && c.Rank(1) == 1 ? c.Dims(1)[0] : ir::kDynamic;
  if (count != ir::kDynamic && count < c.Rank(0)) {
    const std::vector<int64_t> ones(static_cast<size_t>(c.Rank(0) - count), 1);
    std::vector<ir::Value*> parts = {c.Constant(ir::Literal::Int32s(ones), "ones"), given};
    given = c.Op("concat", {{"values", std::move(parts)}, {"axis", Int(0)}});
  }
  return c.Set(0, c.Op("tile", {{"x", c.Raw(0)}, {"reps", given}}));
}

Status EmitCopy(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  return c.SetBlob(0, c.In(0));
}

// ---- broadcasting

// To a shape that is known: the dimensions of size 1 are repeated.
Status BroadcastTo(LayerContext& c, const ir::Shape& target) {
  ANEMONE_TRY(c.CheckRank(0));
  ir::Shape dims = c.Dims(0);
  if (target.size() > static_cast<size_t>(kMaxRank) || dims.size() > target.size()) {
    return InvalidInput("rank {} is broadcast to rank {}", dims.size(), target.size());
  }
  dims.insert(dims.begin(), target.size() - dims.size(), 1);
  std::vector<int64_t> reps;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == ir::kDynamic) return Unsupported("an unknown size that is broadcast");
    if (dims[d] != 1 && dims[d] != target[d]) {
      return InvalidInput("{} does not broadcast to {}", ir::ShapeToString(c.Dims(0)),
                          ir::ShapeToString(target));
    }
    reps.push_back(dims[d] == target[d] ? 1 : target[d]);
  }
  ir::Value* x = c.View(c.Raw(0), dims);
  if (std::ranges::all_of(reps, [](int64_t rep) { return rep == 1; })) return c.Set(0, x);
  return c.Set(0, c.Op("tile", {{"x", x}, {"reps", ir::Ints(reps)}}));
}

// To a shape that only the run time knows: zeros of it are added.
Status BroadcastToValue(LayerContext& c, ir::Value* shape) {
  ir::Value* zeros = c.Op("fill", {{"shape", shape}, {"value", ir::Literal::Fp32(0)}});
  return c.Set(0, c.Binary("add", c.Value(0), zeros));
}

Status EmitBroadcastToStatic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_ASSIGN(const auto target,
                 CheckedSizes(c.layer().broadcasttostatic().targetshape(), "targetShape"));
  return BroadcastTo(c, target);
}

Status EmitBroadcastToLike(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  if (c.In(0).ranked && c.In(1).ranked && IsStatic(c.Dims(0)) && IsStatic(c.Dims(1))) {
    return BroadcastTo(c, c.Dims(1));
  }
  return BroadcastToValue(c, c.Op("shape", {{"x", c.Raw(1)}}));
}

Status EmitBroadcastToDynamic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  const auto known = c.KnownInts(1);
  if (known && c.In(0).ranked && IsStatic(c.Dims(0))) return BroadcastTo(c, *known);
  return BroadcastToValue(c, c.Int(1));
}

// ---- triangles

ir::Value* BandPart(LayerContext& c, ir::Value* x, int64_t lower, int64_t upper) {
  return c.Op("band_part", {{"x", x}, {"lower", Int(lower)}, {"upper", Int(upper)}});
}

// The elements of x that are not in the band; the others become 0.
ir::Value* OutsideBand(LayerContext& c, ir::Value* x, int64_t lower, int64_t upper) {
  ir::Value* ones =
      c.Op("fill", {{"shape", c.Op("shape", {{"x", x}})}, {"value", ir::Literal::Fp32(1)}});
  ir::Value* outside = c.Binary("equal", BandPart(c, ones, lower, upper), c.Float(0));
  return c.Op("select", {{"cond", outside}, {"a", x}, {"b", c.Float(0)}});
}

Status CheckDiagonal(int64_t k) {
  if (k < -INT32_MAX || k > INT32_MAX) return InvalidInput("diagonal {}", k);
  return {};
}

Status EmitMatrixBandPart(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::MatrixBandPartLayerParams& params = c.layer().matrixbandpart();
  ANEMONE_TRY(CheckDiagonal(params.numlower()));
  ANEMONE_TRY(CheckDiagonal(params.numupper()));
  return c.Set(0, BandPart(c, c.Value(0), params.numlower(), params.numupper()));
}

// Everything up to diagonal k; a negative k lies below the main one.
Status EmitLowerTriangular(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const int64_t k = c.layer().lowertriangular().k();
  ANEMONE_TRY(CheckDiagonal(k));
  ir::Value* x = c.Value(0);
  return c.Set(0, k >= 0 ? BandPart(c, x, -1, k) : OutsideBand(c, x, -k - 1, -1));
}

// Everything from diagonal k on.
Status EmitUpperTriangular(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const int64_t k = c.layer().uppertriangular().k();
  ANEMONE_TRY(CheckDiagonal(k));
  ir::Value* x = c.Value(0);
  return c.Set(0, k <= 0 ? BandPart(c, x, -k, -1) : OutsideBand(c, x, -1, k - 1));
}

constexpr LayerRow kJoiningRows[] = {
    {Layer::kConcat, "concat", EmitConcat, "concat"},
    {Layer::kConcatND, "concatND", EmitConcatNd, "concat"},
    {Layer::kStack, "stack", EmitStack, "stack"},
    {Layer::kSequenceRepeat, "sequenceRepeat", EmitSequenceRepeat, "tile"},
    {Layer::kTile, "tile", EmitTile, "tile"},
    {Layer::kCopy, "copy", EmitCopy, "nothing: the blob itself"},
    {Layer::kBroadcastToStatic, "broadcastToStatic", EmitBroadcastToStatic, "tile"},
    {Layer::kBroadcastToLike, "broadcastToLike", EmitBroadcastToLike, "tile; shape, fill, add"},
    {Layer::kBroadcastToDynamic, "broadcastToDynamic", EmitBroadcastToDynamic, "tile; fill, add"},
    {Layer::kMatrixBandPart, "matrixBandPart", EmitMatrixBandPart, "band_part"},
    {Layer::kLowerTriangular, "lowerTriangular", EmitLowerTriangular,
     "band_part; shape, fill, equal, select"},
    {Layer::kUpperTriangular, "upperTriangular", EmitUpperTriangular,
     "band_part; shape, fill, equal, select"},
};

}  // namespace

std::span<const LayerRow> JoiningLayers() { return kJoiningRows; }

}  // namespace anemone::neural_network
