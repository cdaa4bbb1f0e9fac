/* See c_client.c. `backend` and `message` begin as empty strings; `experimental` is written when
 * the call succeeds. */
#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
int CClientDouble(const char* model, const char* options, const float* x, float* y, char* backend,
                  size_t backend_size, int* experimental, char* message, size_t message_size);
#ifdef __cplusplus
}
#endif
