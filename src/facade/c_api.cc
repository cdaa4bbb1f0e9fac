// The body of include/anemone/anemone.h: the C interface over the runtime's session.
#include "anemone/anemone.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "anemone/model.h"
#include "facade/binding.h"
#include "facade/session_options.h"
#include "facade/state.h"
#include "options/json.h"
#include "runtime/telemetry_json.h"

using anemone::DType;
using anemone::Error;
using anemone::Result;
using anemone::Status;

// NOLINTBEGIN(readability-identifier-naming): the names of the C interface
struct anemone_error {
  std::string code;
  std::string text;
};

struct anemone_session {
  std::shared_ptr<anemone::runtime::Session> session;
  std::vector<const anemone::ir::Value*> inputs;
  std::vector<const anemone::ir::Value*> outputs;
};

struct anemone_binding {
  anemone::facade::BoundMemory memory;
};

struct anemone_state {
  anemone::exec::State values;
};

namespace {

struct DTypeRow {
  anemone_dtype c;
  DType dtype;
};
constexpr std::array<DTypeRow, 7> kDTypes{{{ANEMONE_FLOAT32, DType::kFp32},
                                           {ANEMONE_INT32, DType::kInt32},
                                           {ANEMONE_INT16, DType::kInt16},
                                           {ANEMONE_UINT16, DType::kUInt16},
                                           {ANEMONE_INT8, DType::kInt8},
                                           {ANEMONE_UINT8, DType::kUInt8},
                                           {ANEMONE_BOOL, DType::kBool}}};

DType FromC(anemone_dtype c) {
  for (const DTypeRow& row : kDTypes) {
    if (row.c == c) return row.dtype;
  }
  return DType::kInvalid;
}

int Fail(const Error& error, anemone_error** out) {
  if (out != nullptr) {
    *out = new anemone_error{std::string(anemone::ErrorCodeName(error.code())), error.ToString()};
  }
  return anemone::ExitCode(error.code());
}

// Runs `body`, which returns a Status; nothing that C++ throws reaches a caller in C.
template <typename Body>
int Guard(anemone_error** error, const Body& body) {
  if (error != nullptr) *error = nullptr;
  try {
    const Status status = body();
    return status.ok() ? 0 : Fail(status.error(), error);
  } catch (const std::exception& exception) {
    return Fail(anemone::Internal("{}", exception.what()), error);
  }
}

int TypeOf(const std::vector<const anemone::ir::Value*>& values, size_t index, anemone_dtype* dtype,
           int64_t* shape, size_t capacity) {
  if (index >= values.size() || !values[index]->type.is_tensor()) return -1;
  const anemone::ir::Type& type = values[index]->type;
  if (dtype != nullptr) {
    *dtype = ANEMONE_OTHER;
    for (const DTypeRow& row : kDTypes) {
      if (row.dtype == anemone::exec::StorageDType(type.dtype())) *dtype = row.c;
    }
  }
  for (size_t i = 0; shape != nullptr && i < type.shape().size() && i < capacity; ++i) {
    shape[i] = type.shape()[i] < 0 ? -1 : type.shape()[i];
  }
  return static_cast<int>(type.shape().size());
}

Result<anemone::ir::Shape> ShapeOf(const char* name, const int64_t* shape, size_t rank,
                                   const void* data) {
  if (name == nullptr || data == nullptr) {
    return anemone::Usage("{} is NULL", name == nullptr ? "name" : "data");
  }
  if (rank > 16 || (rank != 0 && shape == nullptr)) {
    return anemone::Usage("rank {} with {} shape", rank, shape == nullptr ? "no" : "a");
  }
  return anemone::ir::Shape(shape, shape + rank);
}

}  // namespace

const char* anemone_version(void) {
  static const std::string version = anemone::Version();
  return version.c_str();
}

const char* anemone_error_code(const anemone_error* error) {
  return error == nullptr ? "" : error->code.c_str();
}
const char* anemone_error_text(const anemone_error* error) {
  return error == nullptr ? "" : error->text.c_str();
}
void anemone_error_free(anemone_error* error) { delete error; }

int anemone_session_open(const char* model, const char* options_json, anemone_session** session,
                         anemone_error** error) {
  return Guard(error, [&]() -> Status {
    if (model == nullptr || session == nullptr) {
      return anemone::Usage("{} is NULL", model == nullptr ? "model" : "session");
    }
    *session = nullptr;
    anemone::facade::ModelSource source{.model = model};
    anemone::SessionOptions options;
    anemone::options::Table table = anemone::options::TableOf(source.options);
    for (auto& option : anemone::options::TableOf(options)) table.push_back(std::move(option));
    ANEMONE_TRY(anemone::options::ReadJson(options_json == nullptr ? "" : options_json, table));
    ANEMONE_ASSIGN(const auto loaded, anemone::facade::LoadModel(source));
    auto opened = std::make_unique<anemone_session>();
    ANEMONE_ASSIGN(opened->session, anemone::facade::OpenSession(loaded, model, options));
    for (const auto& input : opened->session->function().inputs()) {
      if (!input->type.is_state()) opened->inputs.push_back(input.get());
    }
    for (const anemone::ir::Value* output : opened->session->function().outputs()) {
      opened->outputs.push_back(output);
    }
    *session = opened.release();
    return {};
  });
}

void anemone_session_close(anemone_session* session) { delete session; }

const char* anemone_session_state(const anemone_session* session) {
  // Literals, so that they end in a zero.
  return anemone::runtime::SessionStateName(session->session->state()).data();
}

size_t anemone_session_input_count(const anemone_session* session) {
  return session->inputs.size();
}
size_t anemone_session_output_count(const anemone_session* session) {
  return session->outputs.size();
}
const char* anemone_session_input_name(const anemone_session* session, size_t index) {
  return index < session->inputs.size() ? session->inputs[index]->name.c_str() : nullptr;
}
const char* anemone_session_output_name(const anemone_session* session, size_t index) {
  return index < session->outputs.size() ? session->outputs[index]->name.c_str() : nullptr;
}
int anemone_session_input_type(const anemone_session* session, size_t index, anemone_dtype* dtype,
                               int64_t* shape, size_t capacity) {
  return TypeOf(session->inputs, index, dtype, shape, capacity);
}
int anemone_session_output_type(const anemone_session* session, size_t index, anemone_dtype* dtype,
                                int64_t* shape, size_t capacity) {
  return TypeOf(session->outputs, index, dtype, shape, capacity);
}

size_t anemone_session_class_count(const anemone_session* session) {
  const auto& classes = session->session->classes();
  return classes ? classes->names.size() : 0;
}
const char* anemone_session_class_name(const anemone_session* session, size_t index) {
  const auto& classes = session->session->classes();
  return classes && index < classes->names.size() ? classes->names[index].c_str() : nullptr;
}
const char* anemone_session_label_output(const anemone_session* session) {
  const auto& classes = session->session->classes();
  return classes && !classes->label.empty() ? classes->label.c_str() : nullptr;
}
const char* anemone_session_probabilities_output(const anemone_session* session) {
  const auto& classes = session->session->classes();
  return classes && !classes->probabilities.empty() ? classes->probabilities.c_str() : nullptr;
}

anemone_binding* anemone_binding_create(void) { return new anemone_binding(); }
void anemone_binding_free(anemone_binding* binding) { delete binding; }

int anemone_binding_input(anemone_binding* binding, const char* name, anemone_dtype dtype,
                          const int64_t* shape, size_t rank, const void* data,
                          anemone_error** error) {
  return Guard(error, [&]() -> Status {
    ANEMONE_ASSIGN(auto dims, ShapeOf(name, shape, rank, data));
    binding->memory.BindInput(name, FromC(dtype), std::move(dims), data);
    return {};
  });
}

int anemone_binding_output(anemone_binding* binding, const char* name, anemone_dtype dtype,
                           const int64_t* shape, size_t rank, void* data, anemone_error** error) {
  return Guard(error, [&]() -> Status {
    ANEMONE_ASSIGN(auto dims, ShapeOf(name, shape, rank, data));
    binding->memory.BindOutput(name, FromC(dtype), std::move(dims), data);
    return {};
  });
}

anemone_state* anemone_state_create(void) { return new anemone_state(); }
void anemone_state_free(anemone_state* state) { delete state; }

int anemone_session_run(anemone_session* session, const anemone_binding* binding,
                        anemone_state* state, anemone_call_report* report, anemone_error** error) {
  return Guard(error, [&]() -> Status {
    if (session == nullptr || binding == nullptr) {
      return anemone::Usage("{} is NULL", session == nullptr ? "session" : "binding");
    }
    anemone::exec::State* const values = state != nullptr ? &state->values : nullptr;
    ANEMONE_TRY(anemone::facade::CheckStateIsGiven(session->session->function(), values));
    anemone::runtime::CallReport called;
    const Status status = session->session->PredictBound(binding->memory.inputs,
                                                         binding->memory.outputs, values, &called);
    if (report == nullptr) return status;
    // The names are literals, so that they end in a zero. Fields beyond what the caller knows stay
    // away.
    anemone_call_report full{};
    full.struct_size = report->struct_size;
    full.backend = called.backend.empty() ? "" : called.backend.data();
    full.compute_units =
        called.external ? anemone::ComputeUnitsName(called.compute_units).data() : "";
    full.planned_unit = anemone::ComputeUnitName(called.planned).data();
    full.observed_unit = anemone::ComputeUnitName(called.observed).data();
    full.fallback_reason = anemone::runtime::FallbackReasonName(called.fallback_reason).data();
    full.circuit_state = anemone::runtime::CircuitStateName(called.circuit_state).data();
    full.fallback_unix_ns = called.fallback_unix_ns;
    full.duration_ns = called.duration_ns;
    full.attempts = called.attempts;
    full.experimental = called.experimental ? 1 : 0;
    std::memcpy(report, &full, std::min(report->struct_size, sizeof(full)));
    return status;
  });
}

char* anemone_session_telemetry(const anemone_session* session) {
  const anemone::runtime::Telemetry& telemetry = session->session->telemetry();
  const std::string json =
      anemone::runtime::TelemetryJson(telemetry.Snapshot(), telemetry.options());
  char* text = static_cast<char*>(std::malloc(json.size() + 1));
  if (text != nullptr) std::memcpy(text, json.c_str(), json.size() + 1);
  return text;
}

void anemone_string_free(char* text) { std::free(text); }
// NOLINTEND(readability-identifier-naming)
