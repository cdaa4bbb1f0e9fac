// kNearestNeighborsClassifier: the classes of the nearest samples vote. The distance is the squared
// Euclidean one; votes are equal, or one over the distance. Of equal sums the smallest label wins, as
// in scikit-learn. A model without samples, as an updatable one is at first, gives its default label.
#include <algorithm>
#include <numeric>

#include "feature_models/model_types.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

struct NeighborParts {
  size_t dimensions = 0;
  std::vector<std::vector<float>> samples;
  std::variant<Strings, Int64s> labels;  // of each sample
  FeatureValue default_label = int64_t{0};
  size_t neighbors = 0;
  bool inverse_distance = false;
};

class NearestNeighborsClassifier : public Predictor {
 public:
  NearestNeighborsClassifier(format::ModelInterface interface, NeighborParts parts)
      : Predictor(std::move(interface)), parts_(std::move(parts)) {}

  Json Parameters() const override {
    return {{"samples", parts_.samples.size()},
            {"dimensions", parts_.dimensions},
            {"neighbors", parts_.neighbors},
            {"weighting", parts_.inverse_distance ? "inverse_distance" : "uniform"},
            {"distance", "squared_euclidean"}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    if (vector.size() != parts_.dimensions) {
      return Usage("the inputs hold {} numbers, but the samples have {}", vector.size(),
                   parts_.dimensions);
    }
    const std::vector<double> distances = Distances(vector);
    std::vector<size_t> order(distances.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const size_t count = std::min(parts_.neighbors, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [&](size_t a, size_t b) {
                        return std::pair(distances[a], a) < std::pair(distances[b], b);
                      });
    order.resize(count);
    // At a distance of 0 a sample's vote is beyond all others.
    const bool exact = parts_.inverse_distance && count != 0 && distances[order.front()] == 0;
    std::vector<double> votes;
    for (const size_t sample : order) {
      const double distance = distances[sample];
      if (!parts_.inverse_distance) {
        votes.push_back(1);
      } else if (exact) {
        votes.push_back(distance == 0 ? 1 : 0);
      } else {
        votes.push_back(1 / distance);
      }
    }
    return std::visit([&](const auto& labels) { return Count(labels, order, votes); },
                      parts_.labels);
  }

 private:
  std::vector<double> Distances(std::span<const double> vector) const {
    std::vector<double> distances;
    distances.reserve(parts_.samples.size());
    for (const std::vector<float>& sample : parts_.samples) {
      distances.push_back(std::transform_reduce(vector.begin(), vector.end(), sample.begin(), 0.0,
                                                std::plus<>(), [](double a, float b) {
                                                  const double difference = a - double{b};
                                                  return difference * difference;
                                                }));
    }
    return distances;
  }

  template <typename Label>
  Result<FeatureValues> Count(const std::vector<Label>& labels, std::span<const size_t> neighbors,
                              std::span<const double> votes) const {
    std::map<Label, double> sums;
    for (const Label& label : labels) sums.emplace(label, 0.0);
    for (size_t i = 0; i < neighbors.size(); ++i) sums[labels[neighbors[i]]] += votes[i];
    const double total = std::accumulate(votes.begin(), votes.end(), 0.0);
    FeatureValue label = parts_.default_label;
    double most = 0;
    for (auto& [candidate, sum] : sums) {
      if (total > 0) sum /= total;
      if (sum > most) {
        most = sum;
        label = candidate;
      }
    }
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      const bool dictionary = std::holds_alternative<ir::DictionaryFeature>(feature.type);
      ANEMONE_ASSIGN(FeatureValue value, Conform(feature, dictionary ? FeatureValue(sums) : label)
                                             .At(fmt::format("output '{}'", feature.name)));
      outputs.emplace(feature.name, std::move(value));
    }
    return outputs;
  }

  NeighborParts parts_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeNearestNeighborsClassifier(const format::ModelFile& file,
                                                                  format::ModelInterface interface,
                                                                  const Context&) {
  const auto& wire = file.message().knearestneighborsclassifier();
  const auto& index = wire.nearestneighborsindex();
  NeighborParts parts;
  if (index.numberofdimensions() < 1) {
    return InvalidInput("its samples have {} dimensions", index.numberofdimensions());
  }
  parts.dimensions = static_cast<size_t>(index.numberofdimensions());
  for (const auto& sample : index.floatsamples()) {
    if (static_cast<size_t>(sample.vector_size()) != parts.dimensions) {
      return InvalidInput("a sample of {} numbers; there should be {}", sample.vector_size(),
                          parts.dimensions);
    }
    parts.samples.emplace_back(sample.vector().begin(), sample.vector().end());
  }
  if (wire.has_int64classlabels()) {
    const auto& labels = wire.int64classlabels().vector();
    parts.labels = Int64s(labels.begin(), labels.end());
  } else {
    const auto& labels = wire.stringclasslabels().vector();
    parts.labels = Strings(labels.begin(), labels.end());
  }
  const size_t labels = std::visit([](const auto& list) { return list.size(); }, parts.labels);
  if (labels != parts.samples.size()) {
    return InvalidInput("{} labels for {} samples", labels, parts.samples.size());
  }
  if (wire.has_defaultint64label()) parts.default_label = wire.defaultint64label();
  if (wire.has_defaultstringlabel()) parts.default_label = wire.defaultstringlabel();
  if (wire.numberofneighbors().defaultvalue() < 1) {
    return InvalidInput("the number of neighbors is {}", wire.numberofneighbors().defaultvalue());
  }
  parts.neighbors = static_cast<size_t>(wire.numberofneighbors().defaultvalue());
  parts.inverse_distance = wire.has_inversedistanceweighting();
  ANEMONE_TRY(CheckVectorLength(interface.function, index.numberofdimensions()));
  return std::unique_ptr<Predictor>(
      std::make_unique<NearestNeighborsClassifier>(std::move(interface), std::move(parts)));
}

}  // namespace anemone::feature_models
