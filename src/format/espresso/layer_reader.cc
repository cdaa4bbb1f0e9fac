#include "format/espresso/layer_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace anemone::format::espresso {
namespace {

constexpr size_t kMappedRank = 5;  // of every blob of the old mapping

std::vector<std::string> NamesIn(const Json& list) {
  std::vector<std::string> names;
  std::string_view left = list.text();
  while (!left.empty()) {
    const size_t comma = left.find(',');
    names.emplace_back(left.substr(0, comma));
    left = comma == std::string_view::npos ? std::string_view() : left.substr(comma + 1);
  }
  return names;
}

bool IsNothing(const Json& value) {
  if (value.is_boolean()) return !value.boolean();
  if (value.is_number()) return value.number() == 0;
  return value.is_text() ? value.text().empty() : value.empty();
}

double NumberIn(const Json& value) {
  return value.is_boolean() ? static_cast<double>(value.boolean()) : value.number();
}

}  // namespace

LayerReader::LayerReader(const Json& json, const NetworkSoFar& so_far)
    : json_(json),
      so_far_(so_far),
      name_(json["name"].text()),
      type_(json["type"].text()),
      bottoms_(NamesIn(json["bottom"])),
      tops_(NamesIn(json["top"])) {
  Ignore({"name", "type", "bottom", "top", "debug_info", "weights", "attributes"});
}

Status LayerReader::CheckCounts(size_t bottoms, size_t tops) const {
  if (bottoms_.size() == bottoms && tops_.size() == tops) return {};
  return InvalidInput("it has {} inputs and {} outputs, not {} and {}", bottoms_.size(),
                      tops_.size(), bottoms, tops);
}

const Json* LayerReader::Take(std::string_view key) {
  taken_.emplace(key);
  return json_.Find(key);
}

Result<int64_t> LayerReader::Int(std::string_view key, int64_t least,
                                 std::optional<int64_t> fallback) {
  const Json* value = Take(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) return InvalidInput("it has no '{}'", key);
  if (!value->is_integer() || value->integer() < least || value->integer() > INT32_MAX) {
    return InvalidInput("its '{}' is {}, not an integer of at least {}", key, value->Dump(), least);
  }
  return value->integer();
}

Result<float> LayerReader::Number(std::string_view key, std::optional<float> fallback) {
  const Json* value = Take(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) return InvalidInput("it has no '{}'", key);
  const auto number = static_cast<float>(value->number());
  if (!value->is_number() || !std::isfinite(number)) {
    return InvalidInput("its '{}' is {}, not a float32 number", key, value->Dump());
  }
  return number;
}

Result<bool> LayerReader::Flag(std::string_view key) {
  const Json* value = Take(key);
  if (value == nullptr) return false;
  const bool is_flag = value->is_boolean() ||
                       (value->is_integer() && value->integer() >= 0 && value->integer() <= 1);
  if (!is_flag) return InvalidInput("its '{}' is {}, neither 0 nor 1", key, value->Dump());
  return NumberIn(*value) != 0;
}

Status LayerReader::Only(std::initializer_list<std::string_view> keys,
                         std::initializer_list<double> values) {
  for (const std::string_view key : keys) {
    const Json* value = Take(key);
    if (value == nullptr) continue;
    const bool known = (value->is_number() || value->is_boolean()) &&
                       std::ranges::find(values, NumberIn(*value)) != values.end();
    if (!known) return NotKnown("its '{}' is {}", key, value->Dump());
  }
  return {};
}

void LayerReader::Ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) taken_.emplace(key);
}

Status LayerReader::CheckAllTaken() const {
  for (const auto& [key, value] : json_.items()) {
    if (taken_.contains(key) || IsNothing(value)) continue;
    return NotKnown("its parameter '{}' ({}) is not known", key, value.Dump());
  }
  for (const auto& [key, index] : json_["weights"].items()) {
    if (!taken_weights_.contains(key)) return NotKnown("its weights '{}' are not known", key);
  }
  for (const auto& [key, value] : json_["attributes"].items()) {
    if (key != "is_output") return NotKnown("its attribute '{}' is not known", key);
  }
  return {};
}

Result<ir::Shape> LayerReader::Dims(const std::string& blob) const {
  const auto found = so_far_.files->shapes.find(blob);
  if (found == so_far_.files->shapes.end()) {
    return InvalidInput("{} does not have the shape of '{}'", kShapesName, blob);
  }
  ir::Shape dims = found->second.dims;
  if (!so_far_.rank5) return dims;
  dims.insert(dims.begin(), kMappedRank - dims.size(), 1);
  return dims;
}

Result<int64_t> LayerReader::Rank(const std::string& blob) const {
  ANEMONE_ASSIGN(const ir::Shape dims, Dims(blob));
  return static_cast<int64_t>(dims.size());
}

Result<Bytes> LayerReader::BlobOf(std::string_view key) {
  const Json* index = json_["weights"].Find(key);
  if (index != nullptr) {
    taken_weights_.emplace(key);
  } else {
    index = Take(key);
  }
  if (index == nullptr) return InvalidInput("it has no '{}'", key);
  if (!index->is_unsigned()) return InvalidInput("its '{}' is {}", key, index->Dump());
  const auto found = so_far_.files->blobs.find(index->unsigned_integer());
  if (found == so_far_.files->blobs.end()) {
    return InvalidInput("{} has no blob {}, which '{}' names", kWeightsName, index->Dump(), key);
  }
  return found->second;
}

Result<std::vector<float>> LayerReader::Floats(std::string_view key, int64_t count) {
  ANEMONE_ASSIGN(const Bytes blob, BlobOf(key));
  if (blob.size() != static_cast<size_t>(count) * sizeof(float)) {
    return InvalidInput("'{}' has {} bytes, not {} float32 values", key, blob.size(), count);
  }
  std::vector<float> values(static_cast<size_t>(count));
  std::memcpy(values.data(), blob.data(), blob.size());
  return values;
}

Status LayerReader::TakeWeights(int64_t count, int64_t channels, nn::WeightParams* weights) {
  const auto check = [&](const Bytes& blob, std::string_view key, size_t width) -> Status {
    if (blob.size() == static_cast<size_t>(count) * width) return {};
    return InvalidInput("'{}' has {} bytes, not {} values of {}", key, blob.size(), count, width);
  };
  if (Has("blob_weights")) {
    ANEMONE_ASSIGN(const auto values, Floats("blob_weights", count));
    weights->mutable_floatvalue()->Add(values.begin(), values.end());
    return {};
  }
  if (Has("blob_weights_f16")) {
    ANEMONE_ASSIGN(const Bytes blob, BlobOf("blob_weights_f16"));
    ANEMONE_TRY(check(blob, "blob_weights_f16", sizeof(uint16_t)));
    weights->set_float16value(std::string(blob.text()));
    return {};
  }
  if (!json_["weights"].contains("W_U8")) {
    return NotKnown("its weights have none of the forms float32, float16 and 8 bits (W_U8)");
  }
  ANEMONE_ASSIGN(const Bytes blob, BlobOf("W_U8"));
  ANEMONE_TRY(check(blob, "W_U8", 1));
  ANEMONE_ASSIGN(const auto scales, Floats("per_ch_qscale", channels));
  ANEMONE_ASSIGN(const auto biases, Floats("per_ch_qbias", channels));
  constexpr uint64_t kBits = 8;
  weights->set_rawvalue(std::string(blob.text()));
  weights->mutable_quantization()->set_numberofbits(kBits);
  auto* linear = weights->mutable_quantization()->mutable_linearquantization();
  linear->mutable_scale()->Add(scales.begin(), scales.end());
  linear->mutable_bias()->Add(biases.begin(), biases.end());
  return {};
}

Result<bool> LayerReader::TakeBiases(int64_t count, bool padded, nn::WeightParams* biases) {
  ANEMONE_ASSIGN(const bool has, Flag("has_biases"));
  if (!has) {
    if (Has("blob_biases")) return InvalidInput("it has biases, but 'has_biases' is 0");
    return false;
  }
  ANEMONE_ASSIGN(const Bytes blob, BlobOf("blob_biases"));
  const size_t size = static_cast<size_t>(count) * sizeof(float);
  constexpr size_t kRoom = 4;
  if (blob.size() != size && !(padded && blob.size() == kRoom * size)) {
    return InvalidInput("'blob_biases' has {} bytes, not {} float32 values", blob.size(), count);
  }
  std::vector<float> values(static_cast<size_t>(count));
  std::memcpy(values.data(), blob.data(), size);
  biases->mutable_floatvalue()->Add(values.begin(), values.end());
  return true;
}

nn::NeuralNetworkLayer* LayerReader::Append(const std::string& name,
                                            const std::vector<std::string>& bottoms,
                                            const std::vector<std::string>& tops) {
  nn::NeuralNetworkLayer* layer = so_far_.network->add_layers();
  layer->set_name(name);
  for (const std::string& bottom : bottoms) {
    layer->add_input(bottom);
    // The rank says how an image comes in (neural_network/interface.cc).
    nn::Tensor* tensor = layer->add_inputtensor();
    const auto rank = Rank(bottom);
    if (rank.ok()) tensor->set_rank(static_cast<uint32_t>(*rank));
  }
  for (const std::string& top : tops) layer->add_output(top);
  return layer;
}

nn::NeuralNetworkLayer* LayerReader::AddFrom(const std::vector<std::string>& bottoms) {
  nn::NeuralNetworkLayer* layer = Append(name_, bottoms, tops_);
  for (const std::string& top : tops_) {
    nn::Tensor* tensor = layer->add_outputtensor();
    const auto dims = Dims(top);
    if (!dims.ok()) continue;
    tensor->set_rank(static_cast<uint32_t>(dims->size()));
    for (const int64_t dim : *dims) tensor->add_dimvalue(dim);
  }
  return layer;
}

nn::NeuralNetworkLayer* LayerReader::AddHidden(const std::vector<std::string>& bottoms,
                                               const std::string& top) {
  return Append(top, bottoms, {top});
}

std::string LayerReader::Hidden(std::string_view what) const {
  return tops_.front() + "/" + std::string(what);
}

Result<nn::NeuralNetworkLayer*> LayerReader::AddFused(std::string_view relu,
                                                      std::string_view tanh) {
  ANEMONE_ASSIGN(const bool has_relu, Flag(relu));
  bool has_tanh = false;
  if (!tanh.empty()) {
    ANEMONE_ASSIGN(has_tanh, Flag(tanh));
  }
  if (!has_relu && !has_tanh) return Add();
  if (has_relu && has_tanh) return NotKnown("the order of its '{}' and '{}'", relu, tanh);
  const std::string before = Hidden("before_activation");
  nn::NeuralNetworkLayer* layer = AddHidden(bottoms_, before);
  nn::NeuralNetworkLayer* activation = AddFrom({before});
  activation->set_name(name_ + (has_relu ? "/relu" : "/tanh"));
  if (has_relu) {
    activation->mutable_activation()->mutable_relu();
  } else {
    activation->mutable_activation()->mutable_tanh();
  }
  return layer;
}

}  // namespace anemone::format::espresso
