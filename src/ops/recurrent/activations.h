// The activations that recurrent operators name by a string. Thread rules: pure functions.
#pragma once

#include <cmath>
#include <optional>
#include <string>

namespace anemone::ops::recurrent {

struct Activation {
  double (*function)(double);
  double operator()(double x) const { return function(x); }
};

// Nullopt for an unknown name; case is ignored.
inline std::optional<Activation> ActivationFromName(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name == "tanh" || name == "scaled_tanh") {
    return Activation{[](double x) { return std::tanh(x); }};
  }
  if (name == "sigmoid") return Activation{[](double x) { return 1 / (1 + std::exp(-x)); }};
  if (name == "hard_sigmoid" || name == "sigmoid_hard") {
    return Activation{[](double x) { return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); }};
  }
  if (name == "relu") return Activation{[](double x) { return x < 0 ? 0 : x; }};
  if (name == "linear") return Activation{[](double x) { return x; }};
  return std::nullopt;
}

}  // namespace anemone::ops::recurrent
