// itemSimilarityRecommender: an item's score is the sum, over the items that are given, of their
// similarity times (their score less the item's adjustment). The items that are given, or those that
// are excluded where the model asks for them, are not recommended. Of equal scores the item that comes
// first in the file is first.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "feature_models/model_types.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

struct Similar {
  size_t item = 0;
  double similarity = 0;
};

struct SimilarityParts {
  std::vector<std::vector<Similar>> similar;  // to each item
  std::vector<double> adjustments;
  Strings texts;  // of the items; empty: integers name them
  Int64s integers;
  std::string items_input, count_input, restriction_input, exclusion_input;
  std::string list_output, score_output;
};

class Recommender : public Predictor {
 public:
  Recommender(format::ModelInterface interface, SimilarityParts parts)
      : Predictor(std::move(interface)), parts_(std::move(parts)) {
    for (size_t i = 0; i < parts_.texts.size(); ++i) by_text_.emplace(parts_.texts[i], i);
    for (size_t i = 0; i < parts_.integers.size(); ++i) by_integer_.emplace(parts_.integers[i], i);
  }

  Json Parameters() const override {
    size_t pairs = 0;
    for (const auto& list : parts_.similar) pairs += list.size();
    return {{"items", parts_.similar.size()},
            {"similarities", pairs},
            {"named_by", parts_.texts.empty() ? "integers" : "texts"}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    const auto given = inputs.find(parts_.items_input);
    if (given == inputs.end()) return Usage("input '{}' is missing", parts_.items_input);
    const std::vector<std::pair<size_t, double>> observed = ScoredItems(given->second);
    const size_t items = parts_.similar.size();
    std::vector<double> scores(items);
    for (const auto& [item, score] : observed) {
      for (const Similar& other : parts_.similar[item]) {
        scores[other.item] += other.similarity * (score - parts_.adjustments[other.item]);
      }
    }
    std::vector<bool> allowed(items, true);
    if (const FeatureValue* restriction = Find(inputs, parts_.restriction_input)) {
      allowed.assign(items, false);
      for (const auto& [item, score] : ScoredItems(*restriction)) allowed[item] = true;
    }
    const FeatureValue* exclusion = Find(inputs, parts_.exclusion_input);
    for (const auto& [item, score] : exclusion != nullptr ? ScoredItems(*exclusion) : observed) {
      allowed[item] = false;
    }
    std::vector<size_t> order;
    for (size_t i = 0; i < items; ++i) {
      if (allowed[i]) order.push_back(i);
    }
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    if (const FeatureValue* count = Find(inputs, parts_.count_input)) {
      const int64_t wanted = std::get<int64_t>(*count);
      if (wanted < 0) return Usage("{} recommendations are asked for", wanted);
      order.resize(std::min(order.size(), static_cast<size_t>(wanted)));
    }
    return Outputs(order, scores);
  }

 private:
  static const FeatureValue* Find(const FeatureValues& inputs, const std::string& name) {
    const auto found = inputs.find(name);
    return found == inputs.end() ? nullptr : &found->second;
  }
  // What the value names, without items that the model does not know; each scores 1 unless a
  // dictionary says otherwise.
  std::vector<std::pair<size_t, double>> ScoredItems(const FeatureValue& value) const {
    std::vector<std::pair<size_t, double>> scored;
    const auto add_text = [&](const std::string& name, double score) {
      const auto found = by_text_.find(name);
      if (found != by_text_.end()) scored.emplace_back(found->second, score);
    };
    const auto add_integer = [&](int64_t name, double score) {
      const auto found = by_integer_.find(name);
      if (found != by_integer_.end()) scored.emplace_back(found->second, score);
    };
    if (const auto* texts = std::get_if<Strings>(&value)) {
      for (const std::string& name : *texts) add_text(name, 1);
    } else if (const auto* integers = std::get_if<Int64s>(&value)) {
      for (const int64_t name : *integers) add_integer(name, 1);
    } else if (const auto* by_text = std::get_if<StringDictionary>(&value)) {
      for (const auto& [name, score] : *by_text) add_text(name, score);
    } else if (const auto* by_integer = std::get_if<Int64Dictionary>(&value)) {
      for (const auto& [name, score] : *by_integer) add_integer(name, score);
    } else if (const auto* tensor = std::get_if<exec::Tensor>(&value)) {
      for (const double number : NumbersOf(*tensor)) {
        if (!(number >= -9e15 && number <= 9e15)) continue;
        const auto name = static_cast<int64_t>(number);
        add_integer(name, 1.0);
      }
    }
    return scored;
  }
  Result<FeatureValues> Outputs(std::span<const size_t> order,
                                std::span<const double> scores) const {
    Strings texts;
    Int64s integers;
    StringDictionary by_text;
    Int64Dictionary by_integer;
    for (const size_t item : order) {
      if (parts_.texts.empty()) {
        integers.push_back(parts_.integers[item]);
        by_integer.emplace(parts_.integers[item], scores[item]);
      } else {
        texts.push_back(parts_.texts[item]);
        by_text.emplace(parts_.texts[item], scores[item]);
      }
    }
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      FeatureValue value;
      if (feature.name == parts_.list_output) {
        value = parts_.texts.empty() ? FeatureValue(integers) : FeatureValue(texts);
      } else {
        value = parts_.texts.empty() ? FeatureValue(by_integer) : FeatureValue(by_text);
      }
      ANEMONE_ASSIGN(FeatureValue conformed,
                     Conform(feature, value).At(fmt::format("output '{}'", feature.name)));
      outputs.emplace(feature.name, std::move(conformed));
    }
    return outputs;
  }

  SimilarityParts parts_;
  std::unordered_map<std::string, size_t> by_text_;
  std::unordered_map<int64_t, size_t> by_integer_;
};

// Items are numbered from 0 without gaps.
Result<size_t> CountItems(const format::proto::ItemSimilarityRecommender& wire) {
  std::unordered_set<uint64_t> items;
  uint64_t largest = 0;
  const auto add = [&](uint64_t item) {
    items.insert(item);
    largest = std::max(largest, item);
  };
  for (const auto& list : wire.itemitemsimilarities()) {
    add(list.itemid());
    for (const auto& other : list.similaritemlist()) add(other.itemid());
  }
  if (items.empty()) return InvalidInput("the recommender has no items");
  if (largest != items.size() - 1) {
    return InvalidInput("{} items, but one is numbered {}; they must count from 0", items.size(),
                        largest);
  }
  return items.size();
}

}  // namespace

Result<std::unique_ptr<Predictor>> MakeItemSimilarityRecommender(const format::ModelFile& file,
                                                                 format::ModelInterface interface,
                                                                 const Context&) {
  const auto& wire = file.message().itemsimilarityrecommender();
  ANEMONE_ASSIGN(const size_t items, CountItems(wire));
  SimilarityParts parts;
  parts.similar.resize(items);
  parts.adjustments.resize(items);
  for (const auto& list : wire.itemitemsimilarities()) {
    parts.adjustments[list.itemid()] = list.itemscoreadjustment();
    for (const auto& other : list.similaritemlist()) {
      parts.similar[list.itemid()].push_back({other.itemid(), other.similarityscore()});
    }
  }
  parts.texts.assign(wire.itemstringids().vector().begin(), wire.itemstringids().vector().end());
  parts.integers.assign(wire.itemint64ids().vector().begin(), wire.itemint64ids().vector().end());
  if (!parts.texts.empty() && !parts.integers.empty()) {
    return InvalidInput("the items are named by texts and by integers");
  }
  if (parts.texts.empty() && parts.integers.empty()) {
    for (size_t i = 0; i < items; ++i) parts.integers.push_back(static_cast<int64_t>(i));
  }
  if (parts.texts.size() + parts.integers.size() != items) {
    return InvalidInput("{} names for {} items", parts.texts.size() + parts.integers.size(), items);
  }
  parts.items_input = wire.iteminputfeaturename();
  if (parts.items_input.empty() && interface.function.inputs.size() == 1) {
    parts.items_input = interface.function.inputs.front().name;
  }
  parts.count_input = wire.numrecommendationsinputfeaturename();
  parts.restriction_input = wire.itemrestrictioninputfeaturename();
  parts.exclusion_input = wire.itemexclusioninputfeaturename();
  parts.list_output = wire.recommendeditemlistoutputfeaturename();
  parts.score_output = wire.recommendeditemscoreoutputfeaturename();
  if (interface.function.FindInput(parts.items_input) == nullptr) {
    return InvalidInput("its input '{}' is not declared", ToUtf8(parts.items_input));
  }
  const ir::Feature* count = interface.function.FindInput(parts.count_input);
  const auto* scalar = count == nullptr ? nullptr : std::get_if<ir::ScalarFeature>(&count->type);
  if (count != nullptr && (scalar == nullptr || *scalar != ir::ScalarFeature::kInt64)) {
    return InvalidInput("the number of recommendations '{}' is {}", count->name, KindOf(*count));
  }
  for (const ir::Feature& feature : interface.function.outputs) {
    if (feature.name != parts.list_output && feature.name != parts.score_output) {
      return InvalidInput("output '{}' is neither the list nor the scores", feature.name);
    }
  }
  return std::unique_ptr<Predictor>(
      std::make_unique<Recommender>(std::move(interface), std::move(parts)));
}

}  // namespace anemone::feature_models
