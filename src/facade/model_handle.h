// What a Model of the public interface holds. Ownership: shared by its copies. Thread rules:
// immutable but for the session, which the first prediction opens.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "anemone/model.h"
#include "base/fork_gate.h"
#include "base/status.h"
#include "facade/model_source.h"
#include "runtime/session.h"

namespace anemone {

struct Model::Impl {
  facade::LoadedModel loaded;
  std::string argument;  // what named it: a path, a catalog name
  LoadOptions options;
  std::mutex mutex;
  std::shared_ptr<runtime::Session> session;
  ForkGate gate;  // of Predict

  const ir::FunctionDescription* description() const {
    return options.function.empty() ? loaded.model->main()
                                    : loaded.model->FindFunction(options.function);
  }
  // A deep copy to be changed, that shares the bytes of the weights.
  std::shared_ptr<Impl> Clone() const;
  Result<std::shared_ptr<runtime::Session>> Open();
};

}  // namespace anemone
