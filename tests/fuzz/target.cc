// The functions that libFuzzer calls.
#include "fuzz/target.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  constexpr std::string_view kFlag = "--seeds=";
  if (*count != 2 || !std::string_view((*arguments)[1]).starts_with(kFlag)) return 0;
  const std::filesystem::path folder((*arguments)[1] + kFlag.size());
  std::filesystem::create_directories(folder);
  const auto seeds = anemone::fuzz::Seeds();
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream(folder / ("seed" + std::to_string(i)), std::ios::binary) << seeds[i];
  }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  anemone::fuzz::Try(std::as_bytes(std::span(data, size)));
  return 0;
}
