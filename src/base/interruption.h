// Lets a caller's long computation be stopped from outside, by a function that the host program
// gives once: Python's binding asks whether Ctrl-C was pressed. Code that may run for long asks
// Interrupted() between its steps and returns a kCancelled error when it says so.
//
// Thread rules: any thread; the function is called on the thread that computes.
#pragma once

#include "base/status.h"

namespace anemone {

// Null: nothing interrupts. The function is asked now and then, every 50 ms at most on a thread.
void SetInterruptCheck(bool (*wanted)());
// OK, or kCancelled when the host wants the computation to end. Cheap enough for every operation.
Status CheckInterrupted();

}  // namespace anemone
