#include "cli/option_flags.h"

#include "options/shapes.h"

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
    return command.AddFlag(*field && flag.starts_with("--no-") ? "!" + flag : flag, *field, help);
  }
  Option operator()(std::vector<double>* field) const {
    Option option = command.AddOption(flag, *field, help).Delimiter(',');
    if (!field->empty()) option.ShowDefault();
    return option;
  }
  template <typename Number>
  Option operator()(std::optional<Number>* field) const {
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

}  // namespace

void AddOptions(Command command, const options::Table& table) {
  for (const options::Option& option : table) {
    if (option.command_wide) continue;
    Option added = std::visit(Bind{command, FlagOf(option), HelpOf(option)}, option.field);
    if (option.required) added.Required();
    if (!option.choices.empty()) added.Offer({option.choices.begin(), option.choices.end()});
    if (option.comma_separated) added.Delimiter(',');
    if (option.holds == options::Holds::kByteCount) added.ByteSize();
    if (!option.environment.empty()) added.Environment(std::string(option.environment));
  }
}

std::string TakeShape(const std::string& text, options::Shapes& shapes) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos)
    return fmt::format("'{}' has no shape; write NAME:1x3x224x224", text);
  auto shape = options::ReadShape(text.substr(colon + 1));
  if (!shape) {
    return fmt::format(
        "'{}' is not a shape; write it as 1x3x224x224, with [1..512] for a range, [1|2|4] for a "
        "choice or ? for any size",
        text.substr(colon + 1));
  }
  shapes[text.substr(0, colon)] = std::move(*shape);
  return "";
}

}  // namespace anemone::cli
