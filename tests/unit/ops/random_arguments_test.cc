// Random arguments, sensible and hostile, to every operator: inference answers with types or an
// error, never with a crash, an overflow or an invalid size; and where inference accepts small
// constants, the reference kernel gives tensors of exactly those types. Meant to run under the
// sanitizers too. Deterministic.
#include <gtest/gtest.h>

#include <random>

#include "exec/kernel.h"
#include "ir/op_def.h"
#include "param_types.h"

namespace anemone {
namespace {

class Source {
 public:
  explicit Source(uint64_t seed) : engine_(seed) {}
  // In [0, limit).
  size_t Below(size_t limit) { return static_cast<size_t>(engine_() % limit); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  template <typename T, size_t kCount>
  T Pick(const T (&values)[kCount]) {
    return values[Below(kCount)];
  }

 private:
  std::mt19937_64 engine_;
};

// Values that mean something to some operator: axes, sizes, counts; and some hostile ones.
ir::Literal RandomLiteral(Source& source, DType dtype, const ir::Shape& shape, bool hostile) {
  const int64_t count = ir::ElementCount(shape).value_or(0);
  if (dtype == DType::kString) {
    const std::string_view words[] = {"constant", "reflect", "replicate", "valid", "same",
                                      "custom",   "update",  "add",       "min",   "fp16",
                                      "int32",    "uint16",  "logits",    "probs", "DEFAULT",
                                      "forward",  "sigmoid", "tanh",      "linear"};
    return ir::Literal::String(std::string(source.Pick(words)));
  }
  std::vector<int64_t> ints;
  std::vector<float> floats;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t small[] = {0, 1, 2, 3, -1, -2, 1, 4};
    const int64_t large[] = {INT32_MAX, INT32_MIN, 65536, -65536, 1 << 30};
    const int64_t value = hostile && source.OneIn(4) ? source.Pick(large) : source.Pick(small);
    ints.push_back(value);
    floats.push_back(hostile && source.OneIn(16) ? std::numeric_limits<float>::quiet_NaN()
                                                 : static_cast<float>(value) / 2);
  }
  if (IsFloat(dtype)) {
    return ir::Literal::Floats(dtype == DType::kFp16 ? dtype : DType::kFp32, floats, shape);
  }
  for (int64_t& value : ints) {
    // Truncated to the dtype.
    const int width = BitWidth(dtype);
    if (dtype == DType::kBool) value &= 1;
    if (IsUnsignedInt(dtype) && width < 64) value &= (int64_t{1} << width) - 1;
    if (IsSignedInt(dtype) && width < 64) {
      value = static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - width)) >> (64 - width);
    }
  }
  auto literal = ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape), ir::PackInts(ints, dtype));
  return literal.ok() ? *literal : ir::Literal::Zeros(ir::Type::Tensor(dtype, shape));
}

ir::Shape RandomShape(Source& source, bool hostile) {
  const size_t ranks[] = {0, 1, 1, 2, 2, 3, 4, 4, 5};
  ir::Shape shape(source.Pick(ranks));
  for (int64_t& dim : shape) {
    const int64_t small[] = {1, 2, 3, 4, 1, 2, 0};
    const int64_t large[] = {ir::kDynamic, int64_t{1} << 31, int64_t{1} << 62, INT64_MAX};
    dim = hostile && source.OneIn(3) ? source.Pick(large) : source.Pick(small);
  }
  return shape;
}

// One draw of arguments; the shape of the first tensor is given to others half of the time, so that
// some of it fits together.
struct Arguments {
  std::deque<ir::Literal> literals;
  struct Item {
    std::string_view param;
    std::vector<ir::OpArgs::Arg> args;
  };
  std::vector<Item> items;
};

Arguments Draw(Source& source, const ir::OpDef& def, ir::Opset opset, bool hostile) {
  Arguments arguments;
  std::vector<std::pair<std::string_view, DType>> variables;
  const ir::Shape first = RandomShape(source, hostile);
  for (const ir::Param& param : def.params) {
    if (opset < param.since && !source.OneIn(16)) continue;
    if (!param.required && source.OneIn(2)) continue;
    std::vector<DType> dtypes = test::DTypesOf(def, param);
    if (dtypes.empty()) dtypes = {DType::kFp32, DType::kInt32, DType::kBool};
    DType dtype = dtypes[source.Below(dtypes.size())];
    bool bound = false;
    for (const auto& [name, earlier] : variables) {
      if (name == param.types) dtype = earlier, bound = true;
    }
    if (!bound) variables.emplace_back(param.types, dtype);
    Arguments::Item item{param.name, {}};
    const size_t count = param.variadic ? 1 + source.Below(3) : 1;
    for (size_t i = 0; i < count; ++i) {
      const bool vector = param.constant || param.default_text.starts_with('[');
      ir::Shape shape = source.OneIn(2) ? first : RandomShape(source, hostile);
      if (vector && source.OneIn(2)) shape = {};
      if (vector && !shape.empty()) shape = {static_cast<int64_t>(1 + source.Below(4))};
      if (dtype == DType::kString) shape = {};
      const auto elements = ir::Type::Tensor(dtype, shape).element_count();
      const bool known = elements && *elements <= 256 && (!hostile || vector || source.OneIn(2));
      if (known) {
        arguments.literals.push_back(RandomLiteral(source, dtype, shape, hostile));
        item.args.push_back({arguments.literals.back().type(), &arguments.literals.back()});
      } else if (source.OneIn(8)) {
        item.args.push_back({ir::Type::UnrankedTensor(dtype), nullptr});
      } else {
        item.args.push_back({ir::Type::Tensor(dtype, shape), nullptr});
      }
    }
    arguments.items.push_back(std::move(item));
  }
  return arguments;
}

Status Infer(const ir::OpDef& def, ir::Opset opset, const Arguments& arguments,
             std::vector<ir::Type>* types) {
  ir::OpArgs args(def, opset);
  for (const Arguments::Item& item : arguments.items) args.AddAll(item.param, item.args);
  ANEMONE_TRY(ir::InferTypes(args, types));
  if (def.cost != nullptr && !types->empty()) {
    EXPECT_GE(def.cost(args, *types).flops, 0) << def.name;
  }
  return {};
}

// Every size is one or dynamic, and the known ones multiply within 64 bits.
bool Sound(const ir::Type& type) {
  if (!type.is_tensor()) return true;
  ir::Shape known;
  for (const int64_t dim : type.shape()) {
    if (dim < ir::kDynamic) return false;
    if (dim != ir::kDynamic) known.push_back(dim);
  }
  return ir::ElementCount(known).has_value();
}

TEST(RandomArguments, InferenceIsSound) {
  Source source(1);
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    if (def->name == "const") continue;
    for (int round = 0; round < 400; ++round) {
      const auto opset = static_cast<ir::Opset>(source.Below(4));
      const Arguments arguments = Draw(source, *def, opset, /*hostile=*/round % 2 == 0);
      std::vector<ir::Type> types;
      if (!Infer(*def, opset, arguments, &types).ok()) continue;
      for (const ir::Type& type : types) {
        ASSERT_TRUE(Sound(type)) << def->name << ": " << type.ToString();
      }
    }
  }
}

TEST(RandomArguments, KernelsGiveWhatInferenceSays) {
  Source source(2);
  int evaluated = 0;
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    if (exec::FindReferenceKernel(def->name) == nullptr) continue;
    for (int round = 0; round < 400; ++round) {
      const auto opset = static_cast<ir::Opset>(source.Below(4));
      const Arguments arguments = Draw(source, *def, opset, /*hostile=*/false);
      std::vector<ir::Type> types;
      if (!Infer(*def, opset, arguments, &types).ok()) continue;
      int64_t elements = 0;
      for (const ir::Type& type : types) elements += type.element_count().value_or(0);
      if (elements > 100'000) continue;
      std::vector<exec::FoldInput> inputs;
      for (const Arguments::Item& item : arguments.items) {
        exec::FoldInput input{item.param, {}};
        for (const ir::OpArgs::Arg& arg : item.args) {
          if (arg.value != nullptr) input.literals.push_back(arg.value);
        }
        if (input.literals.size() == item.args.size()) inputs.push_back(std::move(input));
      }
      if (inputs.size() != arguments.items.size()) continue;
      const auto outputs = exec::Fold(*def, opset, inputs);
      // A kernel may find an index out of range that inference does not check.
      if (!outputs.ok()) {
        EXPECT_NE(outputs.error().code(), ErrorCode::kInternal)
            << def->name << ": " << outputs.error().ToString();
        continue;
      }
      ++evaluated;
      ASSERT_EQ(outputs->size(), types.size()) << def->name;
      for (size_t i = 0; i < types.size(); ++i) {
        EXPECT_TRUE(IsCompatible((*outputs)[i].type(), types[i]))
            << def->name << ": " << (*outputs)[i].type().ToString() << " for "
            << types[i].ToString();
      }
    }
  }
  EXPECT_GT(evaluated, 5'000);
}

}  // namespace
}  // namespace anemone
