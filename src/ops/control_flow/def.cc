// Bodies, lists and state. The interpreter runs these (kernel.cc): no kernel can call a body or
// hold a list.
#include "ir/program.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::control_flow {

using ir::Effects;
using ir::Precision;
using ir::RunBy;
using ir::Traits;

namespace {

constexpr std::string_view kCondBodies = "cond_c1";
constexpr std::string_view kCondTypes = "cond_c2";
constexpr std::string_view kLoopBodies = "while_loop_c1";
constexpr std::string_view kLoopCondition = "while_loop_c2";
constexpr std::string_view kLoopTypes = "while_loop_c3";
constexpr std::string_view kListElement = "make_list_c1";
constexpr std::string_view kListLength = "make_list_c2";
constexpr std::string_view kList = "list_c1";
constexpr std::string_view kListIndex = "list_c2";
constexpr std::string_view kListValue = "list_c3";
constexpr std::string_view kState = "state_c1";
constexpr std::string_view kStateData = "state_c2";

Status InferCond(const OpArgs& args, std::vector<Type>* outputs) {
  const auto blocks = args.blocks();
  if (blocks.size() != 2 || !blocks[0]->inputs().empty() || !blocks[1]->inputs().empty() ||
      blocks[0]->outputs().size() != blocks[1]->outputs().size()) {
    return Violates(kCondBodies,
                    "{} bodies are given, or they have inputs or differ in their outputs",
                    blocks.size());
  }
  for (size_t i = 0; i < blocks[0]->outputs().size(); ++i) {
    const Type& yes = blocks[0]->outputs()[i]->type;
    const Type& no = blocks[1]->outputs()[i]->type;
    if (!IsCompatible(yes, no)) {
      return Violates(kCondTypes, "output {} is {} or {}", i, yes.ToString(), no.ToString());
    }
    // Known only as far as both bodies agree.
    if (yes.is_tensor() && yes.has_rank() && no.has_rank()) {
      Shape shape = yes.shape();
      for (size_t d = 0; d < shape.size(); ++d) {
        if (no.shape()[d] == kDynamic) shape[d] = kDynamic;
      }
      outputs->push_back(Type::Tensor(yes.dtype(), std::move(shape)));
    } else {
      outputs->push_back(yes.is_tensor() && yes.has_rank() ? no : yes);
    }
  }
  return {};
}

Status InferWhileLoop(const OpArgs& args, std::vector<Type>* outputs) {
  const auto blocks = args.blocks();
  const size_t count = args.Count("loop_vars");
  if (blocks.size() != 2 || blocks[0]->inputs().size() != count ||
      blocks[1]->inputs().size() != count || blocks[1]->outputs().size() != count) {
    return Violates(kLoopBodies,
                    "{} bodies are given, or they do not take {} loop variables each and the "
                    "second does not return as many",
                    blocks.size(), count);
  }
  if (blocks[0]->outputs().size() != 1 || blocks[0]->outputs()[0]->type.dtype() != DType::kBool ||
      blocks[0]->outputs()[0]->type.element_count().value_or(1) != 1) {
    return Violates(kLoopCondition, "the condition does not return one bool");
  }
  for (size_t i = 0; i < count; ++i) {
    // A variable has the type of the body's input, whatever the number of rounds.
    const Type& variable = blocks[1]->inputs()[i]->type;
    const Type& initial = args.TypeOf("loop_vars", i);
    const Type& next = blocks[1]->outputs()[i]->type;
    if (!IsCompatible(initial, variable) || !IsCompatible(next, variable) ||
        !IsCompatible(variable, blocks[0]->inputs()[i]->type)) {
      return Violates(kLoopTypes, "variable {} starts as {}, is {} in the body and returned as {}",
                      i, initial.ToString(), variable.ToString(), next.ToString());
    }
    outputs->push_back(variable);
  }
  return {};
}

Status InferMakeList(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(std::string name, args.String("dtype"));
  const std::optional<DType> dtype = DTypeFromName(name);
  if (!dtype || *dtype == DType::kString) {
    return Violates(kListElement, "dtype is \"{}\"", name);
  }
  Shape shape;
  for (size_t i = 0; i < args.Count("elem_shape"); ++i) {
    const ir::Literal* dim = args.ValueOf("elem_shape", i);
    if (dim == nullptr) return Violates(kListElement, "elem_shape is not constant");
    if (dim->dtype() == DType::kString) {
      shape.push_back(kDynamic);  // the name of a size that only the run time knows
      continue;
    }
    // One scalar for each dimension, or one vector for all.
    const std::optional<std::vector<int64_t>> dims = dim->AsInts();
    for (int64_t size : dims.value_or(std::vector<int64_t>())) {
      if (size < kDynamic) return Violates(kListElement, "elem_shape holds {}", size);
      shape.push_back(size);
    }
  }
  ANEMONE_TRY(MulDims(shape, 0, shape.size()).status());
  ANEMONE_ASSIGN(bool grows, args.Bool("dynamic_length"));
  int64_t length = kDynamic;
  if (args.IsKnown("init_length")) {
    ANEMONE_ASSIGN(length, args.Int("init_length"));
    if (length < 0) return Violates(kListLength, "init_length is {}", length);
  }
  outputs->push_back(Type::List(Type::Tensor(*dtype, std::move(shape)), grows ? kDynamic : length));
  return {};
}

// The element type of the list `ls`.
Result<Type> ElementOf(const OpArgs& args) {
  const Type& list = args.TypeOf("ls");
  if (!list.is_list() || !list.elements()[0].is_tensor()) {
    return Violates(kList, "ls is {}", list.ToString());
  }
  return list.elements()[0];
}

Status CheckListIndex(const OpArgs& args) {
  const Type& index = args.TypeOf("index");
  if (index.element_count().value_or(1) == 1) return {};
  return Violates(kListIndex, "index is {}", index.ToString());
}

// Elements of the list, one for each of `indices`.
Result<Type> ElementsAt(const OpArgs& args) {
  ANEMONE_ASSIGN(Type element, ElementOf(args));
  const Type& indices = args.TypeOf("indices");
  if (indices.has_rank() && indices.rank() != 1) {
    return Violates(kListIndex, "indices are {}", indices.ToString());
  }
  if (!element.has_rank()) return element;
  Shape shape = element.shape();
  shape.insert(shape.begin(), indices.has_rank() ? indices.shape()[0] : kDynamic);
  return Type::Tensor(element.dtype(), std::move(shape));
}

Status InferListGather(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(Type type, ElementsAt(args));
  outputs->push_back(std::move(type));
  return {};
}

Status InferListLength(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(ElementOf(args).status());
  outputs->push_back(Type::Scalar(DType::kInt32));
  return {};
}

Status InferListRead(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(Type element, ElementOf(args));
  ANEMONE_TRY(CheckListIndex(args));
  outputs->push_back(std::move(element));
  return {};
}

Status InferListScatter(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(Type wanted, ElementsAt(args));
  const Type& value = args.TypeOf("value");
  if (!IsCompatible(value, wanted)) {
    return Violates(kListValue, "value is {}, wanted {}", value.ToString(), wanted.ToString());
  }
  outputs->push_back(args.TypeOf("ls"));
  return {};
}

Status InferListWrite(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(Type element, ElementOf(args));
  ANEMONE_TRY(CheckListIndex(args));
  const Type& value = args.TypeOf("value");
  if (!IsCompatible(value, element)) {
    return Violates(kListValue, "value is {}, wanted {}", value.ToString(), element.ToString());
  }
  outputs->push_back(args.TypeOf("ls"));
  return {};
}

Status InferReadState(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& state = args.TypeOf("input");
  if (!state.is_state()) return Violates(kState, "input is {}", state.ToString());
  outputs->push_back(state.elements()[0]);
  return {};
}

Status InferWriteState(const OpArgs& args, std::vector<Type>*) {
  const Type& state = args.TypeOf("input");
  if (!state.is_state()) return Violates(kState, "input is {}", state.ToString());
  const Type& data = args.TypeOf("data");
  if (!IsCompatible(data, state.elements()[0])) {
    return Violates(kStateData, "data is {}, the state is {}", data.ToString(), state.ToString());
  }
  return {};
}

// All of them are run by the interpreter, on what bodies, lists and states declare.
constexpr Traits By(Effects effects) {
  return {.run_by = RunBy::kInterpreter,
          .effects = effects,
          .precision = Precision::kAsDeclared,
          .elements = ElementRule::kComputed,
          .sizes = SizeRule::kInferred};
}
constexpr Traits kCallsBodies = By(Effects::kBodies);
constexpr Traits kHoldsLists = By(Effects::kNone);
constexpr Traits kReadsState = By(Effects::kReads);
constexpr Traits kWritesState = By(Effects::kWrites);

const Constraint kListRule{kList, "ls is a list of tensors."};
const Constraint kIndexRule{kListIndex, "index is one number; indices is a vector."};
const Constraint kValueRule{
    kListValue, "value has the type of an element, or of as many as there are indices."};
const Constraint kStateRule{kState, "input is a state."};

}  // namespace

std::vector<OpDef> Defs() {
  constexpr std::string_view kElement = "fp16 fp32 int32 bool";
  constexpr std::string_view kData = "fp16 fp32 int8 uint8 int16 uint16 int32 bool";
  return {
      {.name = "cond",
       .doc = "Runs its first body where pred is true, the second otherwise, and gives that body's "
              "outputs. The bodies see the values around them and take no inputs.",
       .params = {{.name = "pred", .types = "bool"}},
       .constraints = {{kCondBodies, "There are two bodies, without inputs, of as many outputs."},
                       {kCondTypes, "Outputs of the two bodies have compatible types."}},
       .infer = InferCond,
       .cost = NoCost,
       .traits = kCallsBodies},
      {.name = "list_gather",
       .doc = "The elements of the list at indices, stacked along a new first dimension.",
       .params = {{.name = "ls", .types = "any"}, {.name = "indices", .types = "int32"}},
       .constraints = {kListRule, kIndexRule},
       .infer = InferListGather,
       .cost = NoCost,
       .traits = kHoldsLists},
      {.name = "list_length",
       .doc = "The number of elements of the list.",
       .params = {{.name = "ls", .types = "any"}},
       .constraints = {kListRule},
       .infer = InferListLength,
       .cost = NoCost,
       .traits = kHoldsLists},
      {.name = "list_read",
       .doc = "The element of the list at index.",
       .params = {{.name = "ls", .types = "any"}, {.name = "index", .types = "int32"}},
       .constraints = {kListRule, kIndexRule},
       .infer = InferListRead,
       .cost = NoCost,
       .traits = kHoldsLists},
      {.name = "list_scatter",
       .doc = "The list with element indices[i] replaced by value[i].",
       .params = {{.name = "ls", .types = "any"},
                  {.name = "indices", .types = "int32"},
                  {.name = "value", .types = "T"}},
       .domains = {{.name = "T", .dtypes = kElement}},
       .constraints = {kListRule, kIndexRule, kValueRule},
       .infer = InferListScatter,
       .cost = NoCost,
       .traits = kHoldsLists},
      {.name = "list_write",
       .doc =
           "The list with the element at index replaced by value; a list of dynamic length grows "
           "to hold it.",
       .params = {{.name = "ls", .types = "any"},
                  {.name = "index", .types = "int32"},
                  {.name = "value", .types = "T"}},
       .domains = {{.name = "T", .dtypes = kElement}},
       .constraints = {kListRule, kIndexRule, kValueRule},
       .infer = InferListWrite,
       .cost = NoCost,
       .traits = kHoldsLists},
      {.name = "make_list",
       .doc = "A list of init_length tensors of zeros of shape elem_shape and the dtype named by "
              "dtype; with dynamic_length it can grow.",
       .params =
           {{.name = "init_length", .types = "int32", .required = false, .default_text = "1"},
            {.name = "dynamic_length",
             .types = "bool",
             .required = false,
             .constant = true,
             .default_text = "true"},
            {.name = "elem_shape", .types = "int32 string", .required = false, .variadic = true},
            {.name = "dtype",
             .types = "string",
             .required = false,
             .constant = true,
             .default_text = "\"fp32\""}},
       .constraints = {{kListElement,
                        "dtype names a dtype of numbers, and elem_shape is constant, none below "
                        "-1."},
                       {kListLength, "init_length is not negative."}},
       .infer = InferMakeList,
       .cost = NoCost,
       .traits = kHoldsLists},
      {.name = "read_state",
       .doc = "The tensor that the state holds now.",
       .since = Opset::kIOS18,
       .params = {{.name = "input", .types = "any"}},
       .constraints = {kStateRule},
       .infer = InferReadState,
       .cost = NoCost,
       .traits = kReadsState},
      {.name = "while_loop",
       .doc = "Keeps loop_vars: as long as the first body, the condition, returns true for them, "
              "the second body replaces them by what it returns. Gives their last values.",
       .params = {{.name = "loop_vars", .types = "any", .variadic = true}},
       .constraints = {{kLoopBodies,
                        "There are two bodies, which take the loop variables; the second returns "
                        "as many."},
                       {kLoopCondition, "The first body returns one bool."},
                       {kLoopTypes, "No variable changes its type from round to round."}},
       .infer = InferWhileLoop,
       .cost = NoCost,
       .traits = kCallsBodies},
      {.name = "write_state",
       .doc = "Makes data the tensor that the state holds. No output.",
       .since = Opset::kIOS18,
       .params = {{.name = "input", .types = "any"}, {.name = "data", .types = "T"}},
       .domains = {{.name = "T", .dtypes = kData}},
       .constraints = {kStateRule, {kStateData, "data has the type of the state's tensor."}},
       .infer = InferWriteState,
       .cost = NoCost,
       .traits = kWritesState},
  };
}

}  // namespace anemone::ops::control_flow
