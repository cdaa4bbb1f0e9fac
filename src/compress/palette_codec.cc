#include "compress/palette_codec.h"

#include <algorithm>
#include <cmath>

#include "compress/kmeans_1d.h"
#include "compress/kmeans_vectors.h"
#include "compress/linear_kernels.h"

namespace anemone::compress {
namespace {

// A tensor seen as [outer, channels, inner], cut into groups of channels.
struct Groups {
  size_t outer = 1;
  size_t channels = 1;
  size_t inner = 1;
  size_t per_group = 1;  // channels

  size_t count() const { return channels / per_group; }
  size_t run() const { return per_group * inner; }  // adjacent elements that belong to one group
  size_t elements() const { return outer * run(); }

  // Calls fn(first element in the tensor, first element in the group) for each run of `group`.
  template <typename Fn>
  void ForEachRun(size_t group, Fn&& fn) const {
    for (size_t o = 0; o < outer; ++o) fn((o * channels + group * per_group) * inner, o * run());
  }
};

Result<Groups> GroupsOf(const ir::Shape& shape, const PaletteParameters& parameters) {
  const auto axis = static_cast<size_t>(parameters.channel_axis);
  if (parameters.channel_axis < 0 || axis >= shape.size())
    return InvalidInput("there is no channel axis {} in {}", axis, ir::ShapeToString(shape));
  Groups groups;
  for (size_t i = 0; i < shape.size(); ++i) {
    size_t& part = i < axis ? groups.outer : i == axis ? groups.channels : groups.inner;
    part *= static_cast<size_t>(shape[i]);
  }
  groups.per_group =
      parameters.group_size == 0 ? groups.channels : static_cast<size_t>(parameters.group_size);
  if (groups.channels == 0 || groups.channels % groups.per_group != 0) {
    return InvalidInput("{} channels are not a multiple of the group size {}", groups.channels,
                        groups.per_group);
  }
  if (groups.per_group % static_cast<size_t>(parameters.cluster_dim) != 0) {
    return InvalidInput("{} channels in a group are not a multiple of the cluster dimension {}",
                        groups.per_group, parameters.cluster_dim);
  }
  return groups;
}

// The elements of a group; copied only when they are not contiguous.
template <typename T>
std::span<const T> GatherGroup(const Groups& groups, size_t group, std::span<const T> all,
                               std::vector<T>* buffer) {
  if (all.empty()) return {};
  if (groups.outer == 1) return all.subspan(group * groups.run(), groups.run());
  buffer->resize(groups.elements());
  groups.ForEachRun(group, [&](size_t from, size_t to) {
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(from), groups.run(),
                buffer->begin() + static_cast<std::ptrdiff_t>(to));
  });
  return *buffer;
}

// Rounds to values that a tensor of the dtype can hold.
void RoundTo(DType dtype, std::vector<float>* values) {
  if (dtype == DType::kFp16) RoundToHalf(*values);
  if (IsInt(dtype)) {
    for (float& value : *values) value = std::nearbyint(value);
  }
}

// One group's table and indices (relative to the group), and their error.
struct Coded {
  std::vector<float> table;
  std::vector<uint8_t> indices;
  double squares = 0;
  double largest = 0;
};

Coded FromClusters(Clusters clusters) {
  return {std::move(clusters.centers), std::move(clusters.indices), clusters.squares,
          clusters.largest};
}

// Indices of the nearest entries of an ascending table.
void Encode(std::span<const float> values, Coded* coded) {
  std::vector<double> borders;
  for (size_t c = 0; c + 1 < coded->table.size(); ++c)
    borders.push_back((double{coded->table[c]} + coded->table[c + 1]) / 2);
  coded->indices.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto border = std::lower_bound(borders.begin(), borders.end(), double{values[i]});
    const auto index = static_cast<size_t>(border - borders.begin());
    coded->indices[i] = static_cast<uint8_t>(index);
    const double distance = std::abs(double{values[i]} - coded->table[index]);
    coded->squares += distance * distance;
    coded->largest = std::max(coded->largest, distance);
  }
}

// Entries at even distances from the smallest to the largest value. In coremltools the distance has
// the weight's dtype with NumPy 2 and is a double with NumPy 1; this takes the better of both.
Coded CodeUniform(std::span<const float> values, int entries, DType dtype) {
  float low = values[0];
  float high = values[0];
  FindRange(values, &low, &high);
  const bool half = dtype == DType::kFp16;
  const auto rounded = [&](float value) { return half ? HalfToFloat(FloatToHalf(value)) : value; };
  const auto coded_by = [&](double step) {
    Coded coded;
    for (int i = 0; i < entries; ++i)
      coded.table.push_back(static_cast<float>(i * step + double{low}));
    RoundTo(dtype, &coded.table);
    Encode(values, &coded);
    return coded;
  };
  const float width = rounded(high - low);
  const double exact = width / double{static_cast<float>(entries - 1)};
  Coded coded = coded_by(rounded(static_cast<float>(exact)));
  Coded other = coded_by(exact);
  return other.squares < coded.squares ? other : coded;
}

std::vector<float> DifferentValues(std::span<const float> values) {
  std::vector<float> different(values.begin(), values.end());
  std::ranges::sort(different);
  different.erase(std::unique(different.begin(), different.end()), different.end());
  return different;
}

// [channels of the group, inner] for each of outer, turned into vectors of adjacent channels, in
// the order of the indices.
std::vector<float> AsVectors(const Groups& groups, std::span<const float> values, size_t dim) {
  std::vector<float> vectors(values.size());
  size_t next = 0;
  for (size_t o = 0; o < groups.outer; ++o) {
    for (size_t c = 0; c < groups.per_group; c += dim) {
      for (size_t i = 0; i < groups.inner; ++i) {
        for (size_t v = 0; v < dim; ++v)
          vectors[next++] = values[(o * groups.per_group + c + v) * groups.inner + i];
      }
    }
  }
  return vectors;
}

// The distinct vectors, in ascending order, row-major; empty when there are more than 256.
std::vector<float> DifferentVectors(std::span<const float> vectors, size_t dim) {
  std::vector<std::vector<float>> seen;
  for (size_t i = 0; i < vectors.size(); i += dim) {
    std::vector<float> vector(vectors.begin() + static_cast<std::ptrdiff_t>(i),
                              vectors.begin() + static_cast<std::ptrdiff_t>(i + dim));
    const auto at = std::ranges::lower_bound(seen, vector);
    if (at != seen.end() && *at == vector) continue;
    if (seen.size() == 256) return {};
    seen.insert(at, std::move(vector));
  }
  std::vector<float> flat;
  for (const auto& vector : seen) flat.insert(flat.end(), vector.begin(), vector.end());
  return flat;
}

Coded CodeVectors(const Groups& groups, std::span<const float> values,
                  std::span<const float> importance, PaletteMode mode, int entries, size_t dim,
                  DType dtype) {
  const std::vector<float> vectors = AsVectors(groups, values, dim);
  Coded coded;
  if (mode == PaletteMode::kUnique) {
    coded.table = DifferentVectors(vectors, dim);
  } else {
    std::vector<float> weights;
    if (!importance.empty()) {
      const std::vector<float> each = AsVectors(groups, importance, dim);
      for (size_t i = 0; i < each.size(); i += dim) {
        float sum = 0;
        for (size_t v = 0; v < dim; ++v) sum += each[i + v];
        weights.push_back(sum);
      }
      if (std::ranges::all_of(weights, [](float w) { return w <= 0; })) weights.clear();
    }
    coded.table = KMeansVectors(vectors, dim, entries, weights).centers;
    RoundTo(dtype, &coded.table);
  }
  const size_t count = vectors.size() / dim;
  coded.indices.resize(count);
  std::vector<float> distances(count);
  NearestCenters(vectors, dim, coded.table, coded.indices, distances);
  for (size_t i = 0; i < count; ++i) {
    for (size_t v = 0; v < dim; ++v) {
      const double distance =
          std::abs(double{vectors[i * dim + v]} - coded.table[coded.indices[i] * dim + v]);
      coded.squares += distance * distance;
      coded.largest = std::max(coded.largest, distance);
    }
  }
  return coded;
}

Coded CodeScalars(std::span<const float> values, std::span<const float> importance,
                  PaletteMode mode, int entries, DType dtype) {
  if (mode == PaletteMode::kUniform) return CodeUniform(values, entries, dtype);
  if (mode == PaletteMode::kUnique) {
    Coded coded{.table = DifferentValues(values), .indices = {}};
    Encode(values, &coded);
    return coded;
  }
  if (!IsInt(dtype)) return FromClusters(KMeans1D(values, entries, dtype, importance));
  Coded coded{.table = KMeans1D(values, entries, DType::kFp32, importance).centers, .indices = {}};
  RoundTo(dtype, &coded.table);
  Encode(values, &coded);
  return coded;
}

// The smallest width that holds every group's distinct values (or vectors).
Result<int> BitsForUnique(const Groups& groups, std::span<const float> all, size_t dim,
                          bool three_bits) {
  size_t most = 0;
  std::vector<float> buffer;
  for (size_t g = 0; g < groups.count(); ++g) {
    const std::span<const float> values = GatherGroup(groups, g, all, &buffer);
    size_t different = DifferentValues(values).size();
    if (dim > 1) {
      different = DifferentVectors(AsVectors(groups, values, dim), dim).size() / dim;
      if (different == 0) different = 257;
    }
    most = std::max(most, different);
  }
  for (const int nbits : {1, 2, 3, 4, 6, 8}) {
    if (most <= size_t{1} << nbits && (nbits != 3 || three_bits)) return nbits;
  }
  return InvalidInput("it has more than 256 distinct values");
}

}  // namespace

Result<PaletteTensor> Palettize(const ir::Literal& weight, const PaletteParameters& parameters) {
  ANEMONE_ASSIGN(const Groups groups, GroupsOf(weight.shape(), parameters));
  const DType dtype = weight.dtype();
  const auto dim = static_cast<size_t>(parameters.cluster_dim);
  const bool scalar = dim == 1;
  const bool count_halves =
      dtype == DType::kFp16 && scalar && parameters.mode == PaletteMode::kKMeans;
  std::vector<float> widened;
  std::span<const float> values;
  if (dtype == DType::kFp32) {
    values = weight.As<float>();
  } else if (!count_halves) {
    widened = *weight.AsFloats();
    values = widened;
  }

  PaletteTensor result;
  result.nbits = parameters.nbits;
  result.channel_axis = parameters.channel_axis;
  if (parameters.mode == PaletteMode::kUnique) {
    ANEMONE_ASSIGN(result.nbits, BitsForUnique(groups, values, dim, parameters.three_bits));
  }
  const size_t entries = size_t{1} << result.nbits;
  const auto axis = static_cast<size_t>(parameters.channel_axis);
  result.index_shape = weight.shape();
  result.index_shape[axis] /= parameters.cluster_dim;
  result.table_shape.assign(weight.shape().size(), 1);
  result.table_shape[axis] = static_cast<int64_t>(groups.count());
  result.table_shape.insert(result.table_shape.end(),
                            {static_cast<int64_t>(entries), parameters.cluster_dim});

  Groups packed = groups;  // of the indices
  packed.channels /= dim;
  packed.per_group /= dim;
  if (groups.count() > 1) result.indices.resize(packed.outer * packed.channels * packed.inner);
  double squares = 0;
  std::vector<float> buffer;
  std::vector<float> importance_buffer;
  std::vector<Half> half_buffer;
  for (size_t g = 0; g < groups.count(); ++g) {
    const std::span<const float> importance =
        GatherGroup(groups, g, parameters.importance, &importance_buffer);
    Coded coded;
    if (count_halves) {
      const std::span<const Half> halves = GatherGroup(groups, g, weight.As<Half>(), &half_buffer);
      coded = FromClusters(KMeans1D(halves, static_cast<int>(entries), importance));
    } else {
      const std::span<const float> group = GatherGroup(groups, g, values, &buffer);
      coded =
          scalar ? CodeScalars(group, importance, parameters.mode, static_cast<int>(entries), dtype)
                 : CodeVectors(groups, group, importance, parameters.mode,
                               static_cast<int>(entries), dim, dtype);
    }
    // A table is always full; unused entries repeat the last one.
    const std::vector<float> last(coded.table.end() - static_cast<std::ptrdiff_t>(dim),
                                  coded.table.end());
    while (coded.table.size() < entries * dim)
      coded.table.insert(coded.table.end(), last.begin(), last.end());
    result.table.insert(result.table.end(), coded.table.begin(), coded.table.end());
    squares += coded.squares;
    result.max_error = std::max(result.max_error, coded.largest);
    if (groups.count() == 1) {
      result.indices = std::move(coded.indices);
      break;
    }
    packed.ForEachRun(g, [&](size_t to, size_t from) {
      std::copy_n(coded.indices.begin() + static_cast<std::ptrdiff_t>(from), packed.run(),
                  result.indices.begin() + static_cast<std::ptrdiff_t>(to));
    });
  }
  result.rms_error = std::sqrt(squares / static_cast<double>(weight.element_count()));
  return result;
}

Result<ir::Literal> Depalettize(const PaletteTensor& tensor, DType dtype) {
  const size_t rank = tensor.index_shape.size();
  const auto dim = static_cast<size_t>(tensor.table_shape[rank + 1]);
  const auto entries = static_cast<size_t>(tensor.table_shape[rank]);
  PaletteParameters parameters{.channel_axis = tensor.channel_axis};
  const auto axis = static_cast<size_t>(tensor.channel_axis);
  parameters.group_size = tensor.index_shape[axis] / tensor.table_shape[axis];
  ANEMONE_ASSIGN(const Groups groups, GroupsOf(tensor.index_shape, parameters));
  ir::Shape shape = tensor.index_shape;
  shape[axis] *= static_cast<int64_t>(dim);
  std::vector<float> values(tensor.indices.size() * dim);
  for (size_t i = 0; i < tensor.indices.size(); ++i) {
    const size_t inner = i % groups.inner;
    const size_t row = i / groups.inner;  // outer and channel
    const size_t group = row % groups.channels / groups.per_group;
    for (size_t v = 0; v < dim; ++v) {
      values[(row * dim + v) * groups.inner + inner] =
          tensor.table[(group * entries + tensor.indices[i]) * dim + v];
    }
  }
  if (!IsInt(dtype)) return ir::Literal::Floats(dtype, values, shape);
  std::vector<int64_t> whole(values.begin(), values.end());
  return ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape), ir::PackInts(whole, dtype));
}

}  // namespace anemone::compress
