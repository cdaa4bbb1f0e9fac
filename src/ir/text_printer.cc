#include <charconv>
#include <cmath>
#include <unordered_set>

#include "ir/text.h"

namespace anemone::ir {
namespace {

void AppendEscaped(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\r':
        *out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

// The shortest decimal that reads back as the same float; always with a point, an exponent, or a
// word.
std::string FloatText(double value, DType dtype) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end =
      dtype == DType::kFp64
          ? std::to_chars(buffer, buffer + sizeof(buffer), value).ptr
          : std::to_chars(buffer, buffer + sizeof(buffer), static_cast<float>(value)).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string ElementText(const Literal& literal, int64_t index) {
  const DType dtype = literal.dtype();
  if (dtype == DType::kBool)
    return IntElement(literal.bytes(), dtype, index) != 0 ? "true" : "false";
  if (IsInt(dtype)) {
    const int64_t value = IntElement(literal.bytes(), dtype, index);
    return dtype == DType::kUInt64 ? std::to_string(static_cast<uint64_t>(value))
                                   : std::to_string(value);
  }
  switch (dtype) {
    case DType::kFp16:
      return FloatText(literal.As<Half>()[index], dtype);
    case DType::kBf16:
      return FloatText(Bf16ToFloat(literal.As<uint16_t>()[index]), dtype);
    case DType::kFp32:
      return FloatText(literal.As<float>()[index], dtype);
    default:
      return FloatText(literal.As<double>()[index], dtype);
  }
}

// FNV-1a: only to tell summaries apart.
uint64_t Hash(const Bytes& bytes) {
  uint64_t hash = 1469598103934665603ull;
  for (size_t i = 0; i < bytes.size(); ++i)
    hash = (hash ^ static_cast<uint64_t>(bytes.data()[i])) * 1099511628211ull;
  return hash;
}

std::string TensorValues(const Literal& literal, int64_t limit) {
  std::string text = "[";
  if (literal.dtype() == DType::kString) {
    for (size_t i = 0; i < literal.strings().size(); ++i) {
      if (i) text += ", ";
      AppendEscaped(literal.strings()[i], &text);
    }
    return text + "]";
  }
  const int64_t count = literal.element_count();
  if (count > limit) return fmt::format("bytes {:016x}", Hash(literal.bytes()));
  for (int64_t i = 0; i < count; ++i) {
    if (i) text += ", ";
    text += ElementText(literal, i);
  }
  return text + "]";
}

class Printer {
 public:
  explicit Printer(const PrintOptions& options) : options_(options) {}

  void Print(const Program& program) {
    out_ += fmt::format("program({}.0)\n", program.version);
    if (!program.attributes.empty()) out_ += Attributes(program.attributes) + "\n";
    out_ += "{\n";
    for (const auto& function : program.functions) Print(*function, 1);
    out_ += "}\n";
  }

  void Print(const Function& function, int depth) {
    Indent(depth);
    out_ += fmt::format("func {}<{}>(", function.name, OpsetName(function.opset));
    PrintInputs(*function.block);
    out_ += ")";
    if (!function.attributes.empty()) out_ += " " + Attributes(function.attributes);
    out_ += " ";
    PrintBody(*function.block, depth);
    out_ += ";\n";
  }

  std::string Take() { return std::move(out_); }

 private:
  void Indent(int depth) { out_.append(static_cast<size_t>(depth) * 2, ' '); }

  std::string Attributes(const std::map<std::string, Literal>& attributes) const {
    std::string text = "[";
    bool first = true;
    for (const auto& [name, value] : attributes) {
      text += (first ? "" : ", ") + name + " = " + PrintLiteral(value, options_.value_elements);
      first = false;
    }
    return text + "]";
  }

  void PrintInputs(const Block& block) {
    for (size_t i = 0; i < block.inputs().size(); ++i) {
      out_ += fmt::format("{}{} {}", i ? ", " : "", block.inputs()[i]->type.ToString(),
                          block.inputs()[i]->name);
    }
  }

  void PrintBody(const Block& block, int depth) {
    // A block output has no expression to stand in, so a constant that is one keeps its own line.
    const std::unordered_set<const Value*> returned(block.outputs().begin(), block.outputs().end());
    out_ += "{\n";
    for (const auto& operation : block.operations()) {
      if (operation->is_const() && Inlines(*operation->output()) &&
          !returned.contains(operation->output()))
        continue;
      PrintOperation(*operation, depth + 1);
    }
    Indent(depth);
    out_ += "} -> (";
    for (size_t i = 0; i < block.outputs().size(); ++i)
      out_ += (i ? ", " : "") + block.outputs()[i]->name;
    out_ += ")";
  }

  bool Inlines(const Value& value) const {
    if (!value.is_const()) return false;
    const Literal& literal = *value.literal;
    if (!literal.type().is_tensor()) return true;
    return literal.dtype() == DType::kString || literal.element_count() <= options_.inline_elements;
  }

  std::string Operand(const Value& value) const {
    return Inlines(value) ? PrintLiteral(*value.literal, options_.value_elements) : value.name;
  }

  void PrintOperation(const Operation& operation, int depth) {
    Indent(depth);
    for (size_t i = 0; i < operation.outputs().size(); ++i) {
      out_ += fmt::format("{}{} {}", i ? ", " : "", operation.output(i)->type.ToString(),
                          operation.output(i)->name);
    }
    out_ += (operation.outputs().empty() ? "" : " = ") + operation.type() + "(";
    for (size_t a = 0; a < operation.arguments().size(); ++a) {
      const Argument& argument = operation.arguments()[a];
      out_ += (a ? ", " : "") + argument.name + " = ";
      const Param* param =
          operation.def() == nullptr ? nullptr : operation.def()->FindParam(argument.name);
      const bool tuple = argument.values.size() != 1 || (param != nullptr && param->variadic);
      if (tuple) out_ += "(";
      for (size_t i = 0; i < argument.values.size(); ++i)
        out_ += (i ? ", " : "") + Operand(*argument.values[i]);
      if (tuple) out_ += ")";
    }
    out_ += ")";
    for (const auto& block : operation.blocks()) {
      out_ += " (";
      PrintInputs(*block);
      out_ += ") ";
      PrintBody(*block, depth);
    }
    PrintOperationAttributes(operation);
    out_ += ";\n";
  }

  void PrintOperationAttributes(const Operation& operation) {
    auto attributes = operation.attributes();
    // The name is implied where it equals the first output's.
    const auto name = attributes.find("name");
    if (name != attributes.end() && !operation.outputs().empty() &&
        name->second.AsString() == operation.output()->name) {
      attributes.erase(name);
    }
    if (operation.is_const()) attributes["val"] = *operation.output()->literal;
    if (!attributes.empty()) out_ += Attributes(attributes);
  }

  const PrintOptions& options_;
  std::string out_;
};

}  // namespace

std::string PrintLiteral(const Literal& literal, int64_t value_elements) {
  const Type& type = literal.type();
  if (!type.is_tensor()) {
    std::string text = type.ToString() + "(";
    const bool dictionary = type.kind() == Type::Kind::kDictionary;
    text += dictionary ? "{" : "(";
    const auto& elements = literal.elements();
    for (size_t i = 0; i < elements.size(); ++i) {
      if (i) text += ", ";
      if (dictionary && i % 2 == 0) text += "{";
      text += PrintLiteral(elements[i], value_elements);
      if (dictionary && i % 2 == 1) text += "}";
    }
    return text + (dictionary ? "})" : "))");
  }
  if (type.shape().empty()) {
    if (type.dtype() == DType::kString) {
      std::string text;
      AppendEscaped(literal.strings().empty() ? "" : literal.strings()[0], &text);
      return text;
    }
    const std::string value = ElementText(literal, 0);
    const DType dtype = type.dtype();
    const bool plain = dtype == DType::kBool || dtype == DType::kInt32 ||
                       (dtype == DType::kFp32 && value.find_first_of("in") == std::string::npos);
    return plain ? value : fmt::format("{}({})", DTypeName(dtype), value);
  }
  const DType dtype = type.dtype();
  const bool plain = type.rank() == 1 && type.shape()[0] > 0 && type.shape()[0] <= value_elements &&
                     (dtype == DType::kInt32 || dtype == DType::kBool || dtype == DType::kFp32 ||
                      dtype == DType::kString);
  std::string values = TensorValues(literal, value_elements);
  if (plain && values.find('n') == std::string::npos) return values;
  if (plain && (dtype == DType::kString || dtype == DType::kBool)) return values;
  return fmt::format("{}({})", type.ToString(), values);
}

std::string Literal::ToString() const { return PrintLiteral(*this, 64); }

std::string PrintText(const Program& program, const PrintOptions& options) {
  Printer printer(options);
  printer.Print(program);
  return printer.Take();
}

std::string PrintText(const Function& function, const PrintOptions& options) {
  Printer printer(options);
  printer.Print(function, 0);
  return printer.Take();
}

}  // namespace anemone::ir
