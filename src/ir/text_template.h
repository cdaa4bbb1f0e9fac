// Templates in MIL text: what an operator of somebody else becomes.
//
//   // Inputs, then settings: attributes with their defaults; ? marks one that must be given.
//   lower "com.example" Swoosh(x, w, alpha = 0.5, axis = ?) {
//     a = mul(x = x, y = alpha);
//     s = reduce_sum(x = a, axes = [-1], keep_dims = true);
//     y = concat(values = (s, w), axis = axis);
//   } -> (y);
//
// The domain may be left out for the standard one. A body is that of a function (text.h), without
// bodies inside. Thread rules: pure functions of what they are given. Errors: kInvalidInput with line and column.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/builder.h"
#include "ir/literal.h"

namespace anemone::ir {

struct TextTemplate {
  struct Setting {
    std::string name;
    std::optional<Literal> value;  // the default
  };
  std::string domain;
  std::string op;
  std::vector<std::string> inputs;
  std::vector<Setting> settings;
  std::string body;  // "{ ... } -> (y)", at the line where it stands in the file
};

Result<std::vector<TextTemplate>> ParseTemplates(std::string_view text);

// Appends the operations of the body through `builder`, named after `name`; `values` are those of
// inputs and settings. Returns the outputs. An input that is left out may not be read.
Result<std::vector<Value*>> Instantiate(const TextTemplate& given,
                                        const std::map<std::string, Value*>& values,
                                        Builder& builder, std::string_view name);

}  // namespace anemone::ir
