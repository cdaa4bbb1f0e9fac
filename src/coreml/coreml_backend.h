// The Core ML backend ("coreml"): compiles the model's package with Apple's compiler, caches the
// compiled model, and predicts through MLModel. Pure C++; the body is Objective-C++ (macOS), and on
// other systems Available() returns why there is none.
//
// Tensors cross the boundary as exec/backend.h says: float32 and int32 arrays are read and written
// in the caller's memory (output backings); fp16 features pass through a buffer of the executable;
// images become pixel buffers, with values rounded to the nearest of 0 ... 255 (8-bit formats) or
// to half. States are copied into Core ML's before a call and back after a successful one, so that
// a failed call may be repeated elsewhere.
//
// Every call runs in its own autorelease pool. Errors: whatever Core ML reports or throws becomes
// an exec::Failure with its kind, domain, code and the chain of causes. A crash or a hang of Core
// ML takes the process with it: runtime/first_load.h lets a child process try a model first. Thread
// rules: as exec/backend.h says.
#pragma once

#include "exec/backend.h"

namespace anemone::coreml {

const exec::Backend& CoreMlBackend();

}  // namespace anemone::coreml
