// Loads a model by the C++ interface and runs it once: prints the sum of the first output.
#include <anemone/model.h>
#include <anemone/session.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto model = anemone::Model::Load(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.failure().ToString().c_str()), 1;
  const auto options = anemone::ParseOptions<anemone::SessionOptions>(R"({"backend": "cpu"})");
  if (!options) return std::fprintf(stderr, "%s\n", options.failure().ToString().c_str()), 1;
  const auto session = anemone::Session::Open(*model, *options);
  if (!session) return std::fprintf(stderr, "%s\n", session.failure().ToString().c_str()), 1;
  const anemone::FeatureInfo feature = model->inputs()[0];
  size_t count = 1;
  for (const int64_t size : feature.shape) count *= static_cast<size_t>(size);
  anemone::CallReport report;
  const auto outputs = session->Predict(
      {{feature.name, anemone::Array::Float32(feature.shape, std::vector<float>(count, 1.0f))}},
      nullptr, &report);
  if (!outputs) return std::fprintf(stderr, "%s\n", outputs.failure().ToString().c_str()), 1;
  const anemone::Array& output = outputs->at(model->outputs()[0].name);
  double sum = 0;
  for (int64_t i = 0; i < output.count(); ++i)
    sum += static_cast<const float*>(output.data.get())[i];
  std::printf("anemone %s, %s: %lld outputs, sum %.6g\n", anemone::Version().c_str(),
              report.backend.c_str(), static_cast<long long>(output.count()), sum);
}
