// Runs a classifier on a made-up image, and says which classes it finds likeliest and who computed it.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "anemone/session.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: classify MODEL\n"), 2;
  const auto tell = [](const anemone::Failure& failure) {
    std::fprintf(stderr, "%s\n", failure.ToString().c_str());
    return failure.exit_code;
  };
  const auto model = anemone::Model::Load(argv[1]);
  if (!model) return tell(model.failure());
  // The preferred backend answers; when it fails, the next one does, for the same call.
  const auto session = anemone::Session::Open(*model, {.backend = "auto", .fallback = true});
  if (!session) return tell(session.failure());

  std::map<std::string, anemone::Array> inputs;
  for (const anemone::FeatureInfo& input : model->inputs()) {
    int64_t count = 1;
    for (const int64_t size : input.shape) count *= size;
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
    inputs[input.name] = anemone::Array::Float32(input.shape, std::move(values));
  }
  anemone::CallReport report;
  const auto outputs = session->Predict(inputs, nullptr, &report);
  if (!outputs) return tell(outputs.failure());

  for (const auto& [name, output] : *outputs) {
    if (output.dtype != "float32") continue;
    const auto* scores = static_cast<const float*>(output.data.get());
    std::vector<int64_t> order(static_cast<size_t>(output.count()));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
    order.resize(std::min<size_t>(order.size(), 3));
    for (const int64_t at : order)
      std::printf("%s[%ld] = %.5g\n", name.c_str(), long{at}, scores[at]);
  }
  std::printf("computed by %s in %.3f ms\n", report.backend.c_str(),
              double(report.duration_ns) * 1e-6);
  return 0;
}
