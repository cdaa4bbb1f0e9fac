#include "options/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "options/shapes.h"

namespace anemone::options {
namespace {

// What follows the flag, for each time that it is given; of a bool nothing does.
using Words = std::vector<std::string>;

struct WordsOf {
  Words operator()(const bool*) const { return {""}; }
  Words operator()(const std::string* value) const { return {*value}; }
  template <typename Number>
  Words operator()(const std::optional<Number>* value) const {
    return *value ? Words{fmt::format("{}", **value)} : Words();
  }
  Words operator()(const std::vector<std::string>* values) const { return *values; }
  Words operator()(const std::vector<double>* values) const { return {Joined(*values, ",")}; }
  Words operator()(const std::array<float, 3>* values) const { return {Joined(*values, ",")}; }
  Words operator()(const Shapes* shapes) const {
    Words words;
    for (const auto& [name, shape] : *shapes) words.push_back(name + ":" + ShapeText(shape));
    return words;
  }
  template <typename Number>
  Words operator()(const Number* value) const {
    return {fmt::format("{}", *value)};
  }

  static std::string Joined(const auto& values, std::string_view between) {
    return fmt::format("{}", fmt::join(values, between));
  }
};

bool SameValue(const Option& a, const Option& b) {
  return std::visit(
      [&](auto* field) {
        auto* const* other = std::get_if<decltype(field)>(&b.field);
        return other != nullptr && **other == *field;
      },
      a.field);
}

}  // namespace

std::vector<std::string> CommandLine(const Table& table, const Table& defaults) {
  std::vector<std::string> positional;
  std::vector<std::string> flags;
  for (size_t i = 0; i < table.size(); ++i) {
    const Option& option = table[i];
    if (option.command_wide || SameValue(option, defaults[i])) continue;
    std::string flag = FlagOf(defaults[i]);
    flag.erase(0, flag.find(',') + 1);  // the long one of "-o,--output"
    const bool alone = std::holds_alternative<bool*>(option.field);
    for (std::string& word : std::visit(WordsOf(), option.field)) {
      if (!flag.starts_with('-')) {
        positional.push_back(std::move(word));
        continue;
      }
      flags.push_back(flag);
      if (!alone) flags.push_back(std::move(word));
    }
  }
  positional.insert(positional.end(), flags.begin(), flags.end());
  return positional;
}

}  // namespace anemone::options
