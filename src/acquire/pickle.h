// A restricted reader of Python pickles, for those in PyTorch's weight files: plain data,
// OrderedDict, and tensors as descriptions of storage. It executes nothing: a global must be in a
// short list of names, REDUCE can only build a dict, a tuple or a tensor, and every other opcode
// that could call code is refused with its name and its offset in the file.
//
// Ownership: values live in the Pickle's arena and point into it; strings are copies. Memory is
// bounded by a constant times the pickle's size. Thread rules: one thread; immutable afterwards.
// Errors: kInvalidInput for broken pickles, kUnsupported for what weight files do not need.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/status.h"

namespace anemone::acquire {

struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kTuple,
    kDict,
    kGlobal,   // text: "torch.FloatStorage"
    kStorage,  // text: its key; dtype; integer: elements; offset: first element of a view
    kTensor,   // items[0]: the storage; offset in elements; size, stride
  };
  Kind kind = Kind::kNone;
  DType dtype = DType::kInvalid;
  int64_t integer = 0;  // kInt, kBool
  double number = 0;
  int64_t offset = 0;
  std::string text;
  std::vector<PickleValue*> items;  // of a list or tuple; keys and values in turn of a dict
  std::vector<int64_t> size;
  std::vector<int64_t> stride;
};

struct Pickle {
  std::deque<PickleValue> arena;
  const PickleValue* root = nullptr;
  size_t end = 0;  // offset of the byte after STOP
};

// Reads one pickle that begins at `begin`. Offsets in errors are from the start of `bytes`.
Result<Pickle> ReadPickle(const Bytes& bytes, size_t begin = 0);

}  // namespace anemone::acquire
