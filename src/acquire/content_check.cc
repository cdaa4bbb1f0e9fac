#include "acquire/content_check.h"

#include "acquire/safetensors.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace anemone::acquire {
namespace {

constexpr size_t kHead = 512;

std::string ReadHead(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) return {};
  std::string head(kHead, '\0');
  head.resize(std::fread(head.data(), 1, head.size(), file.get()));
  return head;
}

bool IsSafeTensors(std::string_view head, uint64_t size) {
  if (head.size() < 9 || head[8] != '{') return false;
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<unsigned char>(head[i])} << (8 * i);
  return length <= kMaxSafetensorsHeaderBytes && length <= size - 8;
}

bool IsZip(std::string_view head) { return head.starts_with("PK\x03\x04"); }
// A pickle of protocol 2 or later begins like this; the legacy form of PyTorch's files is one.
bool IsPickle(std::string_view head) {
  return head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
}
bool IsJson(std::string_view head) {
  const size_t at = head.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && head[at] == '{';
}
// An ONNX file is a protocol buffer: small field numbers, ir_version (field 1, varint) first in
// practice.
bool IsOnnx(std::string_view head) {
  if (head.empty()) return false;
  const auto tag = static_cast<unsigned char>(head[0]);
  return tag >> 3 >= 1 && tag >> 3 <= 25 && ((tag & 7) == 0 || (tag & 7) == 2);
}

}  // namespace

Status CheckContent(const std::string& path, std::string_view file_name) {
  const std::string head = ReadHead(path);
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error || size == 0) return InvalidInput("the file is empty");
  if (head.starts_with("version https://git-lfs")) {
    return InvalidInput("this is a Git LFS pointer, not the file it stands for")
        .Advise(
            "use the address of the content: on GitHub media.githubusercontent.com, on Hugging "
            "Face .../resolve/...");
  }
  const auto named = [&](std::string_view extension) { return file_name.ends_with(extension); };
  const auto wrong = [&](std::string_view kind) {
    return InvalidInput("the name '{}' promises {}, but the content is something else", file_name,
                        kind)
        .Advise("check the address");
  };
  if (named(".safetensors") && !IsSafeTensors(head, size)) return wrong("a safetensors file");
  if (named(".npz") && !IsZip(head)) return wrong("an .npz archive");
  if ((named(".pth") || named(".pt") || named(".bin")) && !IsZip(head) && !IsPickle(head)) {
    // OpenVINO and others use .bin too: only PyTorch's files are read here.
    return wrong("a PyTorch file");
  }
  if (named(".json") && !IsJson(head)) return wrong("JSON");
  if (named(".onnx") && (!IsOnnx(head) || IsJson(head))) return wrong("an ONNX file");
  return {};
}

}  // namespace anemone::acquire
