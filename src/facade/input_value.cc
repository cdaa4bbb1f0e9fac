#include "facade/input_value.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "base/npy.h"
#include "base/parse_double.h"

namespace anemone::facade {
namespace {

std::string_view Trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<int64_t> Whole(std::string_view text) {
  if (text == "true" || text == "True") return 1;
  if (text == "false" || text == "False") return 0;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Numbers between commas: int64 when all are whole, else double.
std::optional<onnx::Constant> Numbers(std::string_view text, bool list) {
  std::vector<int64_t> whole;
  std::vector<double> reals;
  while (true) {
    const auto comma = list ? text.find(',') : std::string_view::npos;
    const std::string_view one = Trimmed(text.substr(0, comma));
    const auto integer = Whole(one);
    const auto real = integer ? std::optional(static_cast<double>(*integer)) : ParseDouble(one);
    if (!real) return std::nullopt;
    reals.push_back(*real);
    if (integer) whole.push_back(*integer);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  const ir::Shape shape = list ? ir::Shape{static_cast<int64_t>(reals.size())} : ir::Shape{};
  if (whole.size() == reals.size()) return onnx::Constant::Int64s(std::move(whole), shape);
  return onnx::Constant::FromDoubles(DType::kFp64, reals, shape);
}

}  // namespace

Result<std::pair<std::string, onnx::Constant>> ReadInputValue(const std::string& text) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const std::string_view value = equals == std::string::npos
                                     ? std::string_view()
                                     : Trimmed(std::string_view(text).substr(equals + 1));
  const auto wrong = [&]() -> Error {
    return Usage("'{}' is not NAME=VALUE", text)
        .At("input_value")
        .Advise("give a number, a list such as [1,2,3], or a FILE.npy: sr=16000");
  };
  if (name.empty() || value.empty()) return wrong();
  if (value.ends_with(".npy")) {
    ANEMONE_ASSIGN(NpyArray array, ReadNpy(std::string(value)));
    return std::pair(name, onnx::Constant{array.dtype, array.shape, array.data});
  }
  const bool list = value.front() == '[' && value.back() == ']';
  auto numbers = Numbers(list ? value.substr(1, value.size() - 2) : value, list);
  if (!numbers) return wrong();
  return std::pair(name, std::move(*numbers));
}

}  // namespace anemone::facade
