// JSON with tensors in it, read as a stream: the numbers of a tensor become one array of doubles,
// never a value each, so that a hostile body costs no more than a few times its own size. All else
// of the document is an ordinary Json. And tensors as JSON, in the fewest digits that read back the
// same.
//
// Thread rules: pure functions. Errors: kInvalidInput for what is no JSON; kUsage for lists that are
// ragged, hold something else than finite numbers, or for too much beside the tensors; kUnsupported
// for values that JSON cannot express.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "exec/tensor.h"

namespace anemone::serve {

// The numbers of one list, nested lists flattened.
struct NumberList {
  std::vector<double> values;
  std::vector<int64_t> shape;  // as it is nested: [[1, 2, 3], [4, 5, 6]] is {2, 3}
};

struct TensorDocument {
  Json json;  // where a tensor stood there is its position in `lists`
  std::vector<NumberList> lists;
};

// `is_tensor` says whether the list at a path is one: "data" of the second of the inputs is at
// {"inputs", "", "data"}; elements of a list have the name "".
using IsTensor = std::function<bool(const std::vector<std::string>& path)>;
Result<TensorDocument> ReadTensorDocument(std::string_view text, const IsTensor& is_tensor);

// Adds "[1,2.5,...]", flat.
Status AppendValues(const exec::Tensor& tensor, std::string& json);

}  // namespace anemone::serve
