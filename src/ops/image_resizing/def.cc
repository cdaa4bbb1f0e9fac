// Resizing, cropping and resampling of images: definitions.
#include <algorithm>
#include <cmath>

#include "ops/image_resizing/sampling.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::image_resizing {
namespace {

constexpr TypeDomain kT{"T", "fp16 fp32"};
constexpr Param kX{.name = "x", .types = "T"};

Status AtLeastRank3(const OpArgs& args) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank() || x.rank() >= 3) return {};
  return Violates("image_resizing_c1", "x has rank {}", x.rank());
}

Status CheckSamplingMode(const OpArgs& args, std::string_view label) {
  ANEMONE_ASSIGN(const std::string mode, args.String("sampling_mode"));
  if (SamplingModeFromName(mode)) return {};
  return Violates(label, "sampling_mode is \"{}\"", mode);
}

// The size that `param` gives to a dimension.
Result<int64_t> PositiveSize(const OpArgs& args, std::string_view param, std::string_view label) {
  ANEMONE_ASSIGN(const int64_t size, args.Int(param));
  if (size <= 0) return Violates(label, "{} is {}", param, size);
  return size;
}

// x with its last two dimensions replaced.
std::vector<Type> WithSpatialSizes(const Type& x, int64_t height, int64_t width) {
  Shape shape = x.shape();
  shape[shape.size() - 2] = height;
  shape[shape.size() - 1] = width;
  return {Type::Tensor(x.dtype(), std::move(shape))};
}

// ---- upsample_nearest_neighbor, upsample_bilinear ----

Result<int64_t> ScaledSize(const OpArgs& args, std::string_view param, int64_t size) {
  ANEMONE_ASSIGN(const double scale, args.Float(param));
  if (!(scale > 0) || std::isinf(scale)) return Violates("upsample_c1", "{} is {}", param, scale);
  if (size < 0) return kDynamic;
  const double scaled = std::floor(scale * static_cast<double>(size));
  if (scaled > 9e15 || (scaled < 1 && size > 0)) {
    return Violates("upsample_c1", "{} {} turns {} elements into {}", param, scale, size, scaled);
  }
  return static_cast<int64_t>(scaled);
}

Status InferUpsample(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(AtLeastRank3(args));
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return InferLikeX(args, outputs);
  const size_t rank = x.shape().size();
  ANEMONE_ASSIGN(const int64_t height,
                 ScaledSize(args, "scale_factor_height", x.shape()[rank - 2]));
  ANEMONE_ASSIGN(const int64_t width, ScaledSize(args, "scale_factor_width", x.shape()[rank - 1]));
  *outputs = WithSpatialSizes(x, height, width);
  return {};
}

Result<ir::Literal> NotAlignCorners(const OpArgs& args) {
  ANEMONE_ASSIGN(const bool align_corners, args.Bool("align_corners"));
  return ir::Literal::Bool(!align_corners);
}

Param ScaleFactor(std::string_view name) {
  return {.name = name, .types = "U", .required = false, .constant = true, .default_text = "1"};
}

// ---- resize_nearest_neighbor, resize_bilinear, resize ----

Status InferResizeToTarget(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(AtLeastRank3(args));
  if (args.def().FindParam("sampling_mode") != nullptr) {
    ANEMONE_TRY(CheckSamplingMode(args, "resize_bilinear_c1"));
  }
  ANEMONE_ASSIGN(const int64_t height,
                 PositiveSize(args, "target_size_height", "image_resizing_c2"));
  ANEMONE_ASSIGN(const int64_t width, PositiveSize(args, "target_size_width", "image_resizing_c2"));
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return InferLikeX(args, outputs);
  *outputs = WithSpatialSizes(x, height, width);
  return {};
}

Status InferResize(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  const Type& target = args.TypeOf("shape");
  ANEMONE_ASSIGN(const std::string interpolation, args.String("interpolation_mode"));
  if (interpolation != "LINEAR" && interpolation != "NEAREST_NEIGHBOR") {
    return Violates("resize_c3", "interpolation_mode is \"{}\"", interpolation);
  }
  ANEMONE_TRY(CheckSamplingMode(args, "resize_c4"));
  if (!x.has_rank()) return InferLikeX(args, outputs);
  if (target.has_rank() && target.rank() != 1) {
    return Violates("resize_c1", "shape has rank {}", target.rank());
  }
  const int64_t length = target.has_rank() ? target.shape()[0] : kDynamic;
  if (length > x.rank())
    return Violates("resize_c1", "{} sizes for x of rank {}", length, x.rank());
  ANEMONE_ASSIGN(const int64_t resized, args.Int("resized_dims"));
  if (resized < 0 || resized > x.rank() || (length >= 0 && resized > length)) {
    return Violates("resize_c2", "resized_dims {} for {} sizes and x of rank {}", resized, length,
                    x.rank());
  }

  std::optional<std::vector<int64_t>> sizes;
  if (const ir::Literal* known = args.ValueOf("shape")) sizes = known->AsInts();
  Shape shape = x.shape();
  for (size_t i = 0; i < static_cast<size_t>(resized); ++i) {  // from the last dimension on
    int64_t& dim = shape[shape.size() - 1 - i];
    const int64_t size = sizes ? (*sizes)[sizes->size() - 1 - i] : kDynamic;
    if (sizes && size < 0) return Violates("resize_c5", "shape holds {}", size);
    if (size != 0) dim = size;
  }
  *outputs = {Type::Tensor(x.dtype(), std::move(shape))};
  return {};
}

// ---- crop, crop_resize ----

Result<int64_t> CroppedSize(const OpArgs& args, std::string_view param, int64_t size) {
  ANEMONE_ASSIGN(const std::vector<int64_t> crop, args.Ints(param));
  if (crop.size() != 2) return Violates("crop_c1", "{} has {} values", param, crop.size());
  if (crop[0] < 0 || crop[1] < 0)
    return Violates("crop_c1", "{} is {}, {}", param, crop[0], crop[1]);
  if (size < 0) return kDynamic;
  if (size - crop[0] - crop[1] <= 0) {
    return Violates("crop_c2", "{} {}, {} leaves nothing of {}", param, crop[0], crop[1], size);
  }
  return size - crop[0] - crop[1];
}

Status InferCrop(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(AtLeastRank3(args));
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return InferLikeX(args, outputs);
  const size_t rank = x.shape().size();
  ANEMONE_ASSIGN(const int64_t height, CroppedSize(args, "crop_height", x.shape()[rank - 2]));
  ANEMONE_ASSIGN(const int64_t width, CroppedSize(args, "crop_width", x.shape()[rank - 1]));
  *outputs = WithSpatialSizes(x, height, width);
  return {};
}

// Before ios17: boxes as roi [N, 1, 4, 1, 1], or [N, 1, 5, 1, 1] with the index of the image first.
Status InferCropOfRoi(const OpArgs& args, int64_t height, int64_t width,
                      std::vector<Type>* outputs) {
  if (!args.Has("roi")) return Violates("crop_resize_c2", "roi is missing");
  const Type& x = args.TypeOf("x");
  const Type& roi = args.TypeOf("roi");
  if (!x.has_rank() || !roi.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  const Shape& shape = roi.shape();
  const bool fits = shape.size() == 5 && DimsAgree(shape[1], 1) && DimsAgree(shape[3], 1) &&
                    DimsAgree(shape[4], 1) && (DimsAgree(shape[2], 4) || shape[2] == 5);
  if (!fits) return Violates("crop_resize_c2", "roi has shape {}", ir::ShapeToString(shape));
  int64_t images = x.shape()[0];
  // With an index, each box is cut from one image. Converters declare the whole batch here all the
  // same, so the size is left open.
  if (shape[2] != 4 && images != 1) images = kDynamic;
  *outputs = {Type::Tensor(x.dtype(), {shape[0], images, x.shape()[1], height, width})};
  return {};
}

Status CheckBoxIndices(const OpArgs& args, int64_t boxes, int64_t images) {
  constexpr std::string_view kLabel = "crop_resize_c4";
  if (!args.Has("box_indices")) {
    if (boxes < 0 || images < 0 || boxes <= images) return {};
    return Violates(kLabel, "{} boxes without box_indices for {} images", boxes, images);
  }
  const Type& indices = args.TypeOf("box_indices");
  if (indices.has_rank() && (indices.rank() != 1 || !DimsAgree(indices.shape()[0], boxes))) {
    return Violates(kLabel, "box_indices of shape {} for {} boxes",
                    ir::ShapeToString(indices.shape()), boxes);
  }
  const ir::Literal* known = args.ValueOf("box_indices");
  if (known == nullptr || images < 0) return {};
  for (int64_t index : known->AsInts().value_or(std::vector<int64_t>())) {
    if (index < 0 || index >= images)
      return Violates(kLabel, "index {} for {} images", index, images);
  }
  return {};
}

Status InferCropOfBoxes(const OpArgs& args, int64_t height, int64_t width,
                        std::vector<Type>* outputs) {
  if (args.Has("roi")) return Violates("crop_resize_c2", "roi is given");
  const Type& x = args.TypeOf("x");
  const Type& boxes = args.TypeOf("boxes");
  ANEMONE_ASSIGN(const bool normalized, args.Bool("normalized_coordinates"));
  if (normalized && !IsFloat(boxes.dtype())) {
    return Violates("crop_resize_c7", "normalized coordinates of type {}",
                    DTypeName(boxes.dtype()));
  }
  if (!x.has_rank() || !boxes.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  if (boxes.rank() != 2 || !DimsAgree(boxes.shape()[1], 4)) {
    return Violates("crop_resize_c3", "boxes has shape {}", ir::ShapeToString(boxes.shape()));
  }
  ANEMONE_TRY(CheckBoxIndices(args, boxes.shape()[0], x.shape()[0]));
  *outputs = {Type::Tensor(x.dtype(), {boxes.shape()[0], x.shape()[1], height, width})};
  return {};
}

Status InferCropResize(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckRank(args, "x", 4, "crop_resize_c1"));
  ANEMONE_ASSIGN(const std::string mode, args.String("box_coordinate_mode"));
  if (mode != "CORNERS_HEIGHT_FIRST" && mode != "CORNERS_WIDTH_FIRST" &&
      mode != "CENTER_SIZE_HEIGHT_FIRST" && mode != "CENTER_SIZE_WIDTH_FIRST") {
    return Violates("crop_resize_c5", "box_coordinate_mode is \"{}\"", mode);
  }
  ANEMONE_TRY(CheckSamplingMode(args, "crop_resize_c6"));
  ANEMONE_ASSIGN(const int64_t height, PositiveSize(args, "target_height", "image_resizing_c2"));
  ANEMONE_ASSIGN(const int64_t width, PositiveSize(args, "target_width", "image_resizing_c2"));
  return args.opset() < Opset::kIOS17 ? InferCropOfRoi(args, height, width, outputs)
                                      : InferCropOfBoxes(args, height, width, outputs);
}

// ---- affine, resample ----

Status InferAffine(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckRank(args, "x", 4, "affine_c1"));
  const Type& x = args.TypeOf("x");
  const Type& matrix = args.TypeOf("transform_matrix");
  for (const auto& [param, only] : {std::pair{"sampling_mode", "bilinear"},
                                    {"padding_mode", "constant"},
                                    {"coordinates_mode", "normalized_minus_one_to_one"}}) {
    ANEMONE_ASSIGN(std::string mode, args.String(param));
    // Core ML reads these in any case.
    std::transform(mode.begin(), mode.end(), mode.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (mode != only) return Violates("affine_c3", "{} is \"{}\"", param, mode);
  }
  ANEMONE_ASSIGN(const double padding_value, args.Float("padding_value"));
  if (padding_value != 0) return Violates("affine_c3", "padding_value is {}", padding_value);
  ANEMONE_ASSIGN(const int64_t height, PositiveSize(args, "output_height", "image_resizing_c2"));
  ANEMONE_ASSIGN(const int64_t width, PositiveSize(args, "output_width", "image_resizing_c2"));
  if (!x.has_rank()) return InferLikeX(args, outputs);
  if (matrix.has_rank()) {
    const Shape& shape = matrix.shape();
    const bool fits = shape.size() == 2 && DimsAgree(shape[1], 6) &&
                      (shape[0] == 1 || DimsAgree(shape[0], x.shape()[0]));
    if (!fits) {
      return Violates("affine_c2", "transform_matrix of shape {} for a batch of {}",
                      ir::ShapeToString(shape), x.shape()[0]);
    }
  }
  *outputs = WithSpatialSizes(x, height, width);
  return {};
}

Status InferResample(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckRank(args, "x", 4, "resample_c1"));
  const Type& x = args.TypeOf("x");
  const Type& coordinates = args.TypeOf("coordinates");
  if (coordinates.dtype() == DType::kFp16 && args.opset() < Opset::kIOS16) {
    return Violates("resample_c4", "coordinates of type fp16 before ios16");
  }
  ANEMONE_ASSIGN(const std::string sampling, args.String("sampling_mode"));
  if (sampling != "bilinear" && sampling != "nearest") {
    return Violates("resample_c3", "sampling_mode is \"{}\"", sampling);
  }
  ANEMONE_ASSIGN(const std::string padding, args.String("padding_mode"));
  if (!PaddingModeFromName(padding))
    return Violates("resample_c3", "padding_mode is \"{}\"", padding);
  ANEMONE_ASSIGN(const std::string mode, args.String("coordinates_mode"));
  if (mode != "unnormalized" && mode != "normalized_minus_one_to_one" &&
      mode != "normalized_zero_to_one") {
    return Violates("resample_c3", "coordinates_mode is \"{}\"", mode);
  }
  if (!x.has_rank() || !coordinates.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  const Shape& shape = coordinates.shape();
  if (shape.size() != 4 || !DimsAgree(shape[3], 2) || !DimsAgree(shape[0], x.shape()[0])) {
    return Violates("resample_c2", "coordinates of shape {} for a batch of {}",
                    ir::ShapeToString(shape), x.shape()[0]);
  }
  *outputs = {Type::Tensor(x.dtype(),
                           {MergeDims(x.shape()[0], shape[0]), x.shape()[1], shape[1], shape[2]})};
  return {};
}

// Eight flops for the four neighbors of each output element.
OpCost BilinearCost(const OpArgs&, std::span<const Type> outputs) {
  return {CostProduct({OutputElements(outputs), 8})};
}

Param Required(std::string_view name, std::string_view types) {
  return {.name = name, .types = types, .constant = true};
}
Param Optional(std::string_view name, std::string_view types, std::string_view value) {
  return {.name = name, .types = types, .required = false, .constant = true, .default_text = value};
}

constexpr Constraint kRank3{"image_resizing_c1", "x has rank 3 or more"};
constexpr Constraint kTargets{"image_resizing_c2", "target sizes are positive"};

}  // namespace

std::vector<OpDef> Defs() {
  const Constraint scales{"upsample_c1",
                          "scale factors are positive, finite, and leave at least one element"};
  const Constraint modes{"",
                         "sampling_mode is DEFAULT, ALIGN_CORNERS, STRICT_ALIGN_CORNERS, "
                         "OFFSET_CORNERS or UNALIGN_CORNERS"};
  const auto sampling_modes = [&](std::string_view label) { return Constraint{label, modes.text}; };
  return {
      {.name = "upsample_nearest_neighbor",
       .doc = "The last two dimensions of x enlarged (or shrunk) by factors, to floor(size * "
              "factor) elements: element i is input element floor(i * old size / new size).",
       .params = {kX, ScaleFactor("scale_factor_height"), ScaleFactor("scale_factor_width")},
       .domains = {kT, {"U", "fp32 int32"}},
       .constraints = {kRank3, scales},
       .infer = InferUpsample,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "upsample_bilinear",
       .doc = "The last two dimensions of x enlarged (or shrunk) by factors, to floor(size * "
              "factor) elements, by linear interpolation between neighbors. With align_corners "
              "the first and last elements of input and output coincide; with half_pixel_centers "
              "the pixels are areas whose outer edges do; with neither, output i lies at i * old "
              "size / new size.",
       .params = {kX,
                  ScaleFactor("scale_factor_height"),
                  ScaleFactor("scale_factor_width"),
                  Optional("align_corners", "bool", "true"),
                  {.name = "half_pixel_centers",
                   .types = "bool",
                   .required = false,
                   .constant = true,
                   .default_fn = NotAlignCorners,
                   .since = Opset::kIOS16}},
       .domains = {kT, {"U", "fp32 int32"}},
       .constraints = {kRank3, scales},
       .infer = InferUpsample,
       .cost = BilinearCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "resize_nearest_neighbor",
       .doc = "The last two dimensions of x brought to given sizes: element i is input element "
              "floor(i * old size / new size).",
       .params = {kX, Required("target_size_height", "int32"),
                  Required("target_size_width", "int32")},
       .domains = {kT},
       .constraints = {kRank3, kTargets},
       .infer = InferResizeToTarget,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "resize_bilinear",
       .doc = "The last two dimensions of x brought to given sizes by linear interpolation at the "
              "points that sampling_mode names. For n points over pixels 0 to m - 1: DEFAULT i * "
              "m / n; ALIGN_CORNERS i * (m - 1) / (n - 1), the middle for n = 1; "
              "STRICT_ALIGN_CORNERS the same, 0 for n = 1; OFFSET_CORNERS (i + 0.5) * max(1, m - "
              "1) / n; UNALIGN_CORNERS (i + 0.5) * m / n - 0.5; all within [0, m - 1].",
       .params = {kX, Optional("target_size_height", "int32", "1"),
                  Optional("target_size_width", "int32", "1"),
                  Optional("sampling_mode", "string", "\"DEFAULT\"")},
       .domains = {kT},
       .constraints = {kRank3, kTargets, sampling_modes("resize_bilinear_c1")},
       .infer = InferResizeToTarget,
       .cost = BilinearCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "resize",
       .doc = "The last resized_dims dimensions of x brought to the last sizes in `shape` (0 "
              "keeps a size), by linear interpolation or from the nearest element (the lower one "
              "of two), at the points that sampling_mode names as in resize_bilinear.",
       .since = Opset::kIOS17,
       .params = {kX,
                  {.name = "shape", .types = "U"},
                  Required("resized_dims", "uint32"),
                  Optional("interpolation_mode", "string", "\"LINEAR\""),
                  Optional("sampling_mode", "string", "\"DEFAULT\"")},
       .domains = {{"T", "fp16 fp32 int32"}, {"U", "int32 int16 uint16 uint32"}},
       .constraints = {{"resize_c1", "shape has rank 1 and no more elements than x has dimensions"},
                       {"resize_c2", "resized_dims is at most the number of elements of shape"},
                       {"resize_c3", "interpolation_mode is LINEAR or NEAREST_NEIGHBOR"},
                       sampling_modes("resize_c4"),
                       {"resize_c5", "no size is negative"}},
       .infer = InferResize,
       .cost = BilinearCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "crop",
       .doc = "x without its first and last elements along the last two dimensions; crop_height "
              "and crop_width say how many at either end.",
       .params = {kX, Required("crop_height", "int32"), Required("crop_width", "int32")},
       .domains = {kT},
       .constraints = {kRank3,
                       {"crop_c1", "crop_height and crop_width hold two values >= 0 each"},
                       {"crop_c2", "something is left of either dimension"}},
       .infer = InferCrop,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "crop_resize",
       .doc = "Boxes cut out of x [B, C, H, W] and brought to one size by linear interpolation at "
              "the points that sampling_mode names (as in resize_bilinear) between a box's first "
              "and last pixel; points outside the image give pad_value. From ios17 on boxes [N, "
              "4] give [N, C, h, w], each from the image that box_indices names; before, roi [N, "
              "1, 4, 1, 1] gives [N, B, C, h, w] and roi [N, 1, 5, 1, 1], image index first, [N, "
              "1, C, h, w]. Normalized coordinates run from 0 to 1 and are multiplied by the last "
              "pixel's; spatial_scale multiplies all.",
       .params = {kX,
                  {.name = "roi", .types = "T", .required = false},
                  {.name = "boxes", .types = "BOX_T", .since = Opset::kIOS17},
                  {.name = "box_indices",
                   .types = "BOX_INDEX_T",
                   .required = false,
                   .since = Opset::kIOS17},
                  Optional("target_height", "int32", "1"),
                  Optional("target_width", "int32", "1"),
                  Optional("normalized_coordinates", "bool", "false"),
                  Optional("spatial_scale", "fp32", "1.0"),
                  Optional("box_coordinate_mode", "string", "\"CORNERS_HEIGHT_FIRST\""),
                  Optional("sampling_mode", "string", "\"DEFAULT\""),
                  {.name = "pad_value",
                   .types = "fp16 fp32",
                   .required = false,
                   .constant = true,
                   .default_text = "0.0",
                   .since = Opset::kIOS16}},
       .domains = {kT, {"BOX_T", "fp16 fp32 uint16"}, {"BOX_INDEX_T", "uint16 int32"}},
       .constraints =
           {{"crop_resize_c1", "x has rank 4"},
            {"crop_resize_c2",
             "before ios17 roi is [N, 1, 4, 1, 1] or [N, 1, 5, 1, 1]; then it is gone"},
            {"crop_resize_c3", "boxes is [N, 4]"},
            {"crop_resize_c4",
             "box_indices holds N indices within the batch; without it there are no more boxes "
             "than images"},
            {"crop_resize_c5",
             "box_coordinate_mode is CORNERS_ or CENTER_SIZE_ with HEIGHT_FIRST or WIDTH_FIRST"},
            sampling_modes("crop_resize_c6"),
            {"crop_resize_c7", "normalized boxes are fp16 or fp32"},
            kTargets},
       .infer = InferCropResize,
       .cost = BilinearCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "affine",
       .doc = "x [B, C, H, W] seen through an affine map: output point (x, y), both from -1 to 1, "
              "is the input at (a0 x + a1 y + a2, b0 x + b1 y + b2) by linear interpolation, zero "
              "outside. transform_matrix holds a0 a1 a2 b0 b1 b2 for all images or for each.",
       .params = {kX,
                  {.name = "transform_matrix", .types = "T"},
                  Required("output_height", "int32"),
                  Required("output_width", "int32"),
                  Required("sampling_mode", "string"),
                  Required("padding_mode", "string"),
                  Required("padding_value", "fp16 fp32"),
                  Required("coordinates_mode", "string"),
                  Required("align_corners", "bool")},
       .domains = {kT},
       .constraints = {{"affine_c1", "x has rank 4"},
                       {"affine_c2", "transform_matrix is [1, 6] or [B, 6]"},
                       {"affine_c3",
                        "sampling_mode is bilinear, padding_mode constant with padding_value 0, "
                        "coordinates_mode normalized_minus_one_to_one"},
                       kTargets},
       .infer = InferAffine,
       .cost = BilinearCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "resample",
       .doc = "x [B, C, H, W] read at coordinates [B, h, w, 2], each pair (x, y), by linear "
              "interpolation or from the nearest pixel. Coordinates are pixels, or run from 0 or "
              "-1 to 1 over the image: between the centers of its corner pixels with "
              "align_corners, else between its edges. padding_mode says what lies outside: "
              "padding_value, the edge pixel, or the image mirrored at its edge pixel "
              "(reflection) or edge (symmetric).",
       .params = {kX,
                  {.name = "coordinates", .types = "U"},
                  Required("sampling_mode", "string"),
                  Required("padding_mode", "string"),
                  Required("padding_value", "fp16 fp32"),
                  Required("coordinates_mode", "string"),
                  Required("align_corners", "bool")},
       .domains = {kT, {"U", "int32 fp32 fp16", Opset::kIOS17, "int8 uint8 int16 uint16"}},
       .constraints = {{"resample_c1", "x has rank 4"},
                       {"resample_c2", "coordinates is [B, h, w, 2]"},
                       {"resample_c3",
                        "sampling_mode is bilinear or nearest, padding_mode constant, border, "
                        "reflection or symmetric, coordinates_mode unnormalized, "
                        "normalized_minus_one_to_one or normalized_zero_to_one"},
                       {"resample_c4", "coordinates are fp16 from ios16 on only"}},
       .infer = InferResample,
       .cost = BilinearCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::image_resizing
