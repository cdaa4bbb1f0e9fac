// The command line's definition, behind one small interface: commands, their options and flags,
// with help. Only arguments.cc knows the library that parses (CLI11), which takes long to compile.
//
// Ownership: ArgumentParser owns everything; Command and Option are handles, cheap to copy, valid
// as long as it. Targets of options are the caller's and must outlive Parse(). Thread rules: one
// thread. Errors: the user's are printed by Parse(); the author's (a name used twice) throw.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
class Option;
}  // namespace CLI

namespace anemone::cli {

// An option that has been added, to say more of it.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& Required();
  // Help shows the target's value of now as the default.
  Option& ShowDefault();
  // One argument may hold several values, with this between.
  Option& Delimiter(char between);
  // Takes so many values, no more and no fewer.
  Option& Expect(int values);
  // Taken from this environment variable where the command line is silent.
  Option& Environment(const std::string& variable);
  // Not in the help.
  Option& Hide();

  // What a value must be; both ends belong to a range.
  Option& Range(int low, int high);
  Option& Range(double low, double high);
  Option& Positive();
  Option& NotNegative();
  Option& OneOf(std::initializer_list<const char*> values);
  // What a shell offers as values; nothing is checked.
  Option& Offer(std::vector<std::string> values);
  // A count of bytes: 12, 4K, 1.5G; units are of 1024.
  Option& ByteSize();

 private:
  CLI::Option* option_;
};

// What the help says of an option, for the shells' completions and the manual.
struct OptionHelp {
  std::vector<std::string> flags;  // "-o", "--output"; empty for a positional argument
  std::string positional;          // "MODEL"; empty for a flag
  std::string help;
  bool takes_value = false;
  bool required = false;
  std::vector<std::string> values;  // that can be given; empty when any can, or none
};

// ... and of a command, without what is hidden.
struct CommandHelp {
  std::vector<std::string> path;  // "cache", "ls"; empty for the whole line
  std::string help;
  std::string footer;
  std::vector<OptionHelp> options;
};

// The whole line, or a command of it.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // `names`: "-o,--output", or "MODEL" for a positional argument.
  Option AddOption(const std::string& names, std::string& target, const std::string& help = "");
  Option AddOption(const std::string& names, int& target, const std::string& help = "");
  Option AddOption(const std::string& names, int64_t& target, const std::string& help = "");
  Option AddOption(const std::string& names, uint64_t& target, const std::string& help = "");
  Option AddOption(const std::string& names, double& target, const std::string& help = "");
  Option AddOption(const std::string& names, std::optional<int64_t>& target,
                   const std::string& help = "");
  Option AddOption(const std::string& names, std::optional<double>& target,
                   const std::string& help = "");
  Option AddOption(const std::string& names, std::array<float, 3>& target,
                   const std::string& help = "");
  // Lists: the option may be given again, and takes several values at once.
  Option AddOption(const std::string& names, std::vector<std::string>& target,
                   const std::string& help = "");
  Option AddOption(const std::string& names, std::vector<double>& target,
                   const std::string& help = "");
  Option AddOption(const std::string& names, std::vector<float>& target,
                   const std::string& help = "");
  // A list whose values `take` takes one by one; what it says is wrong with one is printed.
  Option AddOption(const std::string& names, std::function<std::string(const std::string&)> take,
                   const std::string& help = "");
  // Sets the target; a name that begins with "!" clears it.
  Option AddFlag(const std::string& names, bool& target, const std::string& help);
  // Counts how often it is given.
  Option AddFlag(const std::string& names, int& target, const std::string& help);

  Command AddCommand(const std::string& name, const std::string& help = "");
  // One of the commands of this one must be named.
  Command& RequireCommand();
  // Below the help.
  Command& Footer(const std::string& text);
  // Not in the help.
  Command& Hide();
  // This command and all below it, in the order in which they were added.
  std::vector<CommandHelp> Describe() const;
  // Called when this command was chosen, after everything is parsed.
  Command& OnChosen(std::function<void()> body);

 private:
  CLI::App* app_;
};

class ArgumentParser {
 public:
  ArgumentParser(const std::string& name, const std::string& help);
  ~ArgumentParser();
  ArgumentParser(const ArgumentParser&) = delete;
  ArgumentParser& operator=(const ArgumentParser&) = delete;

  Command root();
  // --version prints it.
  void SetVersion(const std::string& text);
  // An option that names a file of settings, or its environment variable. A setting of the line
  // wins over the file's.
  void SetConfigFile(const std::string& option, const std::string& variable,
                     const std::string& help);

  // Parses, and runs what was chosen. False when the line was not good, or asked for help or the
  // version: that has been printed, and `exit_code` is the process's (0 or 2).
  bool Parse(const std::vector<std::string>& arguments, int& exit_code);
  // All settings in force, as a settings file has them.
  std::string Settings() const;

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace anemone::cli
