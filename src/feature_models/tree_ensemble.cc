#include "feature_models/tree_ensemble.h"

#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "feature_models/linear_rows.h"
#include "feature_models/softmax.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

constexpr uint64_t kMaxDimensions = 1 << 20;
constexpr uint64_t kMaxFeatures = uint64_t{1} << 31;
constexpr std::string_view kTransformNames[] = {"none", "softmax", "logistic",
                                                "softmax_with_zero_class_reference"};

bool IsSinglePrecision(double value) {
  return static_cast<double>(static_cast<float>(value)) == value;
}

std::string NodeName(const format::proto::TreeEnsembleParameters::TreeNode& node) {
  return fmt::format("tree {} node {}", node.treeid(), node.nodeid());
}

}  // namespace

Result<TreeEnsemble> TreeEnsemble::Make(const format::proto::TreeEnsembleParameters& wire,
                                        int32_t transform) {
  if (transform < 0 || transform > 3) {
    return InvalidInput("post-evaluation transform {} is not known", transform);
  }
  const uint64_t dimensions =
      wire.numpredictiondimensions() != 0
          ? wire.numpredictiondimensions()
          : std::max<uint64_t>(1, static_cast<uint64_t>(wire.basepredictionvalue_size()));
  if (dimensions > kMaxDimensions) {
    return InvalidInput("{} prediction dimensions exceed the limit of {}", dimensions,
                        kMaxDimensions);
  }
  const auto base_size = static_cast<uint64_t>(wire.basepredictionvalue_size());
  if (base_size != 0 && base_size != dimensions) {
    return InvalidInput("{} base values for {} prediction dimensions", base_size, dimensions);
  }
  TreeEnsemble ensemble;
  ensemble.transform_ = static_cast<TransformKind>(transform);
  ensemble.base_.assign(wire.basepredictionvalue().begin(), wire.basepredictionvalue().end());
  ensemble.base_.resize(dimensions);
  std::map<uint64_t, std::vector<int>> trees;
  for (int i = 0; i < wire.nodes_size(); ++i) trees[wire.nodes(i).treeid()].push_back(i);
  for (const auto& [id, members] : trees) ANEMONE_TRY(ensemble.AddTree(wire, members));
  return ensemble;
}

Status TreeEnsemble::AddTree(const format::proto::TreeEnsembleParameters& wire,
                             std::span<const int> members) {
  const auto begin = static_cast<uint32_t>(nodes_.size());
  std::unordered_map<uint64_t, uint32_t> places;
  for (const int index : members) {
    const auto place = static_cast<uint32_t>(begin + places.size());
    if (!places.emplace(wire.nodes(index).nodeid(), place).second) {
      return InvalidInput("the node is there twice").At(NodeName(wire.nodes(index)));
    }
    ANEMONE_TRY(AddNode(wire, index).At(NodeName(wire.nodes(index))));
  }
  for (size_t i = 0; i < members.size(); ++i) {
    Node& node = nodes_[begin + i];
    if (node.behavior == Behavior::kLeaf) continue;
    const auto& from = wire.nodes(members[i]);
    const auto if_true = places.find(from.truechildnodeid());
    const auto if_false = places.find(from.falsechildnodeid());
    if (if_true == places.end() || if_false == places.end()) {
      return InvalidInput("its child {} is not a node of the tree", if_true == places.end()
                                                                        ? from.truechildnodeid()
                                                                        : from.falsechildnodeid())
          .At(NodeName(from));
    }
    node.if_true = if_true->second;
    node.if_false = if_false->second;
  }
  const std::string tree = fmt::format("tree {}", wire.nodes(members.front()).treeid());
  ANEMONE_ASSIGN(const uint32_t root, RootOf(begin).At(tree));
  ANEMONE_TRY(CheckReachable(root, begin).At(tree));
  roots_.push_back(root);
  return {};
}

Status TreeEnsemble::AddNode(const format::proto::TreeEnsembleParameters& wire, int index) {
  const auto& from = wire.nodes(index);
  if (from.nodebehavior() < 0 || from.nodebehavior() > static_cast<int32_t>(Behavior::kLeaf)) {
    return InvalidInput("node behavior {} is not known", from.nodebehavior());
  }
  Node node;
  node.behavior = static_cast<Behavior>(from.nodebehavior());
  node.missing_is_true = from.missingvaluetrackstruechild();
  if (node.behavior == Behavior::kLeaf) {
    node.if_true = static_cast<uint32_t>(leaf_values_.size());
    for (const auto& value : from.evaluationinfo()) {
      if (value.evaluationindex() >= base_.size()) {
        return InvalidInput("it adds to dimension {} of {}", value.evaluationindex(), base_.size());
      }
      leaf_values_.push_back(
          {static_cast<uint32_t>(value.evaluationindex()), value.evaluationvalue()});
    }
    node.if_false = static_cast<uint32_t>(leaf_values_.size());
  } else {
    if (from.branchfeatureindex() >= kMaxFeatures) {
      return InvalidInput("feature index {} exceeds the limit of {}", from.branchfeatureindex(),
                          kMaxFeatures);
    }
    node.feature = static_cast<uint32_t>(from.branchfeatureindex());
    node.threshold = from.branchfeaturevalue();
    single_precision_ = single_precision_ && IsSinglePrecision(node.threshold);
    min_features_ = std::max(min_features_, static_cast<int64_t>(node.feature) + 1);
  }
  nodes_.push_back(node);
  return {};
}

Result<uint32_t> TreeEnsemble::RootOf(uint32_t begin) const {
  std::vector<bool> has_parent(nodes_.size() - begin);
  for (size_t i = begin; i < nodes_.size(); ++i) {
    if (nodes_[i].behavior == Behavior::kLeaf) continue;
    has_parent[nodes_[i].if_true - begin] = true;
    has_parent[nodes_[i].if_false - begin] = true;
  }
  const auto orphans = std::ranges::count(has_parent, false);
  if (orphans != 1) {
    return InvalidInput("{} nodes have no parent; one must, the root", orphans);
  }
  return begin + static_cast<uint32_t>(std::ranges::find(has_parent, false) - has_parent.begin());
}

Status TreeEnsemble::CheckReachable(uint32_t root, uint32_t begin) const {
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(nodes_.size() - begin, Mark::kNew);
  std::vector<uint32_t> path = {root};
  while (!path.empty()) {
    const uint32_t place = path.back();
    const Node& node = nodes_[place];
    if (marks[place - begin] != Mark::kNew || node.behavior == Behavior::kLeaf) {
      // Its children are done, or it was reached by another way.
      marks[place - begin] = Mark::kDone;
      path.pop_back();
      continue;
    }
    marks[place - begin] = Mark::kOpen;
    for (const uint32_t child : {node.if_true, node.if_false}) {
      if (marks[child - begin] == Mark::kOpen) {
        return InvalidInput("its nodes are each other's children in a circle");
      }
      if (marks[child - begin] == Mark::kNew) path.push_back(child);
    }
  }
  const auto left = std::ranges::count(marks, Mark::kNew);
  if (left != 0) return InvalidInput("{} nodes are not below its root", left);
  return {};
}

bool TreeEnsemble::Compare(const Node& node, double value) const {
  switch (node.behavior) {
    case Behavior::kLessThanEqual:
      return value <= node.threshold;
    case Behavior::kLessThan:
      return value < node.threshold;
    case Behavior::kGreaterThanEqual:
      return value >= node.threshold;
    case Behavior::kGreaterThan:
      return value > node.threshold;
    case Behavior::kEqual:
      return value == node.threshold;
    case Behavior::kNotEqual:
      return value != node.threshold;
    case Behavior::kLeaf:
      break;
  }
  return false;
}

std::vector<double> TreeEnsemble::Sums(std::span<const double> vector) const {
  std::vector<double> rounded(vector.begin(), vector.end());
  if (single_precision_) {
    for (double& value : rounded) value = static_cast<double>(static_cast<float>(value));
  }
  std::vector<double> sums = base_;
  for (const uint32_t root : roots_) {
    const Node* node = &nodes_[root];
    while (node->behavior != Behavior::kLeaf) {
      const double value = rounded[node->feature];
      const bool if_true = std::isnan(value) ? node->missing_is_true : Compare(*node, value);
      node = &nodes_[if_true ? node->if_true : node->if_false];
    }
    for (uint32_t i = node->if_true; i < node->if_false; ++i) {
      sums[leaf_values_[i].dimension] += leaf_values_[i].value;
    }
  }
  return sums;
}

void TreeEnsemble::Transform(std::vector<double>& values) const {
  switch (transform_) {
    case TransformKind::kNone:
      break;
    case TransformKind::kSoftmaxWithReference:
      values.insert(values.begin(), 0.0);
      Softmax(values);
      break;
    case TransformKind::kSoftmax:
      Softmax(values);
      break;
    case TransformKind::kLogistic:
      for (double& value : values) value = Logistic(value);
      break;
  }
}

void TreeEnsemble::Describe(Json& json) const {
  json["trees"] = roots_.size();
  json["nodes"] = nodes_.size();
  json["leaves"] =
      std::ranges::count(nodes_, Behavior::kLeaf, [](const Node& node) { return node.behavior; });
  json["dimensions"] = base_.size();
  json["transform"] = kTransformNames[static_cast<size_t>(transform_)];
  json["inputs_rounded_to_single_precision"] = single_precision_;
}

}  // namespace anemone::feature_models
