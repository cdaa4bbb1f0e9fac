#include "acquire/safetensors_header.h"

#include <set>
#include <utility>

#include "base/json.h"
#include "base/json_events.h"

namespace anemone::acquire {
namespace {

// Receives the JSON piece by piece, so that a hostile header is refused at the first byte that
// breaks the shape, before it can grow a tree in memory, and so that duplicate names are seen (a
// tree would silently keep the last).
class HeaderHandler : public JsonEvents {
 public:
  Header TakeHeader() { return std::move(header_); }
  Error TakeError() {
    return InvalidInput("{}", problem_.empty() ? std::string("the header is not JSON") : problem_);
  }

  bool Null() override { return Unexpected("null"); }
  bool Boolean(bool) override { return Unexpected("a boolean"); }
  bool Negative(int64_t value) override {
    return Fail(fmt::format("{}: {} is negative", Where(), value));
  }
  bool Real(double, std::string_view text) override {
    return Fail(fmt::format("{}: {} is not a whole number of 64 bits", Where(), text));
  }

  bool Unsigned(uint64_t value) override {
    if (state_ == State::kShape) {
      if (entry_.shape.size() >= kMaxRank) {
        return Fail(fmt::format("{}: rank exceeds {}", Where(), kMaxRank));
      }
      entry_.shape.push_back(value);
      return true;
    }
    if (state_ == State::kOffsets) {
      if (offsets_ == 2)
        return Fail(fmt::format("{}: data_offsets must hold two numbers", Where()));
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return Unexpected("a number");
  }

  bool Text(std::string value) override {
    if (state_ == State::kMetadata) {
      header_.metadata[key_] = std::move(value);
      return true;
    }
    if (state_ == State::kTensor && key_ == "dtype") {
      entry_.dtype = std::move(value);
      return true;
    }
    return Unexpected("a string");
  }

  bool Key(std::string value) override {
    switch (state_) {
      case State::kTop:
        if (!names_.insert(value).second) {
          return Fail(fmt::format("tensor '{}' is listed twice", value));
        }
        entry_ = {};
        seen_.clear();
        entry_.name = std::move(value);
        return true;
      case State::kMetadata:
        if (header_.metadata.contains(value)) {
          return Fail(fmt::format("__metadata__ holds the key '{}' twice", value));
        }
        key_ = std::move(value);
        return true;
      case State::kTensor:
        if (value != "dtype" && value != "shape" && value != "data_offsets") {
          return Fail(fmt::format("{}: unknown field '{}'", Where(), value));
        }
        if (!seen_.insert(value).second) {
          return Fail(fmt::format("{}: field '{}' is given twice", Where(), value));
        }
        key_ = std::move(value);
        return true;
      default:
        return Unexpected("a key");
    }
  }

  bool BeginObject() override {
    if (state_ == State::kStart) {
      state_ = State::kTop;
      return true;
    }
    if (state_ == State::kTop) {
      state_ = entry_.name == "__metadata__" ? State::kMetadata : State::kTensor;
      return true;
    }
    return Unexpected("an object");
  }

  bool EndObject() override {
    if (state_ == State::kTensor) {
      if (seen_.size() != 3) {
        return Fail(fmt::format("{}: dtype, shape and data_offsets are required", Where()));
      }
      header_.entries.push_back(std::move(entry_));
      entry_ = {};
    }
    state_ = state_ == State::kTop ? State::kDone : State::kTop;
    return true;
  }

  bool BeginArray() override {
    if (state_ != State::kTensor || key_ == "dtype") return Unexpected("an array");
    state_ = key_ == "shape" ? State::kShape : State::kOffsets;
    offsets_ = 0;
    return true;
  }

  bool EndArray() override {
    if (state_ == State::kOffsets && offsets_ != 2) {
      return Fail(fmt::format("{}: data_offsets must hold two numbers", Where()));
    }
    state_ = State::kTensor;
    return true;
  }

  void NotJson(size_t position, std::string_view) override {
    Fail(fmt::format("the header is not valid JSON at its byte {}", position));
  }

 private:
  enum class State { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kDone };
  static constexpr size_t kMaxRank = 64;

  std::string Where() const {
    if (entry_.name.empty()) return "header";
    return entry_.name == "__metadata__" ? "__metadata__" : fmt::format("tensor '{}'", entry_.name);
  }
  bool Unexpected(std::string_view what) {
    return Fail(fmt::format("{}: {} is not allowed here", Where(), what));
  }
  bool Fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  Header header_;
  HeaderEntry entry_;
  std::set<std::string> names_;
  std::set<std::string> seen_;
  std::string key_;
  std::string problem_;
  int offsets_ = 0;
  State state_ = State::kStart;
};

}  // namespace

Result<Header> ParseHeader(std::string_view json) {
  HeaderHandler handler;
  if (!ReadJsonEvents(json, handler)) return handler.TakeError();
  return handler.TakeHeader();
}

Result<std::string> PrintHeader(const Header& header) {
  std::string out = "{";
  if (!header.metadata.empty()) {
    out += "\"__metadata__\":{";
    for (const auto& [key, value] : header.metadata) {
      if (!IsUtf8(key) || !IsUtf8(value)) return InvalidInput("metadata '{}' is not UTF-8", key);
      if (out.back() != '{') out += ',';
      out += JsonText(key) + ':' + JsonText(value);
    }
    out += '}';
  }
  for (const HeaderEntry& entry : header.entries) {
    if (!IsUtf8(entry.name))
      return InvalidInput("the name of tensor '{}' is not UTF-8", entry.name);
    if (out.size() > 1) out += ',';
    out += JsonText(entry.name);
    out += fmt::format(":{{\"dtype\":\"{}\",\"shape\":[", entry.dtype);
    for (size_t i = 0; i < entry.shape.size(); ++i) {
      out += fmt::format("{}{}", i == 0 ? "" : ",", entry.shape[i]);
    }
    out += fmt::format("],\"data_offsets\":[{},{}]}}", entry.begin, entry.end);
  }
  return out + "}";
}

Result<std::map<std::string, std::string>> ParseIndex(std::string_view json) {
  std::vector<std::string> repeated;
  const Json root = ParseJsonOrNull(json, {.repeated = &repeated});
  if (!root.is_object()) return InvalidInput("the index is not a JSON object");
  const Json& names = root["weight_map"];
  if (!names.is_object()) return InvalidInput("the index has no object named weight_map");
  constexpr std::string_view kInside = "weight_map.";
  for (const std::string& path : repeated) {
    if (path.starts_with(kInside))
      return InvalidInput("tensor '{}' is listed twice", path.substr(kInside.size()));
  }
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : names.items()) {
    if (!file.is_text()) return InvalidInput("tensor '{}': its file name is not a string", name);
    const std::string& text = file.text();
    if (text.empty() || text == "." || text == ".." ||
        text.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      return InvalidInput("tensor '{}': '{}' is not a plain file name", name, text)
          .Advise("shards must be beside the index");
    }
    map[name] = text;
  }
  return map;
}

}  // namespace anemone::acquire
