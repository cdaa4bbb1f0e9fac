// Prints what the weight-file reader sees: for each tensor its name, dtype, shape and the SHA-256
// of its bytes. list_weights_check.py compares that with PyTorch.
#include <fmt/format.h>

#include <cstdio>

#include "acquire/weight_file.h"
#include "base/sha256.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto file = anemone::acquire::WeightFile::Open(argv[1]);
  if (!file.ok()) {
    std::fprintf(stderr, "%s\n", file.error().ToString().c_str());
    return 3;
  }
  for (const anemone::acquire::NamedTensor& tensor : file->tensors()) {
    const std::string line =
        fmt::format("{}\t{}\t{}\t{}\n", tensor.name, anemone::DTypeName(tensor.dtype),
                    fmt::join(tensor.shape, ","),
                    anemone::ToHex(anemone::Sha256Of({tensor.data.data(), tensor.data.size()})));
    std::fputs(line.c_str(), stdout);
  }
  return 0;
}
