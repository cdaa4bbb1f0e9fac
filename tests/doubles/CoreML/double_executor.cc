#include "CoreML/double_executor.h"

#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "cpu/cpu_backend.h"
#include "exec/backend.h"
#include "exec/classifier.h"
#include "exec/function_inputs.h"
#include "format/package.h"

namespace {

using anemone::DType;
using anemone::Half;
using anemone::Result;
using anemone::Status;
namespace exec = anemone::exec;
namespace ir = anemone::ir;

constexpr int64_t kFloat32 = 0x10000 | 32, kFloat16 = 0x10000 | 16, kInt32 = 0x20000 | 32;

int64_t DataTypeOf(DType dtype) {
  if (dtype == DType::kFp16) return kFloat16;
  if (dtype == DType::kFp32) return kFloat32;
  return dtype == DType::kInt32 ? kInt32 : 0;
}

uint32_t PixelFormatOf(const ir::ImageFeature& image) {
  using Space = ir::ImageFeature::ColorSpace;
  if (image.color_space == Space::kGrayscale) return 0x4C303038;      // 'L008'
  if (image.color_space == Space::kGrayscaleFp16) return 0x4C303068;  // 'L00h'
  return 0x42475241;                                                  // 'BGRA'
}

}  // namespace

struct DoubleModel {
  std::shared_ptr<const ir::Model> model;
  const ir::Function* function = nullptr;
  std::unique_ptr<exec::Executable> executable;
  std::vector<DoubleTensor> features[3];
  std::deque<std::string> strings;
  std::deque<std::vector<const char*>> names;
  std::deque<std::vector<DoubleOperation>> operations;
  std::deque<std::vector<DoubleBlock>> blocks;
  std::vector<DoubleFunction> functions;
  std::optional<exec::Classes> classes;
  std::vector<const char*> class_names;
  // Of the last call.
  std::map<std::string, exec::Tensor> results;
  std::deque<std::vector<Half>> halves;
  std::vector<DoubleTensor> outputs;

  const char* Keep(std::string text) { return strings.emplace_back(std::move(text)).c_str(); }

  void AddFeature(int which, const std::string& name, const ir::Type& type,
                  const ir::Feature* feature) {
    DoubleTensor tensor{};
    tensor.name = Keep(name);
    const bool image = feature != nullptr && feature->image() != nullptr;
    tensor.pixel_format = image ? PixelFormatOf(*feature->image()) : 0;
    tensor.bgr = image && feature->image()->color_space == ir::ImageFeature::ColorSpace::kBgr;
    if (classes && which == kDoubleOutputs &&
        (name == classes->label || name == classes->probabilities)) {
      const bool label = name == classes->label;
      tensor.kind = label ? kDoubleLabel : kDoubleProbabilities;
      tensor.classes = class_names.data();
      tensor.class_count = static_cast<int>(class_names.size());
      tensor.int_classes = classes->integers;
      tensor.data_type = label ? kInt32 : kFloat32;
      features[which].push_back(tensor);
      return;
    }
    tensor.data_type = DataTypeOf(type.dtype());
    tensor.fixed = type.is_static();
    tensor.rank = type.rank();
    for (int i = 0; i < type.rank() && i < kDoubleMaxRank; ++i) {
      tensor.shape[i] = type.shape()[static_cast<size_t>(i)];
    }
    features[which].push_back(tensor);
  }

  DoubleBlock Describe(const ir::Block& block, const std::string& prefix) {
    std::vector<DoubleOperation> list;
    for (const auto& operation : block.operations()) {
      DoubleOperation described{};
      described.is_const = operation->is_const();
      described.type = Keep(described.is_const ? "const" : prefix + operation->type());
      std::vector<const char*>& outputs_of = names.emplace_back();
      for (const auto& output : operation->outputs()) outputs_of.push_back(Keep(output->name));
      described.outputs = outputs_of.data();
      described.output_count = static_cast<int>(outputs_of.size());
      std::vector<DoubleBlock> nested;
      for (const auto& body : operation->blocks()) nested.push_back(Describe(*body, prefix));
      described.block_count = static_cast<int>(nested.size());
      described.blocks = blocks.emplace_back(std::move(nested)).data();
      list.push_back(described);
    }
    const std::vector<DoubleOperation>& kept = operations.emplace_back(std::move(list));
    return {kept.data(), static_cast<int>(kept.size())};
  }

  Status Open(const std::string& path, const char* name) {
    ANEMONE_ASSIGN(ir::Model read, anemone::format::ReadModel(path));
    model = std::make_shared<const ir::Model>(std::move(read));
    ANEMONE_ASSIGN(function, exec::ChooseFunction(*model, name != nullptr ? name : ""));
    exec::LoadOptions options;
    options.function = function->name;
    options.threads = 1;
    classes = exec::ClassesOf(*function);
    if (classes) {
      for (const std::string& each : classes->names) class_names.push_back(Keep(each));
    }
    ANEMONE_ASSIGN(executable, anemone::cpu::CpuBackend().Load(model, options));
    const ir::FunctionDescription* description = model->FindFunction(function->name);
    for (const auto& input : function->inputs()) {
      const bool state = input->type.is_state();
      AddFeature(state ? kDoubleStates : kDoubleInputs, input->name,
                 state ? input->type.elements()[0] : input->type,
                 description != nullptr ? description->FindInput(input->name) : nullptr);
    }
    for (const ir::Value* output : function->outputs()) {
      AddFeature(kDoubleOutputs, output->name, output->type,
                 description != nullptr ? description->FindOutput(output->name) : nullptr);
    }
    for (const auto& each : model->program.functions) {
      const std::string prefix = std::string(ir::OpsetName(each->opset)) + ".";
      functions.push_back({Keep(each->name), Describe(*each->block, prefix)});
    }
    return {};
  }

  static Result<exec::Tensor> In(const DoubleTensor& from) {
    ir::Shape shape(from.shape, from.shape + from.rank);
    const DType dtype = from.data_type == kInt32 ? DType::kInt32 : DType::kFp32;
    ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(dtype, std::move(shape)));
    const auto count = static_cast<size_t>(tensor.count());
    if (from.data_type == kFloat16) {
      anemone::HalfToFloat({static_cast<const Half*>(from.data), count},
                           {tensor.As<float>(), count});
    } else {
      std::memcpy(tensor.As<char>(), from.data, tensor.size_bytes());
    }
    return tensor;
  }

  Status Run(const DoubleTensor* inputs, int input_count, const DoubleTensor* states,
             int state_count) {
    std::map<std::string, exec::Tensor> given;
    for (int i = 0; i < input_count; ++i) {
      ANEMONE_ASSIGN(given[inputs[i].name], In(inputs[i]));
    }
    exec::State state;
    for (int i = 0; i < state_count; ++i) {
      ANEMONE_ASSIGN(state[states[i].name], In(states[i]));
    }
    ANEMONE_ASSIGN(results, executable->Run(given, state_count > 0 ? &state : nullptr, nullptr));
    for (int i = 0; i < state_count; ++i) {
      const exec::Tensor& value = state.at(states[i].name);
      const auto count = static_cast<size_t>(value.count());
      if (states[i].data_type == kFloat16) {
        anemone::FloatToHalf({value.As<float>(), count},
                             {static_cast<Half*>(states[i].data), count});
      } else {
        std::memcpy(states[i].data, value.As<char>(), value.size_bytes());
      }
    }
    outputs.clear();
    halves.clear();
    for (const DoubleTensor& feature : features[kDoubleOutputs]) {
      exec::Tensor& value = results.at(feature.name);
      DoubleTensor output = feature;
      output.rank = value.view().rank();
      for (int d = 0; d < output.rank && d < kDoubleMaxRank; ++d) {
        output.shape[d] = value.shape()[static_cast<size_t>(d)];
      }
      output.data = value.As<char>();
      if (output.pixel_format != 0) {
        output.data_type = kFloat32;  // the double makes the pixels itself
      } else if (feature.data_type == kFloat16) {
        const auto count = static_cast<size_t>(value.count());
        std::vector<Half>& half = halves.emplace_back(count);
        anemone::FloatToHalf({value.As<float>(), count}, half);
        output.data = half.data();
      }
      outputs.push_back(output);
    }
    return {};
  }
};

DoubleModel* DoubleModelOpen(const char* path, const char* function, char* error, size_t size) {
  auto model = std::make_unique<DoubleModel>();
  const Status status = model->Open(path, function);
  if (status.ok()) return model.release();
  std::snprintf(error, size, "%s", status.ToString().c_str());
  return nullptr;
}

void DoubleModelClose(DoubleModel* model) { delete model; }

int DoubleModelFeatures(const DoubleModel* model, int which, const DoubleTensor** features) {
  *features = model->features[which].data();
  return static_cast<int>(model->features[which].size());
}

int DoubleModelRun(DoubleModel* model, const DoubleTensor* inputs, int input_count,
                   const DoubleTensor* states, int state_count, const DoubleTensor** outputs,
                   int* output_count, char* error, size_t size) {
  const Status status = model->Run(inputs, input_count, states, state_count);
  if (!status.ok()) {
    std::snprintf(error, size, "%s", status.ToString().c_str());
    return 0;
  }
  *outputs = model->outputs.data();
  *output_count = static_cast<int>(model->outputs.size());
  return 1;
}

int DoubleModelFunctions(const DoubleModel* model, const DoubleFunction** functions) {
  *functions = model->functions.data();
  return static_cast<int>(model->functions.size());
}
