// lstm, gru and rnn on the executor, against the interpreter, whose kernels compute in double.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "executor_test_util.h"

namespace anemone::cpu {
namespace {

struct RecurrentCase {
  const char* name;
  std::string op;          // with its weights, without x, states and direction
  int states = 1;          // final states
  bool both_ways = false;  // may be bidirectional
};

// Weights of H = 5 over 3 features; a palette of settings.
const RecurrentCase kRecurrentCases[] = {
    {"rnn",
     "rnn(weight_ih = tensor<fp32, [5, 3]>(seed 1), weight_hh = tensor<fp32, [5, 5]>(seed 2)"},
    {"rnn_relu_bias",
     "rnn(activation = \"relu\", bias = tensor<fp32, [5]>(seed 3), weight_ih = tensor<fp32, [5, "
     "3]>(seed 1), "
     "weight_hh = tensor<fp32, [5, 5]>(seed 2)"},
    {"gru",
     "gru(bias = tensor<fp32, [15]>(seed 3), weight_ih = tensor<fp32, [15, 3]>(seed 1), "
     "weight_hh = tensor<fp32, [15, 5]>(seed 2)"},
    {"gru_reset_after",
     "gru(reset_after = true, bias = tensor<fp32, [15]>(seed 3), input_bias = tensor<fp32, "
     "[15]>(seed 4), "
     "weight_ih = tensor<fp32, [15, 3]>(seed 1), weight_hh = tensor<fp32, [15, 5]>(seed 2)"},
    {"gru_input_bias",
     "gru(input_bias = tensor<fp32, [15]>(seed 4), recurrent_activation = \"hard_sigmoid\", "
     "weight_ih = tensor<fp32, [15, 3]>(seed 1), weight_hh = tensor<fp32, [15, 5]>(seed 2)"},
    {"lstm",
     "lstm(bias = tensor<fp32, [20]>(seed 3), weight_ih = tensor<fp32, [20, 3]>(seed 1), "
     "weight_hh = tensor<fp32, [20, 5]>(seed 2), weight_ih_back = tensor<fp32, [20, 3]>(seed 5), "
     "weight_hh_back = tensor<fp32, [20, 5]>(seed 6), bias_back = tensor<fp32, [20]>(seed 7)",
     2, true},
    {"lstm_peephole_clip",
     "lstm(clip = 0.3, peephole = tensor<fp32, [15]>(seed 8), peephole_back = tensor<fp32, "
     "[15]>(seed 9), "
     "cell_activation = \"relu\", activation = \"linear\", weight_ih = tensor<fp32, [20, 3]>(seed "
     "1), "
     "weight_hh = tensor<fp32, [20, 5]>(seed 2), weight_ih_back = tensor<fp32, [20, 3]>(seed 5), "
     "weight_hh_back = tensor<fp32, [20, 5]>(seed 6)",
     2, true},
};

std::string TextOf(const RecurrentCase& test, int64_t steps, int64_t batch,
                   const std::string& direction, bool sequence) {
  const int64_t width = direction == "bidirectional" ? 10 : 5;
  const std::string state = fmt::format("tensor<fp32, [{}, {}]>", batch, width);
  const bool cell = test.states == 2;
  return fmt::format(
      "func main<ios18>(tensor<fp32, [{}, {}, 3]> x, {} h{}) {{\n"
      "  ({}) = {}, x = x, initial_h = h{}, direction = \"{}\", output_sequence = {});\n"
      "}} -> ({});\n",
      steps, batch, state, cell ? ", " + state + " c" : "", cell ? "y, last, cell" : "y, last",
      test.op, cell ? ", initial_c = c" : "", direction, sequence,
      cell ? "y, last, cell" : "y, last");
}

class RecurrentOnCpu : public testing::TestWithParam<RecurrentCase> {};

TEST_P(RecurrentOnCpu, MatchesTheInterpreter) {
  std::vector<std::string> directions = {"forward", "reverse"};
  if (GetParam().both_ways) directions.push_back("bidirectional");
  // 300 steps take more rows than are multiplied with the inputs at once, and so do 4 times 90.
  const std::pair<int64_t, int64_t> sizes[] = {{1, 1}, {7, 1}, {6, 3}, {300, 1}, {90, 4}, {2, 300}};
  for (const std::string& direction : directions) {
    for (const auto& [steps, batch] : sizes) {
      for (const bool sequence : {true, false}) {
        SCOPED_TRACE(fmt::format("{}, {} steps of {}, {}", direction, steps, batch, sequence));
        const auto model = ModelFrom(TextOf(GetParam(), steps, batch, direction, sequence));
        ASSERT_NE(model, nullptr);
        const Tensors inputs = SeededInputs(*model->program.main());
        std::vector<std::string> kernels;
        exec::Tracer tracer;
        tracer.on_operation = [&](const exec::TraceEvent& event) {
          kernels.emplace_back(event.kernel);
        };
        const Tensors outputs = RunCpu(model, inputs, exec::Numerics::kAsTyped, 2, &tracer);
        EXPECT_EQ(std::ranges::count(kernels, "reference"), 0);
        ExpectSame(outputs, RunReference(model, inputs), 1e-5);
        ExpectSame(RunCpu(model, inputs, exec::Numerics::kAsTyped, 3), outputs, 0.0);
      }
    }
  }
}

TEST_P(RecurrentOnCpu, RoundsWhatFloat16Rounds) {
  const auto model = ModelFrom(TextOf(GetParam(), 9, 2, "forward", true));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  const Tensors outputs = RunCpu(model, inputs, exec::Numerics::kFloat16);
  ExpectSame(outputs, RunReference(model, inputs, exec::Numerics::kFloat16), 2e-3);
  const float* values = outputs.at("y").As<float>();
  for (int64_t i = 0; i < outputs.at("y").count(); ++i)
    EXPECT_EQ(values[i], static_cast<float>(static_cast<Half>(values[i])));
}

INSTANTIATE_TEST_SUITE_P(Recurrent, RecurrentOnCpu, testing::ValuesIn(kRecurrentCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace anemone::cpu
