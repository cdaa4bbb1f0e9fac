#include "acquire/safetensors_header.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace anemone::acquire {
namespace {

using Json = nlohmann::json;

// Receives the JSON piece by piece, so that a hostile header is refused at the first byte that
// breaks the shape, before it can grow a tree in memory, and so that duplicate names are seen (a
// tree would silently keep the last).
class HeaderHandler : public nlohmann::json_sax<Json> {
 public:
  Header TakeHeader() { return std::move(header_); }
  Error TakeError() {
    return InvalidInput("{}", problem_.empty() ? std::string("the header is not JSON") : problem_);
  }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override {
    return Fail(fmt::format("{}: {} is negative", Where(), value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return Fail(fmt::format("{}: {} is not a whole number of 64 bits", Where(), text));
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
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

  bool string(string_t& value) override {
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

  bool key(string_t& value) override {
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

  bool start_object(std::size_t) override {
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

  bool end_object() override {
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

  bool start_array(std::size_t) override {
    if (state_ != State::kTensor || key_ == "dtype") return Unexpected("an array");
    state_ = key_ == "shape" ? State::kShape : State::kOffsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_ != 2) {
      return Fail(fmt::format("{}: data_offsets must hold two numbers", Where()));
    }
    state_ = State::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return Fail(fmt::format("the header is not valid JSON at its byte {}", position));
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

void AppendQuoted(std::string* out, const std::string& text) { *out += Json(text).dump(); }

bool IsUtf8(const std::string& text) {
  // nlohmann refuses ill-formed UTF-8 only by throwing; the outputs with bad bytes dropped and with
  // bad bytes replaced differ exactly when there are any.
  const Json json(text);
  return json.dump(-1, ' ', false, Json::error_handler_t::ignore) ==
         json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<Header> ParseHeader(std::string_view json) {
  HeaderHandler handler;
  if (!Json::sax_parse(json.begin(), json.end(), &handler)) return handler.TakeError();
  return handler.TakeHeader();
}

Result<std::string> PrintHeader(const Header& header) {
  std::string out = "{";
  if (!header.metadata.empty()) {
    out += "\"__metadata__\":{";
    for (const auto& [key, value] : header.metadata) {
      if (!IsUtf8(key) || !IsUtf8(value)) return InvalidInput("metadata '{}' is not UTF-8", key);
      if (out.back() != '{') out += ',';
      AppendQuoted(&out, key);
      out += ':';
      AppendQuoted(&out, value);
    }
    out += '}';
  }
  for (const HeaderEntry& entry : header.entries) {
    if (!IsUtf8(entry.name))
      return InvalidInput("the name of tensor '{}' is not UTF-8", entry.name);
    if (out.size() > 1) out += ',';
    AppendQuoted(&out, entry.name);
    out += fmt::format(":{{\"dtype\":\"{}\",\"shape\":[", entry.dtype);
    for (size_t i = 0; i < entry.shape.size(); ++i) {
      out += fmt::format("{}{}", i == 0 ? "" : ",", entry.shape[i]);
    }
    out += fmt::format("],\"data_offsets\":[{},{}]}}", entry.begin, entry.end);
  }
  return out + "}";
}

Result<std::map<std::string, std::string>> ParseIndex(std::string_view json) {
  std::string section;
  std::string duplicate;
  std::set<std::string> names;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event != Json::parse_event_t::key) return true;
    if (depth == 1) section = value.get_ref<const std::string&>();
    if (depth == 2 && section == "weight_map") {
      const auto& name = value.get_ref<const std::string&>();
      if (!names.insert(name).second) duplicate = name;
    }
    return true;
  };
  const Json root = Json::parse(json.begin(), json.end(), watch, /*allow_exceptions=*/false);
  if (!root.is_object()) return InvalidInput("the index is not a JSON object");
  const auto found = root.find("weight_map");
  if (found == root.end() || !found->is_object()) {
    return InvalidInput("the index has no object named weight_map");
  }
  if (!duplicate.empty()) return InvalidInput("tensor '{}' is listed twice", duplicate);
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : found->items()) {
    if (!file.is_string()) return InvalidInput("tensor '{}': its file name is not a string", name);
    const auto& text = file.get_ref<const std::string&>();
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
