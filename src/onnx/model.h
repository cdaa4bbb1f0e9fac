// The contents of an ONNX file as plain structs: what the reader makes and the importer walks.
// Names, order and versions are the file's own; nothing is interpreted yet. Weights are Bytes:
// views into the mapped model or external data file where the file's layout allows it. Ownership:
// values; Bytes keep their file mapped. Thread rules: immutable once read, then any number of
// readers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/dtype.h"

namespace anemone::onnx {

// TensorProto.DataType of the ONNX format.
enum class ElementType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
  kUint4 = 21,
  kInt4 = 22,
};
// "float", "int64" ... as ONNX writes them; "element type 99" for what this version does not know.
std::string ElementTypeName(int32_t type);
// kInvalid for types that Anemone has no dtype for (complex, float8 ...).
DType ToDType(int32_t type);

struct Tensor {
  std::string name;
  int32_t type = 0;               // an ElementType, or a newer, unknown one
  DType dtype = DType::kInvalid;  // ToDType(type)
  std::vector<int64_t> dims;      // all >= 0
  int64_t element_count = 0;      // product of dims
  Bytes data;  // the elements, aligned for dtype; empty for strings and unknown types
  std::vector<std::string> strings;  // elements of a string tensor
};

// One dimension: a size, or the name of a size that is known only at run time ("" when it has
// no name).
struct Dim {
  std::optional<int64_t> value;
  std::string param;
};

struct ValueInfo {
  enum class Kind { kUnknown, kTensor, kSparseTensor, kSequence, kMap, kOptional, kOpaque };
  std::string name;
  Kind kind = Kind::kUnknown;
  int32_t type = 0;                       // element type of a tensor
  std::optional<std::vector<Dim>> shape;  // absent: rank unknown
};

struct Graph;

struct Attribute {
  // AttributeProto.AttributeType.
  enum class Kind : int32_t {
    kUndefined = 0,
    kFloat = 1,
    kInt = 2,
    kString = 3,
    kTensor = 4,
    kGraph = 5,
    kFloats = 6,
    kInts = 7,
    kStrings = 8,
    kTensors = 9,
    kGraphs = 10,
    kSparseTensor = 11,
    kSparseTensors = 12,
    kTypeProto = 13,
    kTypeProtos = 14,
  };
  std::string name;
  Kind kind = Kind::kUndefined;
  std::string reference;  // inside a function's body: the function attribute that gives the value
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  std::vector<Tensor> tensors;                 // kTensor (one) and kTensors
  std::vector<std::shared_ptr<Graph>> graphs;  // kGraph (one) and kGraphs
};

struct Node {
  std::string name;    // may be empty, need not be unique
  std::string op;      // "Conv"
  std::string domain;  // "" is ai.onnx
  std::string overload;
  std::vector<std::string> inputs;   // "" where an optional input is left out
  std::vector<std::string> outputs;  // "" where an optional output is not wanted
  std::vector<Attribute> attributes;
  // Of a node that stands for one of another format: what it is there, for messages ("aten.conv2d in
  // layers.3 at line 12"), and why it cannot be said in ONNX ("" when it can) with the way on.
  std::string origin, refusal, rewrite;

  const Attribute* Find(std::string_view attribute) const;
  // Its origin, or "node 'conv1' (Conv)", or "node 12 (Conv, makes 'y')" when it has no name.
  std::string Place(size_t index) const;
};

// A tensor that lives between calls (an extension for importers of other formats; iOS18).
struct State {
  std::string name;  // of the state, and of its value at the start of a call
  DType dtype = DType::kInvalid;
  std::vector<int64_t> dims;
  std::string next;            // the value that it has at the end of a call; "" when it stays
  bool starts_at_zero = true;  // the only start that Core ML has
};

struct Graph {
  std::string name;
  // Of a graph that a converter makes: the version of ai.onnx that it is written for. 0: that of
  // the code around it.
  int64_t opset = 0;
  std::vector<Node> nodes;  // in an order in which every input is made before it is used
  std::vector<Tensor> initializers;
  std::vector<ValueInfo> inputs;  // may repeat initializers (ONNX IR versions below 4)
  std::vector<ValueInfo> outputs;
  std::vector<ValueInfo> value_infos;
  std::vector<State> states;  // of the main graph

  const Tensor* FindInitializer(std::string_view name) const;
};

// A model-local function: a node whose op and domain match is this body.
struct Function {
  std::string name, domain, overload;
  std::vector<std::string> inputs, outputs;
  std::vector<std::string> attributes;  // names without a default
  std::vector<Attribute> attribute_defaults;
  std::vector<Node> nodes;
  std::map<std::string, int64_t> opsets;
};

struct Model {
  int64_t ir_version = 0;
  std::string producer_name, producer_version, domain, doc_string;
  int64_t model_version = 0;
  std::map<std::string, int64_t> opsets;  // by domain; "" is ai.onnx
  std::map<std::string, std::string> metadata;
  std::vector<Function> functions;
  Graph graph;

  // The version of ai.onnx.
  int64_t opset() const;
};

}  // namespace anemone::onnx
