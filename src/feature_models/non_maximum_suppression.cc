// nonMaximumSuppression: of boxes that overlap, the one with the highest confidence stays. A box is
// its center, width and height; its confidence is the highest one of its classes. Boxes stay in the
// order of falling confidence. A fixed number of rows in the output cuts the rest off, or is filled
// up with zeros.
#include <algorithm>
#include <numeric>

#include "feature_models/class_labels.h"
#include "feature_models/model_types.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

constexpr size_t kCoordinates = 4;
// The pairs of boxes are compared.
constexpr size_t kMaxBoxes = size_t{1} << 16;

struct SuppressionParts {
  std::string confidence_input, coordinates_input, iou_input, threshold_input;
  std::string confidence_output, coordinates_output;
  double iou_threshold = 0;
  double confidence_threshold = 0;
  bool per_class = false;
  Json classes;
};

struct Box {
  size_t row = 0;
  size_t best_class = 0;
  double confidence = 0;
};

double Overlap(const double* a, const double* b) {
  double intersection = 1;
  for (const size_t axis : {size_t{0}, size_t{1}}) {
    const double begin = std::max(a[axis] - a[axis + 2] / 2, b[axis] - b[axis + 2] / 2);
    const double end = std::min(a[axis] + a[axis + 2] / 2, b[axis] + b[axis + 2] / 2);
    intersection *= std::max(0.0, end - begin);
  }
  const double both = a[2] * a[3] + b[2] * b[3] - intersection;
  return both > 0 ? intersection / both : 0;
}

// The numbers of a matrix; other dimensions must be 1.
Result<std::pair<size_t, size_t>> RowsAndColumns(const exec::Tensor& tensor) {
  if (tensor.view().rank() < 2) {
    return Usage("it has the shape {}; there should be rows and columns",
                 ir::ShapeToString(tensor.shape()));
  }
  const auto columns = static_cast<size_t>(tensor.shape().back());
  const auto rows = static_cast<size_t>(tensor.shape()[tensor.shape().size() - 2]);
  if (static_cast<int64_t>(rows * columns) != tensor.count()) {
    return Usage("it has the shape {}; there should be one matrix",
                 ir::ShapeToString(tensor.shape()));
  }
  return std::pair(rows, columns);
}

class NonMaximumSuppression : public Predictor {
 public:
  NonMaximumSuppression(format::ModelInterface interface, SuppressionParts parts)
      : Predictor(std::move(interface)), parts_(std::move(parts)) {}

  Json Parameters() const override {
    return {{"iou_threshold", parts_.iou_threshold},
            {"confidence_threshold", parts_.confidence_threshold},
            {"per_class", parts_.per_class},
            {"classes", parts_.classes}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const exec::Tensor* confidence, ArrayInput(inputs, parts_.confidence_input));
    ANEMONE_ASSIGN(const exec::Tensor* coordinates, ArrayInput(inputs, parts_.coordinates_input));
    ANEMONE_ASSIGN(
        const auto scored,
        RowsAndColumns(*confidence).At(fmt::format("input '{}'", parts_.confidence_input)));
    ANEMONE_ASSIGN(
        const auto placed,
        RowsAndColumns(*coordinates).At(fmt::format("input '{}'", parts_.coordinates_input)));
    const auto [boxes, classes] = scored;
    if (placed != std::pair(boxes, kCoordinates)) {
      return Usage("{} boxes have confidences, but the coordinates are {}", boxes,
                   ir::ShapeToString(coordinates->shape()));
    }
    const std::vector<double> scores = NumbersOf(*confidence);
    const std::vector<double> places = NumbersOf(*coordinates);
    ANEMONE_ASSIGN(
        const std::vector<Box> kept,
        Suppress(Candidates(scores, boxes, classes,
                            Threshold(inputs, parts_.threshold_input, parts_.confidence_threshold)),
                 places, Threshold(inputs, parts_.iou_input, parts_.iou_threshold)));
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      const bool is_confidence = feature.name == parts_.confidence_output;
      ANEMONE_ASSIGN(FeatureValue value, Rows(feature, kept, is_confidence ? scores : places,
                                              is_confidence ? classes : kCoordinates));
      outputs.emplace(feature.name, std::move(value));
    }
    return outputs;
  }

 private:
  static Result<const exec::Tensor*> ArrayInput(const FeatureValues& inputs,
                                                const std::string& name) {
    const auto found = inputs.find(name);
    if (found == inputs.end()) return Usage("input '{}' is missing", name);
    return &std::get<exec::Tensor>(found->second);
  }
  static double Threshold(const FeatureValues& inputs, const std::string& name, double otherwise) {
    const auto found = inputs.find(name);
    return found == inputs.end() ? otherwise : std::get<double>(found->second);
  }
  static std::vector<Box> Candidates(std::span<const double> scores, size_t boxes, size_t classes,
                                     double threshold) {
    std::vector<Box> candidates;
    if (classes == 0) return candidates;
    for (size_t row = 0; row < boxes; ++row) {
      const std::span<const double> of_box = scores.subspan(row * classes, classes);
      const auto best = std::ranges::max_element(of_box);
      if (*best >= threshold) {
        candidates.push_back({row, static_cast<size_t>(best - of_box.begin()), *best});
      }
    }
    std::ranges::stable_sort(candidates, std::greater<>(), &Box::confidence);
    return candidates;
  }
  Result<std::vector<Box>> Suppress(std::vector<Box> candidates, std::span<const double> places,
                                    double iou_threshold) const {
    if (candidates.size() > kMaxBoxes) {
      return Usage("{} boxes have at least the confidence asked for; the limit is {}",
                   candidates.size(), kMaxBoxes)
          .Advise("raise the confidence threshold");
    }
    std::vector<Box> kept;
    for (const Box& box : candidates) {
      const bool suppressed = std::ranges::any_of(kept, [&](const Box& other) {
        return (!parts_.per_class || other.best_class == box.best_class) &&
               Overlap(&places[other.row * kCoordinates], &places[box.row * kCoordinates]) >
                   iou_threshold;
      });
      if (!suppressed) kept.push_back(box);
    }
    return kept;
  }
  static Result<FeatureValue> Rows(const ir::Feature& feature, std::span<const Box> kept,
                                   std::span<const double> numbers, size_t columns) {
    const ir::ArrayFeature& array = *feature.array();
    int64_t rows = static_cast<int64_t>(kept.size());
    if (!array.shape_range.empty()) {
      const ir::SizeRange& range = array.shape_range.front();
      rows = std::max(rows, range.lower);
      if (range.upper) rows = std::min(rows, *range.upper);
    } else if (array.shape.size() == 2 && array.shape.front() > 0) {
      rows = array.shape.front();
    }
    if (rows > static_cast<int64_t>(kMaxBoxes)) {
      return InvalidInput("at least {} rows are declared", rows)
          .At(fmt::format("output '{}'", feature.name));
    }
    std::vector<double> filled(static_cast<size_t>(rows) * columns);
    for (size_t i = 0; i < std::min(kept.size(), static_cast<size_t>(rows)); ++i) {
      std::ranges::copy(numbers.subspan(kept[i].row * columns, columns),
                        filled.begin() + static_cast<std::ptrdiff_t>(i * columns));
    }
    ANEMONE_ASSIGN(exec::Tensor tensor,
                   ArrayOf(array.dtype, {rows, static_cast<int64_t>(columns)}, filled));
    return FeatureValue(std::move(tensor));
  }

  SuppressionParts parts_;
};

Status CheckSuppressionNames(const ir::FunctionDescription& description,
                             const SuppressionParts& parts) {
  for (const std::string& name : {parts.confidence_input, parts.coordinates_input}) {
    const ir::Feature* feature = description.FindInput(name);
    if (feature == nullptr || feature->array() == nullptr) {
      return InvalidInput("its input '{}' is not a declared array", ToUtf8(name));
    }
  }
  for (const std::string& name : {parts.iou_input, parts.threshold_input}) {
    const ir::Feature* feature = description.FindInput(name);
    if (feature == nullptr) continue;
    const auto* scalar = std::get_if<ir::ScalarFeature>(&feature->type);
    if (scalar == nullptr || *scalar != ir::ScalarFeature::kDouble) {
      return InvalidInput("its threshold '{}' is {}, not a double", feature->name,
                          KindOf(*feature));
    }
  }
  for (const ir::Feature& feature : description.outputs) {
    const bool known =
        feature.name == parts.confidence_output || feature.name == parts.coordinates_output;
    if (!known || feature.array() == nullptr) {
      return InvalidInput("output '{}' is neither the confidences nor the coordinates",
                          feature.name);
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Predictor>> MakeNonMaximumSuppression(const format::ModelFile& file,
                                                             format::ModelInterface interface,
                                                             const Context&) {
  const auto& wire = file.message().nonmaximumsuppression();
  SuppressionParts parts;
  parts.confidence_input = wire.confidenceinputfeaturename();
  parts.coordinates_input = wire.coordinatesinputfeaturename();
  parts.iou_input = wire.iouthresholdinputfeaturename();
  parts.threshold_input = wire.confidencethresholdinputfeaturename();
  parts.confidence_output = wire.confidenceoutputfeaturename();
  parts.coordinates_output = wire.coordinatesoutputfeaturename();
  parts.iou_threshold = wire.iouthreshold();
  parts.confidence_threshold = wire.confidencethreshold();
  parts.per_class = wire.picktop().perclass();
  if (wire.has_stringclasslabels() || wire.has_int64classlabels()) {
    ANEMONE_ASSIGN(const ClassLabels labels, ClassLabels::From(wire));
    parts.classes = labels.ToJson();
  }
  if (!(parts.iou_threshold >= 0 && parts.iou_threshold <= 1)) {
    return InvalidInput("the IoU threshold {} is not within 0 and 1", parts.iou_threshold);
  }
  if (!(parts.confidence_threshold >= 0)) {
    return InvalidInput("the confidence threshold {} is below 0", parts.confidence_threshold);
  }
  ANEMONE_TRY(CheckSuppressionNames(interface.function, parts));
  return std::unique_ptr<Predictor>(
      std::make_unique<NonMaximumSuppression>(std::move(interface), std::move(parts)));
}

}  // namespace anemone::feature_models
