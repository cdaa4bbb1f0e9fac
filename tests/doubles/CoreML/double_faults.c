#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "CoreML/double_control.h"

enum { kMaxRules = 64 };

typedef struct {
  DoubleCall call;
  DoubleFaultChoice choice;
  int64_t first, last;  // calls by number, from 1
  double percent;       // below 0: not random
} Rule;

typedef struct {
  Rule rules[kMaxRules];
  int count;
  uint64_t seed;
} Script;

static const char* const kCalls[kDoubleCallKinds] = {"compile", "load", "predict", "state", "plan"};
static const char* const kFaults[kFaultKinds] = {
    "ok",  "error", "memory", "nil",   "throw", "slow",    "hang", "crash", "leak",
    "nan", "inf",   "wrong",  "shape", "dtype", "missing", "copy", "wrap",  "backings"};

static Script current;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int64_t calls[kDoubleCallKinds];
static _Atomic int64_t faults[kFaultKinds];
static _Atomic int64_t live;
static _Atomic int64_t backed;
static atomic_int hints;

static int Find(const char* const* names, int count, const char* text, size_t length) {
  for (int i = 0; i < count; ++i) {
    if (strlen(names[i]) == length && strncmp(names[i], text, length) == 0) return i;
  }
  return -1;
}

// CALL[@WHEN]=FAULT[:ARGUMENT] in [text, end).
static int ParseRule(const char* text, const char* end, Script* script) {
  char copy[128];
  const size_t length = (size_t)(end - text);
  if (length >= sizeof copy) return 0;
  memcpy(copy, text, length);
  copy[length] = '\0';
  char* equals = strchr(copy, '=');
  if (equals == NULL) return 0;
  *equals = '\0';
  char* tail = NULL;
  if (strcmp(copy, "seed") == 0) {
    script->seed = strtoull(equals + 1, &tail, 10);
    return tail != equals + 1 && *tail == '\0';
  }
  if (script->count == kMaxRules) return 0;
  Rule rule = {.choice = {.argument = -1}, .first = 1, .last = INT64_MAX, .percent = -1};
  char* at = strchr(copy, '@');
  if (at != NULL) {
    *at = '\0';
    const double number = strtod(at + 1, &tail);
    if (tail == at + 1) return 0;
    if (*tail == '%') {
      rule.percent = number;
      ++tail;
    } else {
      rule.first = rule.last = (int64_t)number;
      if (*tail == '-') {
        const char* from = tail + 1;
        rule.last = strtoll(from, &tail, 10);
        if (tail == from) return 0;
      }
    }
    if (*tail != '\0') return 0;
  }
  const int call = Find(kCalls, kDoubleCallKinds, copy, strlen(copy));
  char* fault_text = equals + 1;
  char* colon = strchr(fault_text, ':');
  if (colon != NULL) {
    *colon = '\0';
    rule.choice.argument = strtoll(colon + 1, &tail, 10);
    if (tail == colon + 1 || *tail != '\0') return 0;
  }
  const int fault = Find(kFaults, kFaultKinds, fault_text, strlen(fault_text));
  if (call < 0 || fault < 0) return 0;
  rule.call = (DoubleCall)call;
  rule.choice.kind = (DoubleFault)fault;
  script->rules[script->count++] = rule;
  return 1;
}

static int Parse(const char* text, Script* script, char* error, size_t error_size) {
  memset(script, 0, sizeof *script);
  for (const char* at = text; at != NULL && *at != '\0';) {
    const char* end = strchr(at, ';');
    if (end == NULL) end = at + strlen(at);
    if (end != at && !ParseRule(at, end, script)) {
      if (error != NULL) snprintf(error, error_size, "bad rule: %.*s", (int)(end - at), at);
      return 0;
    }
    at = *end == ';' ? end + 1 : end;
  }
  return 1;
}

static void ReadEnvironment(void) {
  const char* text = getenv("ANEMONE_COREML_DOUBLE");
  char error[160];
  if (text != NULL && !Parse(text, &current, error, sizeof error)) {
    fprintf(stderr, "ANEMONE_COREML_DOUBLE: %s\n", error);
    abort();
  }
}

int CoreMLDoubleSetScript(const char* script, char* error, size_t error_size) {
  pthread_once(&once, ReadEnvironment);
  Script parsed;
  if (!Parse(script, &parsed, error, error_size)) return 0;
  pthread_mutex_lock(&mutex);
  current = parsed;
  for (int i = 0; i < kDoubleCallKinds; ++i) atomic_store(&calls[i], 0);
  for (int i = 0; i < kFaultKinds; ++i) atomic_store(&faults[i], 0);
  atomic_store(&backed, 0);
  pthread_mutex_unlock(&mutex);
  return 1;
}

static uint64_t Mix(uint64_t z) {  // SplitMix64
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static DoubleFaultChoice Choose(DoubleCall call, int64_t number) {
  // Each random rule is a slice of one draw, so that the chances add up.
  const uint64_t bits = Mix(current.seed ^ Mix((uint64_t)call * 1000003u + (uint64_t)number));
  double draw = (double)(bits >> 11) * 0x1p-53 * 100.0;
  for (int i = 0; i < current.count; ++i) {
    const Rule* rule = &current.rules[i];
    if (rule->call != call || number < rule->first || number > rule->last) continue;
    if (rule->percent < 0) return rule->choice;
    if (draw < rule->percent) return rule->choice;
    draw -= rule->percent;
  }
  const DoubleFaultChoice ok = {kFaultOk, -1};
  return ok;
}

DoubleFaultChoice CoreMLDoubleNext(DoubleCall call) {
  pthread_once(&once, ReadEnvironment);
  const DoubleFaultChoice choice = Choose(call, atomic_fetch_add(&calls[call], 1) + 1);
  atomic_fetch_add(&faults[choice.kind], 1);
  if (choice.kind == kFaultSlow && choice.argument > 0) usleep((useconds_t)choice.argument * 1000);
  if (choice.kind == kFaultCrash) {
    const int number = choice.argument > 0 ? (int)choice.argument : SIGKILL;
    signal(number, SIG_DFL);
    raise(number);
  }
  if (choice.kind == kFaultHang && call != kDoublePlan) {
    for (;;) pause();
  }
  return choice;
}

int64_t CoreMLDoubleCalls(DoubleCall call) { return atomic_load(&calls[call]); }
int64_t CoreMLDoubleFaults(DoubleFault fault) { return atomic_load(&faults[fault]); }
int64_t CoreMLDoubleLiveObjects(void) { return atomic_load(&live); }
int64_t CoreMLDoubleBackedPredictions(void) { return atomic_load(&backed); }
void CoreMLDoubleCount(int64_t change) { atomic_fetch_add(&live, change); }
void CoreMLDoubleCountBacked(void) { atomic_fetch_add(&backed, 1); }
int CoreMLDoubleHints(void) { return atomic_load(&hints); }
void CoreMLDoubleNoteHints(int noted) { atomic_store(&hints, noted); }
