// Reads each model named on standard input ("SOURCE<tab>TARGET", one pair a line) and writes it to
// TARGET. Prints one line for each: "ok<tab>SOURCE" or "CODE<tab>SOURCE<tab>error". Used by
// rewrite_corpus.py.
#include <cstdio>
#include <iostream>
#include <string>

#include "format/package.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t tab = line.find('\t');
    const std::string source = line.substr(0, tab);
    const std::string target = tab == std::string::npos ? std::string() : line.substr(tab + 1);
    const auto model = anemone::format::ReadModel(source);
    anemone::Status status = model.status();
    if (status.ok() && !target.empty()) status = anemone::format::WritePackage(*model, target);
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
