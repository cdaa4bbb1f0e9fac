// MLModelConfiguration from LoadOptions. Objective-C++ only; call inside Pooled().
#pragma once

#include "coreml/objc.h"
#include "exec/backend.h"
#include "ir/model.h"

namespace anemone::coreml {

// Autoreleased. kUnavailable when the function asked for needs a newer system.
Result<MLModelConfiguration*> MakeConfiguration(const ir::Model& model,
                                                const exec::LoadOptions& options);

}  // namespace anemone::coreml
