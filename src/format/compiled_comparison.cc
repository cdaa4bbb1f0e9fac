#include "format/compiled_comparison.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/bytes.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "format/compiled_data.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShown = 60;  // letters of each side of a difference

Result<std::set<std::string>> FilesBelow(const std::string& folder) {
  std::error_code error;
  std::set<std::string> names;
  fs::recursive_directory_iterator walk(folder, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->is_regular_file(error))
      names.insert(fs::relative(walk->path(), folder, error).generic_string());
  }
  if (error) return IoError("cannot list '{}': {}", folder, error.message());
  return names;
}

std::string Shown(std::string_view text) {
  const bool cut = text.size() > kShown;
  return fmt::format("'{}{}'", text.substr(0, kShown), cut ? "..." : "");
}

// The values of the two entries of buildInfo that name the compiler's release, taken out.
std::string WithoutVersions(std::string_view text) {
  std::string out(text);
  for (const std::string_view key :
       {R"({"coremlc-component-MIL", ")", R"({"coremlc-version", ")"}) {
    const size_t at = out.find(key);
    if (at == std::string::npos) continue;
    const size_t begin = at + key.size();
    const size_t end = out.find('"', begin);
    if (end != std::string::npos) out.erase(begin, end - begin);
  }
  return out;
}

void CompareText(std::string_view ours, std::string_view theirs, std::vector<std::string>& found) {
  const std::string a = WithoutVersions(ours);
  const std::string b = WithoutVersions(theirs);
  const auto [at_a, at_b] = std::ranges::mismatch(a, b);
  if (at_a == a.end() && at_b == b.end()) return;
  const auto line = std::count(a.begin(), at_a, '\n');
  const auto rest = [](const std::string& text, auto at) {
    return Shown(std::string_view(text).substr(static_cast<size_t>(at - text.begin())));
  };
  found.push_back(fmt::format("model.mil: line {}: theirs goes on with {}, ours with {}", line + 1,
                              rest(b, at_b), rest(a, at_a)));
}

void CompareJson(const Json& ours, const Json& theirs, const std::string& place,
                 std::vector<std::string>& found) {
  if (ours.is_object() && theirs.is_object()) {
    for (const auto& [key, value] : theirs.items()) {
      const Json* own = ours.Find(key);
      if (own != nullptr) {
        CompareJson(*own, value, place + "." + key, found);
      } else {
        found.push_back(fmt::format("{}: '{}' is only in theirs", place, key));
      }
    }
    for (const auto& [key, value] : ours.items()) {
      if (!theirs.contains(key))
        found.push_back(fmt::format("{}: '{}' is only in ours", place, key));
    }
    return;
  }
  if (ours.is_array() && theirs.is_array() && ours.size() == theirs.size()) {
    for (size_t i = 0; i < ours.size(); ++i)
      CompareJson(ours[i], theirs[i], fmt::format("{}[{}]", place, i), found);
    return;
  }
  if (ours == theirs) return;
  found.push_back(
      fmt::format("{}: theirs is {}, ours {}", place, Shown(theirs.Dump()), Shown(ours.Dump())));
}

// With maps sorted by their keys.
std::string Deterministic(const proto::ModelDescription& description) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    description.SerializeToCodedStream(&coded);
  }
  return out;
}

std::string TextOf(const FormatVersion& version) {
  return fmt::format("{}.{}.{} '{}'", version.major, version.minor, version.patch, version.variant);
}

void CompareData(std::string_view ours, std::string_view theirs, std::vector<std::string>& found) {
  const auto a = ParseCompiledData(ours);
  const auto b = ParseCompiledData(theirs);
  if (!a.ok() || !b.ok()) {
    found.push_back(fmt::format("coremldata.bin: {} cannot be decoded: {}",
                                a.ok() ? "theirs" : "ours",
                                (a.ok() ? b.error() : a.error()).message()));
    return;
  }
  const auto differ = [&](std::string_view what, const std::string& own, const std::string& other) {
    if (own != other)
      found.push_back(fmt::format("coremldata.bin: {}: theirs is {}, ours {}", what, other, own));
  };
  differ("model type", std::string(TypeNameOfField(a->model_type)),
         std::string(TypeNameOfField(b->model_type)));
  differ("version of the format", TextOf(a->format), TextOf(b->format));
  differ("version of the specification", TextOf(a->specification), TextOf(b->specification));
  if (Deterministic(a->description) != Deterministic(b->description))
    found.emplace_back("coremldata.bin: the descriptions differ");
  if (a->parameters != b->parameters)
    found.emplace_back("coremldata.bin: the parameters behind the description differ");
}

void CompareMetadata(std::string_view ours, std::string_view theirs,
                     std::vector<std::string>& found) {
  const auto a = ParseJson(ours);
  const auto b = ParseJson(theirs);
  if (a.ok() && b.ok()) return CompareJson(*a, *b, "metadata.json", found);
  found.push_back(fmt::format("metadata.json: {} is not JSON", a.ok() ? "theirs" : "ours"));
}

void CompareFile(const std::string& name, std::string_view ours, std::string_view theirs,
                 std::vector<std::string>& found) {
  const fs::path path(name);
  const std::string folder = path.parent_path().filename().string();
  const size_t before = found.size();
  if (path.filename() == "model.mil") {
    CompareText(ours, theirs, found);
  } else if (path.filename() == "metadata.json") {
    CompareMetadata(ours, theirs, found);
  } else if (path.filename() == "coremldata.bin" && folder != "analytics" &&
             folder != "modelNames") {
    CompareData(ours, theirs, found);
  } else {
    found.push_back(name + ": the bytes differ");
    return;
  }
  // The model of a pipeline whose file it is.
  if (folder.empty()) return;
  for (size_t i = before; i < found.size(); ++i) found[i] = folder + "/" + found[i];
}

}  // namespace

Result<std::vector<std::string>> CompareCompiled(const std::string& ours,
                                                 const std::string& theirs) {
  ANEMONE_ASSIGN(const std::set<std::string> own, FilesBelow(ours));
  ANEMONE_ASSIGN(const std::set<std::string> other, FilesBelow(theirs));
  std::vector<std::string> found;
  for (const std::string& name : own) {
    if (!other.contains(name)) found.push_back(name + " is only in ours");
  }
  for (const std::string& name : other) {
    if (!own.contains(name)) {
      found.push_back(name + " is only in theirs");
      continue;
    }
    ANEMONE_ASSIGN(const Bytes a, MapFile((fs::path(ours) / name).string()));
    ANEMONE_ASSIGN(const Bytes b, MapFile((fs::path(theirs) / name).string()));
    const std::string_view own_text = a.text();
    const std::string_view other_text = b.text();
    if (own_text == other_text) continue;
    CompareFile(name, own_text, other_text, found);
  }
  return found;
}

}  // namespace anemone::format
