// Used where there is no Core ML. The test double replaces this file: it defines exactly what the
// Objective-C++ body defines.
#include "coreml/compute_plan.h"
#include "coreml/coreml_backend.h"

namespace anemone::coreml {
namespace {

Error Why() {
#ifdef __APPLE__
  return Unavailable("this build has no Core ML backend (ANEMONE_COREML=OFF)")
      .Advise("use --backend cpu");
#else
  return Unavailable("Core ML runs on macOS only, and this build has no Core ML backend")
      .Advise("use --backend cpu");
#endif
}

class NoCoreMl : public exec::Backend {
 public:
  std::string_view name() const override { return "coreml"; }
  bool external() const override { return true; }
  Status Available() const override { return Why(); }
  Result<std::unique_ptr<exec::Executable>> Load(std::shared_ptr<const ir::Model>,
                                                 const exec::LoadOptions&) const override {
    return Why();
  }
};

}  // namespace

const exec::Backend& CoreMlBackend() {
  static const NoCoreMl backend;
  return backend;
}

Result<ComputePlan> LoadComputePlan(std::shared_ptr<const ir::Model>, const exec::LoadOptions&,
                                    std::chrono::nanoseconds) {
  return Why();
}

}  // namespace anemone::coreml
