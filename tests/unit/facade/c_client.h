/* See c_client.c. `backend` and `message` begin as empty strings; `experimental` is written when
 * the call succeeds. */
#ifndef ANEMONE_TESTS_C_CLIENT_H_
#define ANEMONE_TESTS_C_CLIENT_H_
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
int c_client_double(const char* model, const char* options, const float* x, float* y, char* backend,
                    size_t backend_size, int* experimental, char* message, size_t message_size);
#ifdef __cplusplus
}
#endif
#endif
