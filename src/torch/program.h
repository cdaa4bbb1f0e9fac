// The contents of a file of torch.export.save as plain structs: the graph of ATen operators with the
// type of every value, what its inputs and outputs stand for, and the tensors that it holds. Names are
// the file's own; nothing is interpreted yet.
//
// Ownership: values; the tensors' Bytes keep the file mapped. Thread rules: immutable once read, then
// any number of readers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/dtype.h"

namespace anemone::torch {

// A size: a number, or an expression over the symbols of the export ("s77", "2*s77 + 1").
struct Size {
  std::optional<int64_t> value;
  std::string expression;
  std::optional<int64_t> hint;  // the size in the example that was exported
};

// torch.dtype as the format numbers it (torch._export.serde.schema.ScalarType).
enum class ScalarType : uint8_t {
  kUnknown = 0,
  kByte = 1,
  kChar = 2,
  kShort = 3,
  kInt = 4,
  kLong = 5,
  kHalf = 6,
  kFloat = 7,
  kDouble = 8,
  kComplexHalf = 9,
  kComplexFloat = 10,
  kComplexDouble = 11,
  kBool = 12,
  kBfloat16 = 13,
  kUint16 = 28,
};
// kInvalid for those that Anemone has no dtype for (complex, float8).
DType ToDType(ScalarType type);
// "torch.float32".
std::string ScalarTypeName(ScalarType type);

struct TensorMeta {
  ScalarType type = ScalarType::kUnknown;
  std::vector<Size> sizes;
  std::vector<Size> strides;
  Size offset;

  DType dtype() const { return ToDType(type); }
  int64_t rank() const { return static_cast<int64_t>(sizes.size()); }
};

// An integer argument: a number, or the name of the value that gives it.
struct IntItem {
  std::string name;
  int64_t value = 0;
};

struct Graph;

struct Argument {
  enum class Kind : uint8_t {
    kNone,
    kTensor,      // names[0]
    kTensors,     // names; "" stands for None
    kInt,         // ints[0], which may be symbolic
    kInts,        // ints
    kFloat,       // numbers[0]; or names[0], a symbolic number
    kFloats,      // numbers
    kBool,        // ints[0]; symbolic when it has a name
    kBools,       // ints
    kString,      // text
    kStrings,     // texts
    kScalarType,  // ints[0]
    kMemoryFormat,
    kLayout,
    kDevice,
    kGraph,  // graph
    kOther,  // text: the key that the format gives it ("as_custom_obj")
  };
  Kind kind = Kind::kNone;
  std::vector<std::string> names;
  std::vector<IntItem> ints;
  std::vector<double> numbers;
  std::string text;
  std::vector<std::string> texts;
  std::shared_ptr<Graph> graph;

  bool is_tensor() const { return kind == Kind::kTensor || kind == Kind::kTensors; }
};

struct NamedArgument {
  std::string name;
  Argument value;
};

struct Node {
  std::string target;  // "aten.conv2d.default": without "torch.ops."
  std::string name;    // may be empty
  std::vector<NamedArgument> inputs;
  std::vector<Argument> outputs;
  std::string module;  // "layers.3.attn.qkv"; "" in the module itself
  std::string source;  // file and line, when the program says it

  const Argument* Find(std::string_view argument) const;
};

struct Graph {
  std::vector<Argument> inputs;
  std::vector<Argument> outputs;
  std::vector<Node> nodes;
  std::unordered_map<std::string, TensorMeta> tensors;
  std::unordered_map<std::string, Size> sizes;  // symbolic integers
};

struct InputSpec {
  enum class Kind : uint8_t {
    kUser,
    kParameter,
    kBuffer,
    kConstant,
    kCustomObject,
    kToken,
    kFixed
  };
  Kind kind = Kind::kUser;
  Argument value;
  std::string target;  // the name of the parameter, buffer or constant
};

struct OutputSpec {
  enum class Kind : uint8_t { kUser, kBufferMutation, kInputMutation, kOther };
  Kind kind = Kind::kUser;
  Argument value;
  std::string target;
};

struct Range {
  std::optional<int64_t> low, high;
};

// A tensor of the file, contiguous.
struct HeldTensor {
  ScalarType type = ScalarType::kUnknown;
  std::vector<int64_t> dims;
  Bytes data;
  // The first and the last byte of the file that it lies between; null where that is not known.
  const std::byte* first = nullptr;
  const std::byte* last = nullptr;

  bool Overlaps(const HeldTensor& other) const {
    return first != nullptr && other.first != nullptr && first <= other.last && other.first <= last;
  }
};

struct Program {
  std::string torch_version;
  int64_t schema_major = 0, schema_minor = 0;
  Graph graph;
  std::vector<InputSpec> inputs;              // as graph.inputs
  std::vector<OutputSpec> outputs;            // as graph.outputs
  std::map<std::string, Range> ranges;        // of symbols
  std::map<std::string, HeldTensor> tensors;  // parameters, buffers and constants by name
};

}  // namespace anemone::torch
