#include "runtime/backends.h"

#include <array>

#include "cpu/cpu_backend.h"
#include "exec/reference_backend.h"

namespace anemone::runtime {

std::span<const exec::Backend* const> Backends() {
  static const std::array<const exec::Backend*, 2> backends{&cpu::CpuBackend(),
                                                            &exec::ReferenceBackend()};
  return backends;
}

Result<const exec::Backend*> FindBackend(std::string_view name) {
  std::string names = "auto";
  for (const exec::Backend* backend : Backends()) {
    if (name == "auto" && backend->Available().ok()) return backend;
    if (name == backend->name()) {
      ANEMONE_TRY(backend->Available());
      return backend;
    }
    names += ", " + std::string(backend->name());
  }
  if (name == "coreml") {
    return Unavailable("Core ML runs on macOS only, and this build has no Core ML backend")
        .Advise("use --backend cpu");
  }
  return Usage("there is no backend '{}'", name).Advise("choose one of " + names);
}

}  // namespace anemone::runtime
