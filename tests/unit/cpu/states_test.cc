// States in the caller's memory: what works in place, and that every order of reads, updates and writes
// gives what the reference interpreter gives, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "cpu/kernels/window.h"
#include "exec/function_inputs.h"
#include "exec/reference_backend.h"
#include "executor_test_util.h"

namespace anemone::cpu {
namespace {

using exec::State;
using exec::Tensor;

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.view().data, b.view().data, a.size_bytes()) == 0;
}

void ExpectEqualBits(const Tensors& got, const Tensors& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(got.contains(name)) << what << ": " << name;
    EXPECT_TRUE(SameBits(got.at(name), tensor)) << what << ": " << name;
  }
}

State DeepCopy(const State& state) {
  State copy;
  for (const auto& [name, tensor] : state) copy[name] = *Tensor::Copy(tensor.view());
  return copy;
}

Tensor Ints(std::vector<int32_t> values) {
  Tensor tensor = *Tensor::Allocate(DType::kInt32, {std::ssize(values)});
  std::copy(values.begin(), values.end(), tensor.As<int32_t>());
  return tensor;
}

// Calls a model some times on both executors, each with states of its own, fused and traced.
void ExpectTheReferencesStates(const std::string& text, int calls = 3) {
  const auto model = ModelFrom(text);
  ASSERT_NE(model, nullptr);
  auto executable = CpuBackend().Load(model, {.function = {}, .threads = 2});
  ASSERT_TRUE(executable.ok()) << executable.error().ToString() << text;
  State fused, traced, expected;
  const exec::Tracer tracer{.values = true, .on_operation = [](const exec::TraceEvent&) {}};
  for (int call = 0; call < calls; ++call) {
    Tensors inputs = SeededInputs(*model->program.main());
    for (auto& [name, tensor] : inputs) {  // other values each time
      if (tensor.dtype() != DType::kFp32) continue;
      for (int64_t i = 0; i < tensor.count(); ++i) tensor.As<float>()[i] += 0.25f * call;
    }
    const Tensors outputs = RunReference(model, inputs, exec::Numerics::kAsTyped, &expected);
    const auto got = (*executable)->Run(inputs, &fused, nullptr);
    ASSERT_TRUE(got.ok()) << got.error().ToString() << text;
    ExpectEqualBits(*got, outputs, text);
    ExpectEqualBits(fused, expected, text);
    const auto seen = (*executable)->Run(inputs, &traced, &tracer);
    ASSERT_TRUE(seen.ok()) << seen.error().ToString() << text;
    ExpectEqualBits(*seen, outputs, "traced: " + text);
    ExpectEqualBits(traced, expected, "traced: " + text);
  }
}

// The kernels of a call, in order.
std::vector<std::string> KernelsWithStates(const std::string& text) {
  const auto model = ModelFrom(text);
  std::vector<std::string> kernels;
  const exec::Tracer tracer{
      .on_operation = [&](const exec::TraceEvent& event) { kernels.emplace_back(event.kernel); }};
  State state;
  RunCpu(model, SeededInputs(*model->program.main()), exec::Numerics::kAsTyped, 1, &tracer, &state);
  return kernels;
}

// A function over the states a and b of 4 x 6, with the inputs w, of 2 x 6, v, of 4 x 6, and at, [row, 0].
std::string Program(const std::string& body, const std::string& outputs,
                    const std::string& dtype = "fp32") {
  std::string text =
      "func main<ios18>(state<tensor<DT, [4, 6]>> a, state<tensor<DT, [4, 6]>> b, "
      "tensor<DT, [2, 6]> w, tensor<DT, [4, 6]> v, tensor<int32, [2]> at) {\n" +
      body + "} -> (" + outputs + ");\n";
  for (size_t i; (i = text.find("DT")) != std::string::npos;) text.replace(i, 2, dtype);
  return text;
}

constexpr const char* kUpdate =
    "  r = read_state(input = a);\n"
    "  u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);\n"
    "  write_state(input = a, data = u);\n";

TEST(StatesTest, AnUpdateThatIsWrittenBackWorksInPlace) {
  const std::string text =
      Program(std::string(kUpdate) + "  c = read_state(input = a);\n  y = relu(x = c);\n", "y");
  EXPECT_EQ(KernelsWithStates(text),
            (std::vector<std::string>{"slice_update_in_place", "elementwise"}));
  ExpectTheReferencesStates(text);
}

TEST(StatesTest, OldValuesAreCopiedOnlyWhenTheyAreReadLater) {
  const std::string before = Program(
      "  r = read_state(input = a);\n  y = relu(x = r);\n  z = identity(x = y);\n"
      "  u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);\n"
      "  write_state(input = a, data = u);\n",
      "z");
  EXPECT_EQ(KernelsWithStates(before),
            (std::vector<std::string>{"elementwise", "slice_update_in_place"}));
  ExpectTheReferencesStates(before);
  const std::string after = Program(std::string(kUpdate) + "  y = add(x = r, y = u);\n", "y");
  EXPECT_EQ(KernelsWithStates(after),
            (std::vector<std::string>{"copy_state", "slice_update_in_place", "elementwise"}));
  ExpectTheReferencesStates(after);
}

struct Case {
  const char* name;
  const char* body;
  const char* outputs;
};

class StateOrderTest : public ::testing::TestWithParam<Case> {};

TEST_P(StateOrderTest, GivesTheReferencesBits) {
  for (const char* dtype : {"fp32", "fp16"}) {
    ExpectTheReferencesStates(Program(GetParam().body, GetParam().outputs, dtype));
  }
}

constexpr Case kOrders[] = {
    {"two_reads_around_a_write",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [0, 0], end = [2, 6]);"
     "write_state(input = a, data = u); c = read_state(input = a); y = sub(x = c, y = r);",
     "y, r, c"},
    {"a_read_between_update_and_write",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [0, 0], end = [2, 6]);"
     "old = read_state(input = a); write_state(input = a, data = u); y = add(x = old, y = u);",
     "y, old"},
    {"the_update_is_an_output",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [2, 0], end = [4, 6]);"
     "write_state(input = a, data = u);",
     "u"},
    {"an_update_that_is_not_written",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [2, 0], end = [4, 6]);"
     "write_state(input = a, data = v);",
     "u, r"},
    {"two_updates_of_one_read",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [0, 0], end = [2, 6]);"
     "t = slice_update(x = r, update = w, begin = [2, 0], end = [4, 6]);"
     "write_state(input = a, data = u);",
     "u, t"},
    {"an_update_of_an_update",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [0, 0], end = [2, 6]);"
     "t = slice_update(x = u, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = t); y = add(x = u, y = t);",
     "y"},
    {"written_to_another_state",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [0, 0], end = [2, 6]);"
     "write_state(input = b, data = u); c = read_state(input = a); d = read_state(input = b);",
     "c, d"},
    {"written_to_both_states",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [0, 0], end = [2, 6]);"
     "write_state(input = a, data = u); write_state(input = b, data = u);"
     "t = slice_update(x = u, update = w, begin = [2, 0], end = [4, 6]);"
     "write_state(input = b, data = t);",
     "u, t"},
    {"the_states_change_places",
     "r = read_state(input = a); s = read_state(input = b); x = add(x = v, y = s);"
     "write_state(input = a, data = x); write_state(input = b, data = r);",
     "r, s"},
    {"written_whole_twice",
     "r = read_state(input = a); x = add(x = r, y = v); write_state(input = a, data = x);"
     "s = read_state(input = a); t = mul(x = s, y = s); write_state(input = a, data = t);"
     "y = sub(x = s, y = r);",
     "y, s"},
    {"written_whole_then_updated",
     "r = read_state(input = a); x = add(x = r, y = v); write_state(input = a, data = x);"
     "s = read_state(input = a);"
     "u = slice_update(x = s, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u); y = add(x = s, y = r);",
     "y, x"},
    {"a_kernel_waits_for_the_old_value",
     "r = read_state(input = a); y = add(x = r, y = v); z = relu(x = y);"
     "u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u); q = mul(x = z, y = v);",
     "q"},
    {"an_operand_that_waits",
     "r = read_state(input = a); y = add(x = v, y = r);"
     "u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u); q = mul(x = y, y = r);",
     "q"},
    {"other_shapes_of_the_old_value",
     "r = read_state(input = a); y = reshape(x = r, shape = [6, 4]);"
     "e = expand_dims(x = r, axes = [0]); i = identity(x = r);"
     "u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u); q = relu(x = y); m = add(x = i, y = v);",
     "q, e, m"},
    {"the_update_is_the_state_itself",
     "r = read_state(input = a); s = reshape(x = r, shape = [4, 6]); x = add(x = r, y = v);"
     "write_state(input = a, data = x); c = read_state(input = a);"
     "u = slice_update(x = c, update = c, begin = [0, 0], end = [4, 6]);"
     "write_state(input = a, data = u);",
     "u, s"},
    {"the_update_is_the_state_reversed",
     "r = read_state(input = a); x = add(x = r, y = v); write_state(input = a, data = x);"
     "c = read_state(input = a); u = slice_update(x = c, update = c, begin = [3, 0],"
     "end = [0, 6], stride = [-1, 1], end_mask = [true, true]);"
     "write_state(input = a, data = u);",
     "u"},
    {"an_update_by_a_slice_of_the_state",
     "r = read_state(input = a); x = add(x = r, y = v); write_state(input = a, data = x);"
     "c = read_state(input = a); l = slice_by_index(x = c, begin = [2, 0], end = [4, 6]);"
     "u = slice_update(x = c, update = l, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u);",
     "u, l"},
    {"positions_known_at_run_time",
     "r = read_state(input = a); m = minimum(x = at, y = [2, 0]); n = maximum(x = m, y = [0, 0]);"
     "end = add(x = n, y = [2, 6]); u = slice_update(x = r, update = w, begin = n, end = end);"
     "write_state(input = a, data = u);",
     "u"},
    {"every_second_column",
     "r = read_state(input = a); p = slice_by_index(x = w, begin = [0, 0], end = [2, 3]);"
     "u = slice_update(x = r, update = p, begin = [0, 1], end = [4, 6], stride = [2, 2]);"
     "write_state(input = a, data = u);",
     "u"},
    {"backwards_and_masked",
     "r = read_state(input = a); u = slice_update(x = r, update = w, begin = [3, 0], end = [1, 6],"
     "stride = [-1, -1], begin_mask = [false, true], end_mask = [false, true]);"
     "write_state(input = a, data = u);",
     "u"},
    {"a_row_of_lower_rank",
     "r = read_state(input = a); p = slice_by_index(x = w, begin = [1, 0], end = [2, 6],"
     "squeeze_mask = [true, false]); u = slice_update(x = r, update = p, begin = [-1, 0],"
     "end = [4, 6], squeeze_mask = [true, false]); write_state(input = a, data = u);",
     "u, p"},
    {"a_state_written_to_itself",
     "r = read_state(input = a); write_state(input = a, data = r); c = read_state(input = a);"
     "x = add(x = c, y = v); write_state(input = a, data = x);",
     "c, r"},
    {"read_and_never_written", "r = read_state(input = a); y = add(x = r, y = v);", "y, r"},
    {"a_body_reads_what_is_overwritten",
     "r = read_state(input = a); m = reduce_sum(x = v, axes = [0, 1]); p = greater(x = m, y = 0.0);"
     "c = cond(pred = p) () { t = add(x = r, y = v); } -> (t) () { f = sub(x = r, y = v); } -> (f);"
     "u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u);"
     "d = cond(pred = p) () { t2 = add(x = r, y = u); } -> (t2) () { f2 = sub(x = r, y = u); } -> "
     "(f2);",
     "c, d"},
    {"a_body_writes_the_state",
     "r = read_state(input = a); m = reduce_sum(x = v, axes = [0, 1]); p = greater(x = m, y = 0.0);"
     "c = cond(pred = p) () { t = add(x = r, y = v); write_state(input = a, data = t); } -> (t)"
     "() { f = sub(x = r, y = v); write_state(input = a, data = f); } -> (f);"
     "s = read_state(input = a); u = slice_update(x = s, update = w, begin = [1, 0], end = [3, 6]);"
     "write_state(input = a, data = u);",
     "c, r, s"},
};

INSTANTIATE_TEST_SUITE_P(Orders, StateOrderTest, ::testing::ValuesIn(kOrders),
                         [](const auto& test) { return std::string(test.param.name); });

// Programs that read, compute, update and write two states in any order.
std::string RandomStateProgram(uint32_t seed) {
  std::mt19937 engine(seed);
  const auto pick = [&](size_t n) { return engine() % n; };
  std::vector<std::string> whole = {"v"}, rows = {"w"};
  std::string body, outputs;
  for (int i = 0; i < 14; ++i) {
    const std::string name = "t" + std::to_string(i);
    const auto value = [&] {
      return whole[whole.size() - 1 - pick(std::min<size_t>(whole.size(), 4))];
    };
    const std::string state = pick(2) == 0 ? "a" : "b";
    const auto first = static_cast<int>(pick(3));
    switch (pick(9)) {
      case 0:
      case 1:
        body += fmt::format("  {} = read_state(input = {});\n", name, state);
        break;
      case 2:
      case 3:
        body += fmt::format(
            "  {} = slice_update(x = {}, update = {}, begin = [{}, 0], end = [{}, 6]);\n", name,
            value(), rows[pick(rows.size())], first, first + 2);
        break;
      case 4:
      case 5:
        body += fmt::format("  write_state(input = {}, data = {});\n", state, value());
        continue;
      case 6:
        body += fmt::format("  {} = {}(x = {}, y = {});\n", name, pick(2) == 0 ? "add" : "maximum",
                            value(), value());
        break;
      case 7:
        body += fmt::format(
            "  {0}s = reshape(x = {1}, shape = [6, 4]);\n"
            "  {0} = reshape(x = {0}s, shape = [4, 6]);\n",
            name, value());
        break;
      default:
        body += fmt::format("  {} = slice_by_index(x = {}, begin = [{}, 0], end = [{}, 6]);\n",
                            name, value(), first, first + 2);
        rows.push_back(name);
        continue;
    }
    whole.push_back(name);
  }
  // Some of the values are outputs.
  for (size_t i = 1; i < whole.size(); ++i) {
    if (pick(3) == 0) outputs += (outputs.empty() ? "" : ", ") + whole[i];
  }
  if (outputs.empty()) {
    body += "  last = relu(x = v);\n";
    outputs = "last";
  }
  return Program(body, outputs);
}

TEST(StatesTest, AnyOrderGivesTheReferencesBits) {
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    ExpectTheReferencesStates(RandomStateProgram(seed), 2);
    if (HasFailure()) return;
  }
}

// kUpdate after one call.
class UpdatedOnceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = ModelFrom(Program(kUpdate, "u"));
    auto loaded = CpuBackend().Load(model, {.function = {}, .threads = 1});
    ASSERT_TRUE(loaded.ok());
    executable_ = std::move(loaded).value();
    const Tensors inputs = SeededInputs(*model->program.main());
    ASSERT_TRUE(executable_->Run(inputs, &state_, nullptr).ok());
    expected_ = DeepCopy(state_);
    others_ = inputs;
    others_["w"] = MakeTensor({2, 6}, RandomFloats(12, 99, 5.0f, 6.0f));
  }

  std::unique_ptr<exec::Executable> executable_;
  State state_;
  State expected_;  // its values after that call
  Tensors others_;  // inputs that change it
};

TEST_F(UpdatedOnceTest, ACopyOfTheStatesKeepsItsValues) {
  const State copy = state_;  // shares the memory
  ASSERT_TRUE(executable_->Run(others_, &state_, nullptr).ok());
  ExpectEqualBits(copy, expected_, "the copy");
  EXPECT_FALSE(SameBits(state_.at("a"), expected_.at("a")));
}

// Updates a, writes b, and then fails unless at[0] is 0.
constexpr const char* kMayFail =
    "  r = read_state(input = a);\n"
    "  u = slice_update(x = r, update = w, begin = [1, 0], end = [3, 6]);\n"
    "  write_state(input = a, data = u);\n"
    "  x = add(x = r, y = v);\n"
    "  write_state(input = b, data = x);\n"
    "  c = read_state(input = a);\n"
    "  t = slice_update(x = c, update = w, begin = [0, 0], end = [2, 6]);\n"
    "  write_state(input = a, data = t);\n"
    "  y = slice_by_size(x = v, begin = at, size = [4, 6]);\n";

TEST(StatesTest, ACallThatFailsLeavesTheStatesAsTheyWere) {
  const auto model = ModelFrom(Program(kMayFail, "y, t"));
  for (const exec::Backend* backend : {&CpuBackend(), &exec::ReferenceBackend()}) {
    auto executable = backend->Load(model, {.function = {}, .threads = 1});
    ASSERT_TRUE(executable.ok());
    Tensors inputs = SeededInputs(*model->program.main());
    inputs["at"] = Ints({0, 0});
    State state;
    ASSERT_TRUE((*executable)->Run(inputs, &state, nullptr).ok());
    const State expected = DeepCopy(state);
    inputs["at"] = Ints({1, 0});
    inputs["w"] = MakeTensor({2, 6}, RandomFloats(12, 99, 5.0f, 6.0f));
    const auto failed = (*executable)->Run(inputs, &state, nullptr);
    ASSERT_FALSE(failed.ok());
    EXPECT_NE(failed.error().ToString().find("slice_by_size"), std::string::npos);
    ExpectEqualBits(state, expected, std::string(backend->name()));
    inputs["at"] = Ints({0, 0});
    ASSERT_TRUE((*executable)->Run(inputs, &state, nullptr).ok());
    EXPECT_FALSE(SameBits(state.at("a"), expected.at("a")));
  }
}

TEST_F(UpdatedOnceTest, AnOutputThatDoesNotFitLeavesTheStatesAsTheyWere) {
  Tensor small = MakeTensor({2, 2}, {0, 0, 0, 0});
  const exec::BoundOutput bound{"u", small.mutable_view()};
  EXPECT_FALSE(executable_->RunBound(exec::BindAll(others_), {&bound, 1}, &state_, nullptr).ok());
  ExpectEqualBits(state_, expected_, "after the failure");
}

TEST(StatesTest, ASliceThatTheUpdateDoesNotFitIsAnError) {
  const auto model =
      ModelFrom(Program("  r = read_state(input = a);\n"
                        "  u = slice_update(x = r, update = w, begin = at, end = [3, 6]);\n"
                        "  write_state(input = a, data = u);\n",
                        "u"));
  for (const exec::Backend* backend : {&CpuBackend(), &exec::ReferenceBackend()}) {
    auto executable = backend->Load(model, {.function = {}, .threads = 1});
    ASSERT_TRUE(executable.ok());
    Tensors inputs = SeededInputs(*model->program.main());
    inputs["at"] = Ints({2, 0});
    State state;
    const auto failed = (*executable)->Run(inputs, &state, nullptr);
    ASSERT_FALSE(failed.ok()) << backend->name();
    EXPECT_NE(failed.error().ToString().find("slice"), std::string::npos);
    inputs["at"] = Ints({1, 0});
    EXPECT_TRUE((*executable)->Run(inputs, &state, nullptr).ok()) << backend->name();
  }
}

TEST(StatesTest, CallsWithStatesOfTheirOwnRunAtOnce) {
  const auto model = ModelFrom(
      Program(std::string(kUpdate) + "  c = read_state(input = a);\n  y = add(x = c, y = v);\n"
                                     "  write_state(input = b, data = y);\n",
              "y"));
  const Tensors inputs = SeededInputs(*model->program.main());
  std::vector<std::thread> threads;
  std::vector<State> states(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      auto executable = CpuBackend().Load(model, {.function = {}, .threads = 1});
      ASSERT_TRUE(executable.ok());
      for (int call = 0; call < 50; ++call) {
        Tensors mine = inputs;
        mine["w"] =
            MakeTensor({2, 6}, RandomFloats(12, static_cast<uint32_t>(100 * i + call), 0, 1));
        ASSERT_TRUE((*executable)->Run(mine, &states[static_cast<size_t>(i)], nullptr).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 4; ++i) {
    Tensors mine = inputs;
    mine["w"] = MakeTensor({2, 6}, RandomFloats(12, static_cast<uint32_t>(100 * i + 49), 0, 1));
    State expected;
    RunReference(model, mine, exec::Numerics::kAsTyped, &expected);
    ExpectEqualBits(states[static_cast<size_t>(i)], expected, "state " + std::to_string(i));
  }
}

// ---- the copy of windows ----

TEST(WindowTest, SelectsWhatNestedLoopsSelect) {
  std::mt19937 engine(1);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine);
  };
  for (int round = 0; round < 300; ++round) {
    const auto rank = static_cast<size_t>(pick(0, 4));
    std::vector<int64_t> shape(rank), first(rank), step(rank), count(rank), stride(rank);
    int64_t size = 1;
    for (size_t i = 0; i < rank; ++i) shape[i] = pick(1, 5);
    for (size_t i = rank; i-- > 0;) {
      stride[i] = size;
      size *= shape[i];
      step[i] = pick(0, 1) == 0 ? pick(1, 2) : -pick(1, 2);
      first[i] = pick(0, shape[i] - 1);
      const int64_t room = step[i] > 0 ? shape[i] - 1 - first[i] : first[i];
      const int64_t most = room / std::abs(step[i]) + 1;
      count[i] = pick(0, 2) == 0 ? most : pick(0, most);
    }
    Window window;
    std::vector<int64_t> offsets = {0};
    for (size_t i = 0; i < rank; ++i) {
      window.Add(first[i], step[i], count[i], stride[i]);
      std::vector<int64_t> next;
      for (const int64_t offset : offsets) {
        for (int64_t k = 0; k < count[i]; ++k) {
          next.push_back(offset + (first[i] + k * step[i]) * stride[i]);
        }
      }
      offsets = std::move(next);
    }
    ASSERT_EQ(window.count(), std::ssize(offsets));
    const std::vector<float> tensor = RandomFloats(size, static_cast<uint32_t>(round), -1, 1);
    std::vector<float> out(offsets.size()), expected;
    for (const int64_t offset : offsets) expected.push_back(tensor[static_cast<size_t>(offset)]);
    window.CopyOut(tensor.data(), out.data());
    EXPECT_EQ(out, expected);
    std::vector<float> changed = tensor, changed_expected = tensor;
    const std::vector<float> from = RandomFloats(window.count(), 7, 2, 3);
    window.CopyIn(from.data(), changed.data());
    for (size_t i = 0; i < offsets.size(); ++i) {
      changed_expected[static_cast<size_t>(offsets[i])] = from[i];
    }
    EXPECT_EQ(changed, changed_expected);
  }
}

}  // namespace
}  // namespace anemone::cpu
