#include "format/data_types.h"
#include "format/mil_text.h"
#include "format/mil_text_values.h"
#include "format/type_codec.h"

namespace anemone::format {
namespace {

constexpr std::string_view kFlexibleShapes = "FlexibleShapeInformation";

// One entry of FlexibleShapeInformation: its name, and a dictionary by input.
struct ShapeTable {
  std::string name;
  std::vector<ir::Literal> entries;  // key, value, key, value ...
};

std::optional<ShapeTable> TableOf(const ir::Literal& literal) {
  if (literal.type().kind() != ir::Type::Kind::kTuple || literal.elements().size() != 2) return {};
  const auto name = literal.elements()[0].AsString();
  const ir::Literal& entries = literal.elements()[1];
  if (!name || entries.type().kind() != ir::Type::Kind::kDictionary) return {};
  return ShapeTable{*name, entries.elements()};
}

std::optional<std::vector<ir::SizeRange>> RangesOf(const ir::Literal& literal) {
  if (!literal.type().is_list()) return {};
  std::vector<ir::SizeRange> ranges;
  for (const ir::Literal& pair : literal.elements()) {
    const auto bounds = pair.type().is_tensor() ? pair.AsInts() : std::nullopt;
    if (!bounds || bounds->size() != 2 || (*bounds)[0] < 0) return {};
    ir::SizeRange range{(*bounds)[0], std::nullopt};
    if ((*bounds)[1] >= 0) range.upper = (*bounds)[1];
    if (range.upper && *range.upper < range.lower) return {};
    ranges.push_back(range);
  }
  return ranges;
}

std::optional<ir::Shape> ShapeOf(const ir::Literal& literal) {
  if (!literal.type().is_tensor() || literal.type().rank() != 1) return {};
  return literal.AsInts();
}

// ("EnumeratedShapes", {{key, {{input, shape}}}, ...})
bool AddEnumerated(const ShapeTable& table, FlexibleShapes* shapes) {
  for (size_t i = 0; i + 1 < table.entries.size(); i += 2) {
    const ir::Literal& inputs = table.entries[i + 1];
    if (inputs.type().kind() != ir::Type::Kind::kDictionary) return false;
    for (size_t j = 0; j + 1 < inputs.elements().size(); j += 2) {
      const auto name = inputs.elements()[j].AsString();
      const auto shape = ShapeOf(inputs.elements()[j + 1]);
      if (!name || !shape) return false;
      (*shapes)[*name].enumerated.push_back(*shape);
    }
  }
  return true;
}

bool AddTable(const ShapeTable& table, FlexibleShapes* shapes) {
  if (table.name == "EnumeratedShapes") return AddEnumerated(table, shapes);
  for (size_t i = 0; i + 1 < table.entries.size(); i += 2) {
    const auto name = table.entries[i].AsString();
    if (!name) return false;
    if (table.name == "DefaultShapes") {
      const auto shape = ShapeOf(table.entries[i + 1]);
      if (!shape) return false;
      (*shapes)[*name].default_shape = *shape;
    } else if (table.name == "RangeDims") {
      const auto ranges = RangesOf(table.entries[i + 1]);
      if (!ranges) return false;
      (*shapes)[*name].ranges = *ranges;
    }
  }
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(text), values_(tokens_) {}

  Result<MilText> Parse() {
    ANEMONE_TRY(tokens_.Start());
    ANEMONE_TRY(tokens_.Expect("program"));
    ANEMONE_TRY(tokens_.Expect("("));
    const std::string_view version = tokens_.current().text;
    if (version != "1.0" && version != "1.3") {
      return tokens_.Fail("program version {} is not known; 1.0 and 1.3 are", version);
    }
    ANEMONE_TRY(tokens_.Advance());
    ANEMONE_TRY(tokens_.Expect(")"));
    MilText text;
    text.program.set_version(1);  // the message's own count, which both dialects have
    ANEMONE_TRY(ParseAttributes([&] { return text.program.add_attributes(); }));
    ANEMONE_TRY(tokens_.Expect("{"));
    while (tokens_.Is("func")) ANEMONE_TRY(ParseFunction(&text));
    ANEMONE_TRY(tokens_.Expect("}"));
    if (tokens_.current().kind != ir::Token::Kind::kEnd) {
      return tokens_.Fail("unexpected '{}'", tokens_.current().text);
    }
    return text;
  }

 private:
  // "[name = value, ...]", or nothing; `add` gives the entry to fill.
  template <typename Add>
  Status ParseAttributes(const Add& add) {
    ANEMONE_ASSIGN(const bool any, tokens_.Accept("["));
    if (!any) return {};
    do {
      ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("an attribute's name"));
      ANEMONE_TRY(tokens_.Expect("="));
      ANEMONE_TRY(ParseAttribute(std::move(name), add));
      ANEMONE_ASSIGN(more_, tokens_.Accept(","));
    } while (more_);
    return tokens_.Expect("]");
  }

  template <typename Add>
  Status ParseAttribute(std::string name, const Add& add) {
    if (name == kFlexibleShapes) return ParseFlexibleShapes();
    proto::AttributeEntry* entry = add();
    entry->set_key(std::move(name));
    return values_.Read(entry->mutable_value());
  }

  Status ParseFlexibleShapes() {
    ANEMONE_ASSIGN(const ir::Literal literal, values_.ReadLiteral());
    bool good = literal.type().kind() == ir::Type::Kind::kTuple;
    for (const ir::Literal& element : literal.elements()) {
      const auto table = TableOf(element);
      good = good && table && AddTable(*table, &flexible_);
    }
    if (!good) return tokens_.Fail("{} is not made of shapes by input", kFlexibleShapes);
    return {};
  }

  Status ParseFunction(MilText* text) {
    auto* entry = text->program.add_functions();
    proto::Function* function = entry->mutable_value();
    flexible_.clear();
    ANEMONE_TRY(tokens_.Expect("func"));
    ANEMONE_ASSIGN(const std::string name, tokens_.ExpectIdentifier("a function's name"));
    entry->set_key(name);
    ANEMONE_TRY(tokens_.Expect("<"));
    ANEMONE_ASSIGN(const std::string opset, tokens_.ExpectIdentifier("an op set"));
    const auto known = ir::OpsetFromName(opset);
    if (!known) {
      return tokens_.Fail("op set '{}' is not supported; ios15 to ios18 are", opset);
    }
    ANEMONE_TRY(tokens_.Expect(">"));
    function->set_opset(std::string(OpsetToWire(*known)));
    auto* specialization = function->add_block_specializations();
    specialization->set_key(function->opset());
    ANEMONE_TRY(tokens_.Expect("("));
    while (!tokens_.Is(")")) {
      if (function->inputs_size() > 0) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_TRY(ParseNamedType(function->add_inputs()));
    }
    ANEMONE_TRY(tokens_.Expect(")"));
    ANEMONE_TRY(ParseAttributes([&] { return function->add_attributes(); }));
    ANEMONE_TRY(ParseBody(specialization->mutable_value()));
    if (!flexible_.empty()) text->flexible[name] = std::move(flexible_);
    return tokens_.Expect(";");
  }

  Status ParseNamedType(proto::NamedValueType* value) {
    ANEMONE_ASSIGN(const ir::Type type, values_.ReadType());
    ANEMONE_TRY(EncodeType(type, value->mutable_type()));
    ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("a name"));
    value->set_name(std::move(name));
    return {};
  }

  Status ParseBody(proto::Block* block) {
    ANEMONE_TRY(tokens_.Expect("{"));
    while (!tokens_.Is("}")) ANEMONE_TRY(ParseOperation(block->add_operations()));
    ANEMONE_TRY(tokens_.Expect("}"));
    ANEMONE_TRY(tokens_.Expect("->"));
    ANEMONE_TRY(tokens_.Expect("("));
    while (!tokens_.Is(")")) {
      if (block->outputs_size() > 0) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("an output's name"));
      block->add_outputs(std::move(name));
    }
    return tokens_.Expect(")");
  }

  Status ParseOperation(proto::Operation* operation) {
    // An operation without outputs (write_state) starts with its operator.
    ANEMONE_ASSIGN(const ir::Token next, tokens_.Peek());
    if (tokens_.current().kind != ir::Token::Kind::kIdentifier || next.text != "(") {
      do {
        ANEMONE_TRY(ParseNamedType(operation->add_outputs()));
        ANEMONE_ASSIGN(more_, tokens_.Accept(","));
      } while (more_);
      ANEMONE_TRY(tokens_.Expect("="));
    }
    ANEMONE_ASSIGN(std::string type, tokens_.ExpectIdentifier("an operator"));
    operation->set_type(std::move(type));
    ANEMONE_TRY(ParseArguments(operation));
    if (tokens_.Is("(") || tokens_.Is("{")) {
      return Unsupported("{} has nested blocks, and no public compiled model shows their text",
                         operation->type())
          .Advise("bring the .mlpackage that the model was compiled from");
    }
    ANEMONE_TRY(ParseAttributes([&] { return operation->add_attributes(); }));
    return tokens_.Expect(";");
  }

  Status ParseArguments(proto::Operation* operation) {
    ANEMONE_TRY(tokens_.Expect("("));
    while (!tokens_.Is(")")) {
      if (operation->inputs_size() > 0) ANEMONE_TRY(tokens_.Expect(","));
      auto* entry = operation->add_inputs();
      ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("a parameter's name"));
      entry->set_key(std::move(name));
      ANEMONE_TRY(tokens_.Expect("="));
      ANEMONE_ASSIGN(const bool list, tokens_.Accept("("));
      if (!list) {
        ANEMONE_TRY(ParseBinding(entry->mutable_value()));
        continue;
      }
      do {
        ANEMONE_TRY(ParseBinding(entry->mutable_value()));
        ANEMONE_ASSIGN(more_, tokens_.Accept(","));
      } while (more_);
      ANEMONE_TRY(tokens_.Expect(")"));
    }
    return tokens_.Expect(")");
  }

  Status ParseBinding(proto::Argument* argument) {
    proto::Argument::Binding* binding = argument->add_arguments();
    ANEMONE_ASSIGN(const bool typed, values_.AtType());
    if (typed) return values_.Read(binding->mutable_value());
    ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("a value"));
    binding->set_name(std::move(name));
    return {};
  }

  ir::TokenStream tokens_;
  MilValueReader values_;
  FlexibleShapes flexible_;  // of the function that is being read
  bool more_ = false;        // whether a comma followed
};

}  // namespace

Result<MilText> ParseMilText(std::string_view text) { return Parser(text).Parse(); }

}  // namespace anemone::format
