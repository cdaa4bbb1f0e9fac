// Service: the routes of a server for one model, without HTTP's transport.
//
//   GET  /                      a page that classifies images, where the model does; else what there is
//   GET  /v2, /v2/health/live, /v2/health/ready, /v2/models/NAME[/versions/1], .../ready
//   POST /v2/models/NAME[/versions/1]/infer
//   POST /predict               JSON, .npy or an image
//   GET  /openapi.json, /metrics
//   POST /faults                {"count": 3}: that many calls fail; only where it was allowed
//
// Ownership: holds the model and its session. Thread rules: Handle from any number of threads at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "serve/fault_injection.h"
#include "serve/http.h"
#include "serve/request_counts.h"
#include "serve/scheduler.h"
#include "serve/served_model.h"

namespace anemone::serve {

class Service {
 public:
  // `faults` is the session's preferred backend; null: faults cannot be injected.
  Service(ServedModel served, const SchedulerOptions& options,
          std::shared_ptr<FaultInjection> faults);

  HttpResponse Handle(const HttpRequest& request);
  uint64_t requests() const { return requests_.load(); }
  const ServedModel& served() const { return served_; }

 private:
  struct Route {
    std::string_view name;  // of the counts
    std::string_view method;
    HttpResponse (Service::*answer)(const HttpRequest& request);
  };
  // By the path; its `name` is empty when there is none.
  Route Find(std::string_view path) const;

  HttpResponse Page(const HttpRequest& request);
  HttpResponse Server(const HttpRequest& request);
  HttpResponse Live(const HttpRequest& request);
  HttpResponse Ready(const HttpRequest& request);
  HttpResponse Model(const HttpRequest& request);
  HttpResponse Infer(const HttpRequest& request);
  HttpResponse Predict(const HttpRequest& request);
  HttpResponse OpenApi(const HttpRequest& request);
  HttpResponse Metrics(const HttpRequest& request);
  HttpResponse Faults(const HttpRequest& request);
  HttpResponse MissingModel(const HttpRequest& request);

  const std::shared_ptr<FaultInjection> faults_;  // outlives the session
  const ServedModel served_;
  const std::string model_path_;  // "/v2/models/NAME"
  std::atomic<uint64_t> requests_{0};
  RequestCounts counts_;
  Scheduler scheduler_;
};

}  // namespace anemone::serve
