/* A client in C99: opens a model, binds its memory, runs, reads the report. Shows that anemone.h is
 * C and that nothing else is needed. */
#include "c_client.h"

#include <string.h>

#include "anemone/anemone.h"

int CClientDouble(const char* model, const char* options, const float* x, float* y, char* backend,
                    size_t backend_size, int* experimental, char* message, size_t message_size) {
  anemone_error* error = NULL;
  anemone_session* session = NULL;
  anemone_binding* binding = NULL;
  anemone_call_report report;
  int64_t shape[4];
  anemone_dtype dtype;
  int rank;
  int result = anemone_session_open(model, options, &session, &error);
  if (result != 0) goto done;
  rank = anemone_session_input_type(session, 0, &dtype, shape, 4);
  if (rank < 0 || dtype != ANEMONE_FLOAT32) {
    result = -1;
    goto done;
  }
  binding = anemone_binding_create();
  result = anemone_binding_input(binding, anemone_session_input_name(session, 0), dtype, shape,
                                 (size_t)rank, x, &error);
  if (result != 0) goto done;
  rank = anemone_session_output_type(session, 0, &dtype, shape, 4);
  result = anemone_binding_output(binding, anemone_session_output_name(session, 0), dtype, shape,
                                  (size_t)rank, y, &error);
  if (result != 0) goto done;
  memset(&report, 0, sizeof report);
  report.struct_size = sizeof report;
  result = anemone_session_run(session, binding, NULL, &report, &error);
  if (result == 0) {
    strncat(backend, report.backend, backend_size - 1);
    *experimental = report.experimental;
  }
done:
  if (error != NULL) strncat(message, anemone_error_text(error), message_size - 1);
  anemone_error_free(error);
  anemone_binding_free(binding);
  anemone_session_close(session);
  return result;
}
