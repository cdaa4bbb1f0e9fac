#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <utility>

#include "base/nearest_names.h"

namespace anemone::cli {
namespace {

// CLI11's options have no place for it.
std::map<const CLI::Option*, std::vector<std::string>>& OfferedValues() {
  static std::map<const CLI::Option*, std::vector<std::string>> values;
  return values;
}

OptionHelp Describe(const CLI::Option& option) {
  OptionHelp help;
  for (const std::string& name : option.get_snames()) help.flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) help.flags.push_back("--" + name);
  if (help.flags.empty()) help.positional = option.get_name(true);
  help.help = option.get_description();
  help.takes_value = help.positional.empty() && option.get_items_expected_max() > 0;
  help.required = option.get_required();
  const auto found = OfferedValues().find(&option);
  if (found != OfferedValues().end()) help.values = found->second;
  return help;
}

void DescribeAll(const CLI::App& app, const std::vector<std::string>& path,
                 std::vector<CommandHelp>* commands) {
  CommandHelp command{path, app.get_description(), app.get_footer(), {}};
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) command.options.push_back(Describe(*option));
  }
  commands->push_back(std::move(command));
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (below->get_group().empty()) continue;
    std::vector<std::string> deeper = path;
    deeper.push_back(below->get_name());
    DescribeAll(*below, deeper, commands);
  }
}

// Whether `word` is one of the first three words of `text`, letter case aside: "port" of
// "HOST:PORT to listen at". Further on, help speaks of other things too.
bool BeginsWithWord(std::string_view text, std::string_view word) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  auto at = std::ranges::find_if(text, is_letter);
  for (int i = 0; i < 3 && at != text.end(); ++i) {
    const auto end = std::find_if_not(at, text.end(), is_letter);
    if (std::equal(at, end, word.begin(), word.end(), same)) return true;
    at = std::find_if(end, text.end(), is_letter);
  }
  return false;
}

// The options of a command whose help begins with what an unknown flag is called: "--port" of
// "--address", which takes "HOST:PORT". Empty when there is none, or more than two.
std::string SuggestionByHelp(const CommandHelp& command, std::string_view flag) {
  const std::string_view word = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
  if (word.size() < 3) return "";
  std::vector<const OptionHelp*> found;
  for (const OptionHelp& option : command.options) {
    if (!option.flags.empty() && BeginsWithWord(option.help, word)) found.push_back(&option);
  }
  if (found.empty() || found.size() > 2) return "";
  std::string text;
  for (const OptionHelp* option : found) {
    text +=
        fmt::format("{}{} ({})", text.empty() ? "" : ", or ", option->flags.back(), option->help);
  }
  return fmt::format("'{}' is not an option; see {}", flag, text);
}

// What the user may have meant by a word that no command and no flag has; empty when nothing is near.
std::string SuggestionFor(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<CommandHelp> commands;
  DescribeAll(app, {}, &commands);
  const CommandHelp* command = &commands[0];
  bool value = false;  // of the flag before
  for (const std::string& argument : arguments) {
    if (std::exchange(value, false)) continue;
    std::vector<std::string_view> known;
    if (argument.starts_with("-")) {
      const std::string flag = argument.substr(0, argument.find('='));
      for (const CommandHelp* place : {command, std::as_const(commands).data()}) {
        for (const OptionHelp& option : place->options) {
          known.insert(known.end(), option.flags.begin(), option.flags.end());
          value |=
              option.takes_value && std::ranges::find(option.flags, argument) != option.flags.end();
        }
      }
      std::ranges::sort(known);
      known.erase(std::unique(known.begin(), known.end()), known.end());
      if (std::ranges::binary_search(known, flag)) continue;
      if (NearestNames(flag, known).empty()) {
        std::string suggestion = SuggestionByHelp(*command, flag);
        if (!suggestion.empty()) return suggestion;
        continue;
      }
      return fmt::format("'{}' is not an option; {}", flag, SuggestNames(flag, known, "options"));
    }
    std::vector<std::string> path = command->path;
    path.push_back(argument);
    const auto found = std::ranges::find(commands, path, &CommandHelp::path);
    if (found != commands.end()) {
      command = &*found;
      continue;
    }
    for (const CommandHelp& other : commands) {
      if (other.path.size() == path.size() &&
          std::equal(path.begin(), path.end() - 1, other.path.begin())) {
        known.push_back(other.path.back());
      }
    }
    // A command without commands below it takes arguments.
    if (known.empty()) continue;
    return fmt::format("'{}' is not a command; {}", argument,
                       SuggestNames(argument, known, "commands"));
  }
  return "";
}

}  // namespace

Option& Option::Required() {
  option_->required();
  return *this;
}

Option& Option::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Option& Option::Delimiter(char between) {
  option_->delimiter(between);
  return *this;
}

Option& Option::Expect(int values) {
  option_->expected(values);
  return *this;
}

Option& Option::Environment(const std::string& variable) {
  option_->envname(variable);
  return *this;
}

Option& Option::Hide() {
  option_->group("");
  return *this;
}

Option& Option::Range(int low, int high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option& Option::Range(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option& Option::Positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Option& Option::NotNegative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Option& Option::Offer(std::vector<std::string> values) {
  OfferedValues()[option_] = std::move(values);
  return *this;
}

Option& Option::OneOf(std::initializer_list<const char*> values) {
  Offer({values.begin(), values.end()});
  option_->check(CLI::IsMember(std::vector<std::string>(values.begin(), values.end())));
  return *this;
}

Option& Option::ByteSize() {
  option_->transform(CLI::AsSizeValue(false));
  return *this;
}

Option Command::AddOption(const std::string& names, std::string& target, const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, int& target, const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, int64_t& target, const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, uint64_t& target, const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, double& target, const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, std::vector<std::string>& target,
                          const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, std::vector<double>& target,
                          const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, std::vector<float>& target,
                          const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, std::optional<int64_t>& target,
                          const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, std::optional<double>& target,
                          const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names, std::array<float, 3>& target,
                          const std::string& help) {
  return Option(app_->add_option(names, target, help));
}

Option Command::AddOption(const std::string& names,
                          std::function<std::string(const std::string&)> take,
                          const std::string& help) {
  const auto all = [take = std::move(take), names](const CLI::results_t& texts) {
    for (const std::string& text : texts) {
      const std::string problem = take(text);
      if (!problem.empty()) throw CLI::ValidationError(names, problem);
    }
    return true;
  };
  return Option(
      app_->add_option(names, all, help)->expected(CLI::detail::expected_max_vector_size));
}

Option Command::AddFlag(const std::string& names, bool& target, const std::string& help) {
  return Option(app_->add_flag(names, target, help));
}

Option Command::AddFlag(const std::string& names, int& target, const std::string& help) {
  return Option(app_->add_flag(names, target, help));
}

Command Command::AddCommand(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help));
}

Command& Command::RequireCommand() {
  app_->require_subcommand(1);
  return *this;
}

Command& Command::Footer(const std::string& text) {
  app_->footer(text);
  return *this;
}

Command& Command::Hide() {
  app_->group("");
  return *this;
}

std::vector<CommandHelp> Command::Describe() const {
  std::vector<CommandHelp> commands;
  DescribeAll(*app_, {}, &commands);
  return commands;
}

Command& Command::OnChosen(std::function<void()> body) {
  app_->callback(std::move(body));
  return *this;
}

ArgumentParser::ArgumentParser(const std::string& name, const std::string& help)
    : app_(std::make_unique<CLI::App>(help, name)) {
  app_->fallthrough();  // global flags may follow the command
}

ArgumentParser::~ArgumentParser() = default;

Command ArgumentParser::root() { return Command(app_.get()); }

void ArgumentParser::SetVersion(const std::string& text) {
  app_->set_version_flag("--version", text);
}

void ArgumentParser::SetConfigFile(const std::string& option, const std::string& variable,
                                   const std::string& help) {
  app_->set_config(option, "", help)->envname(variable);
  // What no command knows is a mistake in the file, not something to be passed over.
  app_->allow_config_extras(CLI::config_extras_mode::error);
}

bool ArgumentParser::Parse(const std::vector<std::string>& arguments, int& exit_code) {
  std::vector<std::string> last_first(arguments.rbegin(), arguments.rend());  // as CLI11 takes it
  try {
    app_->parse(std::move(last_first));
  } catch (const CLI::ParseError& error) {
    const std::string suggestion =
        error.get_exit_code() == 0 ? "" : SuggestionFor(*app_, arguments);
    if (suggestion.empty()) {
      exit_code = app_->exit(error) == 0 ? 0 : 2;
    } else {
      std::cerr << "anemone: error: " << suggestion << "\n  -> --help lists them\n";
      exit_code = 2;
    }
    return false;
  }
  return true;
}

std::string ArgumentParser::Settings() const { return app_->config_to_str(true, false); }

}  // namespace anemone::cli
