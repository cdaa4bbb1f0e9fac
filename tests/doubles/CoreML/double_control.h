// How tests make the double of Core ML fail, and what they can count. A script is rules separated
// by ';', from the environment variable ANEMONE_COREML_DOUBLE or from CoreMLDoubleSetScript:
//
//   seed=7                   of the random rules
//   CALL=FAULT[:ARGUMENT]    every call
//   CALL@N=FAULT             the N-th call only, from 1
//   CALL@N-M=FAULT           the N-th to the M-th call
//   CALL@P%=FAULT            each call with a chance of P percent, by seed and number of the call
//
// The first rule that fits a call decides. CALL is compile, load, predict, state or plan. FAULT is:
//   ok            nothing
//   error[:CODE]  an NSError of MLModelErrorDomain (0)
//   memory        an NSError that says there is no memory left
//   nil           nil, and no NSError
//   throw         an NSException
//   slow:MS       waits, then goes on
//   hang          never returns (a plan: never calls its handler)
//   crash[:SIG]   the process sends itself that signal (9)
//   leak[:N]      N objects (1) are never released
//   predict only: nan, inf, wrong (values), shape, dtype, missing (an output), copy (ignores the
//                 output backings) and wrap (returns other arrays over them), as Core ML may;
//                 backings (an NSError whenever there are output backings)
//   plan only:    nil gives no device for any operation
//
// Thread rules: every function may be called from any thread; a new script must not race with
// calls.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  kDoubleCompile,
  kDoubleLoad,
  kDoublePredict,
  kDoubleState,
  kDoublePlan,
  kDoubleCallKinds
} DoubleCall;

typedef enum {
  kFaultOk,
  kFaultError,
  kFaultMemory,
  kFaultNil,
  kFaultThrow,
  kFaultSlow,
  kFaultHang,
  kFaultCrash,
  kFaultLeak,
  kFaultNan,
  kFaultInf,
  kFaultWrong,
  kFaultShape,
  kFaultDType,
  kFaultMissing,
  kFaultCopy,
  kFaultWrap,
  kFaultBackings,
  kFaultKinds
} DoubleFault;

typedef struct {
  DoubleFault kind;
  int64_t argument;  // -1 when not given
} DoubleFaultChoice;

// Replaces the script and sets all call counters to zero. NULL or "" makes every call succeed.
// Returns 1, or 0 with a message in `error`, and then nothing changes.
int CoreMLDoubleSetScript(const char* script, char* error, size_t error_size);
// Calls so far, and how many of them had that fault.
int64_t CoreMLDoubleCalls(DoubleCall call);
int64_t CoreMLDoubleFaults(DoubleFault fault);
// Objects of the double (pixel buffers included) that are alive now.
int64_t CoreMLDoubleLiveObjects(void);
// Predictions that wrote straight into all of the caller's output backings.
int64_t CoreMLDoubleBackedPredictions(void);
// The optimization hints of the last load: 1 for infrequent reshapes, 2 for fast predictions.
int CoreMLDoubleHints(void);

// For the double itself.
DoubleFaultChoice CoreMLDoubleNext(DoubleCall call);
void CoreMLDoubleCount(int64_t change);
void CoreMLDoubleCountBacked(void);
void CoreMLDoubleNoteHints(int hints);

#ifdef __cplusplus
}
#endif
