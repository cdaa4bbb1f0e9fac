#include "serve/infer_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "facade/arrays.h"
#include "ir/type.h"
#include "serve/tensor_json.h"

namespace anemone::serve {
namespace {

bool IsDataOfInput(const std::vector<std::string>& path) {
  return path.size() == 3 && path[0] == "inputs" && path[2] == "data";
}

// How many bytes of the body are JSON.
Result<size_t> JsonLength(const HttpRequest& request) {
  const std::string_view text = request.header("inference-header-content-length");
  if (text.empty()) return request.body.size();
  size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > request.body.size()) {
    return Usage("{} is '{}', but the body has {} bytes", kJsonLengthHeader, ToUtf8(text),
                 request.body.size());
  }
  return length;
}

Result<std::vector<int64_t>> ShapeOf(const Json& json) {
  if (!json.is_array()) return Usage("\"shape\" must be a list of sizes");
  std::vector<int64_t> shape;
  for (const Json& size : json) {
    if (!size.is_unsigned() || size.integer() > std::numeric_limits<int32_t>::max())
      return Usage("\"shape\" must be a list of sizes, but holds {}", size.Dump());
    shape.push_back(size.integer());
  }
  if (!ir::ElementCount(shape)) return Usage("\"shape\" has too many elements");
  return shape;
}

// Whether a number of the protocol's type can be this one.
bool Holds(DType dtype, double value) {
  if (dtype == DType::kFp64) return true;
  if (dtype == DType::kFp32) return std::abs(value) <= std::numeric_limits<float>::max();
  if (dtype == DType::kFp16) return std::abs(value) < 65520;  // which rounds to infinity
  if (value != std::trunc(value)) return false;
  const int bits = dtype == DType::kBool ? 1 : BitWidth(dtype);
  const double span = std::ldexp(1.0, IsSignedInt(dtype) ? bits - 1 : bits);
  return value < span && value >= (IsSignedInt(dtype) ? -span : 0);
}

Result<Array> ArrayOfList(NumberList list, std::vector<int64_t> shape, DType dtype) {
  for (const double value : list.values) {
    if (!Holds(dtype, value))
      return Usage("\"data\" holds {}, which no {} is", value, DTypeName(dtype));
  }
  // Written flat, or as the shape is.
  if (list.shape.size() > 1 && list.shape != shape) {
    return Usage("\"data\" is nested as {}, but \"shape\" is {}", ir::ShapeToString(list.shape),
                 ir::ShapeToString(shape));
  }
  if (static_cast<int64_t>(list.values.size()) != *ir::ElementCount(shape)) {
    return Usage("\"data\" has {} numbers, but \"shape\" {} has {}", list.values.size(),
                 ir::ShapeToString(shape), *ir::ElementCount(shape));
  }
  auto values = std::make_shared<const std::vector<double>>(std::move(list.values));
  return Array{"float64", std::move(shape), std::shared_ptr<const void>(values, values->data())};
}

Result<Array> ArrayOfBytes(std::string_view bytes, std::vector<int64_t> shape,
                           const std::string& numpy_name) {
  const auto wanted = ByteSize(facade::DTypeOfNumpy(numpy_name), *ir::ElementCount(shape));
  if (wanted != bytes.size()) {
    return Usage("\"binary_data_size\" is {}, but \"shape\" {} of {} takes {}", bytes.size(),
                 ir::ShapeToString(shape), numpy_name, wanted.value_or(0));
  }
  // Elements need an address of their own alignment.
  auto copy = std::make_shared<const Bytes>(Bytes::Copy(bytes.data(), bytes.size()));
  return Array{numpy_name, std::move(shape), std::shared_ptr<const void>(copy, copy->data())};
}

// The bytes behind the JSON, which the inputs take in their order.
struct BinaryPart {
  std::string_view rest;
};

Result<Array> ReadInput(const Json& input, TensorDocument& document, BinaryPart& binary) {
  ANEMONE_ASSIGN(std::vector<int64_t> shape, ShapeOf(input["shape"]));
  const std::string& datatype = input["datatype"].text();
  const std::string numpy_name = NumpyNameOfDatatype(datatype);
  if (numpy_name.empty()) {
    return Usage("\"datatype\" is '{}'", ToUtf8(datatype))
        .Advise("use FP32, FP16, FP64, INT8 to INT64, UINT8, UINT16 or BOOL");
  }
  const Json& parameters = input["parameters"];
  if (parameters.contains("shared_memory_region")) return Unsupported("shared memory is not read");
  if (const Json* size = parameters.Find("binary_data_size")) {
    if (!size->is_unsigned() || size->unsigned_integer() > binary.rest.size()) {
      return Usage("\"binary_data_size\" is {}, but {} bytes are left", size->Dump(),
                   binary.rest.size());
    }
    if (input.contains("data")) return Usage("it has both \"data\" and \"binary_data_size\"");
    const auto taken = static_cast<size_t>(size->unsigned_integer());
    const std::string_view bytes = binary.rest.substr(0, taken);
    binary.rest.remove_prefix(taken);
    return ArrayOfBytes(bytes, std::move(shape), numpy_name);
  }
  const Json* data = input.Find("data");
  if (data == nullptr || !data->is_unsigned() || data->unsigned_integer() >= document.lists.size())
    return Usage("it has no list \"data\", and no \"binary_data_size\"");
  return ArrayOfList(std::move(document.lists[static_cast<size_t>(data->unsigned_integer())]),
                     std::move(shape), facade::DTypeOfNumpy(numpy_name));
}

Status ReadOutputs(const Json& outputs, InferRequest& request) {
  if (outputs.is_null()) return {};
  if (!outputs.is_array()) return Usage("\"outputs\" must be a list");
  for (const Json& output : outputs) {
    const Json& parameters = output["parameters"];
    if (!output["name"].is_text()) return Usage("an output has no \"name\"").At("outputs");
    const std::string& name = output["name"].text();
    if (parameters["classification"].integer() > 0) {
      return Unsupported("the extension \"classification\" is not here")
          .At("output " + name)
          .Advise("POST to /predict: its answer names the classes");
    }
    if (parameters.contains("shared_memory_region"))
      return Unsupported("shared memory is not written").At("output " + name);
    const Json* binary = parameters.Find("binary_data");
    request.outputs.push_back(
        {name, binary != nullptr ? binary->boolean() : request.binary_outputs});
  }
  return {};
}

// The document with the lists of the tensors apart. A "data" that is a number is none of ours.
Result<TensorDocument> ReadDocument(std::string_view text) {
  ANEMONE_ASSIGN(TensorDocument document, ReadTensorDocument(text, IsDataOfInput));
  if (!document.json.is_object()) return Usage("the request must be a JSON object");
  return document;
}

}  // namespace

Result<InferRequest> ReadInferRequest(const HttpRequest& http) {
  ANEMONE_ASSIGN(const size_t json_length, JsonLength(http));
  ANEMONE_ASSIGN(TensorDocument document,
                 ReadDocument(std::string_view(http.body).substr(0, json_length)));
  const Json& json = document.json;
  InferRequest request;
  request.id = json["id"].text();
  const Json& parameters = json["parameters"];
  if (parameters["sequence_id"].is_text() || parameters["sequence_id"].integer() != 0)
    return Unsupported("sequences of requests are not kept");
  request.binary_outputs = parameters["binary_data_output"].boolean();
  if (!json["inputs"].is_array()) return Usage("\"inputs\" must be a list");
  BinaryPart binary{std::string_view(http.body).substr(json_length)};
  for (const Json& input : json["inputs"]) {
    const std::string& name = input["name"].text();
    if (name.empty()) return Usage("an input has no \"name\"").At("inputs");
    if (request.inputs.contains(name)) return Usage("it is given twice").At("input " + name);
    ANEMONE_ASSIGN(Array array, ReadInput(input, document, binary).At("input " + name));
    request.inputs.emplace(name, std::move(array));
  }
  if (!binary.rest.empty()) return Usage("{} bytes are left after all inputs", binary.rest.size());
  ANEMONE_TRY(ReadOutputs(json["outputs"], request));
  return request;
}

namespace {

// The outputs that are wanted, in the order in which they are.
Result<std::vector<InferRequest::Output>> Wanted(const ServedModel& served,
                                                 const InferRequest& request,
                                                 const Answer& answer) {
  std::vector<InferRequest::Output> wanted = request.outputs;
  if (wanted.empty()) {
    for (const ir::Value* output : served.function().outputs())
      wanted.push_back({output->name, request.binary_outputs});
  }
  for (const auto& output : wanted) {
    if (answer.outputs.contains(output.name)) continue;
    std::string names;
    for (const auto& [name, tensor] : answer.outputs) names += (names.empty() ? "" : ", ") + name;
    return Usage("the model has no output '{}'", ToUtf8(output.name)).Advise("it has " + names);
  }
  return wanted;
}

}  // namespace

Result<HttpResponse> InferResponse(const ServedModel& served, const InferRequest& request,
                                   const Answer& answer) {
  ANEMONE_ASSIGN(const auto wanted, Wanted(served, request, answer));
  // Text, not values: a tensor may have millions of elements.
  std::string json =
      fmt::format(R"({{"model_name":{},"model_version":"1",)", JsonText(served.name));
  if (!request.id.empty()) json += fmt::format(R"("id":{},)", JsonText(request.id));
  json += fmt::format(R"("parameters":{},"outputs":[)", ReportJson(answer).Dump());
  std::string binary;
  for (const auto& output : wanted) {
    const exec::Tensor& tensor = answer.outputs.at(output.name);
    json +=
        fmt::format(R"({}{{"name":{},"datatype":"{}","shape":{},)", json.back() == '[' ? "" : ",",
                    JsonText(output.name), DatatypeOf(tensor.dtype()), Json(tensor.shape()).Dump());
    if (output.binary) {
      json += fmt::format(R"("parameters":{{"binary_data_size":{}}}}})", tensor.size_bytes());
      binary.append(tensor.As<char>(), tensor.size_bytes());
    } else {
      json += R"("data":)";
      ANEMONE_TRY(AppendValues(tensor, json).At("output " + output.name));
      json += '}';
    }
  }
  json += "]}";
  HttpResponse response;
  if (!binary.empty() || std::ranges::any_of(wanted, &InferRequest::Output::binary)) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back(kJsonLengthHeader, std::to_string(json.size()));
  }
  response.body = std::move(json) + binary;
  AddReport(answer, response);
  return response;
}

Json ReportJson(const Answer& answer) {
  const runtime::CallReport& report = answer.report;
  return {
      {"backend", report.backend},
      {"compute_units", report.external ? Json(ComputeUnitsName(report.compute_units)) : Json("")},
      {"fallback_reason", runtime::FallbackReasonName(report.fallback_reason)},
      {"circuit_state", runtime::CircuitStateName(report.circuit_state)},
      {"attempts", report.attempts},
      {"duration_ms", static_cast<double>(report.duration_ns) * 1e-6},
      {"waiting_ms", static_cast<double>(answer.waiting_ns) * 1e-6},
      {"batch", answer.batch}};
}

void AddReport(const Answer& answer, HttpResponse& response) {
  const runtime::CallReport& report = answer.report;
  response.headers.emplace_back("Anemone-Backend", std::string(report.backend));
  response.headers.emplace_back("Anemone-Fallback-Reason",
                                std::string(runtime::FallbackReasonName(report.fallback_reason)));
  response.headers.emplace_back(
      "Anemone-Duration-Ms", fmt::format("{:.3f}", static_cast<double>(report.duration_ns) * 1e-6));
}

Json ServerMetadata() {
  return {{"name", "anemone"},
          {"version", Version()},
          {"extensions", Json::Array({"binary_tensor_data"})}};
}

namespace {

Json FeatureJson(const ir::Value& value) {
  Json shape = Json::Array();
  for (const int64_t size : value.type.shape()) shape.push_back(size);
  return {{"name", value.name},
          {"datatype", DatatypeOf(value.type.dtype())},
          {"shape", std::move(shape)}};
}

}  // namespace

Json ModelMetadata(const ServedModel& served) {
  Json inputs = Json::Array();
  for (const auto& input : served.function().inputs()) inputs.push_back(FeatureJson(*input));
  Json outputs = Json::Array();
  for (const ir::Value* output : served.function().outputs())
    outputs.push_back(FeatureJson(*output));
  return {{"name", served.name},
          {"versions", Json::Array({"1"})},
          {"platform", "anemone_" + served.loaded.type},
          {"inputs", std::move(inputs)},
          {"outputs", std::move(outputs)}};
}

}  // namespace anemone::serve
