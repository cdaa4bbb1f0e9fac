#include "serve/service.h"

#include <utility>

#include "base/clock.h"
#include "base/html_page.h"
#include "base/json.h"
#include "facade/arrays.h"
#include "facade/session_outputs.h"
#include "runtime/prometheus_exporter.h"
#include "serve/infer_protocol.h"
#include "serve/page.h"
#include "serve/predict_route.h"
#include "serve/problem.h"

namespace anemone::serve {
namespace {

constexpr std::string_view kModels = "/v2/models/";

HttpResponse JsonResponse(const Json& json) { return {.body = json.Dump() + "\n"}; }

HttpResponse Answered(Result<HttpResponse> response) {
  if (response.ok()) return std::move(*response);
  // A value that the asked form cannot express is neither a mistake nor a failure.
  const bool cannot_express = response.error().code() == ErrorCode::kUnsupported;
  return cannot_express ? ProblemResponse(406, response.error())
                        : ProblemResponse(response.error());
}

}  // namespace

Service::Service(ServedModel served, const SchedulerOptions& options,
                 std::shared_ptr<FaultInjection> faults)
    : faults_(std::move(faults)),
      served_(std::move(served)),
      model_path_(std::string(kModels) + served_.name),
      scheduler_(*served_.session, options) {}

HttpResponse Service::Handle(const HttpRequest& request) {
  const int64_t begin_ns = NowNs();
  const Route route = Find(request.path);
  HttpResponse response;
  if (route.answer == nullptr) {
    response = ProblemResponse(NotFound("there is nothing at this path")
                                   .Advise("GET /openapi.json describes what there is"));
  } else if (request.method != route.method) {
    response = ProblemResponse(405, Usage("this path answers {} only", route.method));
    response.headers.emplace_back("Allow", std::string(route.method));
  } else {
    response = (this->*route.answer)(request);
  }
  // Whatever a client sends, an answer is never taken for another kind of document.
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  requests_.fetch_add(1);
  counts_.Count(route.name, response.status, NowNs() - begin_ns);
  return response;
}

Service::Route Service::Find(std::string_view path) const {
  if (path == "/") return {"page", "GET", &Service::Page};
  if (path == "/v2" || path == "/v2/") return {"server", "GET", &Service::Server};
  if (path == "/v2/health/live") return {"live", "GET", &Service::Live};
  if (path == "/v2/health/ready") return {"ready", "GET", &Service::Ready};
  if (path == "/predict") return {"predict", "POST", &Service::Predict};
  if (path == "/openapi.json") return {"openapi", "GET", &Service::OpenApi};
  if (path == "/metrics") return {"metrics", "GET", &Service::Metrics};
  if (path == "/faults") return {"faults", "POST", &Service::Faults};
  if (!path.starts_with(kModels)) return {"none", "", nullptr};
  if (!path.starts_with(model_path_))
    return {"none", path.ends_with("/infer") ? "POST" : "GET", &Service::MissingModel};
  std::string_view rest = path.substr(model_path_.size());
  if (rest.starts_with("/versions/1")) rest.remove_prefix(std::string_view("/versions/1").size());
  if (rest.empty()) return {"model", "GET", &Service::Model};
  if (rest == "/ready") return {"ready", "GET", &Service::Ready};
  if (rest == "/infer") return {"infer", "POST", &Service::Infer};
  return {"none", rest.ends_with("/infer") ? "POST" : "GET", &Service::MissingModel};
}

HttpResponse Service::MissingModel(const HttpRequest& /*request*/) {
  return ProblemResponse(NotFound("there is no such model, or nothing of this name about it")
                             .Advise("the model is " + model_path_ + ", its version 1"));
}

HttpResponse Service::Page(const HttpRequest& /*request*/) {
  const Json data{{"model", served_.name},
                  {"classifies", served_.classifies_images()},
                  {"faults", faults_ != nullptr},
                  {"metadata", ModelMetadata(served_)}};
  HttpResponse response{.content_type = "text/html; charset=utf-8"};
  response.body = FillPage(page::Template(), {{"/*PAGE_STYLE*/", page::Style()},
                                              {"/*PAGE_SCRIPT*/", page::Script()},
                                              {"/*SERVE_JSON*/", JsonForScript(data.Dump())}});
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
      "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'");
  return response;
}

HttpResponse Service::Server(const HttpRequest& /*request*/) {
  return JsonResponse(ServerMetadata());
}

HttpResponse Service::Live(const HttpRequest& /*request*/) {
  return JsonResponse({{"live", true}});
}

HttpResponse Service::Ready(const HttpRequest& /*request*/) {
  const runtime::SessionState state = served_.session->state();
  if (state == runtime::SessionState::kReady) return JsonResponse({{"ready", true}});
  return ProblemResponse(Unavailable("the model is {}", runtime::SessionStateName(state)));
}

HttpResponse Service::Model(const HttpRequest& /*request*/) {
  return JsonResponse(ModelMetadata(served_));
}

HttpResponse Service::Infer(const HttpRequest& request) {
  const auto read = ReadInferRequest(request);
  if (!read.ok()) return ProblemResponse(read.error());
  auto tensors = facade::ToTensors(read->inputs, served_.function(), served_.model().metadata);
  if (!tensors.ok()) return ProblemResponse(tensors.error());
  const auto answer = scheduler_.Predict(std::move(*tensors), request.deadline_ns);
  if (!answer.ok()) return ProblemResponse(answer.error());
  return Answered(InferResponse(served_, *read, *answer));
}

HttpResponse Service::Predict(const HttpRequest& request) {
  auto tensors = ReadPredictRequest(served_, request);
  if (!tensors.ok()) return ProblemResponse(tensors.error());
  const auto answer = scheduler_.Predict(std::move(*tensors), request.deadline_ns);
  if (!answer.ok()) return ProblemResponse(answer.error());
  return Answered(PredictResponse(served_, request, *answer));
}

HttpResponse Service::OpenApi(const HttpRequest& /*request*/) {
  std::string text(page::OpenApi());
  for (const auto& [mark, value] :
       {std::pair<std::string_view, std::string>{"@MODEL@", served_.name},
        {"@VERSION@", Version()}}) {
    std::string quoted = JsonText(value);
    quoted = quoted.substr(1, quoted.size() - 2);  // the marks stand inside of texts
    for (size_t at = text.find(mark); at != std::string::npos;
         at = text.find(mark, at + quoted.size()))
      text.replace(at, mark.size(), quoted);
  }
  return {.body = std::move(text)};
}

HttpResponse Service::Metrics(const HttpRequest& /*request*/) {
  HttpResponse response{.content_type = "text/plain; version=0.0.4; charset=utf-8"};
  response.body = counts_.Text(served_.name, scheduler_.counts());
  const auto text = runtime::PrometheusText(
      facade::MetricSources(*served_.session, served_.session->telemetry(), served_.name));
  // Without prometheus-cpp the server's own counts are all there is.
  response.body += text.ok() ? *text : "# " + text.error().message() + "\n";
  return response;
}

HttpResponse Service::Faults(const HttpRequest& request) {
  if (faults_ == nullptr) {
    return ProblemResponse(403,
                           Usage("faults are injected only where the server was started for it")
                               .Advise("start it with --allow-fault-injection"));
  }
  const auto body = ParseJson(request.body);
  if (!body.ok()) return ProblemResponse(body.error());
  const Json& count = (*body)["count"];
  if (!count.is_unsigned() || count.integer() < 1 || count.integer() > 1000)
    return ProblemResponse(Usage("\"count\" must be a whole number, 1 to 1000"));
  faults_->Fail(count.integer());
  return JsonResponse({{"pending", faults_->pending()}});
}

}  // namespace anemone::serve
