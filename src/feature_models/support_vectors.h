// Support vectors and their kernel: what both support vector machines are made of. Internal to this
// folder. Ownership: owns the vectors. Thread rules: immutable. Errors: kInvalidInput from Make.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "ir/model.h"

namespace anemone::format::proto {
class DenseSupportVectors;
class Kernel;
class SparseSupportVectors;
}  // namespace anemone::format::proto

namespace anemone::feature_models {

class SupportVectors {
 public:
  // `wire` has a kernel and one of the two lists of vectors.
  template <typename Wire>
  static Result<SupportVectors> Make(const Wire& wire, const ir::FunctionDescription& description) {
    SupportVectors vectors;
    ANEMONE_TRY(vectors.ReadKernel(wire.kernel()));
    if (wire.has_densesupportvectors()) {
      ANEMONE_TRY(vectors.ReadDense(wire.densesupportvectors()));
    } else if (wire.has_sparsesupportvectors()) {
      ANEMONE_TRY(vectors.ReadSparse(wire.sparsesupportvectors()));
    } else {
      return InvalidInput("the model has no support vectors");
    }
    ANEMONE_TRY(vectors.CheckInputs(description));
    return vectors;
  }

  size_t size() const { return dense_.empty() ? sparse_.size() : dense_.size(); }
  // The kernel of `vector` with each support vector; kUsage when the length does not fit.
  Result<std::vector<double>> Kernels(std::span<const double> vector) const;
  // Adds the facts to `json`.
  void Describe(Json& json) const;

 private:
  enum class KernelKind : uint8_t { kLinear, kRbf, kPoly, kSigmoid };
  struct Node {
    size_t place = 0;
    double value = 0;
  };
  Status ReadKernel(const format::proto::Kernel& wire);
  Status ReadDense(const format::proto::DenseSupportVectors& wire);
  Status ReadSparse(const format::proto::SparseSupportVectors& wire);
  Status CheckInputs(const ir::FunctionDescription& description) const;
  double Kernel(std::span<const double> a, std::span<const double> b) const;

  KernelKind kind_ = KernelKind::kLinear;
  double gamma_ = 0;
  double c_ = 0;
  int degree_ = 0;
  std::vector<std::vector<double>> dense_;
  std::vector<std::vector<Node>> sparse_;
  size_t length_ = 0;  // of dense vectors; at least so long for sparse ones
};

}  // namespace anemone::feature_models
