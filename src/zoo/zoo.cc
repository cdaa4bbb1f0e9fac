#include "zoo/zoo.h"

#include <utility>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "ir/builder.h"
#include "zoo/net.h"
#include "zoo/weights.h"

namespace anemone::zoo {

#define ANEMONE_ARCHITECTURE(build, ...) void build(Net& net);
#include "zoo/architectures.inc"
#undef ANEMONE_ARCHITECTURE

namespace {

struct Architecture {
  ZooEntry entry;
  void (*build)(Net&);
};
constexpr Architecture kArchitectures[] = {
#define ANEMONE_ARCHITECTURE(build, ...) {{__VA_ARGS__}, build},
#include "zoo/architectures.inc"
#undef ANEMONE_ARCHITECTURE
};
constexpr auto kEntries = [] {
  std::array<ZooEntry, std::size(kArchitectures)> entries;
  for (size_t i = 0; i < entries.size(); ++i) entries[i] = kArchitectures[i].entry;
  return entries;
}();

Result<const Architecture*> Find(std::string_view name) {
  std::string names;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.entry.name == name) return &architecture;
    if (!names.empty()) names += ", ";
    names += architecture.entry.name;
  }
  return Usage("the catalog has no model '{}'", name).Advise("there are " + names);
}

// Runs the architecture's builder over `weights` into a new function.
Result<std::unique_ptr<ir::Function>> Run(const Architecture& architecture, Weights& weights,
                                          ir::Opset opset) {
  auto function = std::make_unique<ir::Function>();
  function->name = "main";
  function->opset = opset;
  ir::Builder builder(*function);
  Net net(builder, weights);
  architecture.build(net);
  ANEMONE_TRY(weights.Finish());
  ANEMONE_TRY(Status(builder.status()).At(architecture.entry.name));
  return function;
}

void Describe(const ZooEntry& entry, ir::Model* model) {
  model->metadata.description = fmt::format("{}, image classifier, 1000 classes", entry.title);
  const Preprocessing& p = entry.preprocessing;
  for (ir::FunctionDescription& function : model->functions) {
    for (ir::Feature& input : function.inputs) {
      input.description =
          fmt::format("RGB picture, (value / 255 - mean) / std; mean {} {} {}, std {} {} {}",
                      p.mean[0], p.mean[1], p.mean[2], p.std[0], p.std[1], p.std[2]);
    }
    for (ir::Feature& output : function.outputs) {
      output.description =
          output.name == "logits" ? "Score of each class" : "Softmax of the logits";
    }
  }
}

}  // namespace

std::span<const ZooEntry> Entries() { return kEntries; }

const ZooEntry* FindEntry(std::string_view name) {
  for (const ZooEntry& entry : kEntries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Result<ir::Model> Build(std::string_view name, const WeightSource& source, ir::Opset opset) {
  ANEMONE_ASSIGN(const Architecture* architecture, Find(name));
  std::map<std::string, std::string> notes{{kKeyArchitecture, std::string(name)}};
  std::unique_ptr<ir::Function> function;
  if (source.path.empty()) {
    Weights weights(source.seed);
    ANEMONE_ASSIGN(function, Run(*architecture, weights, opset));
    notes[kKeyWeights] = "seeded";
    notes[kKeySeed] = std::to_string(source.seed);
  } else {
    ANEMONE_ASSIGN(const Bytes bytes, MapFile(source.path));
    ANEMONE_ASSIGN(acquire::WeightFile file, acquire::WeightFile::Open(source.path));
    Weights weights(std::move(file));
    ANEMONE_ASSIGN(function, Run(*architecture, weights, opset).At(source.path));
    notes[kKeyWeights] = "file";
    notes[kKeySha256] = ToHex(Sha256Of(std::span(bytes.data(), bytes.size())));
    if (!source.url.empty()) notes[kKeyUrl] = source.url;
  }
  ir::Program program;
  program.functions.push_back(std::move(function));
  ANEMONE_ASSIGN(ir::Model model, ir::MakeModel(std::move(program)));
  Describe(architecture->entry, &model);
  model.metadata.user_defined = std::move(notes);
  return model;
}

Result<std::vector<acquire::NamedTensor>> SeededWeights(std::string_view name, uint64_t seed) {
  ANEMONE_ASSIGN(const Architecture* architecture, Find(name));
  Weights weights(seed);
  ANEMONE_ASSIGN(auto function, Run(*architecture, weights, ir::Opset::kIOS15));
  static_cast<void>(function);
  return weights.made();
}

}  // namespace anemone::zoo
