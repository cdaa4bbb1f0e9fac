// Types and constants of Apple's MIL text. Internal to src/format. Pure functions, but for the
// token stream that reading advances.
#pragma once

#include <string>

#include "base/status.h"
#include "ir/literal_parser.h"

namespace anemone::format {

namespace proto {
class Value;
class ValueType;
}  // namespace proto

// program(1.0) writes a scalar as a tensor of rank 0.
enum class MilDialect { kScalarsAsTensors, kPlainScalars };

// "tensor<fp16, [1, ?]>". kUnsupported for types that no public file shows.
Status AppendMilType(const proto::ValueType& type, MilDialect dialect, std::string* out);
// "tensor<int32, [2]>([1, 2])", "int32(4)", "tensor<fp16, [8]>(BLOBFILE(...))".
Status AppendMilValue(const proto::Value& value, MilDialect dialect, std::string* out);
// In quotes. kUnsupported for characters whose escape no public file shows.
Status AppendMilString(std::string_view text, std::string* out);
// C99's hexadecimal form with a leading 1, for subnormal numbers too: "-0x1.8p-3", "0x0p+0".
void AppendMilFloat(double value, std::string* out);

// Reads constants with their types.
class MilValueReader {
 public:
  explicit MilValueReader(ir::TokenStream& tokens) : tokens_(tokens), types_(tokens) {}

  Result<bool> AtType() { return types_.AtType(); }
  Result<ir::Type> ReadType() { return types_.ParseType(); }
  // A type and its contents in parentheses; a blob stays a reference.
  Status Read(proto::Value* value);
  // The same where a reference to a weight file has no place. A tensor whose type leaves dimensions
  // open has those of its contents.
  Result<ir::Literal> ReadLiteral();

 private:
  // What a tensor's text holds, row-major, in the one list that its dtype needs.
  struct Elements {
    std::vector<double> floats;
    std::vector<int64_t> ints;
    std::vector<std::string> strings;
  };
  Status ReadBlob(proto::Value* value);
  Result<ir::Literal> ReadContents(const ir::Type& type);
  Result<ir::Literal> ReadTensor(const ir::Type& type);
  Result<ir::Literal> ReadDictionary(const ir::Type& type);
  // The bracket at `depth` and those nested in it; open dimensions of `shape` get their size.
  Status ReadElements(const ir::Type& type, size_t depth, ir::Shape* shape, Elements* elements);
  Status ReadElement(const ir::Type& type, Elements* elements);

  ir::TokenStream& tokens_;
  ir::LiteralParser types_;
};

}  // namespace anemone::format
