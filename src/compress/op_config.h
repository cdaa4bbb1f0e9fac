// OpConfig: the setting of any compression method for some weights: a value that knows its method
// (method.h). The setting itself is a plain struct in the method's own header:
//
//   OpConfig config = PaletteConfig{.nbits = 4};
//   const PaletteConfig* palette = config.As<PaletteConfig>();  // null: another method's
//
// Thread rules: values.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace anemone::compress {

class Method;

// The elements that share a scale, or a table.
enum class Granularity : uint8_t { kPerTensor, kPerChannel, kPerGroupedChannel, kPerBlock };
std::string_view GranularityName(Granularity granularity);  // "per_tensor" ...

constexpr int64_t kDefaultWeightThreshold = 2048;

// The required knowledge of a weight's inputs (InputMoments), in increasing order.
enum class DataNeed : uint8_t { kNothing, kMoments, kProducts };

// The requirements on a struct that is a setting. Constants with at most `weight_threshold`
// elements stay as they are; `method()` is the one method to which the setting belongs.
template <typename Config>
concept Setting = requires(const Config& config) {
  { Config::method() } -> std::same_as<const Method&>;
  { config.weight_threshold } -> std::convertible_to<int64_t>;
} && std::copy_constructible<Config> && std::equality_comparable<Config>;

class OpConfig {
 public:
  template <Setting Config>
  OpConfig(Config config)  // NOLINT: implicit by design
      : held_(std::make_unique<Held<Config>>(std::move(config))) {}
  OpConfig(const OpConfig& other) : held_(other.held_->Clone()) {}
  OpConfig(OpConfig&&) noexcept = default;
  OpConfig& operator=(OpConfig other) noexcept {
    held_ = std::move(other.held_);
    return *this;
  }
  ~OpConfig() = default;

  const Method& method() const { return held_->method(); }
  int64_t weight_threshold() const { return held_->weight_threshold(); }

  // The setting itself; null when it belongs to another method.
  template <Setting Config>
  const Config* As() const {
    if (&method() != &Config::method()) return nullptr;
    return &static_cast<const Held<Config>&>(*held_).value;
  }
  template <Setting Config>
  Config* As() {
    return const_cast<Config*>(std::as_const(*this).As<Config>());
  }

  // Equal when the method and all members of the setting are.
  friend bool operator==(const OpConfig& a, const OpConfig& b) {
    return &a.method() == &b.method() && a.held_->SameAs(*b.held_);
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual std::unique_ptr<Base> Clone() const = 0;
    virtual bool SameAs(const Base& other) const = 0;  // `other` is of the same method
    virtual const Method& method() const = 0;
    virtual int64_t weight_threshold() const = 0;
  };
  template <typename Config>
  struct Held final : Base {
    explicit Held(Config config) : value(std::move(config)) {}
    std::unique_ptr<Base> Clone() const override { return std::make_unique<Held>(value); }
    bool SameAs(const Base& other) const override {
      return value == static_cast<const Held&>(other).value;
    }
    const Method& method() const override { return Config::method(); }
    int64_t weight_threshold() const override { return value.weight_threshold; }
    Config value;
  };

  std::unique_ptr<Base> held_;
};

}  // namespace anemone::compress
