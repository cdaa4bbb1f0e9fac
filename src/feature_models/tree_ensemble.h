// Trees whose leaves add to a prediction: what both tree ensembles are made of. Internal to this
// folder.
//
// A branch compares one number of the inputs with its threshold; a missing number (NaN) follows the
// branch's own rule. Where every threshold is a single-precision number, the ensemble was trained in
// single precision (coremltools writes XGBoost's so), and inputs are rounded to it before they are
// compared: 0.1 is then not below a threshold that was 0.1 once. Otherwise all is double precision.
//
// Ownership: owns its nodes. Thread rules: immutable. Errors: kInvalidInput from Make for nodes that
// are not trees.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace anemone::format::proto {
class TreeEnsembleParameters;
}

namespace anemone::feature_models {

class TreeEnsemble {
 public:
  static Result<TreeEnsemble> Make(const format::proto::TreeEnsembleParameters& wire,
                                   int32_t transform);

  size_t dimensions() const { return base_.size(); }
  // How many numbers the inputs must hold at least.
  int64_t min_features() const { return min_features_; }
  // The sums, before the transform.
  std::vector<double> Sums(std::span<const double> vector) const;
  // The post-evaluation transform, in place. That with a reference class puts its score in front.
  void Transform(std::vector<double>& values) const;
  bool has_reference_class() const { return transform_ == TransformKind::kSoftmaxWithReference; }
  // Adds the facts to `json`.
  void Describe(Json& json) const;

 private:
  enum class Behavior : uint8_t {
    kLessThanEqual,
    kLessThan,
    kGreaterThanEqual,
    kGreaterThan,
    kEqual,
    kNotEqual,
    kLeaf
  };
  enum class TransformKind : uint8_t { kNone, kSoftmax, kLogistic, kSoftmaxWithReference };
  struct Node {
    Behavior behavior = Behavior::kLeaf;
    bool missing_is_true = false;
    uint32_t feature = 0;
    double threshold = 0;
    uint32_t if_true = 0;   // places in nodes_; of a leaf, the first of its values
    uint32_t if_false = 0;  // of a leaf, one beyond the last
  };
  struct LeafValue {
    uint32_t dimension = 0;
    double value = 0;
  };
  Status AddTree(const format::proto::TreeEnsembleParameters& wire, std::span<const int> members);
  Status AddNode(const format::proto::TreeEnsembleParameters& wire, int index);
  Result<uint32_t> RootOf(uint32_t begin) const;
  // Every node is below the root, and none below itself.
  Status CheckReachable(uint32_t root, uint32_t begin) const;
  bool Compare(const Node& node, double value) const;

  std::vector<Node> nodes_;
  std::vector<LeafValue> leaf_values_;
  std::vector<uint32_t> roots_;
  std::vector<double> base_;
  int64_t min_features_ = 0;
  bool single_precision_ = true;
  TransformKind transform_ = TransformKind::kNone;
};

}  // namespace anemone::feature_models
