#include "tools_binding.h"

#include <nanobind/stl/string.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <string>

#include "anemone/tools.h"
#include "failure.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace anemone::python {
namespace {

// The caller's progress function and Ctrl-C, while a tool works without the interpreter's lock.
class Watch {
 public:
  explicit Watch(nb::object progress) : progress_(std::move(progress)) {}

  // From any thread.
  Hooks hooks() {
    Hooks hooks;
    hooks.cancelled = [this] { return cancelled_.load(); };
    if (progress_.is_none()) return hooks;
    hooks.progress = [this](const std::string& stage, int64_t done, int64_t total) {
      const nb::gil_scoped_acquire lock;
      if (cancelled_) return;
      try {
        progress_(stage, done, total);
      } catch (nb::python_error&) {
        Cancel(std::current_exception());
      }
    };
    return hooks;
  }

  // On Python's main thread: lets it call the handlers of signals that have arrived.
  void HeedSignals() {
    const nb::gil_scoped_acquire lock;
    if (!cancelled_ && PyErr_CheckSignals() != 0)
      Cancel(std::make_exception_ptr(nb::python_error()));
  }

  // With the lock: what a handler or the progress function raised.
  void Rethrow() const {
    if (raised_) std::rethrow_exception(raised_);
  }

 private:
  void Cancel(std::exception_ptr raised) {
    raised_ = std::move(raised);
    cancelled_ = true;
  }

  nb::object progress_;
  std::exception_ptr raised_;
  std::atomic<bool> cancelled_ = false;
};

// Runs `tool` on a thread of its own, as Python's main thread must be free to take signals. Returns
// the document.
template <typename Options, typename Tool>
std::string Run(const std::string& json, nb::object progress, Tool tool) {
  constexpr auto kPatience = std::chrono::milliseconds(50);
  const auto options = Unwrap(ParseOptions<Options>(json));
  Watch watch(std::move(progress));
  const Hooks hooks = watch.hooks();
  std::future<decltype(tool(options, hooks))> outcome;
  {
    const nb::gil_scoped_release release;
    outcome = std::async(std::launch::async, [&] { return tool(options, hooks); });
    while (outcome.wait_for(kPatience) != std::future_status::ready) watch.HeedSignals();
  }
  auto result = outcome.get();
  watch.Rethrow();
  return Unwrap(std::move(result)).json;
}

}  // namespace

void AddTools(nb::module_& module) {
  const auto add = [&]<typename Options, typename Result>(
                       const char* name, Expected<Result> (*tool)(const Options&, const Hooks&)) {
    module.def(
        name,
        [tool](const std::string& options, nb::object progress) {
          return Run<Options>(options, std::move(progress), tool);
        },
        "options"_a, "progress"_a.none());
  };
  add("gate", &Gate);
  add("lab", &Lab);
  add("compare", &Compare);
  add("evaluate", &Evaluate);
  add("bench", &Bench);
  add("demo", &Demo);
  add("fetch", &Fetch);
  add("convert_file", &ConvertFile);
  add("compress_file", &CompressFile);
  add("cache_verify", &CacheVerify);
  add(
      "placement",
      +[](const PlacementOptions& options, const Hooks&) { return ScorePlacement(options); });
  add("doctor", +[](const DoctorOptions& options, const Hooks&) { return Doctor(options); });
  add("compile", +[](const CompileOptions& options, const Hooks&) { return Compile(options); });
  add("matrix", +[](const MatrixOptions& options, const Hooks&) { return Matrix(options); });
  add("inspect", +[](const InspectOptions& options, const Hooks&) { return Inspect(options); });
  add("view", &View);
  add("serve", &Serve);
  add("run", +[](const RunOptions& options, const Hooks&) { return Run(options); });
  add(
      "cache_list",
      +[](const CacheListOptions& options, const Hooks&) { return CacheList(options); });
  add(
      "cache_clear",
      +[](const CacheClearOptions& options, const Hooks&) { return CacheClear(options); });
  module.def("catalog", [] { return Unwrap(Catalog()).json; });
}

}  // namespace anemone::python
