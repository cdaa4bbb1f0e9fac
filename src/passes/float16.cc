// See float16.h.
//
//   before                                            after
//     func main<ios16>(tensor<fp32, [4]> x) {           func main<ios16>(tensor<fp32, [4]> x) {
//       y = add(x = x, y = 1.5);                          a = cast(x = x, dtype = "fp16");
//     } -> (y);                                           b = add(x = a, y = fp16(1.5));
//                                                         y = cast(x = b, dtype = "fp32");
//                                                       } -> (y);
#include "passes/float16.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/nearest_names.h"
#include "ir/verifier.h"
#include "passes/half_constants.h"
#include "passes/rewriter.h"

namespace anemone::passes {
namespace {

constexpr std::string_view kPass = "float16";
// Elements that become 0 are noted when they are more than one in this many.
constexpr int64_t kWorthNoting = 100;

// Whether the argument may be float32 beside half data, and keep its precision so.
bool MayStayFloat32(ir::Opset opset, const ir::Operation& op, std::string_view param_name) {
  const ir::Param* param = op.def()->FindParam(param_name);
  return param != nullptr && param->float32_since && opset >= *param->float32_since;
}

bool IsTensorOf(const ir::Type& type, DType dtype) {
  return type.is_tensor() && type.dtype() == dtype;
}

ir::Type WithDType(const ir::Type& type, DType dtype) {
  return type.has_rank() ? ir::Type::Tensor(dtype, type.shape()) : ir::Type::UnrankedTensor(dtype);
}

// Whether the operator's parameter may be half in this op set, as far as its declared dtypes go.
bool AcceptsHalf(const ir::OpDef& def, ir::Opset opset, std::string_view param_name) {
  const ir::Param* param = def.FindParam(param_name);
  if (param == nullptr) return false;
  if (param->types.empty() || param->types == "any") return true;
  const auto has_half = [](std::string_view dtypes) {
    return dtypes.find("fp16") != std::string_view::npos;
  };
  for (const ir::TypeDomain& domain : def.domains) {
    if (domain.name != param->types) continue;
    return has_half(domain.dtypes) ||
           (opset >= domain.wider_since && has_half(domain.wider_dtypes));
  }
  return has_half(param->types);
}

bool TouchesFloat32(const ir::Operation& op) {
  for (const ir::Argument& argument : op.arguments()) {
    for (const ir::Value* value : argument.values) {
      if (IsTensorOf(value->type, DType::kFp32)) return true;
    }
  }
  return false;
}

class Converter {
 public:
  Converter(ir::Function& function, const Float16Options& options, PassContext& context)
      : function_(function), options_(options), context_(context), rewriter_(function) {}

  Result<bool> Run() {
    if ((options_.half_inputs || options_.half_outputs) && function_.opset < ir::Opset::kIOS16) {
      return Unsupported(
                 "float16 inputs and outputs need the op set ios16 or later, but function '{}' is "
                 "{}",
                 function_.name, ir::OpsetName(function_.opset))
          .Advise("raise the deployment target to iOS16");
    }
    if (options_.half_inputs) {
      for (const auto& input : function_.block->inputs()) {
        if (!IsTensorOf(input->type, DType::kFp32)) continue;
        input->type = WithDType(input->type, DType::kFp16);
        native_.insert(input.get());
        changed_ = true;
      }
    }
    for (ir::Operation* operation : rewriter_.operations()) {
      ANEMONE_TRY(context_.CheckCancelled());
      if (operation->is_const()) continue;
      ANEMONE_ASSIGN(const bool converted, TryConvert(*operation));
      if (!converted) ANEMONE_TRY(FeedFloat32(*operation));
    }
    ANEMONE_TRY(FixBlockOutputs());
    const bool rewritten = rewriter_.Finish();
    return rewritten || changed_;
  }

 private:
  // Why the operation stays as it is; empty when it may become half.
  std::string ReasonToKeep(const ir::Operation& op) {
    if (op.def() == nullptr) return "the operator is not known";
    if (options_.keep_float32 && options_.keep_float32(op)) return "as asked";
    for (const ir::Argument& argument : op.arguments()) {
      // A bound beyond half's range bounds no half: half's largest number says the same.
      if (op.type() == "clip" && argument.name != "x") continue;
      for (const ir::Value* value : argument.values) {
        if (!value->is_const() || !IsTensorOf(value->type, DType::kFp32)) continue;
        const HalfRange& range = RangeOf(*value);
        if (range.largest > kLargestHalf) {
          return fmt::format("its {} reaches {:g}, beyond float16's 65504", argument.name,
                             range.largest);
        }
      }
    }
    return "";
  }

  const HalfRange& RangeOf(const ir::Value& constant) {
    const auto found = ranges_.find(&constant);
    if (found != ranges_.end()) return found->second;
    return ranges_[&constant] = RangeInHalf(*constant.literal);
  }

  Result<bool> TryConvert(ir::Operation& op) {
    if (op.def() != nullptr && op.def()->traits.precision == ir::Precision::kAsDeclared)
      return false;
    const bool has_half = std::ranges::any_of(op.arguments(), [&](const ir::Argument& argument) {
      return std::ranges::any_of(argument.values,
                                 [&](const ir::Value* v) { return native_.contains(v); });
    });
    if (!TouchesFloat32(op) && !has_half) return false;
    const std::string reason = ReasonToKeep(op);
    if (!reason.empty()) {
      context_.AddNote(kPass, op.name(), "stays in float32: " + reason);
      return false;
    }
    // First with the parameters in float32 that may be so, then with all in half.
    std::string failure;
    for (const bool keep_some : {true, false}) {
      if (!keep_some && function_.opset < ir::Opset::kIOS17) break;
      ANEMONE_ASSIGN(failure, ConvertArguments(op, keep_some));
      if (failure.empty()) return true;
    }
    context_.AddNote(kPass, op.name(), "stays in float32: " + failure);
    return false;
  }

  // Tries the operation on half arguments; when inference fails, restores the arguments and returns
  // its error.
  Result<std::string> ConvertArguments(ir::Operation& op, bool keep_some) {
    const std::vector<ir::Argument> before = op.arguments();
    std::vector<ir::Argument> after = before;
    for (ir::Argument& argument : after) {
      if (keep_some && MayStayFloat32(function_.opset, op, argument.name)) continue;
      if (!AcceptsHalf(*op.def(), function_.opset, argument.name)) continue;
      for (ir::Value*& value : argument.values) {
        if (!IsTensorOf(value->type, DType::kFp32)) continue;
        ANEMONE_ASSIGN(value, Half(value));
      }
    }
    op.arguments() = after;
    std::vector<ir::Type> types;
    const Status inferred = ir::InferOperation(op, function_.opset, &types);
    const bool fits = inferred.ok() && types.size() == op.outputs().size();
    op.arguments() = before;
    if (!fits)
      return inferred.ok() ? std::string("its outputs change") : inferred.error().message();
    if (IsDecoder(op)) RememberDecoder(op);
    for (size_t a = 0; a < after.size(); ++a) {
      if (after[a].values != before[a].values)
        rewriter_.SetInputs(op, after[a].name, after[a].values);
    }
    for (size_t i = 0; i < types.size(); ++i) {
      ir::Value* output = op.output(i);
      if (!IsTensorOf(output->type, DType::kFp32) || !IsTensorOf(types[i], DType::kFp16)) continue;
      // The declared shape may know more than inference does.
      output->type = WithDType(output->type, DType::kFp16);
      native_.insert(output);
    }
    changed_ = true;
    return std::string();
  }

  // Gives an operation that stays in float32 the float32 form of arguments that are now half.
  Status FeedFloat32(ir::Operation& op) {
    const std::vector<ir::Argument> before = op.arguments();
    // A cast accepts either.
    if (op.type() == "cast") return {};
    for (const ir::Argument& argument : before) {
      std::vector<ir::Value*> values = argument.values;
      for (ir::Value*& value : values) {
        if (!native_.contains(value)) continue;
        ANEMONE_ASSIGN(value, Float32(value));
      }
      if (values != argument.values) rewriter_.SetInputs(op, argument.name, values);
    }
    return {};
  }

  // The half form of a float32 value, made right after it.
  Result<ir::Value*> Half(ir::Value* value) {
    ir::Value*& half = halves_[value];
    if (half != nullptr) return half;
    ir::Builder& builder = rewriter_.builder();
    if (value->is_const()) {
      const HalfRange& range = RangeOf(*value);
      int64_t lost = range.vanishing;
      const int64_t count = value->literal->element_count();
      const bool bound = range.largest > kLargestHalf;  // of clip: ReasonToKeep lets no other by
      half = builder.Const(
          bound ? ir::Literal::Fp16(std::copysign(kLargestHalf, (*value->literal->AsFloats())[0]))
                : RoundToHalf(*value->literal, &lost),
          value->name + "_to_fp16");
      if (lost * kWorthNoting > count) {
        context_.AddNote(
            kPass, value->name,
            fmt::format("{} of {} elements are too small for float16 and become 0; the "
                        "largest is {:g}",
                        lost, count, range.largest));
      }
    } else if (ir::Value* stored = StoredHalf(value)) {
      half = stored;
      return half;
    } else {
      const ir::Literal dtype = ir::Literal::String("fp16");
      half = builder.Op("cast", {{"x", SourceOfCast(value)}, {"dtype", dtype}},
                        value->name + "_to_fp16");
    }
    ANEMONE_TRY(rewriter_.CommitAfter(value));
    return half;
  }

  // The constant of a weight that is stored in half already.
  static ir::Value* StoredHalf(const ir::Value* value) {
    const ir::Operation* cast = value->producer;
    return cast != nullptr && cast->type() == "constexpr_cast" ? cast->Input("source_val")
                                                               : nullptr;
  }

  // The source of an exact cast to float32: int32 -> fp32 -> fp16 is int32 -> fp16.
  static ir::Value* SourceOfCast(ir::Value* value) {
    const ir::Operation* cast = value->producer;
    if (cast == nullptr || cast->type() != "cast") return value;
    ir::Value* source = cast->Input("x");
    const DType dtype = source->type.dtype();
    const bool direct = dtype == DType::kFp16 || dtype == DType::kBool || dtype == DType::kInt8 ||
                        dtype == DType::kUInt8 || dtype == DType::kInt16 ||
                        dtype == DType::kUInt16 || dtype == DType::kInt32;
    return direct ? source : value;
  }

  // The float32 form of a value that is half now.
  Result<ir::Value*> Float32(ir::Value* value) {
    ir::Value*& wide = wides_[value];
    if (wide != nullptr) return wide;
    const auto decoder = decoders_.find(value->producer);
    if (decoder != decoders_.end()) {
      std::vector<ir::ArgInit> args;
      for (const Source& source : decoder->second) {
        if (source.literal) {
          args.push_back({source.name, *source.literal});
          continue;
        }
        ir::Value* decoded = source.value;
        if (native_.contains(decoded)) {
          ANEMONE_ASSIGN(decoded, Float32(decoded));
        }
        args.push_back({source.name, decoded});
      }
      wide = rewriter_.builder().Op(value->producer->type(), std::move(args),
                                    value->name + "_in_fp32");
    } else {
      const ir::Literal dtype = ir::Literal::String("fp32");
      wide = rewriter_.builder().Op("cast", {{"x", value}, {"dtype", dtype}},
                                    value->name + "_to_fp32");
    }
    ANEMONE_TRY(rewriter_.CommitAfter(value));
    return wide;
  }

  // Operators want constants where they have weights, and what a cast gives is none: for one that stays
  // in float32, a compressed weight is decoded a second time, from the same data.
  static bool IsDecoder(const ir::Operation& op) { return op.type().starts_with("constexpr_"); }

  // Before the arguments of the operation become half: the scales then have lost their numbers.
  void RememberDecoder(const ir::Operation& op) {
    for (const ir::Argument& argument : op.arguments()) {
      Source source{argument.name, argument.values.front(), std::nullopt};
      if (source.value->is_const() && IsTensorOf(source.value->type, DType::kFp32))
        source.literal = *source.value->literal;
      decoders_[&op].push_back(std::move(source));
    }
  }

  // Bodies return the same types as before; so does the function, unless its outputs become half.
  Status FixBlockOutputs() {
    std::vector<ir::Value*> outputs = function_.block->outputs();
    if (!options_.half_outputs) {
      for (ir::Value* output : outputs) {
        if (!native_.contains(output) || replaced_.contains(output)) continue;
        replaced_.insert(output);
        // A cast that already exists has other users and its own name to keep, so the output gets a
        // new one.
        const ir::Literal dtype = ir::Literal::String("fp32");
        ir::Value* wide = rewriter_.builder().Op("cast", {{"x", output}, {"dtype", dtype}},
                                                 output->name + "_to_fp32");
        ANEMONE_TRY(rewriter_.CommitAfter(output));
        rewriter_.ReplaceFunctionOutput(output, wide);
      }
    } else {
      for (ir::Value* output : outputs) {
        if (!IsTensorOf(output->type, DType::kFp32) || output->producer == nullptr) continue;
        ANEMONE_ASSIGN(ir::Value * half, Half(output));
        rewriter_.ReplaceFunctionOutput(output, half);
      }
    }
    for (ir::Operation* op : rewriter_.operations()) {
      for (const auto& block : op->blocks()) {
        for (ir::Value*& output : block->outputs()) {
          if (!native_.contains(output)) continue;
          ANEMONE_ASSIGN(output, Float32(output));
          changed_ = true;
        }
      }
    }
    return {};
  }

  ir::Function& function_;
  const Float16Options& options_;
  PassContext& context_;
  Rewriter rewriter_;
  std::unordered_set<const ir::Value*> native_;    // were float32, are half now
  std::unordered_set<const ir::Value*> replaced_;  // outputs that have their cast
  std::unordered_map<const ir::Value*, ir::Value*> halves_;
  std::unordered_map<const ir::Value*, ir::Value*> wides_;
  // The arguments in float32 of operators that decode weights, and are half now.
  struct Source {
    std::string name;
    ir::Value* value;
    std::optional<ir::Literal> literal;  // of what is to become half
  };
  std::unordered_map<const ir::Operation*, std::vector<Source>> decoders_;
  std::unordered_map<const ir::Value*, HalfRange> ranges_;
  bool changed_ = false;
};

}  // namespace

Result<bool> ComputeInFloat16(ir::Function& function, const Float16Options& options,
                              PassContext& context) {
  return Converter(function, options, context).Run();
}

Result<OperationPatterns> OperationPatterns::Parse(const std::vector<std::string>& patterns) {
  OperationPatterns parsed;
  for (const std::string& pattern : patterns) {
    try {
      parsed.patterns_.push_back({pattern, std::regex(pattern)});
    } catch (const std::regex_error& error) {
      return Usage("'{}' is not a regular expression: {}", pattern, error.what());
    }
  }
  return parsed;
}

std::string OperationPatterns::Of(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

bool OperationPatterns::Pattern::Match(const ir::Operation& operation) const {
  return std::regex_match(operation.type(), compiled) ||
         std::regex_match(operation.name(), compiled);
}

bool OperationPatterns::Match(const ir::Operation& operation) const {
  return std::ranges::any_of(patterns_,
                             [&](const Pattern& pattern) { return pattern.Match(operation); });
}

Status OperationPatterns::CheckEachMatches(const ir::Program& program) const {
  if (patterns_.empty()) return {};
  std::vector<bool> matched(patterns_.size(), false);
  std::set<std::string> known;  // types and names
  for (const auto& function : program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      if (operation.is_const() || !TouchesFloat32(operation)) return;
      known.insert(operation.type());
      known.insert(operation.name());
      for (size_t i = 0; i < patterns_.size(); ++i) {
        if (patterns_[i].Match(operation)) matched[i] = true;
      }
    });
  }
  for (size_t i = 0; i < patterns_.size(); ++i) {
    if (matched[i]) continue;
    const std::vector<std::string_view> names(known.begin(), known.end());
    const std::vector<std::string> near = NearestNames(patterns_[i].text, names);
    std::string advice = "`anemone inspect MODEL --operators` lists types and names";
    if (!near.empty()) advice = SuggestNames(patterns_[i].text, names, "operators") + " " + advice;
    return Usage("the pattern '{}' matches the type or name of no operator that computes in float",
                 patterns_[i].text)
        .At("keep_float32")
        .Advise(advice);
  }
  return {};
}

}  // namespace anemone::passes
