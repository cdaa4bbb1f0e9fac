#include "options/shapes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace anemone::options {
namespace {

std::optional<int64_t> ReadSize(std::string_view text) {
  int64_t size = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [rest, error] = std::from_chars(begin, end, size);
  if (error != std::errc() || rest != end || size < 1) return std::nullopt;
  return size;
}

std::optional<std::vector<int64_t>> ReadSizes(std::string_view text, std::string_view between) {
  std::vector<int64_t> sizes;
  for (;;) {
    const size_t at = text.find(between);
    const auto size = ReadSize(text.substr(0, at));
    if (!size) return std::nullopt;
    sizes.push_back(*size);
    if (at == std::string_view::npos) return sizes;
    text.remove_prefix(at + between.size());
  }
}

}  // namespace

std::string BrokenRule(const Dimension& dimension) {
  if (dimension.size < 1) return "a dimension below 1";
  if (!dimension.choices.empty()) {
    if (std::ranges::any_of(dimension.choices, [](int64_t size) { return size < 1; }))
      return "a dimension below 1";
    if (std::ranges::find(dimension.choices, dimension.size) == dimension.choices.end())
      return fmt::format("the default {}, which is none of the choices", dimension.size);
    return "";
  }
  if (dimension.lower == 0 && dimension.upper == 0) return "";
  if (dimension.lower < 1) return "a range that begins below 1";
  if (dimension.upper != 0 && dimension.upper < dimension.lower)
    return fmt::format("the range {} to {}", dimension.lower, dimension.upper);
  if (dimension.size < dimension.lower ||
      (dimension.upper != 0 && dimension.size > dimension.upper)) {
    return fmt::format("the default {} outside its range {} to {}", dimension.size, dimension.lower,
                       dimension.upper);
  }
  return "";
}

std::optional<Dimension> ReadOpenDimension(std::string_view text) {
  Dimension dimension;
  if (text == "?") {
    dimension.size = dimension.lower = 1;
    return dimension;
  }
  const bool bracketed = text.starts_with('[');
  if (bracketed != text.ends_with(']')) return std::nullopt;
  if (bracketed) text = text.substr(1, text.size() - 2);
  const size_t equals = text.find('=');
  std::optional<int64_t> chosen;
  if (equals != std::string_view::npos) {
    chosen = ReadSize(text.substr(equals + 1));
    if (!chosen) return std::nullopt;
    text = text.substr(0, equals);
  }
  if (text.find("..") != std::string_view::npos) {
    const auto bounds = ReadSizes(text, "..");
    if (!bounds || bounds->size() != 2) return std::nullopt;
    dimension.lower = (*bounds)[0];
    dimension.upper = (*bounds)[1];
    dimension.size = chosen.value_or(dimension.lower);
  } else {
    const auto choices = ReadSizes(text, "|");
    if (!choices || choices->size() < 2) return std::nullopt;
    dimension.choices = *choices;
    dimension.size = chosen.value_or(choices->front());
  }
  if (!BrokenRule(dimension).empty()) return std::nullopt;
  return dimension;
}

std::optional<std::vector<Dimension>> ReadShape(std::string_view text) {
  std::vector<Dimension> shape;
  for (;;) {
    // What separates dimensions stands outside brackets.
    const size_t from = text.starts_with('[') ? text.find(']') : 0;
    if (from == std::string_view::npos) return std::nullopt;
    const size_t at = text.find_first_of("x,", from);
    const std::string_view one = text.substr(0, at);
    if (const auto size = ReadSize(one)) {
      shape.emplace_back(*size);
    } else if (one == "?" || one.starts_with('[')) {
      const auto open = ReadOpenDimension(one);
      if (!open) return std::nullopt;
      shape.push_back(*open);
    } else {
      return std::nullopt;
    }
    if (at == std::string_view::npos) return shape;
    text.remove_prefix(at + 1);
  }
}

std::string ShapeText(const std::vector<Dimension>& shape) {
  std::string text;
  for (const Dimension& dimension : shape) {
    if (!text.empty()) text += "x";
    if (dimension.is_fixed()) {
      text += fmt::format("{}", dimension.size);
    } else if (!dimension.choices.empty()) {
      text += fmt::format("[{}", fmt::join(dimension.choices, "|"));
      if (dimension.size != dimension.choices.front()) text += fmt::format("={}", dimension.size);
      text += "]";
    } else if (dimension.upper == 0) {
      text += "?";
    } else {
      text += fmt::format("[{}..{}", dimension.lower, dimension.upper);
      if (dimension.size != dimension.lower) text += fmt::format("={}", dimension.size);
      text += "]";
    }
  }
  return text;
}

void MoveShapes(std::vector<std::string>* inputs,
                std::map<std::string, std::vector<Dimension>>* shapes) {
  std::erase_if(*inputs, [&](const std::string& input) {
    const size_t colon = input.rfind(':');
    if (colon == std::string::npos || input.find('=') != std::string::npos) return false;
    auto shape = ReadShape(std::string_view(input).substr(colon + 1));
    if (!shape) return false;
    (*shapes)[input.substr(0, colon)] = std::move(*shape);
    return true;
  });
}

}  // namespace anemone::options
