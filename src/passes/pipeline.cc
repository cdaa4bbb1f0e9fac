#include "passes/pipeline.h"

#include <algorithm>

#include "passes/passes.h"

namespace anemone::passes {
namespace {

const Pass kConstantFolding{"constant_folding", "evaluate operations on constants",
                            ConstantFolding};
const Pass kCommonSubexpressions{"common_subexpression_elimination",
                                 "merge equal constants and operations",
                                 CommonSubexpressionElimination};
const Pass kDeadCode{"dead_code_elimination", "remove what nothing uses", DeadCodeElimination};
const Pass kNoops{"noop_elimination", "remove operations that change nothing", NoopElimination};
const Pass kMergeReshapes{"merge_reshapes", "one reshape for a chain of them", MergeReshapes};
const Pass kMergeTransposes{"merge_transposes", "one transpose for a chain of them",
                            MergeTransposes};
const Pass kConvBatchNorm{"fuse_conv_batch_norm", "fold batch_norm into conv", FuseConvBatchNorm};
const Pass kConvBias{"fuse_conv_bias", "fold an addition into conv", FuseConvBias};
const Pass kConvPad{"fuse_conv_pad", "fold zero padding into conv", FuseConvPad};
const Pass kConvScale{"fuse_conv_scale", "fold a multiplication into conv", FuseConvScale};
const Pass kGelu{"fuse_gelu", "recognize gelu", FuseGelu};
const Pass kHardSigmoid{"fuse_hard_sigmoid", "recognize hard sigmoid and hard swish",
                        FuseHardSigmoid};
const Pass kLayerNorm{"fuse_layer_norm", "recognize layer_norm", FuseLayerNorm};
const Pass kLinearBias{"fuse_linear_bias", "fold an addition into linear", FuseLinearBias};
const Pass kMatmul{"fuse_matmul_to_linear", "matmul by a constant matrix is linear",
                   FuseMatmulToLinear};
const Pass kSilu{"fuse_silu", "recognize silu", FuseSilu};
const Pass kSoftmax{"fuse_softmax", "recognize softmax", FuseSoftmax};

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
      {"recognize", {kGelu, kHardSigmoid, kSilu, kSoftmax, kLayerNorm}, true},
      {"fuse",
       {kMergeReshapes, kMergeTransposes, kConvPad, kConvBatchNorm, kConvScale, kConvBias, kMatmul,
        kLinearBias, kNoops, kConstantFolding, kDeadCode},
       true},
  };
  if (options.compute_precision == DType::kFp16)
    groups.push_back({"precision", {Float16Pass(options.float16)}, false});
  groups.push_back({"finish", {kNoops, kCommonSubexpressions, kDeadCode}, true});
  return groups;
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
