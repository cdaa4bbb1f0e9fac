#include "passes/pipeline.h"

#include <algorithm>

#include "base/dtype.h"
#include "passes/float16.h"
#include "passes/pass.h"

namespace anemone::passes {

// One line for each pass: what the groups below call it, what users call it (the stem of its file), what it does, and
// its function. To add a pass: its file with its .mil test, its line here, and its place in a group.
#define ANEMONE_PASS(constant, name, summary, entry)                \
  Result<bool> entry(ir::Function& function, PassContext& context); \
  static const Pass constant{name, summary, entry};
ANEMONE_PASS(kConstantFolding, "constant_folding", "evaluate operations on constants",
             ConstantFolding)
ANEMONE_PASS(kCommonSubexpressions, "common_subexpression_elimination",
             "merge equal constants and operations", CommonSubexpressionElimination)
ANEMONE_PASS(kDeadCode, "dead_code_elimination", "remove what nothing uses", DeadCodeElimination)
ANEMONE_PASS(kNoops, "noop_elimination", "remove operations that change nothing", NoopElimination)
ANEMONE_PASS(kMatmulScales, "merge_matmul_scales", "one scale for a matmul", MergeMatmulScales)
ANEMONE_PASS(kHoistReshapes, "hoist_reshapes", "move reshapes in front of transposes, to others",
             HoistReshapes)
ANEMONE_PASS(kMergeReshapes, "merge_reshapes", "one reshape for a chain of them", MergeReshapes)
ANEMONE_PASS(kMergeTransposes, "merge_transposes", "one transpose for a chain of them",
             MergeTransposes)
ANEMONE_PASS(kFineQuantization, "fold_fine_quantization", "drop rounding finer than float16's",
             FoldFineQuantization)
ANEMONE_PASS(kAttention, "fuse_attention", "recognize scaled_dot_product_attention", FuseAttention)
ANEMONE_PASS(kConvBatchNorm, "fuse_conv_batch_norm", "fold batch_norm into conv", FuseConvBatchNorm)
ANEMONE_PASS(kConvBias, "fuse_conv_bias", "fold an addition into conv", FuseConvBias)
ANEMONE_PASS(kConvPad, "fuse_conv_pad", "fold zero padding into conv", FuseConvPad)
ANEMONE_PASS(kConvScale, "fuse_conv_scale", "fold a multiplication into conv", FuseConvScale)
ANEMONE_PASS(kGelu, "fuse_gelu", "recognize gelu", FuseGelu)
ANEMONE_PASS(kHardSigmoid, "fuse_hard_sigmoid", "recognize hard sigmoid and hard swish",
             FuseHardSigmoid)
ANEMONE_PASS(kInputScale, "fuse_input_scale", "fold a scale in front of conv into it",
             FuseInputScale)
ANEMONE_PASS(kLayerNorm, "fuse_layer_norm", "recognize layer_norm", FuseLayerNorm)
ANEMONE_PASS(kLinearBias, "fuse_linear_bias", "fold an addition into linear", FuseLinearBias)
ANEMONE_PASS(kMatmul, "fuse_matmul_to_linear", "matmul by a constant matrix is linear",
             FuseMatmulToLinear)
ANEMONE_PASS(kRsqrt, "fuse_rsqrt", "recognize rsqrt with its epsilon", FuseRsqrt)
ANEMONE_PASS(kSilu, "fuse_silu", "recognize silu", FuseSilu)
ANEMONE_PASS(kSoftmax, "fuse_softmax", "recognize softmax", FuseSoftmax)
ANEMONE_PASS(kSlices, "slices_to_split", "one split for slices that cut a tensor into parts",
             SlicesToSplit)
ANEMONE_PASS(kTransposeMatmul, "fuse_transpose_matmul", "fold a transpose into matmul",
             FuseTransposeMatmul)
ANEMONE_PASS(kSinkTransposes, "sink_transposes", "move transposes behind reshapes that add ones",
             SinkTransposes)
ANEMONE_PASS(kTransposeToReshape, "transpose_to_reshape",
             "a transpose that moves no element is a reshape", TransposeToReshape)
ANEMONE_PASS(kLinearInput, "fuse_linear_input", "fold a scale or shift in front of linear into it",
             FuseLinearInput)
ANEMONE_PASS(kLinearScale, "fuse_linear_scale", "fold a multiplication into linear",
             FuseLinearScale)
ANEMONE_PASS(kConcatInterleave, "fuse_concat_interleave",
             "recognize a channel shuffle behind concat", FuseConcatInterleave)
#undef ANEMONE_PASS

namespace {

Pass Float16Pass(const Float16Options& options) {
  return {"float16", "compute in half precision",
          [options](ir::Function& function, PassContext& context) {
            return ComputeInFloat16(function, options, context);
          }};
}

}  // namespace

std::vector<PassGroup> Pipeline(const PipelineOptions& options) {
  std::vector<PassGroup> groups = {
      {"clean", {kDeadCode, kConstantFolding, kNoops, kCommonSubexpressions, kDeadCode}, true},
      // Patterns of several operations come before the fusions that would take a part of them.
      {"recognize",
       {kGelu, kHardSigmoid, kSilu, kSoftmax, kLayerNorm, kRsqrt, kConcatInterleave},
       true},
      {"fuse",
       {kTransposeToReshape,
        kSinkTransposes,
        kHoistReshapes,
        kMergeReshapes,
        kMergeTransposes,
        kConvPad,
        kConvBatchNorm,
        kConvScale,
        kConvBias,
        kInputScale,
        kMatmulScales,
        kTransposeMatmul,
        kAttention,
        kMatmul,
        kLinearBias,
        kLinearScale,
        kLinearInput,
        kSlices,
        kNoops,
        kConstantFolding,
        kDeadCode},
       true},
  };
  groups.push_back({"finish", {kNoops, kCommonSubexpressions, kDeadCode}, true});
  if (options.compute_precision == DType::kFp16) {
    for (PassGroup& group : PrecisionPipeline(options.float16)) groups.push_back(std::move(group));
  }
  return groups;
}

PassGroup HalfPreparation() {
  return {"before precision", {kFineQuantization, kConvScale, kDeadCode}, false};
}

std::vector<PassGroup> PrecisionPipeline(const Float16Options& options) {
  return {
      HalfPreparation(),
      {"precision", {Float16Pass(options)}, false},
      {"finish", {kNoops, kCommonSubexpressions, kDeadCode}, true},
  };
}

std::vector<PassGroup> ExecutionPipeline() {
  return {
      {"recognize",
       {kGelu, kHardSigmoid, kSilu, kSoftmax, kLayerNorm, kRsqrt, kConcatInterleave},
       true},
      {"fuse",
       {kTransposeToReshape, kSinkTransposes, kHoistReshapes, kMergeReshapes, kMergeTransposes,
        kConvPad, kMatmulScales, kTransposeMatmul, kAttention, kSlices, kNoops, kDeadCode},
       true},
  };
}

std::vector<PassGroup> CleanupPipeline() {
  return {{"clean", {kNoops, kCommonSubexpressions, kDeadCode}, true}};
}

std::vector<Pass> AllPasses() {
  std::vector<Pass> all;
  for (const PassGroup& group : Pipeline({.compute_precision = DType::kFp16, .float16 = {}})) {
    for (const Pass& pass : group.passes) {
      const auto same = [&](const Pass& other) { return other.name == pass.name; };
      if (std::ranges::none_of(all, same)) all.push_back(pass);
    }
  }
  std::ranges::sort(all, {}, &Pass::name);
  return all;
}

Result<RunReport> Optimize(ir::Program& program, const PipelineOptions& options,
                           const RunOptions& run) {
  return RunPasses(program, Pipeline(options), run);
}

}  // namespace anemone::passes
