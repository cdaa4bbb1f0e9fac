// PyTorch: convolutions of one to three dimensions, and their transposes.
#include <algorithm>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::conv {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

struct Geometry {
  size_t spatial = 0;
  std::vector<int64_t> strides, dilations, padding, output_padding;
  std::string auto_pad;
  bool transposed = false;
};

// Without a batch dimension (C, spatial ...), one is added for the operator.
Status EmitGeometry(Context& c, const Geometry& g) {
  const auto rank = static_cast<int64_t>(g.spatial) + 2;
  const bool unbatched = c.Rank("input") == rank - 1;
  std::string x = c.Need("input");
  if (unbatched) x = c.Unsqueeze(x, {0});
  Attributes attributes = {Ints("strides", g.strides), Ints("dilations", g.dilations),
                           Int("group", c.Int("groups", 1))};
  if (g.auto_pad.empty()) {
    std::vector<int64_t> pads = g.padding;
    pads.insert(pads.end(), g.padding.begin(), g.padding.end());
    attributes.push_back(Ints("pads", std::move(pads)));
  } else {
    attributes.push_back(Text("auto_pad", g.auto_pad));
  }
  if (g.transposed && std::ranges::count(g.output_padding, 0) != std::ssize(g.output_padding))
    attributes.push_back(Ints("output_padding", g.output_padding));
  std::string y = c.Op(g.transposed ? "ConvTranspose" : "Conv", {x, c.Need("weight"), c.In("bias")},
                       std::move(attributes));
  if (unbatched) y = c.Squeeze(y, {0});
  return c.Set(0, y);
}

Geometry Read(Context& c, bool transposed) {
  Geometry g;
  const int64_t rank = c.Rank("weight");
  if (rank < 3) (void)c.Fail(InvalidInput("its weight has rank {}", rank));
  g.spatial = static_cast<size_t>(std::max<int64_t>(rank - 2, 0));
  g.transposed = transposed;
  g.strides = c.IntsFor("stride", g.spatial, 1);
  g.dilations = c.IntsFor("dilation", g.spatial, 1);
  g.output_padding = c.IntsFor("output_padding", g.spatial, 0);
  return g;
}

Status EmitConv(Context& c) {
  Geometry g = Read(c, false);
  g.padding = c.IntsFor("padding", g.spatial, 0);
  return EmitGeometry(c, g);
}

// padding is "same" or "valid". PyTorch adds the odd one of "same" at the end, as SAME_UPPER does, but
// reckons without the stride, which must be 1.
Status EmitConvPadding(Context& c) {
  Geometry g = Read(c, false);
  const std::string padding = c.Text("padding", "valid");
  g.auto_pad = padding == "same" ? "SAME_UPPER" : "VALID";
  return EmitGeometry(c, g);
}

Status EmitConvTranspose(Context& c) {
  Geometry g = Read(c, true);
  g.padding = c.IntsFor("padding", g.spatial, 0);
  return EmitGeometry(c, g);
}

Status EmitConvolution(Context& c) {
  return c.Flag("transposed", false) ? EmitConvTranspose(c) : EmitConv(c);
}

// torchvision's, which always has a mask and a bias, used or not.
Status EmitDeformConv(Context& c) {
  const auto pair = [&](const std::string& name) {
    return std::vector<int64_t>{c.Int(name + "_h", 1), c.Int(name + "_w", 1)};
  };
  std::vector<int64_t> pads = {c.Int("pad_h", 0), c.Int("pad_w", 0)};
  pads.insert(pads.end(), {pads[0], pads[1]});
  const std::string mask = c.Flag("use_mask", true) ? c.In("mask") : std::string();
  return c.Set(0,
               c.Op("DeformConv",
                    {c.FloatIn("input"), c.Need("weight"), c.FloatIn("offset"), c.In("bias"), mask},
                    {Ints("strides", pair("stride")), Ints("dilations", pair("dilation")),
                     Ints("pads", std::move(pads)), Int("group", c.Int("groups", 1)),
                     Int("offset_group", c.Int("offset_groups", 1))}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.conv1d.default", .emit = EmitConv},
    {.target = "aten.conv2d.default", .emit = EmitConv},
    {.target = "aten.conv3d.default", .emit = EmitConv},
    {.target = "aten.conv1d.padding", .emit = EmitConvPadding},
    {.target = "aten.conv2d.padding", .emit = EmitConvPadding},
    {.target = "aten.conv3d.padding", .emit = EmitConvPadding},
    {.target = "aten.conv_transpose1d.default", .emit = EmitConvTranspose},
    {.target = "aten.conv_transpose2d.input", .emit = EmitConvTranspose},
    {.target = "aten.conv_transpose3d.input", .emit = EmitConvTranspose},
    {.target = "aten.convolution.default", .emit = EmitConvolution},
    {.target = "torchvision.deform_conv2d.default", .emit = EmitDeformConv},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::conv
