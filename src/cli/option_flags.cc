#include "cli/option_flags.h"

#include <algorithm>
#include <charconv>

namespace anemone::cli {
namespace {

std::string HelpOf(const options::Option& option) {
  std::string help(option.help);
  if (!option.choices.empty()) {
    help += ": " + options::OneOf(option.choices);
  } else if (option.low || option.above || option.high) {
    help += ": " + options::RuleOf(option);
  }
  return help;
}

// Adds the flag for a field of each type; defaults that say something are shown.
struct Bind {
  Command& command;
  const std::string& flag;
  const std::string& help;

  template <typename T>
  Option operator()(T* field) const {
    Option option = command.AddOption(flag, *field, help);
    if (*field != T()) option.ShowDefault();
    return option;
  }
  Option operator()(bool* field) const {
    // "!" makes the parser clear the field.
    return command.AddFlag(flag.starts_with("--no-") ? "!" + flag : flag, *field, help);
  }
  Option operator()(std::optional<double>* field) const {
    return command.AddOption(flag, *field, help);
  }
  Option operator()(std::array<float, 3>* field) const {
    return command.AddOption(flag, *field, help).Delimiter(',').ShowDefault();
  }
  Option operator()(options::Shapes* field) const {
    return command.AddOption(
        flag, [field](const std::string& text) { return TakeShape(text, *field); }, help);
  }
};

bool Contains(std::initializer_list<std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

void AddOptions(Command command, const options::Table& table, const Renames& renames) {
  for (const options::Option& option : table) {
    if (option.command_wide) continue;
    const auto renamed = renames.find(option.name);
    const std::string flag = renamed != renames.end() ? renamed->second : FlagOf(option);
    Option added = std::visit(Bind{command, flag, HelpOf(option)}, option.field);
    if (option.required) added.Required();
    if (!option.environment.empty()) added.Environment(std::string(option.environment));
  }
}

options::Table Pick(const options::Table& table, std::initializer_list<std::string_view> names) {
  options::Table picked;
  for (const options::Option& option : table) {
    if (Contains(names, option.name)) picked.push_back(option);
  }
  return picked;
}

options::Table Without(const options::Table& table, std::initializer_list<std::string_view> names) {
  options::Table rest;
  for (const options::Option& option : table) {
    if (!Contains(names, option.name)) rest.push_back(option);
  }
  return rest;
}

std::string TakeShape(const std::string& text, options::Shapes& shapes) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos)
    return fmt::format("'{}' has no shape; write NAME:1x3x224x224", text);
  std::vector<int64_t>& shape = shapes[text.substr(0, colon)];
  shape.clear();
  const char* at = text.data() + colon + 1;
  const char* const end = text.data() + text.size();
  for (;;) {
    int64_t size = 0;
    const auto [rest, error] = std::from_chars(at, end, size);
    const bool separated = rest == end || *rest == 'x' || *rest == ',';
    if (error != std::errc() || size <= 0 || !separated)
      return fmt::format("'{}' is not a shape; write it as 1x3x224x224", text.substr(colon + 1));
    shape.push_back(size);
    if (rest == end) return "";
    at = rest + 1;
  }
}

}  // namespace anemone::cli
