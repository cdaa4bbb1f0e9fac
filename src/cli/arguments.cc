#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

namespace anemone::cli {

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

Option& Option::OneOf(std::initializer_list<const char*> values) {
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
    exit_code = app_->exit(error) == 0 ? 0 : 2;
    return false;
  }
  return true;
}

std::string ArgumentParser::Settings() const { return app_->config_to_str(true, false); }

}  // namespace anemone::cli
