#include <algorithm>
#include <array>
#include <numeric>

#include "exec/indexing.h"
#include "ops/tensor_ops/selection.h"

namespace anemone::ops::tensor_ops {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::KernelEntry;
using exec::MutableTensor;
using ir::Shape;

// The order of elements for sorting. NaN comes last in both directions, so that the order is a
// strict weak one.
template <typename T>
bool Before(T a, T b, bool ascending) {
  if (a != a || b != b) return a == a && b != b;
  return ascending ? a < b : a > b;
}

// Calls row(indices, offset): the indices of each row along `axis` in order; element i of the row
// is at offset + i * view.inner.
template <typename T, typename Row>
void ForEachSortedRow(const ConstTensor& x, const exec::AxisView& view, bool ascending, Row row) {
  std::vector<int64_t> indices(static_cast<size_t>(view.size));
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t n = 0; n < view.inner; ++n) {
      const T* elements = x.As<T>() + o * view.size * view.inner + n;
      std::iota(indices.begin(), indices.end(), 0);
      std::stable_sort(indices.begin(), indices.end(), [&](int64_t a, int64_t b) {
        return Before(elements[a * view.inner], elements[b * view.inner], ascending);
      });
      row(indices, o, n);
    }
  }
}

Status Argsort(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(bool ascending, context.args().Bool("ascending"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto view =
      exec::ViewAtAxis(x.shape, static_cast<size_t>(axis < 0 ? axis + x.rank() : axis));
  return exec::DispatchDType(x.dtype, [&](auto zero) -> Status {
    ForEachSortedRow<decltype(zero)>(
        x, view, ascending, [&](const std::vector<int64_t>& indices, int64_t o, int64_t n) {
          for (int64_t i = 0; i < view.size; ++i) {
            out.As<int32_t>()[(o * view.size + i) * view.inner + n] =
                static_cast<int32_t>(indices[static_cast<size_t>(i)]);
          }
        });
    return {};
  });
}

Status Topk(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(bool ascending, context.args().Bool("ascending"));
  if (axis < 0) axis += x.rank();
  ANEMONE_ASSIGN(MutableTensor values, context.Output(0));
  MutableTensor picked;
  if (context.OutputCount() > 1) {
    ANEMONE_ASSIGN(picked, context.Output(1));
  }
  const auto view = exec::ViewAtAxis(x.shape, static_cast<size_t>(axis));
  const int64_t k = values.shape[static_cast<size_t>(axis)];
  if (k > view.size) return InvalidInput("k is {}, but the axis has {} elements", k, view.size);
  return exec::DispatchDType(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    ForEachSortedRow<T>(
        x, view, ascending, [&](const std::vector<int64_t>& indices, int64_t o, int64_t n) {
          for (int64_t i = 0; i < k; ++i) {
            const int64_t index = indices[static_cast<size_t>(i)];
            const int64_t to = (o * k + i) * view.inner + n;
            values.As<T>()[to] = x.As<T>()[(o * view.size + index) * view.inner + n];
            if (picked.dtype == DType::kUInt16) {
              picked.As<uint16_t>()[to] = static_cast<uint16_t>(index);
            } else if (picked.dtype == DType::kInt32) {
              picked.As<int32_t>()[to] = static_cast<int32_t>(index);
            }
          }
        });
    return {};
  });
}

Status NonZero(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor x, context.Input("x"));
  return exec::DispatchDType(x.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    const T* in = x.As<T>();
    const int64_t found = std::count_if(in, in + x.count(), [](T v) { return v != 0; });
    ANEMONE_ASSIGN(MutableTensor out, context.AllocateOutput(0, {found, x.rank()}));
    int32_t* to = out.As<int32_t>();
    const exec::Strides strides = exec::RowMajorStrides(x.shape);
    for (int64_t i = 0; i < x.count(); ++i) {
      if (in[i] == 0) continue;
      for (size_t d = 0; d < strides.size(); ++d) {
        *to++ = static_cast<int32_t>(i / strides[d] % x.shape[d]);
      }
    }
    return {};
  });
}

Status OneHot(KernelContext& context) {
  ANEMONE_ASSIGN(ConstTensor indices, context.Input("indices"));
  ANEMONE_ASSIGN(int64_t axis, context.args().Int("axis"));
  ANEMONE_ASSIGN(ConstTensor on, context.Input("on_value"));
  ANEMONE_ASSIGN(ConstTensor off, context.Input("off_value"));
  ANEMONE_ASSIGN(MutableTensor out, context.Output());
  const auto view =
      exec::ViewAtAxis(out.shape, static_cast<size_t>(axis < 0 ? axis + out.rank() : axis));
  return exec::DispatchWidth(out.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    std::fill_n(out.As<T>(), out.count(), off.As<T>()[0]);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t n = 0; n < view.inner; ++n) {
        const int64_t index = indices.As<int32_t>()[o * view.inner + n];
        // An index outside the vector leaves it without an on_value.
        if (index < 0 || index >= view.size) continue;
        out.As<T>()[(o * view.size + index) * view.inner + n] = on.As<T>()[0];
      }
    }
    return {};
  });
}

struct Box {
  float left, right, bottom, top, area;
};

// Intersection over union; 0 when both boxes are empty.
float Overlap(const Box& a, const Box& b) {
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float height = std::min(a.top, b.top) - std::max(a.bottom, b.bottom);
  if (width <= 0 || height <= 0) return 0;
  const float common = width * height;
  const float united = a.area + b.area - common;
  return united > 0 ? common / united : 0;
}

Status NonMaximumSuppression(KernelContext& context) {
  const ir::OpArgs& args = context.args();
  ANEMONE_ASSIGN(ConstTensor boxes, context.Input("boxes"));
  ANEMONE_ASSIGN(ConstTensor scores, context.Input("scores"));
  ANEMONE_ASSIGN(double iou, args.Float("iou_threshold"));
  ANEMONE_ASSIGN(bool per_class, args.Bool("per_class_suppression"));
  ANEMONE_ASSIGN(int64_t max_boxes, args.Int("max_boxes"));
  // Boxes as rows before ios17, as columns from then on.
  const bool rows = args.opset() < ir::Opset::kIOS17;
  double lowest = 0;
  if (rows) {
    ANEMONE_ASSIGN(lowest, args.Float("score_threshold"));
  }
  ANEMONE_ASSIGN(MutableTensor out_boxes, context.Output(0));
  ANEMONE_ASSIGN(MutableTensor out_scores, context.Output(1));
  ANEMONE_ASSIGN(MutableTensor out_indices, context.Output(2));
  MutableTensor out_counts;
  if (rows) {
    ANEMONE_ASSIGN(out_counts, context.Output(3));
  }
  std::fill_n(out_boxes.As<float>(), out_boxes.count(), 0.0f);
  std::fill_n(out_scores.As<float>(), out_scores.count(), 0.0f);
  std::fill_n(out_indices.As<int32_t>(), out_indices.count(), -1);

  const int64_t batches = boxes.shape[0];
  const int64_t count = boxes.shape[rows ? 1 : 2];
  const int64_t classes = scores.shape[rows ? 2 : 1];
  // Value `field` of item `i` of batch `b`, in an array of `items` items of `fields` values.
  const auto offset = [rows](int64_t b, int64_t i, int64_t field, int64_t items, int64_t fields) {
    return b * items * fields + (rows ? i * fields + field : field * items + i);
  };
  const auto threshold = static_cast<float>(iou);
  for (int64_t b = 0; b < batches; ++b) {
    struct Candidate {
      Box box;
      float score;
      int64_t best_class;
      int64_t index;
    };
    std::vector<Candidate> candidates;
    for (int64_t i = 0; i < count && classes > 0; ++i) {
      const auto coordinate = [&](int64_t field) {
        return boxes.As<float>()[offset(b, i, field, count, 4)];
      };
      const float half_width = 0.5f * coordinate(2);
      const float half_height = 0.5f * coordinate(3);
      Candidate candidate{
          {coordinate(0) - half_width, coordinate(0) + half_width, coordinate(1) - half_height,
           coordinate(1) + half_height, coordinate(2) * coordinate(3)},
          scores.As<float>()[offset(b, i, 0, count, classes)],
          0,
          i};
      for (int64_t c = 1; c < classes; ++c) {
        const float score = scores.As<float>()[offset(b, i, c, count, classes)];
        if (score > candidate.score) {
          candidate.score = score;
          candidate.best_class = c;
        }
      }
      if (!rows || candidate.score > static_cast<float>(lowest)) candidates.push_back(candidate);
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& x, const Candidate& y) {
                       return Before(x.score, y.score, /*ascending=*/false);
                     });
    std::vector<const Candidate*> kept;
    for (const Candidate& candidate : candidates) {
      if (static_cast<int64_t>(kept.size()) == max_boxes) break;
      const bool overlaps = std::ranges::any_of(kept, [&](const Candidate* other) {
        return (!per_class || other->best_class == candidate.best_class) &&
               Overlap(other->box, candidate.box) > threshold;
      });
      if (!overlaps) kept.push_back(&candidate);
    }
    for (size_t k = 0; k < kept.size(); ++k) {
      const auto to = static_cast<int64_t>(k);
      const int64_t from = kept[k]->index;
      for (int64_t field = 0; field < 4; ++field) {
        out_boxes.As<float>()[offset(b, to, field, max_boxes, 4)] =
            boxes.As<float>()[offset(b, from, field, count, 4)];
      }
      for (int64_t c = 0; c < classes; ++c) {
        out_scores.As<float>()[offset(b, to, c, max_boxes, classes)] =
            scores.As<float>()[offset(b, from, c, count, classes)];
      }
      out_indices.As<int32_t>()[b * max_boxes + to] = static_cast<int32_t>(from);
    }
    if (rows) out_counts.As<int32_t>()[b] = static_cast<int32_t>(kept.size());
  }
  return {};
}

constexpr std::array<KernelEntry, 5> kKernels{{
    {"argsort", Argsort},
    {"non_maximum_suppression", NonMaximumSuppression},
    {"non_zero", NonZero},
    {"one_hot", OneHot},
    {"topk", Topk},
}};

}  // namespace

std::span<const KernelEntry> SelectionKernels() { return kKernels; }

}  // namespace anemone::ops::tensor_ops
