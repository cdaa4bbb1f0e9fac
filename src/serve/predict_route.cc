#include "serve/predict_route.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <semaphore>
#include <utility>

#include "base/json.h"
#include "base/npy.h"
#include "facade/arrays.h"
#include "facade/tensor_files.h"
#include "ir/feature_shapes.h"
#include "lab/evaluate.h"
#include "media/image.h"
#include "serve/infer_protocol.h"
#include "serve/tensor_json.h"

namespace anemone::serve {
namespace {

constexpr size_t kBestClasses = 5;

// An image of some kB may have 89 million pixels, so that only so many are in memory at once.
std::counting_semaphore<2> decoding(2);

bool IsNpy(std::string_view body) { return body.starts_with("\x93NUMPY"); }
bool IsImage(std::string_view body) {
  return body.starts_with("\x89PNG") || body.starts_with("\xff\xd8\xff");
}

// A view of the body, which outlives it.
Bytes BodyOf(const HttpRequest& request) {
  return Bytes(request.body.data(), request.body.size(), nullptr).AtAnyAddress();
}

Result<media::Image> Decode(const Bytes& body) {
  decoding.acquire();
  auto image = media::DecodeImage(body);
  decoding.release();
  return image;
}

std::string InputNames(const ServedModel& served) {
  std::string names;
  for (const auto& input : served.function().inputs())
    names += (names.empty() ? "" : ", ") + input->name;
  return names;
}

Result<const ir::Value*> InputOfQuery(const ServedModel& served, const HttpRequest& request,
                                      const ir::Value* alone) {
  const auto named = request.query.find("input");
  if (named == request.query.end()) {
    if (alone != nullptr) return alone;
    return Usage("the model has several inputs, and the query names none")
        .Advise("add ?input=NAME; it has " + InputNames(served));
  }
  for (const auto& input : served.function().inputs()) {
    if (input->name == named->second) return input.get();
  }
  return Usage("the model has no input '{}'", ToUtf8(named->second))
      .Advise("it has " + InputNames(served));
}

Result<exec::Tensor> TensorOfImage(const ServedModel& served, const ir::Value& input,
                                   const Bytes& body) {
  ANEMONE_ASSIGN(const ir::Shape shape,
                 ir::DefaultInputShape(served.model(), served.function(), input));
  const ir::Feature* feature = ir::FindInputFeature(served.model(), served.function(), input.name);
  const bool pixels = feature != nullptr && feature->image() != nullptr;
  if (!pixels && (shape.size() != 4 || shape[0] != 1 || shape[1] != 3)) {
    return Usage("an image fits an input of [1, 3, height, width], but this one is {}",
                 ir::ShapeToString(shape))
        .Advise("send a .npy file");
  }
  ANEMONE_ASSIGN(media::Image image, Decode(body));
  if (pixels) return facade::ImageInput(std::move(image), served.model(), served.function(), input);
  return lab::PrepareImage(std::move(image), shape, served.preprocess);
}

Result<Tensors> TensorsOfJson(const ServedModel& served, std::string_view body) {
  ANEMONE_ASSIGN(TensorDocument document,
                 ReadTensorDocument(body, [](const auto& path) { return path.size() == 1; }));
  if (!document.json.is_object()) {
    return Usage("the body must be a JSON object with a list for each input")
        .Advise("the inputs are " + InputNames(served));
  }
  std::map<std::string, Array> arrays;
  for (const auto& [name, position] : document.json.items()) {
    NumberList& list = document.lists[static_cast<size_t>(position.unsigned_integer())];
    auto values = std::make_shared<const std::vector<double>>(std::move(list.values));
    arrays.emplace(name, Array{"float64", std::move(list.shape),
                               std::shared_ptr<const void>(values, values->data())});
  }
  return facade::ToTensors(arrays, served.function(), served.model().metadata);
}

}  // namespace

Result<Tensors> ReadPredictRequest(const ServedModel& served, const HttpRequest& request) {
  const auto& inputs = served.function().inputs();
  Tensors tensors;
  if (IsNpy(request.body)) {
    ANEMONE_ASSIGN(const ir::Value* input,
                   InputOfQuery(served, request, inputs.size() == 1 ? inputs[0].get() : nullptr));
    ANEMONE_ASSIGN(const NpyArray array, ParseNpy(BodyOf(request)));
    ANEMONE_ASSIGN(tensors[input->name],
                   facade::ArrayInput(array, input->type).At("input " + input->name));
    return tensors;
  }
  if (IsImage(request.body)) {
    ANEMONE_ASSIGN(const ir::Value* input, InputOfQuery(served, request, served.image_input()));
    ANEMONE_ASSIGN(tensors[input->name],
                   TensorOfImage(served, *input, BodyOf(request)).At("input " + input->name));
    return tensors;
  }
  auto read = TensorsOfJson(served, request.body);
  if (read.ok() || read.error().code() != ErrorCode::kInvalidInput) return read;
  return std::move(read).error().Advise(
      "send a JSON object with a list for each input, a .npy file, or a PNG or JPEG image");
}

namespace {

// The best classes of scores, the likeliest first.
Json BestClasses(const exec::Tensor& scores, const std::vector<std::string>& names) {
  std::vector<int64_t> order(static_cast<size_t>(scores.count()));
  std::iota(order.begin(), order.end(), 0);
  const float* values = scores.As<float>();
  const auto better = [&](int64_t a, int64_t b) {
    if (std::isnan(values[a]) || std::isnan(values[b]))  // which come last
      return std::isnan(values[b]) && (!std::isnan(values[a]) || a < b);
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  };
  const size_t best = std::min(order.size(), kBestClasses);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(best), order.end(),
                    better);
  order.resize(best);
  Json rows = Json::Array();
  for (const int64_t index : order) {
    const auto at = static_cast<size_t>(index);
    rows.push_back(Json{{"index", index},
                        {"name", at < names.size() ? Json(names[at]) : Json()},
                        {"score", static_cast<double>(values[index])}});
  }
  return rows;
}

Json ClassesJson(const ServedModel& served, const Answer& answer) {
  const auto& classes = served.session->classes();
  if (classes && !classes->probabilities.empty())
    return BestClasses(answer.outputs.at(classes->probabilities), classes->names);
  // Where there are both, probabilities say more to people than logits.
  const auto probabilities = answer.outputs.find("probabilities");
  const auto scores = probabilities != answer.outputs.end()
                          ? Result<const exec::Tensor*>(&probabilities->second)
                          : lab::ScoresOf(answer.outputs);
  if (!scores.ok() || (*scores)->dtype() != DType::kFp32 || (*scores)->shape().empty() ||
      (*scores)->shape().back() != (*scores)->count()) {
    return Json();
  }
  return BestClasses(**scores, classes ? classes->names : std::vector<std::string>());
}

Result<HttpResponse> NpyResponse(const HttpRequest& request, const Answer& answer) {
  const auto named = request.query.find("output");
  auto output = answer.outputs.begin();
  if (named != request.query.end()) {
    output = answer.outputs.find(named->second);
  } else if (answer.outputs.size() != 1) {
    output = answer.outputs.end();
  }
  if (output == answer.outputs.end()) {
    std::string names;
    for (const auto& [name, tensor] : answer.outputs) names += (names.empty() ? "" : ", ") + name;
    return Usage("a .npy file holds one output").Advise("add ?output=NAME; there are " + names);
  }
  const exec::Tensor& tensor = output->second;
  ANEMONE_ASSIGN(const ir::Literal literal, tensor.ToLiteral(tensor.dtype()));
  ANEMONE_ASSIGN(const auto bytes, EncodeNpy({tensor.dtype(), tensor.shape(), literal.bytes()}));
  return HttpResponse{
      .content_type = "application/x-npy",
      .body = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
}

}  // namespace

Result<HttpResponse> PredictResponse(const ServedModel& served, const HttpRequest& request,
                                     const Answer& answer) {
  HttpResponse response;
  if (request.header("accept").find("application/x-npy") != std::string_view::npos) {
    ANEMONE_ASSIGN(response, NpyResponse(request, answer));
  } else {
    std::string json =
        fmt::format(R"({{"model":{},"report":{},"classes":{},"outputs":{{)", JsonText(served.name),
                    ReportJson(answer).Dump(), ClassesJson(served, answer).Dump());
    for (const auto& [name, tensor] : answer.outputs) {
      json += fmt::format(R"({}{}:{{"dtype":"{}","shape":{},"data":)",
                          json.back() == '{' ? "" : ",", JsonText(name),
                          facade::NumpyNameOf(tensor.dtype()), Json(tensor.shape()).Dump());
      ANEMONE_TRY(AppendValues(tensor, json).At("output " + name));
      json += '}';
    }
    response.body = std::move(json) + "}}\n";
  }
  AddReport(answer, response);
  return response;
}

}  // namespace anemone::serve
