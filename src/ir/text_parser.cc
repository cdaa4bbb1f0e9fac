#include <algorithm>
#include <unordered_map>

#include "ir/builder.h"
#include "ir/literal_parser.h"
#include "ir/text.h"
#include "ir/text_template.h"
#include "ir/verifier.h"

namespace anemone::ir {
namespace {

constexpr int kMaxBlockDepth = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(text), literals_(tokens_) {}

  Result<Program> Parse() {
    Program program;
    ANEMONE_TRY(tokens_.Start());
    ANEMONE_ASSIGN(const bool wrapped, tokens_.Accept("program"));
    if (wrapped) {
      ANEMONE_TRY(tokens_.Expect("("));
      // "1.0", "1.3": the part before the point is the version of the program.
      program.version = std::max<int64_t>(
          1, std::strtoll(std::string(tokens_.current().text).c_str(), nullptr, 10));
      ANEMONE_TRY(tokens_.Advance());
      ANEMONE_TRY(tokens_.Expect(")"));
      ANEMONE_TRY(ParseAttributes(&program.attributes));
      ANEMONE_TRY(tokens_.Expect("{"));
    }
    while (tokens_.Is("func")) {
      ANEMONE_ASSIGN(auto function, ParseFunction());
      program.functions.push_back(std::move(function));
    }
    if (wrapped) ANEMONE_TRY(tokens_.Expect("}"));
    if (tokens_.current().kind != Token::Kind::kEnd)
      return tokens_.Fail("unexpected '{}'", tokens_.current().text);
    ANEMONE_TRY(Verify(program));
    return program;
  }

  using Scope = std::unordered_map<std::string, Value*>;

  Result<std::vector<TextTemplate>> ParseTemplates(std::string_view text) {
    std::vector<TextTemplate> templates;
    ANEMONE_TRY(tokens_.Start());
    while (tokens_.current().kind != Token::Kind::kEnd) {
      TextTemplate& given = templates.emplace_back();
      ANEMONE_TRY(ParseTemplateHead(&given));
      const size_t begin = tokens_.current().offset;
      ANEMONE_ASSIGN(const size_t end, SkipBody());
      const auto lines = std::ranges::count(text.substr(0, begin), '\n');
      given.body = std::string(static_cast<size_t>(lines), '\n');
      given.body += text.substr(begin, end - begin);
    }
    return templates;
  }

  // The body of a template into the block of `function`.
  Status ParseTemplateBody(Function& function, Scope scope) {
    ANEMONE_TRY(tokens_.Start());
    function_ = &function;
    builder_names_ = std::make_unique<Builder>(function);
    return ParseBody(*function.block, std::move(scope), 0);
  }

 private:
  Status ParseTemplateHead(TextTemplate* given) {
    ANEMONE_TRY(tokens_.Expect("lower"));
    if (tokens_.current().kind == Token::Kind::kString) {
      given->domain = tokens_.current().unescaped;
      ANEMONE_TRY(tokens_.Advance());
    }
    ANEMONE_ASSIGN(given->op, tokens_.ExpectIdentifier("an operator"));
    ANEMONE_TRY(tokens_.Expect("("));
    for (bool first = true; !tokens_.Is(")"); first = false) {
      if (!first) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("an input or a setting"));
      ANEMONE_ASSIGN(const bool setting, tokens_.Accept("="));
      if (!setting) {
        given->inputs.push_back(std::move(name));
        continue;
      }
      ANEMONE_ASSIGN(const bool needed, tokens_.Accept("?"));
      std::optional<Literal> value;
      if (!needed) {
        ANEMONE_ASSIGN(value, literals_.Parse(DType::kFp32));
      }
      given->settings.push_back({std::move(name), std::move(value)});
    }
    return tokens_.Expect(")");
  }

  // Where the body ends that begins here: "{ ... } -> ( ... )"; the semicolon is consumed too.
  Result<size_t> SkipBody() {
    if (!tokens_.Is("{")) return tokens_.Fail("a body '{{' is expected");
    int depth = 0;
    do {
      if (tokens_.current().kind == Token::Kind::kEnd) return tokens_.Fail("the body has no end");
      if (tokens_.Is("{")) ++depth;
      if (tokens_.Is("}")) --depth;
      ANEMONE_TRY(tokens_.Advance());
    } while (depth > 0);
    ANEMONE_TRY(tokens_.Expect("->"));
    while (!tokens_.Is(")")) {
      if (tokens_.current().kind == Token::Kind::kEnd) return tokens_.Fail("the body has no end");
      ANEMONE_TRY(tokens_.Advance());
    }
    const size_t end = tokens_.current().offset + 1;
    ANEMONE_TRY(tokens_.Advance());
    ANEMONE_TRY(tokens_.Expect(";"));
    return end;
  }

  Status ParseAttributes(std::map<std::string, Literal>* attributes) {
    ANEMONE_ASSIGN(const bool any, tokens_.Accept("["));
    if (!any) return {};
    while (!tokens_.Is("]")) {
      ANEMONE_ASSIGN(const std::string name, tokens_.ExpectIdentifier("an attribute's name"));
      ANEMONE_TRY(tokens_.Expect("="));
      ANEMONE_ASSIGN(Literal value, literals_.Parse(DType::kFp32));
      if (!attributes->emplace(name, std::move(value)).second) {
        return tokens_.Fail("attribute '{}' is given twice", name);
      }
      ANEMONE_ASSIGN(const bool comma, tokens_.Accept(","));
      if (!comma) break;
    }
    return tokens_.Expect("]");
  }

  Result<std::unique_ptr<Function>> ParseFunction() {
    auto function = std::make_unique<Function>();
    ANEMONE_TRY(tokens_.Expect("func"));
    ANEMONE_ASSIGN(function->name, tokens_.ExpectIdentifier("a function's name"));
    ANEMONE_TRY(tokens_.Expect("<"));
    ANEMONE_ASSIGN(const std::string opset, tokens_.ExpectIdentifier("an op set"));
    const auto known = OpsetFromName(opset);
    if (!known)
      return tokens_.Fail("unknown op set '{}'; known are ios15, ios16, ios17, ios18", opset);
    function->opset = *known;
    ANEMONE_TRY(tokens_.Expect(">"));
    function_ = function.get();
    builder_names_ = std::make_unique<Builder>(*function);
    Scope scope;
    ANEMONE_TRY(ParseInputs(*function->block, &scope));
    ANEMONE_TRY(ParseAttributes(&function->attributes));
    ANEMONE_TRY(ParseBody(*function->block, std::move(scope), 0));
    ANEMONE_TRY(tokens_.Expect(";"));
    return function;
  }

  Status ParseInputs(Block& block, Scope* scope) {
    ANEMONE_TRY(tokens_.Expect("("));
    while (!tokens_.Is(")")) {
      if (!block.inputs().empty()) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_ASSIGN(Type type, literals_.ParseType());
      ANEMONE_ASSIGN(const std::string name, tokens_.ExpectIdentifier("an input's name"));
      (*scope)[name] = block.AddInput(name, std::move(type));
    }
    return tokens_.Expect(")");
  }

  Status ParseBody(Block& block, Scope scope, int depth) {
    if (depth > kMaxBlockDepth)
      return tokens_.Fail("blocks nest more than {} deep", kMaxBlockDepth);
    ANEMONE_TRY(tokens_.Expect("{"));
    while (!tokens_.Is("}")) ANEMONE_TRY(ParseOperation(block, &scope, depth));
    ANEMONE_TRY(tokens_.Expect("}"));
    ANEMONE_TRY(tokens_.Expect("->"));
    ANEMONE_TRY(tokens_.Expect("("));
    while (!tokens_.Is(")")) {
      if (!block.outputs().empty()) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_ASSIGN(Value * value, ParseUse(scope));
      block.outputs().push_back(value);
    }
    return tokens_.Expect(")");
  }

  Result<Value*> ParseUse(const Scope& scope) {
    const auto found = scope.find(std::string(tokens_.current().text));
    if (found == scope.end())
      return tokens_.Fail("'{}' is not defined here", tokens_.current().text);
    ANEMONE_TRY(tokens_.Advance());
    return found->second;
  }

  struct OutputDeclaration {
    std::string name;
    std::optional<Type> type;
  };
  Result<std::vector<OutputDeclaration>> ParseOutputs() {
    std::vector<OutputDeclaration> outputs;
    ANEMONE_ASSIGN(const bool tuple, tokens_.Accept("("));
    while (true) {
      OutputDeclaration output;
      ANEMONE_ASSIGN(const bool typed, literals_.AtType());
      if (typed) {
        ANEMONE_ASSIGN(output.type, literals_.ParseType());
      }
      ANEMONE_ASSIGN(output.name, tokens_.ExpectIdentifier("an output's name"));
      outputs.push_back(std::move(output));
      ANEMONE_ASSIGN(const bool comma, tokens_.Accept(","));
      if (!comma) break;
    }
    if (tuple) ANEMONE_TRY(tokens_.Expect(")"));
    return outputs;
  }

  // An inline constant, to become a const operation once its dtype is settled.
  struct PendingLiteral {
    size_t argument;
    size_t index;
    Literal literal;
    bool untyped_float;
  };

  Status ParseArguments(Operation& operation, const Scope& scope,
                        std::vector<PendingLiteral>* pending) {
    ANEMONE_TRY(tokens_.Expect("("));
    while (!tokens_.Is(")")) {
      if (!operation.arguments().empty()) ANEMONE_TRY(tokens_.Expect(","));
      ANEMONE_ASSIGN(std::string name, tokens_.ExpectIdentifier("a parameter's name"));
      for (const Argument& argument : operation.arguments()) {
        if (argument.name == name) return tokens_.Fail("parameter '{}' is given twice", name);
      }
      ANEMONE_TRY(tokens_.Expect("="));
      operation.arguments().push_back({std::move(name), {}});
      ANEMONE_ASSIGN(const bool tuple, tokens_.Accept("("));
      while (!tuple || !tokens_.Is(")")) {
        auto& values = operation.arguments().back().values;
        if (!values.empty()) ANEMONE_TRY(tokens_.Expect(","));
        const Token& token = tokens_.current();
        const bool named =
            token.kind == Token::Kind::kIdentifier && scope.contains(std::string(token.text));
        if (named) {
          ANEMONE_ASSIGN(Value * value, ParseUse(scope));
          values.push_back(value);
        } else {
          if (token.kind == Token::Kind::kIdentifier && token.text != "true" &&
              token.text != "false") {
            ANEMONE_ASSIGN(const bool typed, literals_.AtType());
            if (!typed) return tokens_.Fail("'{}' is not defined here", token.text);
          }
          bool untyped_float = false;
          ANEMONE_ASSIGN(Literal literal, literals_.Parse(DType::kFp32, &untyped_float));
          pending->push_back(
              {operation.arguments().size() - 1, values.size(), std::move(literal), untyped_float});
          values.push_back(nullptr);
        }
        if (!tuple) break;
      }
      if (tuple) ANEMONE_TRY(tokens_.Expect(")"));
    }
    return tokens_.Expect(")");
  }

  // An untyped float literal takes the dtype that its type variable has in this operation.
  static DType FloatDTypeFor(const Operation& operation, const Argument& argument) {
    const Param* param =
        operation.def() == nullptr ? nullptr : operation.def()->FindParam(argument.name);
    if (param == nullptr) return DType::kFp32;
    for (const Argument& other : operation.arguments()) {
      const Param* other_param = operation.def()->FindParam(other.name);
      if (other_param == nullptr || other_param->types != param->types) continue;
      for (const Value* value : other.values) {
        if (value != nullptr && value->type.dtype() == DType::kFp16) return DType::kFp16;
      }
    }
    return DType::kFp32;
  }

  Status ParseOperation(Block& block, Scope* scope, int depth) {
    // An operation without outputs (write_state) starts with its operator.
    std::vector<OutputDeclaration> outputs;
    ANEMONE_ASSIGN(const Token next, tokens_.Peek());
    if (tokens_.current().kind != Token::Kind::kIdentifier || next.text != "(") {
      ANEMONE_ASSIGN(outputs, ParseOutputs());
      ANEMONE_TRY(tokens_.Expect("="));
    }
    ANEMONE_ASSIGN(const std::string type, tokens_.ExpectIdentifier("an operator"));
    auto operation = std::make_unique<Operation>(type, FindOpDef(type));
    std::vector<PendingLiteral> pending;
    ANEMONE_TRY(ParseArguments(*operation, *scope, &pending));
    for (PendingLiteral& item : pending) {
      Argument& argument = operation->arguments()[item.argument];
      if (item.untyped_float && FloatDTypeFor(*operation, argument) == DType::kFp16) {
        item.literal =
            Literal::Floats(DType::kFp16, *item.literal.AsFloats(), item.literal.shape());
      }
      const std::string hint = (outputs.empty() ? type : outputs[0].name) + "_" + argument.name;
      argument.values[item.index] = AddConst(block, FreshName(hint), std::move(item.literal));
    }
    while (tokens_.Is("(")) {
      Block* inner = operation->AddBlock();
      Scope inner_scope = *scope;
      ANEMONE_TRY(ParseInputs(*inner, &inner_scope));
      ANEMONE_TRY(ParseBody(*inner, std::move(inner_scope), depth + 1));
    }
    ANEMONE_TRY(ParseAttributes(&operation->attributes()));
    ANEMONE_TRY(Declare(*operation, outputs));
    for (const auto& output : operation->outputs()) (*scope)[output->name] = output.get();
    block.Insert(std::move(operation));
    return tokens_.Expect(";");
  }

  Status Declare(Operation& operation, const std::vector<OutputDeclaration>& outputs) {
    if (operation.is_const()) {
      const auto found = operation.attributes().find("val");
      if (found == operation.attributes().end()) return tokens_.Fail("a const needs its val");
      auto literal = std::make_shared<const Literal>(found->second);
      operation.attributes().erase(found);
      if (outputs.size() != 1) return tokens_.Fail("a const has one output");
      Value* value =
          operation.AddOutput(outputs[0].name, outputs[0].type.value_or(literal->type()));
      value->literal = std::move(literal);
    } else {
      std::vector<Type> types;
      const std::string place = outputs.empty()
                                    ? operation.type()
                                    : fmt::format("{} '{}'", operation.type(), outputs[0].name);
      if (operation.def() != nullptr) {
        ANEMONE_TRY(InferOperation(operation, function_->opset, &types).At(place));
        if (types.size() != outputs.size()) {
          return tokens_.Fail("{} has {} outputs, but {} are named", operation.type(), types.size(),
                              outputs.size());
        }
      }
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (types.size() <= i && !outputs[i].type) {
          return tokens_.Fail("the operator {} is not known, so its outputs need types",
                              operation.type());
        }
        operation.AddOutput(outputs[i].name, outputs[i].type ? *outputs[i].type : types[i]);
      }
    }
    if (!outputs.empty() && !operation.attributes().contains("name")) {
      operation.attributes()["name"] = Literal::String(outputs[0].name);
    }
    return {};
  }

  // Names of inline constants must not collide with names that the text uses later, so they hold a
  // mark that no writer uses.
  std::string FreshName(const std::string& hint) {
    return builder_names_->UniqueName(hint + "__inline");
  }

  static Value* AddConst(Block& block, const std::string& name, Literal literal) {
    auto operation = std::make_unique<Operation>("const", FindOpDef("const"));
    operation->attributes()["name"] = Literal::String(name);
    Value* value = operation->AddOutput(name, literal.type());
    value->literal = std::make_shared<const Literal>(std::move(literal));
    block.Insert(std::move(operation));
    return value;
  }

  TokenStream tokens_;
  LiteralParser literals_;
  Function* function_ = nullptr;
  std::unique_ptr<Builder> builder_names_;
};

}  // namespace

Result<Program> ParseText(std::string_view text) { return Parser(text).Parse(); }

Result<std::vector<TextTemplate>> ParseTemplates(std::string_view text) {
  return Parser(text).ParseTemplates(text);
}

Result<std::vector<Value*>> Instantiate(const TextTemplate& given,
                                        const std::map<std::string, Value*>& values,
                                        Builder& builder, std::string_view name) {
  // Parsed into a function of its own, whose operations the builder then makes anew: it chooses the
  // names and spells out the defaults.
  Function draft;
  draft.opset = builder.function().opset;
  ANEMONE_TRY(
      Parser(given.body).ParseTemplateBody(draft, Parser::Scope(values.begin(), values.end())));
  std::unordered_map<const Value*, Value*> made;
  const auto now = [&](Value* value) {
    const auto found = made.find(value);
    return found == made.end() ? value : found->second;
  };
  for (const auto& operation : draft.block->operations()) {
    const std::string label =
        fmt::format("{}_{}", name,
                    operation->outputs().empty() ? operation->type() : operation->output(0)->name);
    if (operation->is_const()) {
      made[operation->output()] = builder.Const(*operation->output()->literal, label);
      continue;
    }
    if (operation->def() == nullptr || !operation->blocks().empty()) {
      return InvalidInput("{} cannot stand in a template", operation->type())
          .Advise("use MIL's operators, without bodies");
    }
    std::vector<ArgInit> args;
    for (const Argument& argument : operation->arguments()) {
      std::vector<Value*> mapped;
      for (Value* value : argument.values) mapped.push_back(now(value));
      args.push_back({argument.name, std::move(mapped)});
    }
    ANEMONE_ASSIGN(Operation * added, builder.Add(operation->type(), std::move(args), label));
    for (size_t i = 0; i < added->outputs().size(); ++i)
      made[operation->output(i)] = added->output(i);
  }
  std::vector<Value*> outputs;
  for (Value* output : draft.block->outputs()) outputs.push_back(now(output));
  return outputs;
}

}  // namespace anemone::ir
