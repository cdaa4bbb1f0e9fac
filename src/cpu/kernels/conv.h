// Convolution in float32 over NHWC activations, any kernel, stride, dilation, padding and groups,
// without a buffer of unrolled patches: the tile loop of gemm_tile.h reads pixels through pointers,
// one per tap. 1-D is height 1.
//
// Thread rules: pure functions; a PackedConv is immutable. Sums run over (kernel row, kernel
// column, channel) in order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/steps.h"

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

struct WinogradWeights;

struct ConvShape {
  int64_t batch = 1;
  int64_t in_h = 1, in_w = 1, in_c = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0;  // bottom and right follow from out_h and out_w
  int64_t groups = 1;
};

enum class ConvMethod : uint8_t {
  kPointwise,  // one tap, rows of the image as they lie
  kIndirect,   // a pointer for each tap
  kRows,       // a pointer for each row of the kernel: few channels
  kDepthwise,  // channel by channel
  kWinograd2,  // winograd.h, tiles of 2x2
  kWinograd4,  // and of 4x4
};
// The way of a direct sum, whatever its elements are.
ConvMethod ChooseConvMethod(const ConvShape& shape);
// The fastest way in float32, by its shape.
ConvMethod ChooseFloatConvMethod(const ConvShape& shape);

class PackedConv {
 public:
  PackedConv() = default;
  // `weights`: [out_c, in_c / groups, kernel_h, kernel_w] row-major; `bias`: out_c values or null.
  PackedConv(const ConvShape& shape, ConvMethod method, const float* weights, const float* bias,
             ThreadPool& pool);
  // The same, by ChooseFloatConvMethod and on this thread.
  PackedConv(const ConvShape& shape, const float* weights, const float* bias);
  // The same weights, shared, for images of another size; as `other` does it, as far as direct sums go.
  PackedConv(const ConvShape& shape, const PackedConv& other);

  // in: [batch, in_h, in_w, in_c], out: [batch, out_h, out_w, out_c]; must not overlap. Steps see
  // out as (batch * out_h * out_w) x out_c.
  // `scratch` has room for ScratchFloats().
  void Run(const float* in, const Destination& out, float* scratch, std::span<const Step> steps,
           ThreadPool& pool) const;
  int64_t ScratchFloats() const;

  const ConvShape& shape() const { return shape_; }

 private:
  struct Weights {
    std::vector<PackedMatrix> groups;
    std::vector<PackedView> views;
    Floats depthwise;  // [taps, out_c rounded up to a vector], then the bias
    Floats zeros;      // read by taps in the padding
    std::unique_ptr<const WinogradWeights> winograd;
  };

  ConvShape shape_;
  ConvMethod method_ = ConvMethod::kIndirect;
  int64_t repeat_ = 1;  // kDepthwise: filters per input channel
  std::shared_ptr<const Weights> weights_;
};

// Transposed convolution; `shape` is that of the forward convolution whose gradient this is: out_*
// is the size of our input and in_* of our output. `weights`: [out_c, in_c / groups, kernel_h,
// kernel_w] row-major (the layout of PyTorch and MIL: our input channels first); `bias`: in_c
// values or null.
class PackedConvTranspose {
 public:
  PackedConvTranspose() = default;
  PackedConvTranspose(const ConvShape& shape, const float* weights, const float* bias);
  // The same weights, shared, for images of another size.
  PackedConvTranspose(const ConvShape& shape, const PackedConvTranspose& other)
      : shape_(shape), weights_(other.weights_) {}
  // Floats of scratch memory that Run needs.
  int64_t ScratchFloats() const;
  // in: [batch, out_h, out_w, out_c], out: [batch, in_h, in_w, in_c].
  void Run(const float* in, float* out, float* scratch, std::span<const Step> steps,
           ThreadPool& pool) const;

 private:
  struct Weights {
    std::vector<PackedMatrix> groups;
    std::vector<float> bias;
  };

  ConvShape shape_;
  std::shared_ptr<const Weights> weights_;
};

}  // namespace anemone::cpu
