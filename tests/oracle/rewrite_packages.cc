// Reads each model named on standard input ("SOURCE<tab>TARGET", one pair a line) and writes it to
// TARGET, if given. With
// --check, verifies the program too, and that its text form parses back to the same program. Prints
// one line for each: "ok<tab>SOURCE" or "CODE<tab>SOURCE<tab>error". Used by rewrite_corpus.py.
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "format/package.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace {

using anemone::Status;

Status CheckText(const anemone::ir::Program& program) {
  const std::string text = anemone::ir::PrintText(program);
  ANEMONE_ASSIGN(const anemone::ir::Program parsed, anemone::ir::ParseText(text).At("text form"));
  if (anemone::ir::PrintText(parsed) != text) {
    return anemone::Internal("the text form changes when it is parsed and printed");
  }
  return {};
}

Status Handle(const std::string& source, const std::string& target, bool check) {
  ANEMONE_ASSIGN(const anemone::ir::Model model, anemone::format::ReadModel(source));
  if (check) {
    ANEMONE_TRY(anemone::ir::Verify(model.program));
    ANEMONE_TRY(CheckText(model.program));
  }
  if (target.empty()) return {};
  return anemone::format::WritePackage(model, target,
                                       {.durability = anemone::Durability::kProcess});
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc > 1 && std::string_view(argv[1]) == "--check";
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t tab = line.find('\t');
    const std::string source = line.substr(0, tab);
    const Status status =
        Handle(source, tab == std::string::npos ? std::string() : line.substr(tab + 1), check);
    if (status.ok()) {
      std::printf("ok\t%s\n", source.c_str());
    } else {
      std::printf("%s\t%s\t%s\n",
                  std::string(anemone::ErrorCodeName(status.error().code())).c_str(),
                  source.c_str(), status.ToString().c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}
