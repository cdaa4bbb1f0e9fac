#include "coreml/coreml_backend.h"

#include "coreml/session.h"
#include "exec/session_inputs.h"

namespace anemone::coreml {
namespace {

class CoreMl : public exec::Backend {
 public:
  std::string_view name() const override { return "coreml"; }
  bool foreign() const override { return true; }
  Status Available() const override { return {}; }
  Result<std::unique_ptr<exec::Session>> Load(std::shared_ptr<const ir::Model> model,
                                              const exec::LoadOptions& options) const override {
    if (options.numerics != exec::Numerics::kAsTyped) {
      return Unsupported("Core ML computes as the program is typed").Advise("use --backend cpu");
    }
    ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
    ANEMONE_ASSIGN(Border border, BorderOf(*model, *function));
    ANEMONE_ASSIGN(LoadedModel loaded, CompileAndLoad(*model, options));
    std::unique_ptr<exec::Session> session =
        std::make_unique<CoreMlSession>(std::move(model), std::move(border), std::move(loaded));
    return session;
  }
};

}  // namespace

const exec::Backend& CoreMlBackend() {
  static const CoreMl backend;
  return backend;
}

}  // namespace anemone::coreml
