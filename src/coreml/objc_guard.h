// Runs C code under an Objective-C exception handler. Plain C, so that the handler is compiled as
// Objective-C: with GNUstep's runtime a handler in Objective-C++ does not work with every compiler,
// and a C++ handler never sees an NSException.
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Returns 1, or 0 when `body` threw: then `name` and `reason` describe the exception (cut to their
// sizes). Objects that the exception left behind are autoreleased: call this inside a pool.
int AnemoneObjcGuard(void (*body)(void*), void* context, char* name, size_t name_size, char* reason,
                     size_t reason_size);

#ifdef __cplusplus
}
#endif
