// A compiled neural network: its three files in one, with a line of three dashes between them.
#include "format/espresso/network_reader.h"
#include "format/model_file.h"
#include "fuzz/target.h"
#include "neural_network/lift.h"

namespace anemone::fuzz {
namespace {

constexpr std::string_view kBetween = "\n---\n";

void AddArray(format::proto::FeatureDescription* feature, const std::string& name) {
  feature->set_name(name);
  auto* array = feature->mutable_type()->mutable_multiarraytype();
  for (const int64_t size : {1, 1, 2, 3}) array->add_shape(size);
  array->set_datatype(65568);  // float32
}

// One table of `blobs`, with the index of each.
std::string Weights(const std::vector<std::vector<float>>& blobs) {
  std::string file;
  const auto put = [&file](uint64_t number) {
    file.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  put(blobs.size());
  for (size_t i = 0; i < blobs.size(); ++i) {
    put(i);
    put(blobs[i].size() * sizeof(float));
  }
  for (const auto& blob : blobs) {
    file.append(reinterpret_cast<const char*>(blob.data()), blob.size() * sizeof(float));
  }
  return file;
}

constexpr std::string_view kShapes =
    R"({"layer_shapes": {"x": {"n": 1, "k": 1, "h": 2, "w": 3, "_rank": 4},
"a": {"n": 1, "k": 1, "h": 2, "w": 3, "_rank": 4}, "y": {"n": 1, "k": 1, "h": 2, "w": 3, "_rank": 4}}})";

std::string Seed(std::string_view last) {
  std::string text =
      R"({"format_version": 200, "transform_params": {}, "layers": [{"type": "convolution",
"name": "conv", "bottom": "x", "top": "a", "weights": {}, "C": 1, "K": 1, "Nx": 1, "Ny": 1, "n_groups": 1,
"pad_mode": 0, "has_biases": 1, "blob_weights": 1, "blob_biases": 0, "fused_relu": 1},
{"name": "last", "bottom": "a", "top": "y", )";
  text.append(last).append("}]}").append(kBetween).append(kShapes).append(kBetween);
  return text + Weights({{1}, {2}});
}

}  // namespace

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const std::string_view last :
       {R"("type": "activation", "mode": 0)", R"("type": "softmax", "axis": 2)",
        R"("type": "pool", "pool_type": 1, "size_x": 1, "size_y": 1, "stride_x": 1, "stride_y": 1)",
        R"("type": "elementwise", "operation": 0, "alpha": 2)",
        R"("type": "reshape", "dst_w": 3, "dst_h": 2, "dst_k": 1, "dst_n": 1)",
        R"("type": "inner_product", "nB": 3, "nC": 3, "blob_weights": 1)",
        R"("type": "batchnorm", "C": 1, "blob_batchnorm_params": 1)", R"("type": "copy")"}) {
    seeds.push_back(Seed(last));
  }
  return seeds;
}

void Try(std::span<const std::byte> bytes) {
  const std::string_view text = Text(bytes);
  const size_t first = text.find(kBetween);
  if (first == std::string_view::npos) return;
  const size_t second = text.find(kBetween, first + kBetween.size());
  if (second == std::string_view::npos) return;
  const size_t shapes = first + kBetween.size(), weights = second + kBetween.size();
  format::espresso::NetworkFiles files;
  if (!format::espresso::ParseLayers(text.substr(0, first), &files).ok()) return;
  if (!format::espresso::ParseShapes(text.substr(shapes, second - shapes), &files).ok()) return;
  if (!format::espresso::ParseWeights(Copied(bytes.subspan(weights)), &files).ok()) return;
  const auto model = std::make_shared<format::proto::Model>();
  model->set_specificationversion(4);
  AddArray(model->mutable_description()->add_input(), "x");
  AddArray(model->mutable_description()->add_output(), "y");
  if (!format::espresso::FillNetwork(files, 500, {}, model.get()).ok()) return;
  auto file = format::ModelFile::Of(model, "model", "/nowhere");
  file.SetPartFolders({{model.get(), "/nowhere"}});
  (void)neural_network::Lift(file).ok();
}

}  // namespace anemone::fuzz
