#include "runtime/backends.h"

#include <array>

#include "coreml/coreml_backend.h"
#include "cpu/cpu_backend.h"
#include "exec/reference_backend.h"

namespace anemone::runtime {

std::span<const exec::Backend* const> Backends() {
  static const std::array<const exec::Backend*, 3> backends{
      &coreml::CoreMlBackend(), &cpu::CpuBackend(), &exec::ReferenceBackend()};
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
  return Usage("'{}' is not a backend", name).Advise("choose one of " + names);
}

}  // namespace anemone::runtime
