// Random valid programs of float32 operators, from a seed: the differential tests run them on the CPU
// executor and on the reference interpreter. Each program is a graph of the operators that the executor
// fuses, lays out anew or has kernels for, over values of rank 2 to 4, with values that are used more
// than once and some that are also outputs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/model.h"
#include "kernel_test_util.h"

namespace anemone::cpu {

class RandomProgram {
 public:
  explicit RandomProgram(uint32_t seed) : engine_(seed) {
    model_ = std::make_shared<ir::Model>();
    auto function = std::make_unique<ir::Function>();
    function->name = "main";
    function->opset = ir::Opset::kIOS17;
    function_ = function.get();
    model_->program.functions.push_back(std::move(function));
    Fill();
  }

  std::shared_ptr<const ir::Model> model() const { return model_; }

 private:
  using Value = ir::Value;

  int64_t Pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }
  template <typename T>
  const T& OneOf(const std::vector<T>& values) {
    return values[static_cast<size_t>(Pick(0, std::ssize(values) - 1))];
  }

  ir::Literal Weights(const ir::Shape& shape, float limit) {
    int64_t count = 1;
    for (const int64_t n : shape) count *= n;
    return ir::Literal::Fp32s(RandomFloats(count, static_cast<uint32_t>(engine_()), -limit, limit),
                              shape);
  }
  // Of a reduction over `depth` values, so that results keep the size of what goes in.
  ir::Literal Kernel(const ir::Shape& shape, int64_t depth) {
    return Weights(shape, 1.7f / std::sqrt(static_cast<float>(depth)));
  }

  void Fill() {
    ir::Builder b(*function_);
    builder_ = &b;
    const int64_t channels = OneOf<int64_t>({1, 3, 4, 6, 8, 13, 16, 24});
    const ir::Shape image = {Pick(1, 2), channels, Pick(3, 14), Pick(3, 14)};
    values_.push_back(b.Input("x", ir::Type::Tensor(DType::kFp32, image)));
    if (Chance(30)) values_.push_back(b.Input("z", ir::Type::Tensor(DType::kFp32, image)));
    const int64_t steps = Pick(3, 16);
    for (int64_t i = 0; i < steps; ++i) {
      Value* value = Step();
      ASSERT_TRUE(b.status().ok()) << b.status().error().ToString();
      if (value != nullptr) values_.push_back(value);
    }
    // What nobody uses is an output, and so is now and then a value in the middle.
    std::vector<Value*> outputs;
    const ir::UseMap uses = ir::FindUses(*function_);
    const size_t inputs = function_->inputs().size();
    for (size_t i = inputs; i < values_.size(); ++i) {
      if (!uses.contains(values_[i]) || Chance(7)) outputs.push_back(values_[i]);
    }
    if (outputs.empty()) outputs.push_back(b.Op("relu", {{"x", values_[0]}}));
    b.SetOutputs(outputs);
  }

  // The newest value most of the time, so that chains get long enough to fuse.
  Value* Any() { return Chance(70) ? values_.back() : OneOf(values_); }
  // A value of that shape other than `not_this`, or null.
  Value* Like(const Value* value) {
    std::vector<Value*> found;
    for (Value* other : values_) {
      if (other != value && other->type.shape() == value->type.shape()) found.push_back(other);
    }
    return found.empty() ? nullptr : OneOf(found);
  }

  Value* Step() {
    Value* x = Any();
    const ir::Shape& shape = x->type.shape();
    if (shape.size() == 4) {
      switch (Pick(0, 9)) {
        case 0:
        case 1:
        case 2:
          return Conv(x);
        case 3:
          return BatchNorm(x);
        case 4:
          return Pool(x);
        case 5:
          return Spatial(x);
        case 6:
          return SqueezeExcite(x);
        default:
          break;
      }
    }
    switch (Pick(0, 8)) {
      case 0:
      case 1:
        return Activation(x);
      case 2:
      case 3:
        return Binary(x);
      case 4:
        return Linear(x);
      case 5:
        return Rows(x);
      case 6:
        return Move(x);
      case 7:
        return Join(x);
      default:
        return Reduce(x);
    }
  }

  Value* Conv(Value* x) {
    const ir::Shape& shape = x->type.shape();
    const int64_t in = shape[1];
    int64_t groups = 1;
    if (Chance(35)) groups = in;
    if (groups == 1 && in % 2 == 0 && Chance(15)) groups = 2;
    const int64_t multiplier = groups == in ? Pick(1, 2) : OneOf<int64_t>({1, 2, 3, 5, 8});
    const int64_t out = groups * multiplier * (groups == 1 ? OneOf<int64_t>({1, 2, 4}) : 1);
    const int64_t kh = OneOf<int64_t>({1, 1, 2, 3, 3, 3, 5}), kw = Chance(80) ? kh : Pick(1, 4);
    const std::vector<int64_t> strides = {Pick(1, 2), Pick(1, 2)};
    const std::vector<int64_t> dilations =
        Chance(20) ? std::vector<int64_t>{Pick(1, 2), Pick(1, 2)} : std::vector<int64_t>{1, 1};
    std::vector<int64_t> pad(4, 0);
    const std::string pad_type = OneOf<std::string>({"same", "same", "custom", "valid"});
    if (pad_type == "custom") {
      for (int64_t& n : pad) n = Pick(0, 2);
    }
    const bool fits = shape[2] + pad[0] + pad[1] >= (kh - 1) * dilations[0] + 1 &&
                      shape[3] + pad[2] + pad[3] >= (kw - 1) * dilations[1] + 1;
    if (!fits && pad_type != "same") return nullptr;
    std::vector<ir::ArgInit> args = {
        {"x", x},
        {"weight", Kernel({out, in / groups, kh, kw}, in / groups * kh * kw)},
        {"strides", ir::Ints(strides)},
        {"dilations", ir::Ints(dilations)},
        {"groups", ir::Literal::Int32(static_cast<int32_t>(groups))},
        {"pad_type", ir::Literal::String(pad_type)},
        {"pad", ir::Ints(pad)}};
    if (Chance(60)) args.push_back({"bias", Weights({out}, 0.5f)});
    Value* y = builder_->Op("conv", std::move(args));
    return Chance(60) && y != nullptr ? Activation(y) : y;
  }

  Value* BatchNorm(Value* x) {
    const int64_t n = x->type.shape()[1];
    std::vector<float> variance = RandomFloats(n, static_cast<uint32_t>(engine_()), 0.3f, 2.0f);
    return builder_->Op("batch_norm", {{"x", x},
                                       {"mean", Weights({n}, 0.5f)},
                                       {"variance", ir::Literal::Fp32s(std::move(variance), {n})},
                                       {"gamma", Weights({n}, 1.0f)},
                                       {"beta", Weights({n}, 0.5f)},
                                       {"epsilon", ir::Literal::Fp32(1e-3f)}});
  }

  Value* Pool(Value* x) {
    const ir::Shape& shape = x->type.shape();
    const std::vector<int64_t> sizes = {Pick(1, std::min<int64_t>(3, shape[2])),
                                        Pick(1, std::min<int64_t>(3, shape[3]))};
    const std::vector<int64_t> strides = {Pick(1, 2), Pick(1, 2)};
    std::vector<ir::ArgInit> args = {
        {"x", x},
        {"kernel_sizes", ir::Ints(sizes)},
        {"strides", ir::Ints(strides)},
        {"pad_type", ir::Literal::String(Chance(50) ? "same" : "valid")}};
    if (Chance(50)) return builder_->Op("max_pool", std::move(args));
    args.push_back({"exclude_padding_from_average", ir::Literal::Bool(Chance(50))});
    return builder_->Op("avg_pool", std::move(args));
  }

  Value* Spatial(Value* x) {
    const ir::Shape& shape = x->type.shape();
    if (Chance(40) && shape[2] * shape[3] <= 200) {
      return builder_->Op("upsample_nearest_neighbor",
                          {{"x", x},
                           {"scale_factor_height", ir::Literal::Fp32(2.0f)},
                           {"scale_factor_width", ir::Literal::Fp32(Chance(50) ? 1.0f : 2.0f)}});
    }
    const bool reflect = Chance(40) && shape[2] > 2 && shape[3] > 2;
    return builder_->Op("pad", {{"x", x},
                                {"pad", ir::Ints({Pick(0, 2), Pick(0, 2), Pick(0, 2), Pick(0, 2)})},
                                {"mode", ir::Literal::String(reflect ? "reflect" : "constant")},
                                {"constant_val", ir::Literal::Fp32(0.25f)}});
  }

  Value* SqueezeExcite(Value* x) {
    const int64_t n = x->type.shape()[1];
    Value* mean = builder_->Op(
        "reduce_mean",
        {{"x", x}, {"axes", ir::Ints({2, 3})}, {"keep_dims", ir::Literal::Bool(true)}});
    Value* gate = builder_->Op("conv", {{"x", mean},
                                        {"weight", Kernel({n, n, 1, 1}, n)},
                                        {"bias", Weights({n}, 0.5f)},
                                        {"pad_type", ir::Literal::String("valid")}});
    if (gate == nullptr) return nullptr;
    return builder_->Op("mul", {{"x", x}, {"y", builder_->Op("sigmoid", {{"x", gate}})}});
  }

  Value* Activation(Value* x) {
    const auto scalar = [](float value) { return ir::Literal::Fp32(value); };
    switch (Pick(0, 10)) {
      case 0:
      case 1:
        return builder_->Op("relu", {{"x", x}});
      case 2:
        return builder_->Op("relu6", {{"x", x}});
      case 3:
        return builder_->Op("sigmoid", {{"x", x}});
      case 4:
        return builder_->Op("tanh", {{"x", x}});
      case 5:
        return builder_->Op("silu", {{"x", x}});
      case 6:
        return builder_->Op(
            "gelu", {{"x", x},
                     {"mode", ir::Literal::String(OneOf<std::string>(
                                  {"EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"}))}});
      case 7:
        return builder_->Op("leaky_relu", {{"x", x}, {"alpha", scalar(0.1f)}});
      case 8:
        return builder_->Op("clip", {{"x", x}, {"alpha", scalar(-0.7f)}, {"beta", scalar(0.9f)}});
      case 9:
        return builder_->Op("sigmoid_hard",
                            {{"x", x}, {"alpha", scalar(0.2f)}, {"beta", scalar(0.5f)}});
      default: {  // hard swish, as exporters spell it
        Value* inner = builder_->Op("add", {{"x", x}, {"y", scalar(3.0f)}});
        Value* gate = builder_->Op("relu6", {{"x", inner}});
        Value* product = builder_->Op("mul", {{"x", x}, {"y", gate}});
        return builder_->Op("mul", {{"x", product}, {"y", scalar(1.0f / 6.0f)}});
      }
    }
  }

  Value* Binary(Value* x) {
    const std::string type = OneOf<std::string>({"add", "add", "sub", "mul", "maximum", "minimum"});
    Value* other = Like(x);
    const bool swap = Chance(30);
    if (other != nullptr && Chance(70)) {
      return swap ? builder_->Op(type, {{"x", other}, {"y", x}})
                  : builder_->Op(type, {{"x", x}, {"y", other}});
    }
    // A constant that broadcasts: a scalar, one for each channel, or one for each column.
    const ir::Shape& shape = x->type.shape();
    ir::Shape small(shape.size(), 1);
    switch (Pick(0, 3)) {
      case 0:
        small = {};
        break;
      case 1:
        small.back() = shape.back();
        break;
      case 2:
        small[shape.size() >= 2 ? 1 : 0] = shape[shape.size() >= 2 ? 1 : 0];
        break;
      default:
        small = {shape.back()};
        break;
    }
    const ir::Literal constant = small.empty() ? ir::Literal::Fp32(0.5f) : Weights(small, 1.0f);
    return swap ? builder_->Op(type, {{"x", constant}, {"y", x}})
                : builder_->Op(type, {{"x", x}, {"y", constant}});
  }

  Value* Linear(Value* x) {
    const ir::Shape& shape = x->type.shape();
    const int64_t in = shape.back();
    const int64_t out = Pick(1, 33);
    if (Chance(60) && shape.size() <= 3) {
      std::vector<ir::ArgInit> args = {{"x", x}, {"weight", Kernel({out, in}, in)}};
      if (Chance(60)) args.push_back({"bias", Weights({out}, 0.5f)});
      return builder_->Op("linear", std::move(args));
    }
    if (Chance(50)) {
      return builder_->Op("matmul", {{"x", x},
                                     {"y", Kernel({in, out}, in)},
                                     {"transpose_x", ir::Literal::Bool(false)},
                                     {"transpose_y", ir::Literal::Bool(false)}});
    }
    // The value times its own transpose, scaled so that the sums stay small.
    Value* other = Like(x);
    Value* product = builder_->Op("matmul", {{"x", x},
                                             {"y", other != nullptr ? other : x},
                                             {"transpose_x", ir::Literal::Bool(false)},
                                             {"transpose_y", ir::Literal::Bool(true)}});
    return builder_->Op("mul",
                        {{"x", product}, {"y", ir::Literal::Fp32(1.0f / static_cast<float>(in))}});
  }

  Value* Rows(Value* x) {
    const ir::Shape& shape = x->type.shape();
    const int64_t n = shape.back();
    if (Chance(50)) {
      const auto axis = static_cast<int32_t>(Chance(60) ? -1 : Pick(0, std::ssize(shape) - 1));
      return builder_->Op("softmax", {{"x", x}, {"axis", ir::Literal::Int32(axis)}});
    }
    // An epsilon as large as this keeps rows of equal values, whose variance is rounding only, apart.
    return builder_->Op("layer_norm", {{"x", x},
                                       {"axes", ir::Ints({-1})},
                                       {"gamma", Weights({n}, 1.0f)},
                                       {"beta", Weights({n}, 0.5f)},
                                       {"epsilon", ir::Literal::Fp32(0.1f)}});
  }

  Value* Move(Value* x) {
    const ir::Shape& shape = x->type.shape();
    const auto rank = static_cast<int64_t>(shape.size());
    if (Chance(50)) {
      std::vector<int64_t> perm(shape.size());
      for (int64_t i = 0; i < rank; ++i) perm[static_cast<size_t>(i)] = i;
      std::shuffle(perm.begin(), perm.end(), engine_);
      if (rank == 4 && Chance(50)) perm = {0, 2, 3, 1};
      return builder_->Op("transpose", {{"x", x}, {"perm", ir::Ints(perm)}});
    }
    if (Chance(40)) {
      const int64_t axis = Pick(0, rank - 1);
      const int64_t n = shape[static_cast<size_t>(axis)];
      std::vector<int64_t> begin(shape.size(), 0), size(shape.begin(), shape.end());
      begin[static_cast<size_t>(axis)] = Pick(0, n - 1);
      size[static_cast<size_t>(axis)] = Pick(1, n - begin[static_cast<size_t>(axis)]);
      return builder_->Op("slice_by_size",
                          {{"x", x}, {"begin", ir::Ints(begin)}, {"size", ir::Ints(size)}});
    }
    // Joins two neighboring dimensions, or splits an even one.
    ir::Shape next = shape;
    const auto at = Pick(0, rank - 1);
    if (rank < 4 && shape[static_cast<size_t>(at)] % 2 == 0) {
      next[static_cast<size_t>(at)] /= 2;
      next.insert(next.begin() + at, 2);
    } else if (rank > 2 && at + 1 < rank) {
      next[static_cast<size_t>(at)] *= next[static_cast<size_t>(at + 1)];
      next.erase(next.begin() + at + 1);
    } else {
      return nullptr;
    }
    return builder_->Op("reshape", {{"x", x}, {"shape", ir::Ints(next)}});
  }

  Value* Join(Value* x) {
    Value* other = Like(x);
    if (other == nullptr) return nullptr;
    const auto rank = std::ssize(x->type.shape());
    const int64_t axis = rank == 4 && Chance(70) ? 1 : Pick(0, rank - 1);
    return builder_->Op("concat", {{"values", std::vector<Value*>{x, other}},
                                   {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))},
                                   {"interleave", ir::Literal::Bool(false)}});
  }

  Value* Reduce(Value* x) {
    const auto rank = std::ssize(x->type.shape());
    const std::string type = OneOf<std::string>({"reduce_mean", "reduce_max", "reduce_sum"});
    const int64_t axis = Pick(0, rank - 1);
    // Without its kept dimension a value would reach rank 1, which few of the steps above take.
    const bool keep = rank <= 2 || Chance(50);
    Value* y = builder_->Op(
        type, {{"x", x}, {"axes", ir::Ints({axis})}, {"keep_dims", ir::Literal::Bool(keep)}});
    if (type != "reduce_sum") return y;
    const auto n = static_cast<float>(x->type.shape()[static_cast<size_t>(axis)]);
    return builder_->Op("mul", {{"x", y}, {"y", ir::Literal::Fp32(1.0f / n)}});
  }

  std::mt19937 engine_;
  std::shared_ptr<ir::Model> model_;
  ir::Function* function_ = nullptr;
  ir::Builder* builder_ = nullptr;
  std::vector<Value*> values_;
};

}  // namespace anemone::cpu
