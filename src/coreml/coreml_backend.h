// The Core ML backend ("coreml"): compiles the model's package with Apple's compiler, keeps what it
// compiled, and predicts through MLModel. Pure C++; the body is Objective-C++ (macOS), and
// elsewhere Available() says why there is none.
//
// Tensors cross the border as exec/backend.h says: float32 and int32 arrays are read and written in
// the caller's memory (output backings); fp16 features pass through a buffer of the session's;
// images become pixel buffers, their values rounded to the nearest of 0 ... 255 (8-bit formats) or
// to half. States are copied into Core ML's before a call and back after one that succeeded, so
// that a failed call may be repeated elsewhere.
//
// Every call runs in an autorelease pool of its own. Errors: what Core ML reports, or throws, is an
// exec::Failure with its kind, domain, code and the chain of causes. A crash or a hang of Core ML
// is the process's: runtime/first_load.h has a child process try a model first. Thread rules: as
// exec/backend.h says.
#pragma once

#include "exec/backend.h"

namespace anemone::coreml {

const exec::Backend& CoreMlBackend();

}  // namespace anemone::coreml
