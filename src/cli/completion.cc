// anemone completion: what bash, zsh and fish complete, printed from the definition of the command line.
#include <algorithm>
#include <iostream>

#include "cli/command.h"

namespace anemone::cli {
namespace {

std::string Join(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(between)) + word;
  return text;
}

// The names of the commands directly below the one at `path`.
std::vector<std::string> Below(const std::vector<CommandHelp>& commands,
                               const std::vector<std::string>& path) {
  std::vector<std::string> names;
  for (const CommandHelp& command : commands) {
    if (command.path.size() == path.size() + 1 &&
        std::equal(path.begin(), path.end(), command.path.begin())) {
      names.push_back(command.path.back());
    }
  }
  return names;
}

// Those of the command and those that every command takes.
std::vector<OptionHelp> FlagsOf(const std::vector<CommandHelp>& commands,
                                const CommandHelp& command) {
  std::vector<OptionHelp> flags = command.options;
  if (!command.path.empty()) {
    flags.insert(flags.end(), commands[0].options.begin(), commands[0].options.end());
  }
  std::erase_if(flags, [](const OptionHelp& option) { return option.flags.empty(); });
  return flags;
}

std::string FlagNames(const std::vector<OptionHelp>& flags) {
  std::vector<std::string> names;
  for (const OptionHelp& option : flags) {
    names.insert(names.end(), option.flags.begin(), option.flags.end());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return Join(names, " ");
}

// Word lists that depend on the command and on the word before, as cases of a shell.
std::string Cases(const std::vector<CommandHelp>& commands) {
  std::string text;
  for (const CommandHelp& command : commands) {
    for (const OptionHelp& option : FlagsOf(commands, command)) {
      if (option.values.empty()) continue;
      for (const std::string& flag : option.flags) {
        text += "    '" + Join(command.path, " ") + "," + flag + "') values='" +
                Join(option.values, " ") + "' ;;\n";
      }
    }
  }
  return text;
}

// Bash, and zsh by its emulation of bash's `complete`.
std::string ForBash(const std::vector<CommandHelp>& commands) {
  std::string text =
      "# Completion of the anemone command. Printed by `anemone completion bash`.\n"
      "_anemone() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
      "  local path='' next='' values='' flags='' i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    next=\"${path:+$path }${COMP_WORDS[i]}\"\n"
      "    case $next in\n";
  std::vector<std::string> paths;
  for (const CommandHelp& command : commands) {
    if (!command.path.empty()) paths.push_back("'" + Join(command.path, " ") + "'");
  }
  text += "      " + Join(paths, " | ") + ") path=$next ;;\n    esac\n  done\n";
  text += "  case \"$path,$previous\" in\n" + Cases(commands) + "  esac\n";
  text +=
      "  if [[ -n $values ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n"
      "    return\n"
      "  fi\n"
      "  case $path in\n";
  for (const CommandHelp& command : commands) {
    text += "    '" + Join(command.path, " ") + "') values='" +
            Join(Below(commands, command.path), " ") + "' flags='" +
            FlagNames(FlagsOf(commands, command)) + "' ;;\n";
  }
  text +=
      "  esac\n"
      "  if [[ $current == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n"
      "  elif [[ -n $values ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _anemone anemone\n";
  return text;
}

std::string ForZsh(const std::vector<CommandHelp>& commands) {
  return "#compdef anemone\nautoload -U +X bashcompinit && bashcompinit\n" + ForBash(commands);
}

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("\\'") : std::string(1, c);
  return quoted + "'";
}

std::string ForFish(const std::vector<CommandHelp>& commands) {
  std::string text =
      "# Completion of the anemone command. Printed by `anemone completion fish`.\n"
      "complete -c anemone -e\n";
  for (const CommandHelp& command : commands) {
    std::string condition;
    if (command.path.size() == 1) {
      condition = "__fish_seen_subcommand_from " + command.path[0];
      text += "complete -c anemone -n __fish_use_subcommand -f -a " + command.path[0] + " -d " +
              Quoted(command.help) + "\n";
    } else if (command.path.size() == 2) {
      condition = "__fish_seen_subcommand_from " + command.path[0] +
                  "; and __fish_seen_subcommand_from " + command.path[1];
      text += "complete -c anemone -n " + Quoted("__fish_seen_subcommand_from " + command.path[0]) +
              " -f -a " + command.path[1] + " -d " + Quoted(command.help) + "\n";
    }
    for (const OptionHelp& option : command.options) {
      if (option.flags.empty()) continue;
      text += "complete -c anemone";
      if (!condition.empty()) text += " -n " + Quoted(condition);
      for (const std::string& flag : option.flags) {
        text += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      }
      if (!option.values.empty()) {
        text += " -x -a " + Quoted(Join(option.values, " "));
      } else if (option.takes_value) {
        text += " -r";
      }
      text += " -d " + Quoted(option.help) + "\n";
    }
  }
  return text;
}

}  // namespace

void AddCompletion(Command app, Context& context) {
  Command command = app.AddCommand(
      "completion", "print what a shell needs to complete the command line: bash, zsh or fish");
  auto shell = std::make_shared<std::string>();
  command.AddOption("SHELL", *shell, "bash, zsh or fish").Required().OneOf({"bash", "zsh", "fish"});
  command.Footer("Example: source <(anemone completion bash)");
  OnRun(command, context, [app, shell] {
    const std::vector<CommandHelp> commands = app.Describe();
    std::cout << (*shell == "bash"  ? ForBash(commands)
                  : *shell == "zsh" ? ForZsh(commands)
                                    : ForFish(commands));
    return Status();
  });
}

}  // namespace anemone::cli
