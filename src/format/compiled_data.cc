#include "format/compiled_data.h"

#include <cstring>

#include "format/model_file.h"

namespace anemone::format {
namespace {

// Takes values off the front of a file's bytes.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : left_(bytes) {}

  template <typename Scalar>
  Result<Scalar> Take(std::string_view what) {
    Scalar value = 0;
    if (left_.size() < sizeof(value)) return InvalidInput("the file ends within {}", what);
    left_.copy(reinterpret_cast<char*>(&value), sizeof(value));
    left_.remove_prefix(sizeof(value));
    return value;
  }
  Result<std::string_view> TakeText(std::string_view what) {
    ANEMONE_ASSIGN(const uint64_t size, Take<uint64_t>(what));
    if (size > left_.size()) {
      return InvalidInput("{} has {} bytes, but only {} are left in the file", what, size,
                          left_.size());
    }
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
  }
  Result<FormatVersion> TakeVersion(std::string_view what) {
    FormatVersion version;
    ANEMONE_ASSIGN(version.major, Take<uint64_t>(what));
    ANEMONE_ASSIGN(version.minor, Take<uint64_t>(what));
    ANEMONE_ASSIGN(version.patch, Take<uint64_t>(what));
    ANEMONE_ASSIGN(const std::string_view variant, TakeText(what));
    version.variant = variant;
    return version;
  }
  std::string_view left() const { return left_; }

 private:
  std::string_view left_;
};

template <typename Scalar>
void AppendNumber(Scalar value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendText(std::string_view text, std::string* out) {
  AppendNumber<uint64_t>(text.size(), out);
  *out += text;
}

void AppendVersion(const FormatVersion& version, std::string* out) {
  AppendNumber(version.major, out);
  AppendNumber(version.minor, out);
  AppendNumber(version.patch, out);
  AppendText(version.variant, out);
}

}  // namespace

Result<CompiledData> ParseCompiledData(std::string_view bytes) {
  Cursor cursor(bytes);
  CompiledData data;
  ANEMONE_ASSIGN(data.model_type, cursor.Take<uint32_t>("the model's type"));
  ANEMONE_ASSIGN(data.format, cursor.TakeVersion("the format's version"));
  ANEMONE_ASSIGN(data.specification, cursor.TakeVersion("the specification's version"));
  ANEMONE_ASSIGN(const std::string_view description, cursor.TakeText("the description"));
  if (description.size() > INT32_MAX ||
      !data.description.ParseFromArray(description.data(), static_cast<int>(description.size()))) {
    return InvalidInput("the description is malformed or nested too deeply");
  }
  data.parameters = cursor.left();
  return data;
}

Result<std::vector<std::string>> ParseModelNames(std::string_view bytes) {
  Cursor cursor(bytes);
  std::vector<std::string> names;
  ANEMONE_ASSIGN(const uint64_t count, cursor.Take<uint64_t>("the number of names"));
  for (uint64_t i = 0; i < count; ++i) {  // a false count ends with the file's bytes
    ANEMONE_ASSIGN(const std::string_view name, cursor.TakeText("a model's name"));
    names.emplace_back(name);
  }
  return names;
}

std::string EncodeModelNames(const std::vector<std::string>& names) {
  std::string bytes;
  AppendNumber<uint64_t>(names.size(), &bytes);
  for (const std::string& name : names) AppendText(name, &bytes);
  return bytes;
}

Result<uint64_t> ParseModelCount(const CompiledData& pipeline) {
  Cursor cursor(pipeline.parameters);
  return cursor.Take<uint64_t>("the number of models");
}

std::string EncodeCompiledData(const CompiledData& data) {
  std::string bytes;
  AppendNumber(data.model_type, &bytes);
  AppendVersion(data.format, &bytes);
  AppendVersion(data.specification, &bytes);
  AppendText(data.description.SerializeAsString(), &bytes);
  return bytes + data.parameters;
}

std::string_view TypeNameOfField(uint32_t field) {
  // An empty value of that field, as the wire has it: a varint of the field and "length-delimited",
  // then the length 0.
  constexpr uint32_t kLengthDelimited = 2;
  std::string wire;
  for (uint64_t tag = uint64_t{field} << 3 | kLengthDelimited; tag != 0; tag >>= 7) {
    wire += static_cast<char>((tag & 0x7F) | (tag > 0x7F ? 0x80 : 0));
  }
  wire += '\0';
  proto::Model model;
  return model.ParseFromString(wire) ? TypeName(model) : "none";
}

std::string EncodeAnalytics(const std::vector<AnalyticsSection>& sections) {
  std::string bytes;
  for (const AnalyticsSection& section : sections) {
    AppendText(section.name, &bytes);
    AppendNumber<uint64_t>(section.entries.size(), &bytes);
    for (const auto& [key, value] : section.entries) {
      AppendText(key, &bytes);
      AppendText(value, &bytes);
    }
  }
  return bytes;
}

}  // namespace anemone::format
