#include "serve/serve.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "facade/arrays.h"
#include "facade/document.h"
#include "facade/predictor_source.h"
#include "facade/preprocess.h"
#include "facade/session_options.h"
#include "facade/state.h"
#include "facade/tool_options.h"
#include "options/option.h"
#include "runtime/backends.h"
#include "serve/http_server.h"
#include "serve/service.h"

namespace anemone::serve {
namespace {

// How soon a wish to stop is noticed.
constexpr auto kPatience = std::chrono::milliseconds(20);

Status CheckServable(const facade::LoadedModel& loaded, const ir::Function& function) {
  if (!facade::CheckStateIsGiven(function, nullptr).ok()) {
    return Unsupported(
               "the model keeps states between calls, which requests of many callers share not")
        .At(loaded.name)
        .Advise("anemone.Session keeps a State for each of your own callers");
  }
  for (const auto& input : function.inputs()) {
    if (input->type.is_tensor() && !DatatypeOf(input->type.dtype()).empty()) continue;
    return Unsupported("the input '{}' is {}, which no request can hold", input->name,
                       input->type.ToString())
        .At(loaded.name);
  }
  return {};
}

// A name that stands in a path as it is.
Status CheckName(const std::string& name) {
  const bool plain = std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (plain && !name.empty()) return {};
  return Usage("'{}' cannot stand in a path as it is", name)
      .Advise("name the model with --name, in letters, digits, '-', '_' and '.'");
}

// In the place of what a path cannot hold.
std::string NameInPath(std::string name) {
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') c = '_';
  }
  return name.empty() ? "model" : name;
}

Result<std::unique_ptr<Service>> MakeService(const ServeOptions& options) {
  facade::ModelSource source = facade::SourceOf(options);
  ANEMONE_ASSIGN(source.file, facade::OpenModelFile(options.model));
  if (facade::IsFeatureModel(source.file.get())) {
    return Unsupported("only programs and neural networks are served")
        .Advise("anemone run answers for other types")
        .At(options.model);
  }
  ServedModel served;
  ANEMONE_ASSIGN(served.loaded, facade::LoadModel(source));
  served.name = options.name.empty() ? NameInPath(served.loaded.name) : options.name;
  ANEMONE_TRY(CheckName(served.name));
  ANEMONE_ASSIGN(served.preprocess, facade::PreprocessOf(options.preprocess));
  SessionOptions session = options.session;
  std::shared_ptr<FaultInjection> faults;
  std::vector<const exec::Backend*> backends;
  if (options.allow_fault_injection) {
    ANEMONE_ASSIGN(const exec::Backend* preferred, runtime::FindBackend(options.session.backend));
    ANEMONE_ASSIGN(const exec::Backend* trusted, runtime::FindBackend("cpu"));
    faults = std::make_shared<FaultInjection>(*preferred);
    backends = {faults.get(), trusted};
    // An external backend is tried on fewer and fewer units; an executor of ours has but one.
    if (!preferred->external()) session.compute_units = "cpu_only";
  }
  ANEMONE_ASSIGN(
      served.session,
      facade::OpenSession(served.loaded, options.model, session, backends).At(options.model));
  ANEMONE_TRY(CheckServable(served.loaded, served.function()));
  if (options.max_batch > 1)
    ANEMONE_TRY(CheckJoinable(served.model(), *served.session, options.max_batch));
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int lanes = options.session.max_concurrent_calls;
  const SchedulerOptions schedule{.workers = lanes > 0 ? lanes : std::max(2, cores),
                                  .max_queue = options.max_queue,
                                  .max_batch = options.max_batch,
                                  .max_delay_ns = static_cast<int64_t>(options.max_delay * 1e6)};
  return std::make_unique<Service>(std::move(served), schedule, std::move(faults));
}

ServeResult ResultOf(const ServeOptions& options, const Service& service, const std::string& url) {
  ServeResult result;
  result.url = url;
  result.name = service.served().name;
  result.requests = static_cast<int64_t>(service.requests());
  Json document = facade::Document("anemone.serve");
  document["model"] = options.model;
  document["name"] = result.name;
  document["url"] = url;
  document["requests"] = result.requests;
  result.json = facade::DocumentText(document);
  return result;
}

}  // namespace

Result<ServeResult> RunServe(const ServeOptions& options, const Hooks& hooks,
                             const std::function<void(const ServeResult&)>& ready) {
  ANEMONE_TRY(options::Check(options));
  facade::Tell(hooks, "loading " + options.model);
  ANEMONE_ASSIGN(const std::unique_ptr<Service> service, MakeService(options));
  const HttpLimits limits{.body_bytes = static_cast<size_t>(options.max_body),
                          .connections = options.max_connections,
                          .timeout_ns = static_cast<int64_t>(options.timeout * 1e9)};
  ANEMONE_ASSIGN(const auto server,
                 HttpServer::Listen(options.address, limits, [&](const HttpRequest& request) {
                   return service->Handle(request);
                 }));
  facade::Tell(hooks, "serving at " + server->url());
  ready(ResultOf(options, *service, server->url()));
  while (!hooks.cancelled || !hooks.cancelled()) std::this_thread::sleep_for(kPatience);
  facade::Tell(hooks, "stopping");
  server->Stop();
  return ResultOf(options, *service, server->url());
}

}  // namespace anemone::serve

namespace anemone {

Expected<ServeResult> Serve(const ServeOptions& options, const Hooks& hooks) {
  auto result = serve::RunServe(options, hooks, [](const ServeResult&) {});
  if (!result.ok()) return facade::ToFailure(result.error());
  return std::move(*result);
}

}  // namespace anemone
