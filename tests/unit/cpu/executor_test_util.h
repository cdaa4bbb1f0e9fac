// Shared by the executor's tests: a program from text, seeded inputs, and running it on a backend.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "cpu/cpu_backend.h"
#include "exec/interpreter.h"
#include "ir/text.h"
#include "kernel_test_util.h"

namespace anemone::cpu {

using Tensors = std::map<std::string, exec::Tensor>;

inline std::shared_ptr<const ir::Model> ModelFrom(const std::string& text) {
  Result<ir::Program> program = ir::ParseText(text);
  if (!program.ok()) {
    ADD_FAILURE() << program.error().ToString() << "\n" << text;
    return nullptr;
  }
  auto model = std::make_shared<ir::Model>();
  model->program = std::move(*program);
  return model;
}

inline exec::Tensor MakeTensor(const ir::Shape& shape, std::vector<float> values) {
  exec::Tensor tensor = *exec::Tensor::Allocate(DType::kFp32, shape);
  std::copy(values.begin(), values.end(), tensor.As<float>());
  return tensor;
}

// Values in [-2, 2) for floats, 0 to 3 for integers. A dynamic dimension gets `dynamic` elements.
inline Tensors SeededInputs(const ir::Function& function, int64_t dynamic = 5) {
  Tensors inputs;
  uint32_t seed = 1;
  for (const auto& input : function.inputs()) {
    if (!input->type.is_tensor()) continue;
    ir::Shape shape = input->type.shape();
    for (int64_t& n : shape) n = n < 0 ? dynamic : n;
    exec::Tensor tensor = *exec::Tensor::Allocate(exec::StorageDType(input->type.dtype()), shape);
    const auto values = RandomFloats(tensor.count(), seed++, -2.0f, 2.0f);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const float v = values[static_cast<size_t>(i)];
      switch (tensor.dtype()) {
        case DType::kFp32:
          tensor.As<float>()[i] = v;
          break;
        case DType::kInt32:
          tensor.As<int32_t>()[i] = static_cast<int32_t>(v + 2.0f);
          break;
        case DType::kBool:
          tensor.As<uint8_t>()[i] = v > 0;
          break;
        default:
          ADD_FAILURE() << "no seeded input of " << DTypeName(tensor.dtype());
      }
    }
    inputs[input->name] = tensor;
  }
  return inputs;
}

inline Tensors RunCpu(const std::shared_ptr<const ir::Model>& model, const Tensors& inputs,
                      exec::Numerics numerics = exec::Numerics::kAsTyped, int threads = 2,
                      const exec::Tracer* tracer = nullptr, exec::State* state = nullptr) {
  auto executable =
      CpuBackend().Load(model, {.function = {}, .numerics = numerics, .threads = threads});
  if (!executable.ok()) {
    ADD_FAILURE() << executable.error().ToString();
    return {};
  }
  auto outputs = (*executable)->Run(inputs, state, tracer);
  if (!outputs.ok()) {
    ADD_FAILURE() << outputs.error().ToString();
    return {};
  }
  return std::move(*outputs);
}

inline Tensors RunReference(const std::shared_ptr<const ir::Model>& model, const Tensors& inputs,
                            exec::Numerics numerics = exec::Numerics::kAsTyped,
                            exec::State* state = nullptr) {
  const ir::Function& function = *model->program.main();
  exec::InterpretOptions options;
  options.rounding = {.fp16 = numerics != exec::Numerics::kFloat32,
                      .fp32 = numerics == exec::Numerics::kFloat16};
  exec::State local;
  auto outputs = exec::Interpret(function, inputs, state != nullptr ? state : &local, options);
  if (!outputs.ok()) {
    ADD_FAILURE() << outputs.error().ToString();
    return {};
  }
  Tensors named;
  for (size_t i = 0; i < outputs->size(); ++i) {
    named[function.outputs()[i]->name] = (*outputs)[i];
  }
  return named;
}

// Floats within `limit` of the reference's largest value; everything else equal.
inline void ExpectSame(const Tensors& got, const Tensors& expected, double limit) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, reference] : expected) {
    ASSERT_TRUE(got.contains(name)) << name;
    const exec::Tensor& tensor = got.at(name);
    ASSERT_EQ(tensor.dtype(), reference.dtype()) << name;
    ASSERT_EQ(tensor.shape(), reference.shape()) << name;
    if (tensor.dtype() != DType::kFp32) {
      EXPECT_EQ(std::memcmp(tensor.view().data, reference.view().data, tensor.size_bytes()), 0);
      continue;
    }
    double range = 1e-6;
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (std::isfinite(reference.As<float>()[i])) {
        range = std::max(range, std::abs(double{reference.As<float>()[i]}));
      }
    }
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const float a = tensor.As<float>()[i], b = reference.As<float>()[i];
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
      ASSERT_LE(std::abs(double{a} - b), limit * range)
          << name << " element " << i << ": " << a << ", expected " << b;
    }
  }
}

}  // namespace anemone::cpu
