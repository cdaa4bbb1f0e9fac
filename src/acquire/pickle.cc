#include "acquire/pickle.h"

#include <array>
#include <cstring>
#include <map>
#include <string_view>

namespace anemone::acquire {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxDims = 64;
// Far more than any checkpoint has; a file of one-byte opcodes would otherwise cost a hundred times
// its size.
constexpr size_t kMaxValues = 2'000'000;

// The globals that are allowed. Nothing is looked up in Python; a name only says what to build.
enum class Builds : uint8_t { kDict, kTuple, kTensor, kTensorV2, kParameter, kNothing };
struct Global {
  std::string_view module;
  std::string_view name;
  Builds builds;
  DType dtype;  // of a storage class
};
constexpr std::array<Global, 17> kGlobals{{
    {"collections", "OrderedDict", Builds::kDict, DType::kInvalid},
    {"torch", "Size", Builds::kTuple, DType::kInvalid},
    {"torch._utils", "_rebuild_tensor", Builds::kTensor, DType::kInvalid},
    {"torch._utils", "_rebuild_tensor_v2", Builds::kTensorV2, DType::kInvalid},
    {"torch._utils", "_rebuild_parameter", Builds::kParameter, DType::kInvalid},
    // With attributes that someone set on the parameter, which do not concern its values.
    {"torch._utils", "_rebuild_parameter_with_state", Builds::kParameter, DType::kInvalid},
    {"torch", "FloatStorage", Builds::kNothing, DType::kFp32},
    {"torch", "DoubleStorage", Builds::kNothing, DType::kFp64},
    {"torch", "HalfStorage", Builds::kNothing, DType::kFp16},
    {"torch", "BFloat16Storage", Builds::kNothing, DType::kBf16},
    {"torch", "LongStorage", Builds::kNothing, DType::kInt64},
    {"torch", "IntStorage", Builds::kNothing, DType::kInt32},
    {"torch", "ShortStorage", Builds::kNothing, DType::kInt16},
    {"torch", "CharStorage", Builds::kNothing, DType::kInt8},
    {"torch", "ByteStorage", Builds::kNothing, DType::kUInt8},
    {"torch", "BoolStorage", Builds::kNothing, DType::kBool},
    {"torch", "UInt16Storage", Builds::kNothing, DType::kUInt16},
}};

// Opcodes that are not read, for the message. The names are those of Python's pickletools.
struct Opcode {
  uint8_t code;
  std::string_view name;
};
constexpr std::array<Opcode, 30> kRefused{{{'i', "INST"},
                                           {'o', "OBJ"},
                                           {0x81, "NEWOBJ"},
                                           {0x92, "NEWOBJ_EX"},
                                           {0x82, "EXT1"},
                                           {0x83, "EXT2"},
                                           {0x84, "EXT4"},
                                           {'P', "PERSID"},
                                           {0x96, "BYTEARRAY8"},
                                           {0x97, "NEXT_BUFFER"},
                                           {0x98, "READONLY_BUFFER"},
                                           {'I', "INT"},
                                           {'L', "LONG"},
                                           {'F', "FLOAT"},
                                           {'S', "STRING"},
                                           {'V', "UNICODE"},
                                           {'l', "LIST"},
                                           {'d', "DICT"},
                                           {'p', "PUT"},
                                           {'g', "GET"},
                                           {0x8f, "EMPTY_SET"},
                                           {0x90, "ADDITEMS"},
                                           {0x91, "FROZENSET"},
                                           {'0', "POP"},
                                           {'1', "POP_MARK"},
                                           {'2', "DUP"},
                                           {'B', "BINBYTES"},
                                           {'C', "SHORT_BINBYTES"},
                                           {0x8e, "BINBYTES8"},
                                           {0x8b, "LONG4"}}};

class Machine {
 public:
  Machine(const Bytes& bytes, size_t begin) : bytes_(bytes), at_(begin) {}

  Result<Pickle> Run();

 private:
  Error Broken(std::string_view what) const {
    return InvalidInput("the pickle is broken at offset {}: {}", opcode_at_, what);
  }
  Error Refused(const std::string& what) const {
    return Unsupported("{} at offset {} is outside what weight files need, and is not executed",
                       what, opcode_at_)
        .Advise("save the plain state_dict: torch.save(model.state_dict(), FILE)");
  }
  bool Has(size_t count) const { return count <= bytes_.size() - at_; }
  uint64_t Little(size_t count);
  Result<std::string> Text(size_t length);
  Result<std::string> Line();
  PickleValue* Make(Kind kind) {
    pickle_.arena.emplace_back();
    pickle_.arena.back().kind = kind;
    return &pickle_.arena.back();
  }
  void Push(PickleValue* value) { stack_.push_back(value); }
  Result<PickleValue*> Pop();
  // Pops the values above the last mark, and the mark.
  Result<std::vector<PickleValue*>> PopMark();
  // Limits copies of containers, so that a small pickle cannot copy a large list over and over.
  Status Charge(size_t count) {
    charged_ += count;
    if (charged_ > kMaxValues) return Broken("it builds more values than weight files have");
    return {};
  }
  Status Memoize(size_t index);
  Status Recall(size_t index);
  Status Step(uint8_t code);
  Status StepNumber(uint8_t code);
  Status StepText(uint8_t code);
  Status StepContainer(uint8_t code);
  Status StepObject(uint8_t code);
  Status PushGlobal(const std::string& module, const std::string& name);
  Status Tuple(size_t count);
  Status SetItems(PickleValue* dict, const std::vector<PickleValue*>& items);
  Status Reduce();
  Status Storage();
  Result<PickleValue*> Tensor(const PickleValue& arguments, bool v2);
  bool Integers(const PickleValue& tuple, std::vector<int64_t>* out) const;

  const Bytes& bytes_;
  size_t at_;
  size_t opcode_at_ = 0;
  Pickle pickle_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::map<size_t, PickleValue*> memo_;
  size_t charged_ = 0;
};

uint64_t Machine::Little(size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    value |= static_cast<uint64_t>(bytes_.data()[at_ + i]) << (8 * i);
  }
  at_ += count;
  return value;
}

Result<std::string> Machine::Text(size_t length) {
  if (!Has(length)) return Broken("a string extends past the end of the file");
  std::string text(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
  at_ += length;
  return text;
}

Result<std::string> Machine::Line() {
  const auto* start = reinterpret_cast<const char*>(bytes_.data()) + at_;
  const void* end = std::memchr(start, '\n', bytes_.size() - at_);
  if (end == nullptr) return Broken("a line has no end");
  std::string line(start, static_cast<const char*>(end));
  at_ += line.size() + 1;
  return line;
}

Result<PickleValue*> Machine::Pop() {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) return Broken("the stack is empty");
  PickleValue* value = stack_.back();
  stack_.pop_back();
  return value;
}

Result<std::vector<PickleValue*>> Machine::PopMark() {
  if (marks_.empty()) return Broken("the stack has no mark");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue*> values(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return values;
}

Status Machine::Memoize(size_t index) {
  if (stack_.empty()) return Broken("the stack is empty");
  memo_[index] = stack_.back();
  return {};
}

Status Machine::Recall(size_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) return Broken("a memo entry does not exist");
  Push(found->second);
  return {};
}

Status Machine::StepNumber(uint8_t code) {
  const auto integer = [this](int64_t value) {
    PickleValue* made = Make(Kind::kInt);
    made->integer = value;
    Push(made);
  };
  switch (code) {
    case 'K':
      if (!Has(1)) break;
      integer(static_cast<int64_t>(Little(1)));
      return {};
    case 'M':
      if (!Has(2)) break;
      integer(static_cast<int64_t>(Little(2)));
      return {};
    case 'J':
      if (!Has(4)) break;
      integer(static_cast<int32_t>(Little(4)));
      return {};
    case 0x8a: {  // LONG1: two's complement, shortest
      if (!Has(1)) break;
      const auto length = static_cast<size_t>(Little(1));
      if (!Has(length)) break;
      if (length > 8) return Refused("an integer of more than 64 bits");
      uint64_t value = Little(length);
      if (length > 0 && length < 8 && (value >> (8 * length - 1)) != 0) {
        value |= ~uint64_t{0} << (8 * length);
      }
      integer(static_cast<int64_t>(value));
      return {};
    }
    default: {  // 'G' BINFLOAT, big-endian
      if (!Has(8)) break;
      uint64_t bits = 0;
      for (int i = 0; i < 8; ++i) bits = bits << 8 | Little(1);
      PickleValue* made = Make(Kind::kFloat);
      std::memcpy(&made->number, &bits, sizeof(bits));
      Push(made);
      return {};
    }
  }
  return Broken("a number extends past the end of the file");
}

Status Machine::StepText(uint8_t code) {
  size_t width = 4;  // 'X' BINUNICODE, 'T' BINSTRING
  if (code == 0x8c || code == 'U') width = 1;
  if (code == 0x8d) width = 8;
  if (!Has(width)) return Broken("a length extends past the end of the file");
  const uint64_t length = Little(width);
  ANEMONE_ASSIGN(std::string text, Text(length));
  PickleValue* made = Make(Kind::kString);
  made->text = std::move(text);
  Push(made);
  return {};
}

Status Machine::Tuple(size_t count) {
  PickleValue* tuple = Make(Kind::kTuple);
  tuple->items.resize(count);
  for (size_t i = count; i-- > 0;) {
    ANEMONE_ASSIGN(tuple->items[i], Pop());
  }
  Push(tuple);
  return {};
}

Status Machine::SetItems(PickleValue* dict, const std::vector<PickleValue*>& items) {
  if (dict->kind != Kind::kDict) return Broken("items are set in something that is not a dict");
  if (items.size() % 2 != 0) return Broken("a key has no value");
  dict->items.insert(dict->items.end(), items.begin(), items.end());
  return {};
}

Status Machine::StepContainer(uint8_t code) {
  switch (code) {
    case ')':
      return Tuple(0);
    case 0x85:
    case 0x86:
    case 0x87:
      return Tuple(size_t{code} - 0x84);
    case 't': {
      ANEMONE_ASSIGN(auto items, PopMark());
      PickleValue* tuple = Make(Kind::kTuple);
      tuple->items = std::move(items);
      Push(tuple);
      return {};
    }
    case ']':
    case '}':
      Push(Make(code == ']' ? Kind::kList : Kind::kDict));
      return {};
    case 'a':
    case 'e': {
      std::vector<PickleValue*> items(1);
      if (code == 'a') {
        ANEMONE_ASSIGN(items[0], Pop());
      } else {
        ANEMONE_ASSIGN(items, PopMark());
      }
      ANEMONE_ASSIGN(PickleValue * list, Pop());
      if (list->kind != Kind::kList)
        return Broken("something is appended to a value that is not a list");
      list->items.insert(list->items.end(), items.begin(), items.end());
      Push(list);
      return {};
    }
    default: {  // 's' SETITEM, 'u' SETITEMS
      std::vector<PickleValue*> items(2);
      if (code == 's') {
        ANEMONE_ASSIGN(items[1], Pop());
        ANEMONE_ASSIGN(items[0], Pop());
      } else {
        ANEMONE_ASSIGN(items, PopMark());
      }
      ANEMONE_ASSIGN(PickleValue * dict, Pop());
      ANEMONE_TRY(SetItems(dict, items));
      Push(dict);
      return {};
    }
  }
}

Status Machine::PushGlobal(const std::string& module, const std::string& name) {
  for (const Global& global : kGlobals) {
    if (global.module != module || global.name != name) continue;
    PickleValue* made = Make(Kind::kGlobal);
    made->text = module + "." + name;
    made->integer = static_cast<int64_t>(global.builds);
    made->dtype = global.dtype;
    Push(made);
    return {};
  }
  return Refused(fmt::format("the global '{}.{}'", module.substr(0, 100), name.substr(0, 100)));
}

bool Machine::Integers(const PickleValue& tuple, std::vector<int64_t>* out) const {
  if (tuple.kind != Kind::kTuple && tuple.kind != Kind::kList) return false;
  if (tuple.items.size() > kMaxDims) return false;
  for (const PickleValue* item : tuple.items) {
    if (item->kind != Kind::kInt || item->integer < 0) return false;
    out->push_back(item->integer);
  }
  return true;
}

// (storage, offset, size, stride), and for v2 (..., requires_grad, backward_hooks[, metadata]).
Result<PickleValue*> Machine::Tensor(const PickleValue& arguments, bool v2) {
  const auto& items = arguments.items;
  const bool enough = v2 ? items.size() == 6 || items.size() == 7 : items.size() == 4;
  if (!enough || items[0]->kind != Kind::kStorage || items[1]->kind != Kind::kInt ||
      items[1]->integer < 0) {
    return Broken("a tensor is built from the wrong arguments");
  }
  PickleValue* tensor = Make(Kind::kTensor);
  tensor->items = {items[0]};
  tensor->dtype = items[0]->dtype;
  tensor->offset = items[1]->integer;
  if (!Integers(*items[2], &tensor->size) || !Integers(*items[3], &tensor->stride) ||
      tensor->size.size() != tensor->stride.size()) {
    return Broken("a tensor's size or stride is not a tuple of integers");
  }
  return tensor;
}

Status Machine::Reduce() {
  ANEMONE_ASSIGN(const PickleValue* arguments, Pop());
  ANEMONE_ASSIGN(const PickleValue* callable, Pop());
  if (callable->kind != Kind::kGlobal || arguments->kind != Kind::kTuple) {
    return Broken("REDUCE without a global and a tuple");
  }
  const auto& items = arguments->items;
  switch (static_cast<Builds>(callable->integer)) {
    case Builds::kDict: {
      PickleValue* dict = Make(Kind::kDict);
      if (items.size() > 1 || (items.size() == 1 && items[0]->kind != Kind::kList)) {
        return Broken("an OrderedDict is built from the wrong arguments");
      }
      if (items.size() == 1) {  // a list of pairs
        ANEMONE_TRY(Charge(items[0]->items.size()));
        for (const PickleValue* pair : items[0]->items) {
          if (pair->items.size() != 2 || pair->kind == Kind::kDict) {
            return Broken("an OrderedDict is built from the wrong arguments");
          }
          ANEMONE_TRY(SetItems(dict, pair->items));
        }
      }
      Push(dict);
      return {};
    }
    case Builds::kTuple: {
      PickleValue* tuple = Make(Kind::kTuple);
      if (items.size() != 1) return Broken("a Size is built from the wrong arguments");
      ANEMONE_TRY(Charge(items[0]->items.size()));
      tuple->items = items[0]->items;
      Push(tuple);
      return {};
    }
    case Builds::kTensor:
    case Builds::kTensorV2: {
      ANEMONE_ASSIGN(PickleValue * tensor,
                     Tensor(*arguments, callable->integer == int64_t(Builds::kTensorV2)));
      Push(tensor);
      return {};
    }
    case Builds::kParameter:
      if (items.empty() || items[0]->kind != Kind::kTensor) {
        return Broken("a parameter is built from the wrong arguments");
      }
      Push(items[0]);
      return {};
    case Builds::kNothing:
      break;
  }
  return Refused(fmt::format("a call of '{}'", callable->text));
}

// The persistent id ('storage', class, key, location, elements[, (view key, offset, elements)]).
Status Machine::Storage() {
  ANEMONE_ASSIGN(const PickleValue* id, Pop());
  const auto& items = id->items;
  if (id->kind != Kind::kTuple || items.size() < 5 || items.size() > 6 ||
      items[0]->kind != Kind::kString || items[0]->text != "storage" ||
      items[1]->kind != Kind::kGlobal || items[2]->kind != Kind::kString ||
      items[4]->kind != Kind::kInt || items[4]->integer < 0) {
    return Broken("a persistent id does not name a storage");
  }
  if (items[1]->dtype == DType::kInvalid) {
    return Refused(fmt::format("a storage of class '{}'", items[1]->text));
  }
  PickleValue* storage = Make(Kind::kStorage);
  storage->dtype = items[1]->dtype;
  storage->text = items[2]->text;
  storage->integer = items[4]->integer;
  if (items.size() == 6 && items[5]->kind != Kind::kNone) {
    const auto& view = items[5]->items;
    if (items[5]->kind != Kind::kTuple || view.size() != 3 || view[1]->kind != Kind::kInt ||
        view[1]->integer < 0) {
      return Broken("a view of a storage is not a triple");
    }
    storage->offset = view[1]->integer;
  }
  Push(storage);
  return {};
}

Status Machine::StepObject(uint8_t code) {
  switch (code) {
    case 'c': {
      ANEMONE_ASSIGN(const std::string module, Line());
      ANEMONE_ASSIGN(const std::string name, Line());
      return PushGlobal(module, name);
    }
    case 0x93: {  // STACK_GLOBAL
      ANEMONE_ASSIGN(const PickleValue* name, Pop());
      ANEMONE_ASSIGN(const PickleValue* module, Pop());
      if (name->kind != Kind::kString || module->kind != Kind::kString) {
        return Broken("a global's name is not a string");
      }
      return PushGlobal(module->text, name->text);
    }
    case 'R':
      return Reduce();
    case 'Q':
      return Storage();
    default: {  // 'b' BUILD: attributes of an OrderedDict ("_metadata") do not concern the weights
      ANEMONE_ASSIGN(const PickleValue* state, Pop());
      if (stack_.empty() || stack_.back()->kind != Kind::kDict ||
          (state->kind != Kind::kDict && state->kind != Kind::kTuple)) {
        return Refused("BUILD of something that is not a dict");
      }
      return {};
    }
  }
}

Status Machine::Step(uint8_t code) {
  switch (code) {
    case 0x80:  // PROTO
      if (!Has(1)) return Broken("the protocol number is missing");
      if (const uint64_t protocol = Little(1); protocol < 2 || protocol > 5) {
        return Refused(fmt::format("protocol {}", protocol));
      }
      return {};
    case 0x95:  // FRAME: a length, not needed here
      if (!Has(8)) return Broken("the frame length is missing");
      at_ += 8;
      return {};
    case '(':
      marks_.push_back(stack_.size());
      return {};
    case 'N':
      Push(Make(Kind::kNone));
      return {};
    case 0x88:
    case 0x89: {
      PickleValue* made = Make(Kind::kBool);
      made->integer = code == 0x88 ? 1 : 0;
      Push(made);
      return {};
    }
    case 'q':
      if (!Has(1)) return Broken("the memo index is missing");
      return Memoize(Little(1));
    case 'r':
      if (!Has(4)) return Broken("the memo index is missing");
      return Memoize(Little(4));
    case 0x94:
      return Memoize(memo_.size());
    case 'h':
      if (!Has(1)) return Broken("the memo index is missing");
      return Recall(Little(1));
    case 'j':
      if (!Has(4)) return Broken("the memo index is missing");
      return Recall(Little(4));
    case 'K':
    case 'M':
    case 'J':
    case 'G':
    case 0x8a:
      return StepNumber(code);
    case 'X':
    case 'T':
    case 'U':
    case 0x8c:
    case 0x8d:
      return StepText(code);
    case ')':
    case 't':
    case 0x85:
    case 0x86:
    case 0x87:
    case ']':
    case '}':
    case 'a':
    case 'e':
    case 's':
    case 'u':
      return StepContainer(code);
    case 'c':
    case 0x93:
    case 'R':
    case 'Q':
    case 'b':
      return StepObject(code);
    default:
      for (const Opcode& opcode : kRefused) {
        if (opcode.code == code) return Refused(fmt::format("the opcode {}", opcode.name));
      }
      return Broken(fmt::format("0x{:02x} is not an opcode", code));
  }
}

Result<Pickle> Machine::Run() {
  while (true) {
    opcode_at_ = at_;
    if (at_ >= bytes_.size()) return Broken("it ends without STOP");
    const auto code = static_cast<uint8_t>(bytes_.data()[at_++]);
    if (code == '.') break;
    if (pickle_.arena.size() > kMaxValues) {
      return Broken("it builds more values than weight files have");
    }
    ANEMONE_TRY(Step(code));
  }
  ANEMONE_ASSIGN(pickle_.root, Pop());
  pickle_.end = at_;
  return std::move(pickle_);
}

}  // namespace

Result<Pickle> ReadPickle(const Bytes& bytes, size_t begin) { return Machine(bytes, begin).Run(); }

}  // namespace anemone::acquire
