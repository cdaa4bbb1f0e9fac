#include <climits>
#include <filesystem>

#include "base/content_hash.h"
#include "base/uuid.h"
#include "format/description_codec.h"
#include "format/manifest.h"
#include "format/package.h"
#include "format/package_layout.h"
#include "format/program_codec.h"
#include "format/proto/model.pb.h"
#include "format/weight_writer.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

// The model file as bytes; large constants are planned into `weights`.
Result<std::string> EncodeModel(const ir::Model& model, WeightWriter* weights) {
  if (!ir::OpsetOfSpecVersion(model.spec_version)) {
    return Unsupported("specification version {} is not supported", model.spec_version);
  }
  for (const auto& function : model.program.functions) {
    if (ir::SpecVersionOf(function->opset) > model.spec_version) {
      return Unsupported(
          "function '{}' uses op set {}, which specification version {} does not have",
          function->name, ir::OpsetName(function->opset), model.spec_version);
    }
  }
  constexpr int32_t kFirstMultiFunction = 9;
  if (model.multi_function && model.spec_version < kFirstMultiFunction) {
    return Unsupported("several functions in one model need iOS18 (specification version {})",
                       kFirstMultiFunction);
  }
  ANEMONE_TRY(CheckDescription(model).At("description"));
  proto::Model wire;
  wire.set_specificationversion(model.spec_version);
  ANEMONE_TRY(EncodeDescription(model, wire.mutable_description()).At("description"));
  const LiteralTarget target{.spec_version = model.spec_version, .weights = weights};
  ANEMONE_TRY(EncodeProgram(model.program, target, wire.mutable_mlprogram()));
  const size_t size = wire.ByteSizeLong();
  if (size > INT_MAX) {
    return Unsupported("the model file would have {} bytes; protobuf's limit is 2 GiB", size);
  }
  std::string bytes;
  bytes.reserve(size);
  if (!wire.AppendToString(&bytes)) return Internal("the model could not be serialized");
  return bytes;
}

// An identifier that depends on the item's place and content only.
std::string IdentifierOf(std::string item_path, const ContentHash& content) {
  item_path += '\0';
  item_path.append(content.begin(), content.end());
  return UuidFrom(ContentHashOf(item_path));
}

ManifestItem MakeItem(std::string_view name, std::string_view description,
                      const ContentHash& content) {
  ManifestItem item;
  item.path = fmt::format("{}/{}", kAuthor, name);
  item.identifier = IdentifierOf(item.path, content);
  item.author = kAuthor;
  item.description = description;
  item.name = name;
  return item;
}

// Makes the folders of `path` below `root`, but not the root: if that is gone, the writer gave up.
Status MakeFolders(fs::path root, const fs::path& path) {
  for (const fs::path& name : path) {
    root /= name;
    std::error_code error;
    fs::create_directory(root, error);
    if (error)
      return IoError("cannot create the directory: {}", error.message())
          .At(FinalPath(root.string()));
  }
  return {};
}

Status WriteFile(const fs::path& path, std::string_view text, Durability durability) {
  ANEMONE_ASSIGN(OutputFile file, OutputFile::Create(path.string(), durability));
  ANEMONE_TRY(file.Write(text));
  return file.Close();
}

Result<ContentHash> WriteWeights(const fs::path& path, const WeightWriter& weights,
                                 Durability durability, Sha256* also) {
  ANEMONE_ASSIGN(OutputFile file, OutputFile::Create(path.string(), durability));
  ANEMONE_ASSIGN(const ContentHash hash, weights.WriteTo(file, also));
  ANEMONE_TRY(file.Close());
  return hash;
}

// What HashTree finds of a package while it is written, its files in the order of their paths.
class FactsOfPackage {
 public:
  explicit FactsOfPackage(TreeFacts* facts) : facts_(facts) {}
  // Whose bytes come next; null when nobody wants them.
  Sha256* Begin(const fs::path& path, uint64_t size) {
    if (facts_ == nullptr) return nullptr;
    hash_.Update(path.generic_string() + '\0' + std::to_string(size) + '\0');
    size_bytes_ += static_cast<int64_t>(size);
    return &hash_;
  }
  void Add(const fs::path& path, std::string_view text) {
    if (Sha256* hash = Begin(path, text.size())) hash->Update(text);
  }
  void Finish() {
    if (facts_ != nullptr) *facts_ = {ToHex(hash_.Finish()), size_bytes_};
  }

 private:
  TreeFacts* facts_;
  Sha256 hash_;
  int64_t size_bytes_ = 0;
};

// The manifest of a package; `weights` is the hash of the weight file, null without one.
Manifest ManifestOf(const ContentHash& specification, const ContentHash* weights) {
  Manifest manifest;
  manifest.items.push_back(MakeItem(kModelName, "CoreML Model Specification", specification));
  manifest.root_identifier = manifest.items.front().identifier;
  if (weights != nullptr)
    manifest.items.push_back(MakeItem(kWeightsName, "CoreML Model Weights", *weights));
  return manifest;
}

}  // namespace

Result<int64_t> PackageSizeBytes(const ir::Model& model) {
  WeightWriter weights;
  ANEMONE_ASSIGN(const std::string specification, EncodeModel(model, &weights));
  // Any hash serves: all have the same length.
  const ContentHash any{};
  const std::string manifest = PrintManifest(ManifestOf(any, weights.empty() ? nullptr : &any));
  return static_cast<int64_t>(specification.size() + manifest.size() +
                              (weights.empty() ? 0 : weights.size_bytes()));
}

Status WritePackage(const ir::Model& model, const std::string& path, const WriteOptions& options) {
  // Every error in the model is found before the disk is touched.
  WeightWriter weights;
  ANEMONE_ASSIGN(const std::string specification, EncodeModel(model, &weights).At(path));
  ANEMONE_TRY(CheckReplaceable(path));

  ANEMONE_ASSIGN(AtomicDirectory package, AtomicDirectory::Create(path));
  const fs::path inside = fs::path(kDataFolder) / kAuthor;
  const fs::path folder = package.path() / inside;
  ANEMONE_TRY(MakeFolders(package.path(), weights.empty() ? inside : inside / kWeightsName));
  FactsOfPackage facts(options.facts);
  ANEMONE_TRY(WriteFile(folder / kModelName, specification, options.durability));
  facts.Add(inside / kModelName, specification);
  ContentHash hash{};
  if (!weights.empty()) {
    const fs::path name = fs::path(kWeightsName) / kWeightFileName;
    Sha256* whole = facts.Begin(inside / name, weights.size_bytes());
    ANEMONE_ASSIGN(hash, WriteWeights(folder / name, weights, options.durability, whole));
  }
  const Manifest manifest =
      ManifestOf(ContentHashOf(specification), weights.empty() ? nullptr : &hash);
  const std::string items = PrintManifest(manifest);
  ANEMONE_TRY(WriteFile(fs::path(package.path()) / kManifestName, items, options.durability));
  facts.Add(kManifestName, items);
  facts.Finish();
  return package.Commit(options.durability);
}

}  // namespace anemone::format
