#include "options/option.h"

namespace anemone::options {

Table TableOf(PreprocessOptions& options) {
  return {
      {.name = "crop",
       .field = &options.crop,
       .help = "images: center crop, a share of the shorter side up to 1, then resized to the "
               "input; above 1 pixels; 0 for none",
       .example = "224",
       .low = 0},
      {.name = "resize",
       .field = &options.resize,
       .help = "images: with a crop in pixels, resize the shorter side to this first; 0 does not",
       .example = "256",
       .low = 0},
      {.name = "mean",
       .field = &options.mean,
       .help = "images: three channel means of values in 0 to 1",
       .example = "0.5,0.5,0.5"},
      {.name = "std",
       .field = &options.deviation,
       .help = "images: three channel deviations of values in 0 to 1",
       .example = "0.5,0.5,0.5",
       .above = 0},
      {.name = "interpolation",
       .field = &options.interpolation,
       .help = "images: how they are resized, as Pillow does it",
       .example = "bilinear",
       .choices = {"box", "bilinear", "bicubic", "lanczos"}},
  };
}

}  // namespace anemone::options
