#include "acquire/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "acquire/pickle.h"
#include "base/zip_reader.h"

namespace anemone::acquire {
namespace {

using Kind = PickleValue::Kind;

// A pickle of the integer 0x1950a86a20f9469cfc6c, MAGIC_NUMBER of PyTorch's serialization.
constexpr std::array<uint8_t, 15> kLegacyMagic{0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                               0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr int64_t kLegacyProtocol = 1001;
constexpr int kMaxDepth = 8;
constexpr size_t kMaxEntries = 1'000'000;
// The keys under which checkpoints keep the weights, the averaged ones first.
constexpr std::array<std::string_view, 10> kStateKeys{
    "state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict",
    "model_state",    "model",     "net", "params",     "weights"};

using Storages = std::map<std::string, Bytes, std::less<>>;

const PickleValue* Lookup(const PickleValue& dict, std::string_view key) {
  const PickleValue* found = nullptr;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == Kind::kString && dict.items[i]->text == key) {
      found = dict.items[i + 1];  // the last one wins, as in Python
    }
  }
  return found;
}

bool HoldsTensors(const PickleValue& dict) {
  for (size_t i = 1; i < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == Kind::kTensor) return true;
  }
  return false;
}

// Puts the tensors of a dict into a flat map; dicts in it are flattened with '.'.
class Flattener {
 public:
  explicit Flattener(std::map<std::string, const PickleValue*>* out) : out_(out) {}

  Status Add(const PickleValue& dict, const std::string& prefix, int depth) {
    if (depth > kMaxDepth) return InvalidInput("dicts are nested too deeply");
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      if (++seen_ > kMaxEntries) return InvalidInput("the dict has too many entries");
      const PickleValue& key = *dict.items[i];
      const PickleValue& value = *dict.items[i + 1];
      const std::string name =
          prefix + (key.kind == Kind::kInt ? std::to_string(key.integer) : key.text);
      if (value.kind == Kind::kTensor) (*out_)[name] = &value;
      if (value.kind == Kind::kDict) ANEMONE_TRY(Add(value, name + ".", depth + 1));
    }
    return {};
  }

 private:
  std::map<std::string, const PickleValue*>* out_;
  size_t seen_ = 0;
};

Result<std::map<std::string, const PickleValue*>> StateDict(const PickleValue& root,
                                                            const TorchFileRules& rules) {
  std::map<std::string, const PickleValue*> tensors;
  if (root.kind == Kind::kTensor) {
    return InvalidInput("the file holds one tensor without a name")
        .Advise("save the state_dict: torch.save(model.state_dict(), FILE)");
  }
  if (root.kind != Kind::kDict) {
    return InvalidInput("the file does not hold a dict of tensors")
        .Advise("save the state_dict: torch.save(model.state_dict(), FILE)");
  }
  const PickleValue* dict = &root;
  if (!HoldsTensors(root)) {
    for (const std::string_view key : kStateKeys) {
      const PickleValue* inner = Lookup(root, key);
      if (inner != nullptr && inner->kind == Kind::kDict && !inner->items.empty()) {
        dict = inner;
        break;
      }
    }
  }
  ANEMONE_TRY(Flattener(&tensors).Add(*dict, "", 0));
  if (tensors.empty() && !rules.may_be_empty)
    return InvalidInput("the file does not hold any tensors");
  return tensors;
}

// How many elements past its first one a tensor reaches; nullopt when that overflows.
std::optional<int64_t> Reach(const PickleValue& tensor, int64_t* count) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t reach = 0;
  *count = 1;
  for (size_t i = 0; i < tensor.size.size(); ++i) {
    const int64_t size = tensor.size[i];
    if (size == 0) {
      *count = 0;
      return 0;
    }
    if (*count > kMax / size) return std::nullopt;
    *count *= size;
    if (tensor.stride[i] != 0 && size - 1 > (kMax - reach) / tensor.stride[i]) return std::nullopt;
    reach += (size - 1) * tensor.stride[i];
  }
  return reach;
}

bool IsContiguous(const PickleValue& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.size.size(); i-- > 0;) {
    if (tensor.size[i] == 1) continue;
    if (tensor.stride[i] != expected) return false;
    expected *= tensor.size[i];
  }
  return true;
}

class Extractor {
 public:
  Extractor(const Storages& storages, size_t file_size)
      : storages_(storages), copy_budget_(2 * uint64_t{file_size}) {}

  Result<NamedTensor> Extract(const std::string& name, const PickleValue& tensor);

 private:
  Result<Bytes> Gather(const PickleValue& tensor, const Bytes& data, int64_t count, size_t width);

  const Storages& storages_;
  uint64_t copy_budget_;
};

Result<Bytes> Extractor::Gather(const PickleValue& tensor, const Bytes& data, int64_t count,
                                size_t width) {
  const uint64_t bytes = static_cast<uint64_t>(count) * width;
  if (bytes > copy_budget_) {
    return InvalidInput("strided tensors unpack to more than twice the file");
  }
  copy_budget_ -= bytes;
  std::vector<std::byte> out(bytes);
  std::vector<int64_t> index(tensor.size.size(), 0);
  int64_t at = 0;
  for (size_t done = 0; done < out.size(); done += width) {
    std::memcpy(out.data() + done, data.data() + static_cast<size_t>(at) * width, width);
    for (size_t axis = index.size(); axis-- > 0;) {
      at += tensor.stride[axis];
      if (++index[axis] < tensor.size[axis]) break;
      at -= tensor.stride[axis] * tensor.size[axis];
      index[axis] = 0;
    }
  }
  return Bytes::FromVector(std::move(out));
}

Result<NamedTensor> Extractor::Extract(const std::string& name, const PickleValue& tensor) {
  const PickleValue& storage = *tensor.items[0];
  const auto found = storages_.find(storage.text);
  if (found == storages_.end()) return InvalidInput("the storage '{}' is missing", storage.text);
  const auto width = static_cast<size_t>(BitWidth(tensor.dtype) / 8);
  const Bytes& bytes = found->second;
  int64_t count = 0;
  const auto reach = Reach(tensor, &count);
  const auto available = static_cast<int64_t>(bytes.size() / width);
  const int64_t limit = std::min(available, std::numeric_limits<int64_t>::max());
  if (!reach) return InvalidInput("the shape's size overflows");
  const bool fits = storage.offset <= limit && tensor.offset <= limit - storage.offset &&
                    (count == 0 || *reach < limit - storage.offset - tensor.offset);
  if (!fits) {
    return InvalidInput("the tensor reaches past its storage of {} elements", available)
        .Advise("the file may be truncated: fetch it again");
  }
  NamedTensor result{name, tensor.dtype, tensor.size, {}};
  const auto first = static_cast<size_t>(storage.offset + tensor.offset) * width;
  if (IsContiguous(tensor)) {
    result.data = bytes.Slice(first, static_cast<size_t>(count) * width);
    if (reinterpret_cast<uintptr_t>(result.data.data()) % width != 0) {
      result.data = result.data.AtAnyAddress();
    }
  } else {
    const Bytes data = bytes.Slice(first, bytes.size() - first);
    ANEMONE_ASSIGN(result.data, Gather(tensor, data, count, width));
  }
  return result;
}

Result<std::vector<NamedTensor>> Collect(const Pickle& pickle, const Storages& storages,
                                         size_t file_size, const TorchFileRules& rules) {
  ANEMONE_ASSIGN(const auto state, StateDict(*pickle.root, rules));
  Extractor extractor(storages, file_size);
  std::vector<NamedTensor> tensors;
  tensors.reserve(state.size());
  for (const auto& [name, value] : state) {
    ANEMONE_ASSIGN(NamedTensor tensor,
                   extractor.Extract(name, *value).At(fmt::format("tensor '{}'", name)));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Result<std::vector<NamedTensor>> ParseZipForm(const Bytes& file, const TorchFileRules& rules) {
  ANEMONE_ASSIGN(const std::vector<ZipEntry> entries, ReadZip(file));
  constexpr std::string_view kPickle = "/data.pkl";
  const auto pickle_entry =
      std::find_if(entries.begin(), entries.end(), [&](const ZipEntry& entry) {
        return entry.name.ends_with(kPickle) &&
               entry.name.find('/') == entry.name.size() - kPickle.size();
      });
  if (pickle_entry == entries.end()) {
    return InvalidInput("the zip archive has no data.pkl, so it is not a PyTorch file");
  }
  const std::string folder =
      pickle_entry->name.substr(0, pickle_entry->name.size() - kPickle.size() + 1);
  Storages storages;
  const std::string data = folder + "data/";
  for (const ZipEntry& entry : entries) {
    if (entry.name == folder + "constants.pkl") {
      return Unsupported("this is a TorchScript program, not weights")
          .Advise("save its state_dict: torch.save(model.state_dict(), FILE)");
    }
    if (entry.name == folder + "byteorder") {
      const std::string_view order(reinterpret_cast<const char*>(entry.data.data()),
                                   entry.data.size());
      if (order != "little") return Unsupported("the file's byte order is not little-endian");
    }
    if (entry.name.starts_with(data)) storages[entry.name.substr(data.size())] = entry.data;
  }
  ANEMONE_ASSIGN(const Pickle pickle, ReadPickle(pickle_entry->data).At("data.pkl"));
  return Collect(pickle, storages, file.size(), rules);
}

// The storages that the pickle names, with their dtypes: the legacy form has raw bytes only.
std::map<std::string, DType> StorageTypes(const Pickle& pickle) {
  std::map<std::string, DType> types;
  for (const PickleValue& value : pickle.arena) {
    if (value.kind == Kind::kStorage) types[value.text] = value.dtype;
  }
  return types;
}

// magic, protocol, system info, the object, the storages' keys: five pickles one after another;
// then each storage as its number of elements (int64) and its bytes.
Result<std::vector<NamedTensor>> ParseLegacyForm(const Bytes& file, const TorchFileRules& rules) {
  ANEMONE_ASSIGN(const Pickle protocol, ReadPickle(file, kLegacyMagic.size()));
  if (protocol.root->kind != Kind::kInt || protocol.root->integer != kLegacyProtocol) {
    return Unsupported("the legacy form has the protocol {}, but this tool reads {}",
                       protocol.root->integer, kLegacyProtocol);
  }
  ANEMONE_ASSIGN(const Pickle system, ReadPickle(file, protocol.end));
  const PickleValue* little =
      system.root->kind == Kind::kDict ? Lookup(*system.root, "little_endian") : nullptr;
  if (little == nullptr || little->kind != Kind::kBool || little->integer != 1) {
    return Unsupported("the file's byte order is not little-endian");
  }
  ANEMONE_ASSIGN(const Pickle object, ReadPickle(file, system.end));
  ANEMONE_ASSIGN(const Pickle keys, ReadPickle(file, object.end));
  if (keys.root->kind != Kind::kList) return InvalidInput("the list of storages is not a list");
  const auto types = StorageTypes(object);
  Storages storages;
  size_t at = keys.end;
  for (const PickleValue* key : keys.root->items) {
    const auto type = types.find(key->text);
    if (key->kind != Kind::kString || type == types.end()) {
      return InvalidInput("the storage '{}' is listed but not used", key->text);
    }
    if (file.size() - at < 8) return InvalidInput("the file ends before its storages do");
    uint64_t count = 0;
    std::memcpy(&count, file.data() + at, sizeof(count));  // little-endian, as this machine is
    at += 8;
    const auto width = static_cast<uint64_t>(BitWidth(type->second) / 8);
    if (count > (file.size() - at) / width) {
      return InvalidInput("the storage '{}' of {} elements extends past the end of the file",
                          key->text, count)
          .Advise("the file may be truncated: fetch it again");
    }
    storages[key->text] = file.Slice(at, count * width);
    at += count * width;
  }
  if (at != file.size())
    return InvalidInput("{} bytes at the end do not belong to a storage", file.size() - at);
  return Collect(object, storages, file.size(), rules);
}

}  // namespace

bool IsLegacyTorchFile(const Bytes& file) {
  return file.size() > kLegacyMagic.size() &&
         std::memcmp(file.data(), kLegacyMagic.data(), kLegacyMagic.size()) == 0;
}

Result<std::vector<NamedTensor>> ParseTorchFile(const Bytes& file, const TorchFileRules& rules) {
  if (IsLegacyTorchFile(file)) return ParseLegacyForm(file, rules);
  if (file.size() > 4 && std::memcmp(file.data(), "PK\x03\x04", 4) == 0)
    return ParseZipForm(file, rules);
  return InvalidInput("this is not a file of torch.save")
      .Advise(
          "files from before PyTorch 0.1.10 (a tar archive) and bare pickles are not read: save "
          "the state_dict again with torch.save");
}

}  // namespace anemone::acquire
