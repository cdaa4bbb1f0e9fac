// The types that a parameter of an operator may have.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "ir/op_def.h"

namespace anemone::test {

// Empty where the definition names none: any type will do.
inline std::vector<DType> DTypesOf(const ir::OpDef& def, const ir::Param& param) {
  std::string words(param.types);
  for (const ir::TypeDomain& domain : def.domains) {
    if (domain.name == param.types) {
      words = std::string(domain.dtypes) + " " + std::string(domain.wider_dtypes);
    }
  }
  std::vector<DType> dtypes;
  std::stringstream in(words);
  for (std::string word; in >> word;) {
    if (const auto dtype = DTypeFromName(word)) dtypes.push_back(*dtype);
  }
  return dtypes;
}

}  // namespace anemone::test
