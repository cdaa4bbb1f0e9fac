// Model: a Program together with what Core ML tells its users about it: the features (inputs,
// outputs, states) of each function with their types, images included, the metadata, and the
// version of the specification it needs. Values; a Model owns its Program. Thread rules: as for
// Program, any number of readers or one writer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "ir/program.h"

namespace anemone::ir {

// The sizes lower ... upper; no upper limit when nullopt.
struct SizeRange {
  int64_t lower = 0;
  std::optional<int64_t> upper;
  friend bool operator==(const SizeRange&, const SizeRange&) = default;
};

// An image in pixels: what Core ML turns into a tensor [1, 3 or 1, height, width] for the program.
struct ImageFeature {
  enum class ColorSpace : uint8_t { kGrayscale, kRgb, kBgr, kGrayscaleFp16 };
  struct Size {
    int64_t width = 0;
    int64_t height = 0;
    friend bool operator==(const Size&, const Size&) = default;
  };
  struct Range {
    SizeRange width;
    SizeRange height;
    friend bool operator==(const Range&, const Range&) = default;
  };
  ColorSpace color_space = ColorSpace::kRgb;
  Size size;                        // the default one when flexible
  std::vector<Size> enumerated;     // the allowed sizes; empty unless enumerated
  std::optional<Range> size_range;  // set when any size within is allowed
  friend bool operator==(const ImageFeature&, const ImageFeature&) = default;
};

// A multi-dimensional array.
struct ArrayFeature {
  DType dtype = DType::kFp32;          // kFp16, kFp32, kFp64, kInt8 or kInt32
  Shape shape;                         // the default one when flexible; empty when not declared
  std::vector<Shape> enumerated;       // the allowed shapes; empty unless enumerated
  std::vector<SizeRange> shape_range;  // one per dimension; empty unless a range
  // Stands in for an optional input that is not given; has the dtype of the file (int32, fp32
  // or fp64).
  std::variant<std::monostate, int32_t, float, double> default_value;
  friend bool operator==(const ArrayFeature&, const ArrayFeature&) = default;
};

// Scalars of the interface (class labels), and dictionaries (class probabilities by label).
enum class ScalarFeature : uint8_t { kInt64, kDouble, kString };
enum class KeyType : uint8_t { kInt64, kString };
struct DictionaryFeature {
  KeyType key = KeyType::kString;
  friend bool operator==(const DictionaryFeature&, const DictionaryFeature&) = default;
};
struct SequenceFeature {
  KeyType element = KeyType::kString;
  SizeRange length;
  friend bool operator==(const SequenceFeature&, const SequenceFeature&) = default;
};
// A state: kept between calls (iOS18).
struct StateFeature {
  ArrayFeature array;
  friend bool operator==(const StateFeature&, const StateFeature&) = default;
};

struct Feature {
  std::string name;
  std::string description = {};
  std::variant<ArrayFeature, ImageFeature, ScalarFeature, DictionaryFeature, SequenceFeature,
               StateFeature>
      type;
  bool optional = false;

  const ArrayFeature* array() const { return std::get_if<ArrayFeature>(&type); }
  const ImageFeature* image() const { return std::get_if<ImageFeature>(&type); }
  friend bool operator==(const Feature&, const Feature&) = default;
};

// The interface of one function of the program, which has the same name.
struct FunctionDescription {
  std::string name;
  std::vector<Feature> inputs;
  std::vector<Feature> outputs;
  std::vector<Feature> states;
  std::string predicted_feature_name;        // classifiers: the output with the label
  std::string predicted_probabilities_name;  // classifiers: the output with the probabilities

  const Feature* FindInput(std::string_view name) const;
  const Feature* FindOutput(std::string_view name) const;
  friend bool operator==(const FunctionDescription&, const FunctionDescription&) = default;
};

struct Metadata {
  std::string description = {};
  std::string version;
  std::string author;
  std::string license;
  std::map<std::string, std::string> user_defined;
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

struct Model {
  int32_t spec_version = 6;  // 6 iOS15, 7 iOS16, 8 iOS17, 9 iOS18
  Metadata metadata;
  // One description, of the function "main", unless multi_function.
  std::vector<FunctionDescription> functions;
  bool multi_function = false;   // the package lists its functions by name (iOS18)
  std::string default_function;  // multi_function only: which one runs when none is named
  Program program;
  // What an importer has to say to the user about the model; not saved.
  std::vector<std::string> notes;

  const FunctionDescription* FindFunction(std::string_view name) const;
  // The description of the function that runs when none is named; null when there is none.
  const FunctionDescription* main() const;
};

// The specification version of `opset`, and back; nullopt for versions that are unknown or have no
// ML Programs.
int32_t SpecVersionOf(Opset opset);
std::optional<Opset> OpsetOfSpecVersion(int32_t spec_version);

// The interface that the function's own types give: an array feature for each tensor input and
// output, a state feature for each state, and for a classifier's outputs a scalar and a dictionary.
// A dynamic dimension becomes a range from 1 up, its default 1. Change the result to declare
// images. kUnsupported when Core ML has no feature of a type (a bool or int64 tensor, a list).
Result<FunctionDescription> DescribeFunction(const Function& function);

// A model around `program` with the interface of each function as DescribeFunction gives it, at the
// specification version of its newest op set.
Result<Model> MakeModel(Program program);

}  // namespace anemone::ir
