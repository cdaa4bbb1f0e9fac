#include "feature_models/support_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

constexpr std::string_view kKernelNames[] = {"linear", "rbf", "poly", "sigmoid"};

}  // namespace

Status SupportVectors::ReadKernel(const format::proto::Kernel& wire) {
  using Wire = format::proto::Kernel;
  switch (wire.kernel_case()) {
    case Wire::kLinearKernel:
      break;
    case Wire::kRbfKernel:
      kind_ = KernelKind::kRbf;
      gamma_ = wire.rbfkernel().gamma();
      break;
    case Wire::kPolyKernel:
      kind_ = KernelKind::kPoly;
      gamma_ = wire.polykernel().gamma();
      c_ = wire.polykernel().c();
      degree_ = wire.polykernel().degree();
      break;
    case Wire::kSigmoidKernel:
      kind_ = KernelKind::kSigmoid;
      gamma_ = wire.sigmoidkernel().gamma();
      c_ = wire.sigmoidkernel().c();
      break;
    case Wire::KERNEL_NOT_SET:
      return InvalidInput("the model has no kernel, or one that is not known");
  }
  if (gamma_ < 0) return InvalidInput("the kernel's gamma {} is below 0", gamma_);
  if (degree_ < 0) return InvalidInput("the kernel's degree {} is below 0", degree_);
  return {};
}

Status SupportVectors::ReadDense(const format::proto::DenseSupportVectors& wire) {
  for (const auto& vector : wire.vectors()) {
    if (dense_.empty()) length_ = static_cast<size_t>(vector.vector_size());
    if (static_cast<size_t>(vector.vector_size()) != length_) {
      return InvalidInput("a support vector of {} numbers, but the first one has {}",
                          vector.vector_size(), length_);
    }
    dense_.emplace_back(vector.vector().begin(), vector.vector().end());
  }
  return {};
}

Status SupportVectors::ReadSparse(const format::proto::SparseSupportVectors& wire) {
  for (const auto& vector : wire.vectors()) {
    std::vector<Node>& nodes = sparse_.emplace_back();
    for (const auto& node : vector.nodes()) {
      if (node.index() < 1) {
        return InvalidInput("a support vector has the index {}; they count from 1", node.index());
      }
      nodes.push_back({static_cast<size_t>(node.index() - 1), node.value()});
      length_ = std::max(length_, static_cast<size_t>(node.index()));
    }
  }
  return {};
}

Status SupportVectors::CheckInputs(const ir::FunctionDescription& description) const {
  const auto length = static_cast<int64_t>(length_);
  return dense_.empty() ? CheckVectorHolds(description, length)
                        : CheckVectorLength(description, length);
}

double SupportVectors::Kernel(std::span<const double> a, std::span<const double> b) const {
  if (kind_ == KernelKind::kRbf) {
    const double distance =
        std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                              [](double x, double y) { return (x - y) * (x - y); });
    return std::exp(-gamma_ * distance);
  }
  const double product = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  if (kind_ == KernelKind::kPoly) return std::pow(gamma_ * product + c_, degree_);
  if (kind_ == KernelKind::kSigmoid) return std::tanh(gamma_ * product + c_);
  return product;
}

Result<std::vector<double>> SupportVectors::Kernels(std::span<const double> vector) const {
  if (vector.size() < length_ || (!dense_.empty() && vector.size() != length_)) {
    return Usage("the inputs hold {} numbers, but the support vectors have {}", vector.size(),
                 length_);
  }
  std::vector<double> kernels;
  kernels.reserve(size());
  for (const std::vector<double>& other : dense_) kernels.push_back(Kernel(vector, other));
  std::vector<double> spread(sparse_.empty() ? 0 : vector.size());
  for (const std::vector<Node>& nodes : sparse_) {
    for (const Node& node : nodes) spread[node.place] = node.value;
    kernels.push_back(Kernel(vector, spread));
    for (const Node& node : nodes) spread[node.place] = 0;
  }
  return kernels;
}

void SupportVectors::Describe(Json& json) const {
  json["support_vectors"] = size();
  json["sparse"] = !sparse_.empty();
  json["kernel"] = kKernelNames[static_cast<size_t>(kind_)];
  if (kind_ != KernelKind::kLinear) json["gamma"] = gamma_;
  if (kind_ == KernelKind::kPoly || kind_ == KernelKind::kSigmoid) json["c"] = c_;
  if (kind_ == KernelKind::kPoly) json["degree"] = degree_;
}

}  // namespace anemone::feature_models
