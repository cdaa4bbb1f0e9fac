/* Opens a model by the C interface and runs it once: prints the sum of the first output. */
#include <anemone/anemone.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(anemone_error* error) {
  fprintf(stderr, "%s: %s\n", anemone_error_code(error), anemone_error_text(error));
  anemone_error_free(error);
  return 1;
}

/* Memory for a feature, each element `value`; NULL for one of another type than float32. */
static float* filled(int rank, const int64_t* shape, anemone_dtype dtype, float value,
                     size_t* count) {
  *count = 1;
  for (int d = 0; d < rank; ++d) *count *= (size_t)shape[d];
  if (dtype != ANEMONE_FLOAT32) return NULL;
  float* data = malloc(*count * sizeof(float));
  for (size_t i = 0; data != NULL && i < *count; ++i) data[i] = value;
  return data;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  anemone_error* error = NULL;
  anemone_session* session = NULL;
  if (anemone_session_open(argv[1], "{\"backend\": \"cpu\"}", &session, &error) != 0) {
    return fail(error);
  }
  int64_t shape[8];
  anemone_dtype dtype;
  size_t inputs = 0;
  size_t outputs = 0;
  int rank = anemone_session_input_type(session, 0, &dtype, shape, 8);
  float* input = filled(rank, shape, dtype, 1.0f, &inputs);
  anemone_binding* binding = anemone_binding_create();
  if (input == NULL || anemone_binding_input(binding, anemone_session_input_name(session, 0), dtype,
                                             shape, (size_t)rank, input, &error) != 0) {
    return fail(error);
  }
  rank = anemone_session_output_type(session, 0, &dtype, shape, 8);
  float* output = filled(rank, shape, dtype, 0.0f, &outputs);
  if (output == NULL || anemone_binding_output(binding, anemone_session_output_name(session, 0),
                                               dtype, shape, (size_t)rank, output, &error) != 0) {
    return fail(error);
  }
  anemone_call_report report = {.struct_size = sizeof(report)};
  if (anemone_session_run(session, binding, NULL, &report, &error) != 0) return fail(error);
  double sum = 0;
  for (size_t i = 0; i < outputs; ++i) sum += output[i];
  printf("anemone %s, %s: %zu outputs, sum %.6g\n", anemone_version(), report.backend, outputs,
         sum);
  anemone_binding_free(binding);
  anemone_session_close(session);
  free(input);
  free(output);
  return 0;
}
