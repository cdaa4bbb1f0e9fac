// Walks every table: what a row says reaches the command's flags and the keys of JSON objects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/arguments.h"
#include "cli/option_flags.h"
#include "options/command_line.h"
#include "options/json.h"
#include "options/shapes.h"

namespace anemone::options {
namespace {

using Json = nlohmann::ordered_json;

// Of what a field points to, as text that tells values apart.
struct TextOf {
  template <typename T>
  std::string operator()(const T* value) const {
    return Json(*value).dump();
  }
  template <typename Number>
  std::string operator()(const std::optional<Number>* value) const {
    return *value ? Json(**value).dump() : "absent";
  }
  std::string operator()(const Shapes* shapes) const {
    std::string text;
    for (const auto& [name, shape] : *shapes) text += name + ":" + ShapeText(shape) + " ";
    return text;
  }
};
std::string ValueOf(const Option& option) { return std::visit(TextOf(), option.field); }

const Option& RowOf(const Table& table, std::string_view name) {
  return *std::ranges::find(table, name, &Option::name);
}

// The example of a row as a JSON object would have it.
struct ExampleJson {
  std::string_view example;

  Json operator()(const bool* value) const { return !*value; }
  Json operator()(const std::string*) const { return example; }
  Json operator()(const std::vector<std::string>*) const { return Json::array({example}); }
  Json operator()(const std::array<float, 3>*) const { return List(); }
  Json operator()(const std::vector<double>*) const { return List(); }
  Json operator()(const Shapes*) const {
    Shapes shapes;
    EXPECT_EQ(cli::TakeShape(std::string(example), shapes), "");
    Json json = Json::object();
    for (const auto& [name, shape] : shapes) json[name] = ShapeText(shape);
    return json;
  }
  template <typename Number>
  Json operator()(const Number*) const {
    return Json::parse(example);
  }
  Json List() const { return Json::parse("[" + std::string(example) + "]"); }
};

// Options of one of the structs, with their table.
class AnyOptions {
 public:
  virtual ~AnyOptions() = default;
  virtual Table table() = 0;
  virtual const char* address() const = 0;
  virtual size_t size() const = 0;
  virtual size_t alignment() const = 0;
};

template <typename Options>
class OptionsOf final : public AnyOptions {
 public:
  Table table() override { return TableOf(options_); }
  const char* address() const override { return reinterpret_cast<const char*>(&options_); }
  size_t size() const override { return sizeof options_; }
  size_t alignment() const override { return alignof(Options); }

 private:
  Options options_;
};

struct OptionsType {
  const char* name;
  std::unique_ptr<AnyOptions> (*make)();
};
template <typename Options>
std::unique_ptr<AnyOptions> Make() {
  return std::make_unique<OptionsOf<Options>>();
}

class EveryTable : public testing::TestWithParam<OptionsType> {
 protected:
  static std::unique_ptr<AnyOptions> Make() { return GetParam().make(); }
};
#define ANEMONE_OPTIONS_TYPE(type) \
  OptionsType { #type, Make<type> }
INSTANTIATE_TEST_SUITE_P(
    , EveryTable,
    testing::Values(ANEMONE_OPTIONS_TYPE(LoadOptions), ANEMONE_OPTIONS_TYPE(ConvertOptions),
                    ANEMONE_OPTIONS_TYPE(PreprocessOptions), ANEMONE_OPTIONS_TYPE(CompressOptions),
                    ANEMONE_OPTIONS_TYPE(SessionOptions), ANEMONE_OPTIONS_TYPE(GateOptions),
                    ANEMONE_OPTIONS_TYPE(LabOptions), ANEMONE_OPTIONS_TYPE(MatrixOptions),
                    ANEMONE_OPTIONS_TYPE(CompareOptions), ANEMONE_OPTIONS_TYPE(EvaluateOptions),
                    ANEMONE_OPTIONS_TYPE(BenchOptions), ANEMONE_OPTIONS_TYPE(PlacementOptions),
                    ANEMONE_OPTIONS_TYPE(DoctorOptions), ANEMONE_OPTIONS_TYPE(InspectOptions),
                    ANEMONE_OPTIONS_TYPE(CompileOptions), ANEMONE_OPTIONS_TYPE(ViewOptions),
                    ANEMONE_OPTIONS_TYPE(RunOptions), ANEMONE_OPTIONS_TYPE(ServeOptions),
                    ANEMONE_OPTIONS_TYPE(DemoOptions), ANEMONE_OPTIONS_TYPE(DownloadOptions),
                    ANEMONE_OPTIONS_TYPE(FetchOptions), ANEMONE_OPTIONS_TYPE(CacheListOptions),
                    ANEMONE_OPTIONS_TYPE(CacheClearOptions),
                    ANEMONE_OPTIONS_TYPE(CacheVerifyOptions),
                    ANEMONE_OPTIONS_TYPE(ConvertFileOptions),
                    ANEMONE_OPTIONS_TYPE(CompressFileOptions)),
    [](const testing::TestParamInfo<OptionsType>& type) { return std::string(type.param.name); });
#undef ANEMONE_OPTIONS_TYPE

TEST_P(EveryTable, HasNamesHelpAndExamples) {
  const auto options = Make();
  std::set<std::string_view> names;
  std::set<std::string> flags;
  for (const Option& option : options->table()) {
    SCOPED_TRACE(option.name);
    EXPECT_TRUE(names.insert(option.name).second) << "twice";
    EXPECT_TRUE(flags.insert(FlagOf(option)).second) << "its flag is another's";
    EXPECT_TRUE(std::ranges::all_of(option.name,
                                    [](char c) { return c == '_' || islower(c) || isdigit(c); }));
    EXPECT_GE(option.help.size(), 10u);
    EXPECT_FALSE(option.help.ends_with('.'));
    if (!std::holds_alternative<bool*>(option.field)) {
      EXPECT_FALSE(option.example.empty());
    }
  }
  EXPECT_TRUE(Check(options->table()).ok()) << Check(options->table()).ToString();
}

// No field is left out and none has two rows: between one field and the next there is no more than
// what aligns the next.
TEST_P(EveryTable, HasARowForEachField) {
  const auto options = Make();
  struct Place {
    size_t begin;
    size_t end;
    size_t alignment;
    std::string_view name;
  };
  std::vector<Place> places;
  for (const Option& option : options->table()) {
    std::visit(
        [&](const auto* field) {
          const auto at =
              static_cast<size_t>(reinterpret_cast<const char*>(field) - options->address());
          places.push_back({at, at + sizeof *field, alignof(decltype(*field)), option.name});
        },
        option.field);
  }
  std::ranges::sort(places, {}, &Place::begin);
  places.push_back({options->size(), options->size(), options->alignment(), "the end"});
  size_t end = 0;
  for (const Place& place : places) {
    ASSERT_GE(place.begin, end) << place.name << " has two rows";
    EXPECT_LT(place.begin - end, place.alignment)
        << "a field without a row is before " << place.name;
    end = place.end;
  }
}

TEST_P(EveryTable, ExamplesAreTakenAlikeByFlagsAndJson) {
  const auto defaults = Make();
  for (const Option& row : defaults->table()) {
    SCOPED_TRACE(row.name);
    const auto from_json = Make();
    const Json value = std::visit(ExampleJson{row.example}, row.field);
    const Status read = ReadJson(Json{{std::string(row.name), value}}.dump(), from_json->table());
    ASSERT_TRUE(read.ok()) << read.ToString();
    const std::string taken = ValueOf(RowOf(from_json->table(), row.name));
    EXPECT_NE(taken, ValueOf(row)) << "the example is the default";
    if (row.command_wide) continue;

    const auto from_flags = Make();
    if (row.name == "warm_up") continue;  // the command's default is the other one
    cli::ArgumentParser parser("test", "");
    cli::Command command = parser.root().AddCommand("do");
    Table table = from_flags->table();
    // Arguments without a flag are told apart by their order: this one alone.
    std::erase_if(table, [&row](const Option& option) {
      return option.name != row.name && !FlagOf(option).starts_with('-');
    });
    for (Option& option : table) option.required = false;
    cli::AddOptions(command, table);
    std::vector<std::string> line{"do"};
    const std::string flag = FlagOf(row);
    if (flag.starts_with('-')) line.push_back(flag.substr(flag.find(',') + 1));
    if (!std::holds_alternative<bool*>(row.field)) line.emplace_back(row.example);
    int exit_code = 0;
    ASSERT_TRUE(parser.Parse(line, exit_code));
    EXPECT_EQ(ValueOf(RowOf(from_flags->table(), row.name)), taken);
    EXPECT_EQ(CommandLine(from_flags->table(), defaults->table()),
              std::vector(line.begin() + 1, line.end()));
    for (const Option& other : from_flags->table()) {
      if (other.name == row.name) continue;
      EXPECT_EQ(ValueOf(other), ValueOf(RowOf(defaults->table(), other.name))) << other.name;
    }
  }
}

TEST_P(EveryTable, ChoicesAreChecked) {
  const auto defaults = Make();
  for (const Option& row : defaults->table()) {
    if (row.choices.empty()) continue;
    SCOPED_TRACE(row.name);
    const bool number = std::holds_alternative<int*>(row.field);
    const auto read = [&](const std::string& text) {
      const auto options = Make();
      const Json value = number ? Json::parse(text) : Json(text);
      return ReadJson(Json{{std::string(row.name), value}}.dump(), options->table());
    };
    for (const std::string_view choice : row.choices) {
      EXPECT_TRUE(read(std::string(choice)).ok()) << choice;
    }
    const Status wrong = read(number ? "97" : "no_such_choice");
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.error().code(), ErrorCode::kUsage);
    EXPECT_THAT(wrong.error().message(), testing::HasSubstr(std::string(row.name)));
    EXPECT_THAT(wrong.error().message(), testing::HasSubstr(OneOf(row.choices)));
    EXPECT_EQ(read(number ? "0" : "").ok(), row.may_be_absent);
  }
}

TEST_P(EveryTable, LimitsAreChecked) {
  const auto defaults = Make();
  for (const Option& row : defaults->table()) {
    SCOPED_TRACE(row.name);
    const auto read = [&](double value) {
      const auto options = Make();
      Json number = value == static_cast<double>(static_cast<int64_t>(value))
                        ? Json(static_cast<int64_t>(value))
                        : Json(value);
      if (std::holds_alternative<std::array<float, 3>*>(row.field))
        number = Json::array({1, number, 1});
      if (std::holds_alternative<std::vector<double>*>(row.field)) number = Json::array({number});
      return ReadJson(Json{{std::string(row.name), number}}.dump(), options->table());
    };
    const auto refused = [&](double value) {
      const Status status = read(value);
      return !status.ok() && status.error().code() == ErrorCode::kUsage &&
             status.error().message().find(row.name) != std::string::npos &&
             status.error().message().find(RuleOf(row)) != std::string::npos;
    };
    if (row.low) {
      EXPECT_TRUE(read(*row.low).ok());
      EXPECT_TRUE(refused(*row.low - 1));
    }
    if (row.above) {
      EXPECT_TRUE(refused(*row.above));
      EXPECT_TRUE(read(*row.above + 1).ok());
    }
    if (row.high) {
      EXPECT_TRUE(read(*row.high).ok());
      EXPECT_TRUE(refused(*row.high + 1));
    }
  }
}

// The document that the other interfaces are made from.
TEST(Tables, AreADocument) {
  const Json document = Json::parse(AllTablesJson());
  EXPECT_EQ(document["schema"], "anemone.options");
  for (const char* name :
       {"load",        "convert",      "compress",     "session",      "gate",      "lab",
        "matrix",      "compare",      "evaluate",     "bench",        "placement", "doctor",
        "inspect",     "compile",      "run",          "demo",         "fetch",     "cache_list",
        "cache_clear", "cache_verify", "convert_file", "compress_file"}) {
    ASSERT_TRUE(document[name].is_array()) << name;
    for (const Json& row : document[name]) {
      for (const char* key : {"name", "type", "rule", "flag", "help"})
        EXPECT_FALSE(row[key].get<std::string>().empty()) << name << ": " << row.dump();
    }
  }
}

TEST(ReadJson, SaysAllThatIsWrongAtOnce) {
  CompressOptions options;
  const Status status = ReadJson(
      R"({"mod": "prune", "nbits": "four", "percentile": 12, "lut_dtype": "int16", "std": [1, 0, 1]})",
      TableOf(options));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  const std::string& message = status.error().message();
  EXPECT_THAT(message, testing::HasSubstr("there is no option 'mod'"));
  EXPECT_THAT(message, testing::HasSubstr("'nbits' must be 1, 2, 3, 4, 6 or 8"));
  EXPECT_THAT(message, testing::HasSubstr("'percentile' is 12: it must be above 50, at most 100"));
  EXPECT_THAT(message, testing::HasSubstr("'lut_dtype' is 'int16': choose int8 or uint8"));
  EXPECT_THAT(message, testing::HasSubstr("'std' is 0: it must be three numbers above 0"));
  EXPECT_THAT(status.error().advice(), testing::HasSubstr("'mode'"));
}

TEST(ReadJson, RefusesWhatIsNotAnObject) {
  LoadOptions options;
  for (const char* text : {"[1]", "7", "{", R"({"seed": -1})", R"({"seed": 1.5})",
                           R"({"input_shapes": {"x": [1, "2"]}})", R"({"threads": 1e3})",
                           R"({"threads": 99999999999})", R"({"weights": null})"}) {
    EXPECT_FALSE(ReadJson(text, TableOf(options)).ok()) << text;
  }
  EXPECT_TRUE(ReadJson("", TableOf(options)).ok());
  EXPECT_TRUE(ReadJson("{}", TableOf(options)).ok());
}

TEST(ReadJson, ReadsTwoStructsFromOneObject) {
  LoadOptions load;
  SessionOptions session;
  Table both = TableOf(load);
  for (Option& option : TableOf(session)) both.push_back(std::move(option));
  ASSERT_TRUE(ReadJson(R"({"seed": 7, "threads": 3, "breaker": {"wait_jitter": 0}})", both).ok());
  EXPECT_EQ(load.seed, 7u);
  EXPECT_EQ(load.threads, 3);
  EXPECT_EQ(session.threads, 3);
  EXPECT_EQ(session.breaker, R"({"wait_jitter":0})");
}

TEST(TakeShape, TakesWhatFlagsSay) {
  Shapes shapes;
  EXPECT_EQ(cli::TakeShape("a:b:1x3,224", shapes), "");
  EXPECT_EQ(shapes["a:b"], (std::vector<Dimension>{1, 3, 224}));
  for (const char* text : {"x",       "x:",       "x:1x",       "x:0",
                           "x:-1",    "x:1y2",    "x:x",        "x:99999999999999999999",
                           "x:[1..2", "x:[2..1]", "x:[0..4]",   "x:[1]",
                           "x:[1|0]", "x:1..2",   "x:[1..4=5]", "x:[1|2=3]",
                           "x:[..4]", "x:[1..]",  "x:[1..2]3",  "x:??"})
    EXPECT_NE(cli::TakeShape(text, shapes), "") << text;
}

TEST(TakeShape, TakesOpenDimensions) {
  Shapes shapes;
  EXPECT_EQ(cli::TakeShape("x:1x[2..512=128]x[1|2|4]x?", shapes), "");
  const std::vector<Dimension>& shape = shapes["x"];
  ASSERT_EQ(shape.size(), 4u);
  EXPECT_EQ(shape[0], Dimension(1));
  EXPECT_EQ(shape[1].lower, 2);
  EXPECT_EQ(shape[1].upper, 512);
  EXPECT_EQ(shape[1].size, 128);
  EXPECT_EQ(shape[2].choices, (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(shape[2].size, 1);
  EXPECT_EQ(shape[3].lower, 1);
  EXPECT_EQ(shape[3].upper, 0);
  EXPECT_EQ(ShapeText(shape), "1x[2..512=128]x[1|2|4]x?");
  EXPECT_EQ(ReadShape(ShapeText(shape)), shape);
}

TEST(Shapes, AreMovedOutOfInputs) {
  std::vector<std::string> inputs = {"image:1x3x8x8", "mask=a:1x2",         "cat.jpg",
                                     "input:0",       "input:0:1x[1..512]", "c:photo.png"};
  Shapes shapes;
  MoveShapes(&inputs, &shapes);
  EXPECT_EQ(inputs, (std::vector<std::string>{"mask=a:1x2", "cat.jpg", "input:0", "c:photo.png"}));
  EXPECT_EQ(shapes,
            (Shapes{{"image", *ReadShape("1x3x8x8")}, {"input:0", *ReadShape("1x[1..512]")}}));
}

// In JSON a shape is a list of numbers and open dimensions, or one text.
TEST(ReadJson, TakesOpenDimensions) {
  LoadOptions list, text;
  ASSERT_TRUE(
      ReadJson(R"({"input_shapes": {"x": [1, "2..512=128", "1|2|4", "?"]}})", TableOf(list)).ok());
  ASSERT_TRUE(
      ReadJson(R"({"input_shapes": {"x": "1x[2..512=128]x[1|2|4]x?"}})", TableOf(text)).ok());
  EXPECT_EQ(list.input_shapes, text.input_shapes);
}

}  // namespace
}  // namespace anemone::options
