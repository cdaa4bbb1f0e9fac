#include "gate/limits.h"

namespace anemone::gate {
namespace {

class Reader : public LimitVisitor {
 public:
  explicit Reader(JsonObject& object) : object_(object) {}

  void Flag(std::string_view key, bool& value) override { object_.Get(key, &value); }
  void Count(std::string_view key, int64_t& value, int64_t low, int64_t high) override {
    object_.Get(key, &value, low, high);
  }
  void Number(std::string_view key, double& value, double low, double high) override {
    object_.Get(key, &value, low, high);
  }
  void Choice(std::string_view key, std::string& value,
              std::span<const std::string_view> choices) override {
    size_t chosen = 0;
    if (object_.Choose(key, choices, &chosen)) value = choices[chosen];
  }
  void Texts(std::string_view key, std::vector<std::string>& value) override {
    object_.Get(key, &value);
  }
  void ByPrecision(std::string_view key, LimitsByPrecision& value) override {
    JsonObject all = object_.Object(key);
    for (auto& [precision, limits] : value) {
      JsonObject one = all.Object(precision);
      one.Get("l_inf", &limits.linf, 0.0, kLargestError);
      one.Get("rmse", &limits.rmse, 0.0, kLargestError);
    }
  }

 private:
  JsonObject& object_;
};

class Writer : public LimitVisitor {
 public:
  Json TakeJson() { return std::move(json_); }

  void Flag(std::string_view key, bool& value) override { json_[key] = value; }
  void Count(std::string_view key, int64_t& value, int64_t, int64_t) override {
    json_[key] = value;
  }
  void Number(std::string_view key, double& value, double, double) override { json_[key] = value; }
  void Choice(std::string_view key, std::string& value,
              std::span<const std::string_view>) override {
    json_[key] = value;
  }
  void Texts(std::string_view key, std::vector<std::string>& value) override { json_[key] = value; }
  void ByPrecision(std::string_view key, LimitsByPrecision& value) override {
    Json all = Json::Object();
    for (const auto& [precision, limits] : value) {
      all[precision] = {{"l_inf", limits.linf}, {"rmse", limits.rmse}};
    }
    json_[key] = std::move(all);
  }

 private:
  Json json_ = Json::Object();
};

class Describer : public LimitVisitor {
 public:
  std::string TakeText() { return std::move(text_); }

  void Flag(std::string_view key, bool& value) override { Say(key, value ? " true" : " false"); }
  void Count(std::string_view key, int64_t& value, int64_t, int64_t) override {
    Say(key, fmt::format(" {}", value));
  }
  void Number(std::string_view key, double& value, double, double) override {
    Say(key, fmt::format(" {:g}", value));
  }
  void Choice(std::string_view key, std::string& value,
              std::span<const std::string_view>) override {
    Say(key, fmt::format(" `\"{}\"`", value));
  }
  void Texts(std::string_view key, std::vector<std::string>&) override { Say(key, ""); }
  void ByPrecision(std::string_view key, LimitsByPrecision&) override { Say(key, " by precision"); }

 private:
  void Say(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}`{}`{}", text_.empty() ? "" : ", ", key, value);
  }

  std::string text_;
};

}  // namespace

CheckPolicies& CheckPolicies::operator=(const CheckPolicies& other) {
  std::map<std::string, std::unique_ptr<CheckPolicy>, std::less<>> copy;
  for (const auto& [key, policy] : other.by_key_) copy[key] = policy->Clone();
  by_key_ = std::move(copy);
  return *this;
}

const CheckPolicy* CheckPolicies::Find(std::string_view key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second.get();
}

CheckPolicy* CheckPolicies::Find(std::string_view key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second.get();
}

void CheckPolicies::Set(std::string_view key, std::unique_ptr<CheckPolicy> policy) {
  by_key_[std::string(key)] = std::move(policy);
}

void CheckPolicies::Erase(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) by_key_.erase(found);
}

void ReadLimits(JsonObject& object, const Visitable& limits) {
  Reader reader(object);
  limits(reader);
}

Json WriteLimits(const Visitable& limits) {
  Writer writer;
  limits(writer);
  return writer.TakeJson();
}

std::string DescribeLimits(const Visitable& limits) {
  Describer describer;
  limits(describer);
  return describer.TakeText();
}

void ReadCheckPolicy(JsonObject& object, CheckPolicy& policy) {
  object.Get("required", &policy.required);
  ReadLimits(object, [&](LimitVisitor& visitor) { policy.Visit(visitor); });
}

Json WriteCheckPolicy(const CheckPolicy& policy) {
  Json json{{"required", policy.required}};
  const std::unique_ptr<CheckPolicy> copy = policy.Clone();  // a visitor may change what it sees
  json.Update(WriteLimits([&](LimitVisitor& visitor) { copy->Visit(visitor); }));
  return json;
}

}  // namespace anemone::gate
