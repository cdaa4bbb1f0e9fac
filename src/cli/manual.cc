// anemone manual: the page of the manual, in roff, printed from the definition of the command line.
#include <algorithm>
#include <iostream>

#include "cli/command.h"

namespace anemone::cli {
namespace {

// Text in which nothing is a command of roff.
std::string Escaped(const std::string& text) {
  std::string escaped;
  bool starts_line = true;
  for (const char c : text) {
    if (starts_line && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
    starts_line = c == '\n';
  }
  return escaped;
}

std::string NameOf(const CommandHelp& command) {
  std::string name = "anemone";
  for (const std::string& word : command.path) name += " " + word;
  return name;
}

void PrintOption(const OptionHelp& option) {
  std::cout << ".TP\n";
  if (option.flags.empty()) {
    std::cout << "\\fI" << Escaped(option.positional) << "\\fR\n";
  } else {
    for (size_t i = 0; i < option.flags.size(); ++i) {
      std::cout << (i == 0 ? "" : ", ") << "\\fB" << Escaped(option.flags[i]) << "\\fR";
    }
    std::cout << (option.takes_value ? " \\fIVALUE\\fR\n" : "\n");
  }
  std::cout << Escaped(option.help.empty() ? "see the guide" : option.help)
            << (option.required ? " (required)" : "") << ".\n";
}

void PrintManual(const std::vector<CommandHelp>& commands) {
  std::cout << ".\\\" Printed by `anemone manual`.\n.TH ANEMONE 1 \"\" \"anemone "
            << ANEMONE_VERSION << "\" \"User commands\"\n.SH NAME\nanemone \\- "
            << Escaped("acquire, convert, compress, run and check Core ML models") << "\n"
            << ".SH SYNOPSIS\n.B anemone\n.I COMMAND\n[\\fIOPTION\\fR ...] [\\fIMODEL\\fR ...]\n"
            << ".SH DESCRIPTION\n"
            << Escaped(commands[0].help) << "\n.PP\n"
            << Escaped(commands[0].footer) << "\n.SH GLOBAL OPTIONS\n";
  for (const OptionHelp& option : commands[0].options) PrintOption(option);
  std::cout << ".SH COMMANDS\n";
  for (const CommandHelp& command : commands) {
    if (command.path.empty()) continue;
    std::cout << ".SS " << Escaped(NameOf(command)) << "\n" << Escaped(command.help) << ".\n";
    for (const OptionHelp& option : command.options) {
      const bool help = std::ranges::find(option.flags, "--help") != option.flags.end();
      if (!help) PrintOption(option);
    }
    if (!command.footer.empty()) std::cout << ".PP\n" << Escaped(command.footer) << "\n";
  }
}

}  // namespace

void AddManual(Command app, Context& context) {
  Command command = app.AddCommand("manual", "print the page of the manual (roff)").Hide();
  OnRun(command, context, [app] {
    PrintManual(app.Describe());
    return Status();
  });
}

}  // namespace anemone::cli
