/* Anemone's C interface: load a model, predict, read what happened. C99; usable from Swift, Rust
 * and any other language that calls C. The C++ interface is in model.h and session.h.
 *
 *   anemone_error* error = NULL;
 *   anemone_session* session = NULL;
 *   if (anemone_session_open("m.mlpackage", "{\"backend\": \"auto\"}", &session, &error) != 0) {
 *     fprintf(stderr, "%s\n", anemone_error_text(error));
 *     anemone_error_free(error);
 *   }
 *
 * Results: functions that can fail return 0, or the exit code that the command would end with (2
 * usage, 3 invalid or unsupported input, 4 not on this machine, 5 backend crash, 6 timeout, 70
 * internal) and set *error, which the caller frees; `error` may be NULL. Ownership: the caller
 * frees what it opens, creates or is given a pointer to, with the function of the same name; strings
 * returned as `const char*` live as long as the object that returned them. Thread rules: a session
 * serves any number of threads at once; a binding and a state serve one call at a time. Stability:
 * functions and fields are only ever added; options are JSON so that they can grow.
 */
/* NOLINTBEGIN(readability-identifier-naming): C's names */
#ifndef ANEMONE_ANEMONE_H_
#define ANEMONE_ANEMONE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ANEMONE_EXPORT __attribute__((visibility("default")))
#else
#define ANEMONE_EXPORT
#endif

/* Why a call failed: opaque; freed with anemone_error_free. */
typedef struct anemone_error anemone_error;
/* A model that serves: opaque; freed with anemone_session_close. */
typedef struct anemone_session anemone_session;
/* Inputs and outputs in the caller's memory: opaque; freed with anemone_binding_free. */
typedef struct anemone_binding anemone_binding;
/* What a stateful model keeps between calls: opaque; freed with anemone_state_free. */
typedef struct anemone_state anemone_state;

/* The type of the elements of bound memory. ANEMONE_OTHER cannot be bound. */
typedef enum anemone_dtype {
  ANEMONE_OTHER = 0,
  ANEMONE_FLOAT32 = 1,
  ANEMONE_INT32 = 2,
  ANEMONE_INT16 = 3,
  ANEMONE_UINT16 = 4,
  ANEMONE_INT8 = 5,
  ANEMONE_UINT8 = 6,
  ANEMONE_BOOL = 7
} anemone_dtype;

/* "0.1.0". */
ANEMONE_EXPORT const char* anemone_version(void);

/* "usage", "invalid_input" ...; stable names. */
ANEMONE_EXPORT const char* anemone_error_code(const anemone_error* error);
/* Place, message and advice in one line. */
ANEMONE_EXPORT const char* anemone_error_text(const anemone_error* error);
/* NULL is allowed. */
ANEMONE_EXPORT void anemone_error_free(anemone_error* error);

/* `model`: an .onnx, .pt2, .mlpackage, .mlmodel or .mlmodelc path, or a catalog name. `options_json`:
 * NULL, or an object with any of the options of a session and of loading under their names
 * (docs/options.md, "Session" and "Load"). */
ANEMONE_EXPORT int anemone_session_open(const char* model, const char* options_json,
                                        anemone_session** session, anemone_error** error);
/* Calls in progress on other threads must have ended. NULL is allowed. */
ANEMONE_EXPORT void anemone_session_close(anemone_session* session);
/* "loading", "compiling", "warming", "ready" or "failed". A literal: it is valid forever. */
ANEMONE_EXPORT const char* anemone_session_state(const anemone_session* session);

/* Inputs of the model, in order. */
ANEMONE_EXPORT size_t anemone_session_input_count(const anemone_session* session);
/* Those of the outputs. */
ANEMONE_EXPORT size_t anemone_session_output_count(const anemone_session* session);
/* NULL when there is no such index. Valid as long as the session. */
ANEMONE_EXPORT const char* anemone_session_input_name(const anemone_session* session, size_t index);
/* NULL when there is no such index. Valid as long as the session. */
ANEMONE_EXPORT const char* anemone_session_output_name(const anemone_session* session,
                                                       size_t index);
/* What memory bound to the feature must hold. At most `capacity` dimensions are written to `shape`;
 * -1 where any size is accepted. Returns the rank, or -1 when there is no such feature. */
ANEMONE_EXPORT int anemone_session_input_type(const anemone_session* session, size_t index,
                                              anemone_dtype* dtype, int64_t* shape,
                                              size_t capacity);
/* As anemone_session_input_type, of an output. */
ANEMONE_EXPORT int anemone_session_output_type(const anemone_session* session, size_t index,
                                               anemone_dtype* dtype, int64_t* shape,
                                               size_t capacity);

/* A classifier's label is the index of its class (ANEMONE_INT32, rank 0), and its probabilities are
 * ANEMONE_FLOAT32 [classes]; these give the names. 0 and NULL when the model is not a classifier,
 * has no such output, or has no such class. An integer label's name is in decimal. */
ANEMONE_EXPORT size_t anemone_session_class_count(const anemone_session* session);
/* The name of a class. Valid as long as the session. */
ANEMONE_EXPORT const char* anemone_session_class_name(const anemone_session* session, size_t index);
/* The output with the label's index. */
ANEMONE_EXPORT const char* anemone_session_label_output(const anemone_session* session);
/* The output with the probabilities. */
ANEMONE_EXPORT const char* anemone_session_probabilities_output(const anemone_session* session);

/* The caller's memory for the inputs and outputs of calls: row-major, and kept by the caller until
 * the binding is freed or the name is bound again, which replaces the earlier memory. */
ANEMONE_EXPORT anemone_binding* anemone_binding_create(void);
/* NULL is allowed; the bound memory stays the caller's. */
ANEMONE_EXPORT void anemone_binding_free(anemone_binding* binding);
/* Binds memory that is read: `rank` sizes at `shape`, elements at `data`. */
ANEMONE_EXPORT int anemone_binding_input(anemone_binding* binding, const char* name,
                                         anemone_dtype dtype, const int64_t* shape, size_t rank,
                                         const void* data, anemone_error** error);
/* Binds memory that is written. */
ANEMONE_EXPORT int anemone_binding_output(anemone_binding* binding, const char* name,
                                          anemone_dtype dtype, const int64_t* shape, size_t rank,
                                          void* data, anemone_error** error);

/* A stateful model's states between calls. A call that fails leaves them as they were. */
ANEMONE_EXPORT anemone_state* anemone_state_create(void);
/* NULL is allowed. */
ANEMONE_EXPORT void anemone_state_free(anemone_state* state);

/* Who answered. The strings are literals: they are valid forever. */
typedef struct anemone_call_report {
  size_t struct_size;          /* set by the caller to sizeof(anemone_call_report) */
  const char* backend;         /* "coreml", "cpu" */
  const char* compute_units;   /* allowed to Core ML; "" for Anemone's executor */
  const char* planned_unit;    /* "cpu", "gpu", "ane", "mixed", "unknown" */
  const char* observed_unit;   /* "unknown" unless there was no choice */
  const char* fallback_reason; /* "none", "runtime_error", "circuit_open" ... */
  const char* circuit_state;   /* of the preferred backend, before the call */
  int64_t fallback_unix_ns;    /* 0: no fallback */
  int64_t duration_ns;         /* of the whole call, all attempts */
  int32_t attempts;            /* backends that were tried */
  int32_t experimental; /* 1: Core ML answered, and no gate has passed it here with this model */
} anemone_call_report;

/* Reads the bound inputs and writes the bound outputs; outputs that are not bound are dropped.
 * `report` may be NULL, and `state` for a model that keeps none. In the steady state Anemone's executor takes nothing from the
 * heap. After a failure the bound outputs are undefined. */
ANEMONE_EXPORT int anemone_session_run(anemone_session* session, const anemone_binding* binding,
                                       anemone_state* state, anemone_call_report* report,
                                       anemone_error** error);

/* The counts so far as JSON (schema anemone.telemetry); freed with anemone_string_free. */
ANEMONE_EXPORT char* anemone_session_telemetry(const anemone_session* session);
/* Frees a text that this interface has returned as a `char*`. NULL is allowed. */
ANEMONE_EXPORT void anemone_string_free(char* text);

#ifdef __cplusplus
}
#endif

#endif /* ANEMONE_ANEMONE_H_ */
/* NOLINTEND(readability-identifier-naming) */
