#include "options/option.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/nearest_names.h"
#include "options/shapes.h"

namespace anemone::options {
namespace {

bool SameText(std::string_view a, std::string_view b, bool ignore_case) {
  return std::ranges::equal(a, b, [&](unsigned char x, unsigned char y) {
    return ignore_case ? std::tolower(x) == std::tolower(y) : x == y;
  });
}

bool IsChoice(const Option& option, std::string_view value) {
  return std::ranges::any_of(option.choices, [&](std::string_view choice) {
    return SameText(choice, value, option.ignore_case);
  });
}

bool InRange(const Option& option, double value) {
  // Written so that NaN is out of any range.
  return (!option.low || value >= *option.low) && (!option.above || value > *option.above) &&
         (!option.high || value <= *option.high);
}

bool HasRange(const Option& option) { return option.low || option.above || option.high; }

// What is wrong with a field: nothing, or a sentence with the rule, and a way on where one is near.
struct Problem {
  std::string text;
  std::string advice;
};

Problem NotAChoice(const Option& option, const std::string& value) {
  return {fmt::format("'{}' is '{}': choose {}", option.name, value, OneOf(option.choices)),
          NearestNames(value, option.choices).empty()
              ? ""
              : SuggestNames(value, option.choices, option.name)};
}

// Of the numbers there are, the next one below and the next one above.
Problem NotAChoice(const Option& option, int64_t value) {
  std::optional<int64_t> below;
  std::optional<int64_t> above;
  for (const std::string_view choice : option.choices) {
    int64_t number = 0;
    std::from_chars(choice.data(), choice.data() + choice.size(), number);
    if (number < value && (!below || number > *below)) below = number;
    if (number > value && (!above || number < *above)) above = number;
  }
  return {fmt::format("'{}' is {}: choose {}", option.name, value, OneOf(option.choices)),
          below && above ? fmt::format("the next are {} and {}", *below, *above)
                         : fmt::format("the next is {}", below ? *below : above.value_or(0))};
}

struct FindProblem {
  const Option& option;

  template <typename Number>
  Problem OfNumber(Number value) const {
    if (!HasRange(option) || InRange(option, static_cast<double>(value))) return {};
    return {fmt::format("'{}' is {}: it must be {}", option.name, value, RuleOf(option)), ""};
  }
  Problem OfInteger(int64_t value) const {
    if (option.choices.empty()) return OfNumber(value);
    if ((option.may_be_absent && value == 0) || IsChoice(option, fmt::format("{}", value)))
      return {};
    return NotAChoice(option, value);
  }

  Problem operator()(const bool*) const { return {}; }
  Problem operator()(const int* value) const { return OfInteger(*value); }
  Problem operator()(const int64_t* value) const { return OfInteger(*value); }
  Problem operator()(const uint64_t* value) const { return OfNumber(*value); }
  Problem operator()(const double* value) const { return OfNumber(*value); }
  template <typename Number>
  Problem operator()(const std::optional<Number>* value) const {
    return *value ? OfNumber(**value) : Problem();
  }
  Problem operator()(const std::string* value) const {
    if (option.choices.empty() || (option.may_be_absent && value->empty())) return {};
    return IsChoice(option, *value) ? Problem() : NotAChoice(option, *value);
  }
  Problem operator()(const std::vector<std::string>* values) const {
    if (option.choices.empty()) return {};
    for (const std::string& value : *values) {
      if (!IsChoice(option, value)) return NotAChoice(option, value);
    }
    return {};
  }
  Problem OfNumbers(const auto& values) const {
    for (const auto value : values) {
      Problem problem = OfNumber(value);
      if (!problem.text.empty()) return problem;
    }
    return {};
  }
  Problem operator()(const std::vector<double>* values) const { return OfNumbers(*values); }
  Problem operator()(const std::array<float, 3>* values) const { return OfNumbers(*values); }
  Problem operator()(const Shapes* shapes) const {
    for (const auto& [name, shape] : *shapes) {
      for (const Dimension& dimension : shape) {
        if (std::string rule = BrokenRule(dimension); !rule.empty())
          return {fmt::format("'{}' of '{}' has {}", option.name, name, rule), ""};
      }
    }
    return {};
  }
};

struct TypeRule {
  std::string operator()(const bool*) const { return "true or false"; }
  std::string operator()(const int*) const { return "a whole number"; }
  std::string operator()(const int64_t*) const { return "a whole number"; }
  std::string operator()(const uint64_t*) const { return "a whole number of at least 0"; }
  std::string operator()(const double*) const { return "a number"; }
  std::string operator()(const std::optional<int64_t>*) const { return "a whole number"; }
  std::string operator()(const std::optional<double>*) const { return "a number"; }
  std::string operator()(const std::string*) const { return "text"; }
  std::string operator()(const std::vector<std::string>*) const { return "a list of texts"; }
  std::string operator()(const std::vector<double>*) const { return "a list of numbers"; }
  std::string operator()(const std::array<float, 3>*) const { return "three numbers"; }
  std::string operator()(const Shapes*) const { return "shapes by name"; }
};

}  // namespace

void ForEachTable(const std::function<void(std::string_view, const Table&)>& visit) {
  const auto visit_one = [&]<typename Options>(std::string_view name) {
    Options options;
    visit(name, TableOf(options));
  };
  visit_one.operator()<LoadOptions>("load");
  visit_one.operator()<ConvertOptions>("convert");
  visit_one.operator()<CompressOptions>("compress");
  visit_one.operator()<SessionOptions>("session");
  visit_one.operator()<GateOptions>("gate");
  visit_one.operator()<LabOptions>("lab");
  visit_one.operator()<MatrixOptions>("matrix");
  visit_one.operator()<CompareOptions>("compare");
  visit_one.operator()<EvaluateOptions>("evaluate");
  visit_one.operator()<BenchOptions>("bench");
  visit_one.operator()<PlacementOptions>("placement");
  visit_one.operator()<DoctorOptions>("doctor");
  visit_one.operator()<InspectOptions>("inspect");
  visit_one.operator()<ViewOptions>("view");
  visit_one.operator()<CompileOptions>("compile");
  visit_one.operator()<RunOptions>("run");
  visit_one.operator()<ServeOptions>("serve");
  visit_one.operator()<DemoOptions>("demo");
  visit_one.operator()<FetchOptions>("fetch");
  visit_one.operator()<CacheListOptions>("cache_list");
  visit_one.operator()<CacheClearOptions>("cache_clear");
  visit_one.operator()<CacheVerifyOptions>("cache_verify");
  visit_one.operator()<ConvertFileOptions>("convert_file");
  visit_one.operator()<CompressFileOptions>("compress_file");
}

std::string FlagOf(const Option& option) {
  if (!option.flag.empty()) return std::string(option.flag);
  const auto* flag = std::get_if<bool*>(&option.field);
  std::string text = flag != nullptr && **flag ? "--no-" : "--";
  text += option.name;
  std::ranges::replace(text, '_', '-');
  return text;
}

std::string OneOf(std::span<const std::string_view> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

std::string RuleOf(const Option& option) {
  if (!option.choices.empty()) return OneOf(option.choices);
  if (option.holds == Holds::kJsonObject) return "an object, or the path of a file";
  const bool three = std::holds_alternative<std::array<float, 3>*>(option.field);
  const bool several = std::holds_alternative<std::vector<double>*>(option.field);
  std::string rule = three && HasRange(option) ? "three numbers " : several ? "numbers " : "";
  if (option.low && option.high) return rule + fmt::format("{} to {}", *option.low, *option.high);
  if (option.above && option.high)
    return rule + fmt::format("above {}, at most {}", *option.above, *option.high);
  if (option.low) return rule + fmt::format("{} or more", *option.low);
  if (option.above) return rule + fmt::format("above {}", *option.above);
  if (option.high) return rule + fmt::format("at most {}", *option.high);
  return std::visit(TypeRule(), option.field);
}

Status Check(const Table& table) {
  std::string problems;
  std::string advice;
  for (const Option& option : table) {
    const Problem problem = std::visit(FindProblem{option}, option.field);
    if (problem.text.empty()) continue;
    problems += (problems.empty() ? "" : "; ") + problem.text;
    if (advice.empty()) advice = problem.advice;
  }
  if (problems.empty()) return {};
  return Usage("{}", problems).Advise(advice);
}

}  // namespace anemone::options
