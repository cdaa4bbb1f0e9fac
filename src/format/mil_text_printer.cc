#include <algorithm>

#include "format/data_types.h"
#include "format/literal_codec.h"
#include "format/mil_text.h"
#include "format/mil_text_values.h"

namespace anemone::format {
namespace {

constexpr int32_t kFirstPlainScalars = 9;  // specification version
constexpr int32_t kNewestKnown = 9;
constexpr std::string_view kBuildInfo = "buildInfo";

// The entries of a wire map by key, as the text lists them; a key that occurs twice is refused.
template <typename Entries>
auto Sorted(const Entries& entries) -> Result<std::vector<decltype(&*entries.begin())>> {
  std::vector<decltype(&*entries.begin())> sorted;
  for (const auto& entry : entries) sorted.push_back(&entry);
  std::ranges::sort(sorted, {},
                    [](const auto* entry) -> const std::string& { return entry->key(); });
  const auto twice = std::ranges::adjacent_find(
      sorted, {}, [](const auto* entry) -> const std::string& { return entry->key(); });
  if (twice != sorted.end()) return InvalidInput("'{}' occurs twice", (*twice)->key());
  return sorted;
}

// A name that stands in the text without quotes.
Status AppendName(const std::string& name, std::string* out) {
  const auto fits = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || (name[0] >= '0' && name[0] <= '9') || !std::ranges::all_of(name, fits)) {
    ANEMONE_ASSIGN(const std::string shown, CheckedName(name, "a name"));
    return Unsupported("the name '{}' is not made of letters, digits and '_'", shown)
        .Advise("rename it in the original model");
  }
  *out += name;
  return {};
}

// The features that describe the inputs of the function of that name.
const google::protobuf::RepeatedPtrField<proto::FeatureDescription>& InputsOf(
    const proto::ModelDescription& description, const std::string& function) {
  for (const proto::FunctionDescription& entry : description.functions()) {
    if (entry.name() == function) return entry.input();
  }
  return description.input();
}

class Printer {
 public:
  Printer(const proto::Model& model, const CompilerVersions& versions)
      : model_(model),
        versions_(versions),
        dialect_(model.specificationversion() >= kFirstPlainScalars
                     ? MilDialect::kPlainScalars
                     : MilDialect::kScalarsAsTensors) {}

  Result<std::string> Print() {
    const proto::Program& program = model_.mlprogram();
    if (model_.specificationversion() > kNewestKnown) {
      return UnseenForm(fmt::format("specification version {}", model_.specificationversion()));
    }
    if (!program.docstring().empty()) return UnseenForm("a program's docString");
    out_ = dialect_ == MilDialect::kPlainScalars ? "program(1.3)\n" : "program(1.0)\n";
    ANEMONE_TRY(PrintBuildInfo(program));
    out_ += "{\n";
    ANEMONE_ASSIGN(const auto functions, Sorted(program.functions()));
    if (functions.empty()) return InvalidInput("the program has no function");
    for (const auto* entry : functions) {
      ANEMONE_TRY(PrintFunction(entry->key(), entry->value())
                      .At(fmt::format("function '{}'", entry->key())));
    }
    out_ += '}';
    return std::move(out_);
  }

 private:
  std::string_view StringType() const {
    return dialect_ == MilDialect::kPlainScalars ? "string" : "tensor<string, []>";
  }

  // What the source says of its making, and the compiler's own versions.
  Status PrintBuildInfo(const proto::Program& program) {
    std::map<std::string, std::string> info;
    for (const proto::AttributeEntry& attribute : program.attributes()) {
      if (attribute.key() != kBuildInfo) {
        ANEMONE_ASSIGN(const std::string name, CheckedName(attribute.key(), "an attribute"));
        return UnseenForm(fmt::format("a program's attribute '{}'", name));
      }
      WeightFiles none{std::string()};
      ANEMONE_ASSIGN(const ir::Literal literal,
                     DecodeLiteral(attribute.value(), none).At("attribute 'buildInfo'"));
      for (size_t i = 0; i + 1 < literal.elements().size(); i += 2) {
        const auto key = literal.elements()[i].AsString();
        const auto value = literal.elements()[i + 1].AsString();
        if (!key || !value) return InvalidInput("buildInfo must be a dictionary of strings");
        info[*key] = *value;
      }
    }
    info["coremlc-component-MIL"] = versions_.mil;
    info["coremlc-version"] = versions_.coremlc;
    out_ += fmt::format("[buildInfo = dict<{0}, {0}>({{", StringType());
    bool first = true;
    for (const auto& [key, value] : info) {
      out_ += first ? "{" : ", {";
      first = false;
      ANEMONE_TRY(AppendMilString(key, &out_).At("buildInfo"));
      out_ += ", ";
      ANEMONE_TRY(AppendMilString(value, &out_).At("buildInfo"));
      out_ += '}';
    }
    out_ += "})]\n";
    return {};
  }

  Status PrintFunction(const std::string& name, const proto::Function& function) {
    if (function.attributes_size() != 0) {
      ANEMONE_ASSIGN(const std::string key,
                     CheckedName(function.attributes(0).key(), "an attribute"));
      return UnseenForm(fmt::format("a function's attribute '{}'", key));
    }
    if (function.block_specializations_size() != 1 ||
        function.block_specializations(0).key() != function.opset()) {
      return UnseenForm("a function with blocks for several op sets");
    }
    ANEMONE_ASSIGN(const ir::Opset opset, OpsetFromWire(function.opset()));
    out_ += "    func ";
    ANEMONE_TRY(AppendName(name, &out_));
    out_ += fmt::format("<{}>(", ir::OpsetName(opset));
    std::vector<const proto::NamedValueType*> inputs;
    for (const proto::NamedValueType& input : function.inputs()) inputs.push_back(&input);
    std::ranges::sort(inputs, {},
                      [](const auto* input) -> const std::string& { return input->name(); });
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (i > 0) out_ += ", ";
      ANEMONE_TRY(PrintNamedType(*inputs[i]));
    }
    out_ += ')';
    ANEMONE_TRY(PrintFlexibleShapes(InputsOf(model_.description(), name)));
    out_ += " {\n";
    const proto::Block& body = function.block_specializations(0).value();
    if (body.attributes_size() != 0) return UnseenForm("a block's attribute");
    for (const proto::Operation& operation : body.operations()) {
      const size_t start = out_.size();
      Status status = PrintOperation(operation);
      if (!status.ok()) {
        out_.resize(start);
        const std::string output =
            operation.outputs_size() > 0 ? operation.outputs(0).name() : std::string();
        const bool named = CheckedName(output, "").ok() && CheckedName(operation.type(), "").ok();
        return std::move(status).At(
            named ? fmt::format("operation {} '{}'", operation.type(), output) : "operation");
      }
    }
    out_ += "        } -> (";
    for (int i = 0; i < body.outputs_size(); ++i) {
      if (i > 0) out_ += ", ";
      ANEMONE_TRY(AppendName(body.outputs(i), &out_));
    }
    out_ += ");\n";
    return {};
  }

  Status PrintNamedType(const proto::NamedValueType& value) {
    ANEMONE_TRY(AppendMilType(value.type(), dialect_, &out_));
    out_ += ' ';
    return AppendName(value.name(), &out_);
  }

  Status PrintFlexibleShapes(
      const google::protobuf::RepeatedPtrField<proto::FeatureDescription>& inputs) {
    std::map<std::string, const proto::ArrayFeatureType*> flexible;
    for (const proto::FeatureDescription& input : inputs) {
      ANEMONE_TRY(CheckInput(input).At("the inputs' description"));
      if (input.type().multiarraytype().has_shaperange()) {
        flexible.emplace(input.name(), &input.type().multiarraytype());
      }
    }
    if (flexible.empty()) return {};
    const std::string_view string = StringType();
    out_ += fmt::format(
        " [FlexibleShapeInformation = tuple<tuple<{0}, dict<{0}, tensor<int32, [?]>>>, "
        "tuple<{0}, dict<{0}, list<tensor<int32, [2]>, ?>>>>(((\"DefaultShapes\", {{",
        string);
    bool first = true;
    for (const auto& [name, array] : flexible) {
      out_ += first ? "{" : ", {";
      first = false;
      ANEMONE_TRY(AppendMilString(name, &out_));
      out_ += ", [";
      const auto& ranges = array->shaperange().sizeranges();
      for (int i = 0; i < ranges.size(); ++i) {
        if (i > 0) out_ += ", ";
        out_ += array->shape_size() == ranges.size() ? std::to_string(array->shape(i))
                                                     : std::to_string(ranges[i].lowerbound());
      }
      out_ += "]}";
    }
    out_ += "}), (\"RangeDims\", {";
    first = true;
    for (const auto& [name, array] : flexible) {
      out_ += first ? "{" : ", {";
      first = false;
      ANEMONE_TRY(AppendMilString(name, &out_));
      out_ += ", [";
      bool first_range = true;
      for (const proto::SizeRange& range : array->shaperange().sizeranges()) {
        if (!first_range) out_ += ", ";
        first_range = false;
        out_ += fmt::format("[{}, {}]", range.lowerbound(), range.upperbound());
      }
      out_ += "]}";
    }
    out_ += "})))]";
    return {};
  }

  // What the program's text would have to say of an input, and nobody knows how.
  static Status CheckInput(const proto::FeatureDescription& input) {
    ANEMONE_ASSIGN(const std::string name, CheckedName(input.name(), "a feature's name"));
    const proto::ImageFeatureType& image = input.type().imagetype();
    const proto::ArrayFeatureType& array = input.type().multiarraytype();
    if (image.has_enumeratedsizes() || image.has_imagesizerange()) {
      return UnseenForm(fmt::format("the image '{}' of flexible size", name))
          .Advise("give the image one size, or compile with coremlc on a Mac");
    }
    if (array.has_enumeratedshapes()) {
      return Unsupported(
                 "the enumerated shapes of '{}' have keys in a compiled model whose hash is not "
                 "public",
                 name)
          .Advise("declare ranges instead of enumerated shapes, or compile with coremlc on a Mac");
    }
    if (array.defaultOptionalValue_case() !=
        proto::ArrayFeatureType::DEFAULTOPTIONALVALUE_NOT_SET) {
      return UnseenForm(fmt::format("the default value of the optional input '{}'", name));
    }
    for (const proto::SizeRange& range : array.shaperange().sizeranges()) {
      if (range.upperbound() < 0) {
        return UnseenForm(fmt::format("the dimension of '{}' that has no upper limit", name))
            .Advise("give each flexible dimension an upper bound");
      }
    }
    return {};
  }

  Status PrintOperation(const proto::Operation& operation) {
    if (operation.blocks_size() != 0) {
      return UnseenForm(fmt::format("control flow ({})", operation.type()));
    }
    const bool constexpr_operation = operation.type().starts_with("constexpr_");
    if (constexpr_operation && operation.inputs_size() != 0) {
      return UnseenForm(fmt::format("{} with arguments (iOS18's form)", operation.type()))
          .Advise("compress for iOS16 or iOS17 (--minimum-deployment-target iOS17), or " +
                  std::string(kUnseenAdvice));
    }
    if (operation.outputs_size() == 0) {
      return UnseenForm(fmt::format("an operation without outputs ({})", operation.type()));
    }
    out_.append(12, ' ');
    for (int i = 0; i < operation.outputs_size(); ++i) {
      if (i > 0) out_ += ", ";
      ANEMONE_TRY(PrintNamedType(operation.outputs(i)));
    }
    out_ += " = ";
    ANEMONE_TRY(AppendName(operation.type(), &out_));
    ANEMONE_TRY(PrintArguments(operation));
    if (operation.attributes_size() != 0) {
      ANEMONE_ASSIGN(const auto attributes, Sorted(operation.attributes()));
      const char* separator = "[";
      for (const proto::AttributeEntry* attribute : attributes) {
        out_ += separator;
        separator = ", ";
        ANEMONE_TRY(AppendName(attribute->key(), &out_));
        out_ += " = ";
        ANEMONE_TRY(AppendMilValue(attribute->value(), dialect_, &out_)
                        .At(fmt::format("attribute '{}'", attribute->key())));
      }
      out_ += ']';
    }
    out_ += ";\n";
    return {};
  }

  Status PrintArguments(const proto::Operation& operation) {
    ANEMONE_ASSIGN(const auto inputs, Sorted(operation.inputs()));
    out_ += '(';
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (i > 0) out_ += ", ";
      ANEMONE_TRY(AppendName(inputs[i]->key(), &out_));
      out_ += " = ";
      ANEMONE_TRY(
          PrintBindings(inputs[i]->value()).At(fmt::format("parameter '{}'", inputs[i]->key())));
    }
    out_ += ')';
    return {};
  }

  Status PrintBindings(const proto::Argument& argument) {
    const int count = argument.arguments_size();
    if (count == 0) return UnseenForm("an empty list of arguments");
    if (count > 1) out_ += '(';
    for (int i = 0; i < count; ++i) {
      if (i > 0) out_ += ", ";
      const proto::Argument::Binding& binding = argument.arguments(i);
      if (binding.has_name()) {
        ANEMONE_TRY(AppendName(binding.name(), &out_));
        continue;
      }
      if (!binding.has_value()) return InvalidInput("a binding has neither a name nor a value");
      if (count > 1) return UnseenForm("a list of constants in place");
      if (binding.value().has_blobfilevalue()) return UnseenForm("a blob as an argument");
      ANEMONE_TRY(AppendMilValue(binding.value(), dialect_, &out_));
    }
    if (count > 1) out_ += ')';
    return {};
  }

  const proto::Model& model_;
  const CompilerVersions& versions_;
  MilDialect dialect_;
  std::string out_;
};

}  // namespace

Result<std::string> PrintMilText(const proto::Model& model, const CompilerVersions& versions) {
  return Printer(model, versions).Print();
}

}  // namespace anemone::format
