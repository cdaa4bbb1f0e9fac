// Resizing: done by the texture engine from H14 on. H13 has only a software path.
#include "placement/place.h"

namespace anemone::ops::image_resizing {

using placement::BeliefKind;
using placement::Maybe;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

Verdict Resize(const Query& query) {
  if (query.chip.at_least(placement::AneFamily::kH14)) return placement::YesEverywhere(query);
  return Maybe("resize_software", true, placement::kTables,
               fmt::format("{} resizes in software", query.chip.title),
               "use a transposed convolution with constant weights");
}

Verdict Warp(const Query& query) {
  if (query.IsDynamic("coordinates") && query.args.TypeOf("coordinates").dtype() == DType::kInt32) {
    return placement::No("int32", placement::kMeasuredM4, "int32 coordinates");
  }
  if (query.chip.at_least(placement::AneFamily::kH14)) return placement::YesEverywhere(query);
  return placement::No("warp_texture", placement::kTables,
                       fmt::format("{} has no texture engine", query.chip.title));
}

Verdict CropResize(const Query& query) {
  return Maybe("crop_resize", false, query.evidence(),
               "Core ML's plans keep it on the CPU, though the engine has a kernel",
               "crop with slices and resize after it");
}

Verdict Crop(const Query& query) { return placement::YesEverywhere(query); }

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "affine", .ane = Warp, .work = WorkKind::kMovement, .belief = BeliefKind::kBilinear},
      {"crop", Crop, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "crop_resize",
       .ane = CropResize,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kMemory,
       .others = Others::kCpuOnly},
      {.op = "resample", .ane = Warp, .work = WorkKind::kMovement, .belief = BeliefKind::kBilinear},
      {.op = "resize", .ane = Resize, .work = WorkKind::kMovement, .belief = BeliefKind::kBilinear},
      {.op = "resize_bilinear",
       .ane = Resize,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kBilinear},
      {"resize_nearest_neighbor", Resize, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "upsample_bilinear",
       .ane = Resize,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kBilinear},
      {"upsample_nearest_neighbor", Resize, WorkKind::kMovement, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::image_resizing
