// The cases of the operators' text tests (src/ops/*/*.mil; README.md here has the syntax).
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test_paths.h"

namespace anemone::test {

struct Directive {
  std::string key;
  std::string text;
};

struct MilCase {
  std::string file;
  std::string name;
  std::vector<Directive> directives;
  std::string program;
};

inline std::vector<MilCase> ReadCases(const std::filesystem::path& path) {
  static constexpr std::string_view kKeys[] = {"case", "input", "expect",
                                               "type", "error", "tolerance"};
  std::vector<MilCase> cases;
  std::ifstream in(path);
  MilCase current;
  const auto flush = [&] {
    if (!current.program.empty() || !current.directives.empty()) {
      current.file = path.parent_path().filename().string() + "/" + path.filename().string();
      for (const Directive& directive : current.directives) {
        if (directive.key == "case") current.name = directive.text;
      }
      if (!current.name.empty() || !current.program.empty()) cases.push_back(current);
    }
    current = MilCase();
  };
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("// -----")) {
      flush();
      continue;
    }
    if (!line.starts_with("//")) {
      if (!line.empty()) current.program += line + "\n";
      continue;
    }
    const std::string comment = line.size() > 3 ? line.substr(3) : "";
    bool found = false;
    for (const std::string_view key : kKeys) {
      if (comment.starts_with(std::string(key) + ":")) {
        size_t begin = comment.find_first_not_of(' ', key.size() + 1);
        current.directives.push_back(
            {std::string(key), begin == std::string::npos ? "" : comment.substr(begin)});
        found = true;
      }
    }
    if (!found && !current.directives.empty() && current.program.empty()) {
      current.directives.back().text += " " + comment;
    }
  }
  flush();
  return cases;
}

inline std::vector<MilCase> AllCases() {
  std::vector<MilCase> cases;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(anemone::test::kSourceDir) / "src" / "ops")) {
    if (entry.path().extension() == ".mil") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    for (MilCase& item : ReadCases(file)) cases.push_back(std::move(item));
  }
  return cases;
}

// "NAME = REST" -> NAME, REST.
inline std::pair<std::string, std::string> SplitBinding(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {};
  std::string name = text.substr(0, equals);
  name.erase(name.find_last_not_of(' ') + 1);
  return {name, text.substr(equals + 1)};
}

}  // namespace anemone::test
