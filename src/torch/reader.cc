#include "torch/reader.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "acquire/torch_file.h"
#include "base/mapped_file.h"
#include "base/zip_reader.h"
#include "torch/schema.h"
#include "torch/tensors.h"

namespace anemone::torch {
namespace {

constexpr std::string_view kExport =
    "in Python: torch.export.save(torch.export.export(model.eval(), example_inputs), 'model.pt2')";
// What no real model reaches; an archive is bounded by its size anyway.
constexpr ZipLimits kLimits{.entries = 1'000'000, .inflated_bytes = uint64_t{1} << 32};

// The members of an archive by their path. Newer archives put everything into one folder.
class Archive {
 public:
  static Result<Archive> Open(const Bytes& file) {
    ANEMONE_ASSIGN(std::vector<ZipEntry> entries, ReadZip(file, kLimits));
    Archive archive;
    std::string folder;
    for (const ZipEntry& entry : entries) {
      const size_t slash = entry.name.find('/');
      if (slash == std::string::npos) continue;
      const std::string_view rest = std::string_view(entry.name).substr(slash + 1);
      if (rest == "archive_format" || rest == "version" || rest == "data.pkl")
        folder = entry.name.substr(0, slash + 1);
    }
    for (ZipEntry& entry : entries) {
      std::string name = entry.name;
      if (!folder.empty() && name.starts_with(folder)) name.erase(0, folder.size());
      archive.files_.insert_or_assign(std::move(name), std::move(entry.data));
    }
    return archive;
  }

  const Bytes* Find(const std::string& name) const {
    const auto found = files_.find(name);
    return found == files_.end() ? nullptr : &found->second;
  }
  std::string Text(const std::string& name) const {
    const Bytes* file = Find(name);
    std::string text(file == nullptr ? std::string_view() : file->text());
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
  }
  bool HasPrefix(std::string_view prefix) const {
    const auto found = files_.lower_bound(std::string(prefix));
    return found != files_.end() && found->first.starts_with(prefix);
  }
  // The names between `prefix` and `suffix`, of files that have both.
  std::vector<std::string> Between(std::string_view prefix, std::string_view suffix) const {
    std::vector<std::string> names;
    for (const auto& [name, data] : files_) {
      if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
      if (name.size() < prefix.size() + suffix.size()) continue;
      names.push_back(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
    }
    return names;
  }

 private:
  std::map<std::string, Bytes> files_;
};

// The archive of PyTorch 2.8 and newer: models/NAME.json, data/weights, data/constants.
Result<Program> ReadArchive(const Archive& archive) {
  const std::string version = archive.Text("archive_version");
  if (version != "0") {
    return Unsupported("the archive has version '{}', but version 0 is read", version)
        .Advise("save it again with PyTorch 2.8 or newer: torch.export.save(program, FILE)");
  }
  std::vector<std::string> models = archive.Between("models/", ".json");
  if (models.empty() && archive.HasPrefix("data/aotinductor/")) {
    return Unsupported(
               "this is an AOTInductor package: compiled code of one machine, without the graph")
        .Advise(std::string("save the exported program instead, ") + std::string(kExport));
  }
  if (models.empty()) return InvalidInput("the archive holds no model in models/");
  std::string name = models.front();
  if (models.size() > 1) {
    if (std::ranges::find(models, "model") == models.end()) {
      std::string names;
      for (const std::string& model : models) names += (names.empty() ? "" : ", ") + model;
      return Unsupported("the archive holds {} models: {}", models.size(), names)
          .Advise("save each of them to a file of its own");
    }
    name = "model";
  }
  ANEMONE_ASSIGN(Program program, ParseProgram(archive.Find("models/" + name + ".json")->text())
                                      .At("models/" + name + ".json"));
  for (const char* kind : {"weights", "constants"}) {
    const std::string folder = fmt::format("data/{}/", kind);
    // PyTorch 2.8 pickles both.
    if (const Bytes* pickled = archive.Find(folder + name + ".pt")) {
      ANEMONE_TRY(AddPickled(*pickled, &program.tensors).At(folder + name + ".pt"));
      continue;
    }
    const std::string path = fmt::format("{}{}_{}_config.json", folder, name, kind);
    const Bytes* config = archive.Find(path);
    if (config == nullptr) continue;
    ANEMONE_ASSIGN(const Json json, ParseJson(config->text()).At(path));
    const auto find = [&](const std::string& file) { return archive.Find(folder + file); };
    ANEMONE_TRY(AddPayload(json, find, &program.tensors).At(path));
  }
  return program;
}

// PyTorch 2.1 to 2.7: files beside each other, tensors pickled.
Result<Program> ReadOlder(const Archive& archive) {
  constexpr const char* kProgram = "serialized_exported_program.json";
  ANEMONE_ASSIGN(Program program, ParseProgram(archive.Find(kProgram)->text()).At(kProgram));
  for (const char* name : {"serialized_state_dict.pt", "serialized_state_dict.json",
                           "serialized_constants.pt", "serialized_constants.json"}) {
    const Bytes* pickled = archive.Find(name);
    if (pickled == nullptr || pickled->empty()) continue;
    ANEMONE_TRY(AddPickled(*pickled, &program.tensors).At(name));
  }
  return program;
}

}  // namespace

Result<Program> ReadProgram(const Bytes& file) {
  if (acquire::IsLegacyTorchFile(file) || (file.size() > 2 && file.text()[0] == '\x80')) {
    return Unsupported("this is a pickle (weights, or a whole module), not an exported program")
        .Advise(kExport);
  }
  if (!IsZip(file)) {
    return InvalidInput("this is not a file of torch.export.save: it is no zip archive")
        .Advise(kExport);
  }
  ANEMONE_ASSIGN(const Archive archive, Archive::Open(file));
  if (archive.Find("archive_format") != nullptr) {
    if (archive.Text("archive_format") != "pt2") {
      return Unsupported("the archive's format is '{}', not pt2", archive.Text("archive_format"))
          .Advise(kExport);
    }
    return ReadArchive(archive);
  }
  if (archive.Find("serialized_exported_program.json") != nullptr) return ReadOlder(archive);
  if (archive.Find("constants.pkl") != nullptr || archive.HasPrefix("code/")) {
    return Unsupported("this is a TorchScript program, which PyTorch has deprecated")
        .Advise(std::string("export the module that it was made of, ") + std::string(kExport));
  }
  if (archive.Find("data.pkl") != nullptr) {
    return Unsupported("this is a file of torch.save: weights or a pickled module, without a graph")
        .Advise(std::string("load it in Python and export the model, ") + std::string(kExport) +
                "; as the weights of a catalog model it is read by --weights FILE");
  }
  if (archive.HasPrefix("data/aotinductor/")) {
    return Unsupported("this is an AOTInductor package: compiled code, without the graph")
        .Advise(kExport);
  }
  return InvalidInput("the archive is not a file of torch.export.save").Advise(kExport);
}

Result<Program> ReadProgram(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes file, MapFile(path));
  return ReadProgram(file).At(path);
}

}  // namespace anemone::torch
