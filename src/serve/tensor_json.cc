#include "serve/tensor_json.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "base/json_events.h"
#include "ir/literal.h"

namespace anemone::serve {
namespace {

// Values beside the tensors, and nesting of any kind. A request of the protocol has some dozens.
constexpr size_t kMaxValues = 10'000;
constexpr size_t kMaxDepth = 32;

// One list of numbers while it is read. The first of each depth says how long the others must be.
class ListReader {
 public:
  std::string_view Begin() {
    const bool at_numbers = closed_once_ ? depth_ == list_.shape.size() : !list_.values.empty();
    if (at_numbers) return "its lists are nested unevenly";
    if (depth_ == kMaxDepth) return "its lists are nested too deep";
    if (depth_ > 0) ++counts_[depth_ - 1];
    ++depth_;
    if (counts_.size() < depth_) counts_.push_back(0);
    counts_[depth_ - 1] = 0;
    if (!closed_once_) list_.shape.assign(depth_, -1);
    return {};
  }

  std::string_view Number(double value) {
    if (depth_ != list_.shape.size()) return "its lists are nested unevenly";
    if (!std::isfinite(value)) return "it holds a number that a double cannot hold";
    ++counts_[depth_ - 1];
    list_.values.push_back(value);
    return {};
  }

  std::string_view End() {
    closed_once_ = true;
    int64_t& length = list_.shape[depth_ - 1];
    const int64_t counted = counts_[depth_ - 1];
    if (length < 0) length = counted;
    if (length != counted) return "its lists have different lengths";
    --depth_;
    return {};
  }

  bool ended() const { return depth_ == 0; }
  NumberList Take() { return std::move(list_); }

 private:
  NumberList list_;
  std::vector<int64_t> counts_;
  size_t depth_ = 0;
  bool closed_once_ = false;  // the depth of the numbers is known
};

class Reader final : public JsonEvents {
 public:
  explicit Reader(const IsTensor& is_tensor) : is_tensor_(is_tensor) {}

  bool Null() override { return Add(Json()); }
  bool Boolean(bool value) override { return Scalar(value ? 1 : 0, Json(value)); }
  bool Negative(int64_t value) override { return Scalar(static_cast<double>(value), Json(value)); }
  bool Unsigned(uint64_t value) override { return Scalar(static_cast<double>(value), Json(value)); }
  bool Real(double value, std::string_view /*text*/) override { return Scalar(value, Json(value)); }
  bool Text(std::string value) override { return Add(Json(std::move(value))); }
  bool BeginObject() override { return Begin(Json::Object()); }
  bool EndObject() override { return End(); }
  bool Key(std::string key) override {
    if (open_.back().Find(key) != nullptr) return Refuse("'" + key + "' stands there twice");
    path_.back() = std::move(key);
    return true;
  }

  bool BeginArray() override {
    if (!list_ && is_tensor_(path_)) list_.emplace();
    if (!list_) return Begin(Json::Array());
    return Heed(list_->Begin());
  }

  bool EndArray() override {
    if (!list_) return End();
    if (!Heed(list_->End())) return false;
    if (!list_->ended()) return true;
    NumberList done = list_->Take();
    list_.reset();
    return Place(std::move(done));
  }

  void NotJson(size_t /*position*/, std::string_view problem) override {
    problem_ = InvalidInput("{}", problem);
  }

  Result<TensorDocument> Take() {
    if (problem_) return *problem_;
    return TensorDocument{std::move(root_), std::move(lists_)};
  }

 private:
  bool Refuse(const std::string& why) {
    std::string place;
    for (const std::string& name : path_) {
      if (!name.empty()) place += (place.empty() ? "" : ".") + name;
    }
    problem_ = Usage("{}", why).At(place.empty() ? "the document" : place);
    return false;
  }
  bool Heed(std::string_view problem) { return problem.empty() || Refuse(std::string(problem)); }
  // An element of a list, a tensor of rank 0, or an ordinary value.
  bool Scalar(double number, Json value) {
    if (list_) return Heed(list_->Number(number));
    return is_tensor_(path_) ? Place({{number}, {}}) : Put(std::move(value));
  }
  bool Place(NumberList list) {
    lists_.push_back(std::move(list));
    return Put(Json(lists_.size() - 1));
  }
  bool Add(Json value) { return MayStandHere() && Put(std::move(value)); }
  bool MayStandHere() {
    return !(list_ || is_tensor_(path_)) || Refuse("a tensor holds numbers and booleans only");
  }

  bool Put(Json value) {
    if (++values_ > kMaxValues) return Refuse("it holds too many values beside its tensors");
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().push_back(std::move(value));
    } else {
      open_.back()[path_.back()] = std::move(value);
    }
    return true;
  }

  bool Begin(Json empty) {
    if (!MayStandHere()) return false;
    if (open_.size() == kMaxDepth) return Refuse("it is nested too deep");
    open_.push_back(std::move(empty));
    path_.emplace_back();
    return true;
  }

  bool End() {
    Json done = std::move(open_.back());
    open_.pop_back();
    path_.pop_back();
    return Put(std::move(done));
  }

  const IsTensor& is_tensor_;
  std::vector<Json> open_;         // containers, outermost first
  std::vector<std::string> path_;  // for each, the name of the member that is read
  Json root_;
  std::vector<NumberList> lists_;
  std::optional<ListReader> list_;
  std::optional<Error> problem_;
  size_t values_ = 0;
};

}  // namespace

Result<TensorDocument> ReadTensorDocument(std::string_view text, const IsTensor& is_tensor) {
  Reader reader(is_tensor);
  (void)ReadJsonEvents(text, reader);
  return reader.Take();
}

Status AppendValues(const exec::Tensor& tensor, std::string& json) {
  json += '[';
  const int64_t count = tensor.count();
  if (tensor.dtype() == DType::kFp32) {
    const float* values = tensor.As<float>();
    for (int64_t i = 0; i < count; ++i) {
      if (!std::isfinite(values[i])) {
        return Unsupported("it holds {} at {}, which JSON cannot express", values[i], i)
            .Advise("ask for the output in binary");
      }
      fmt::format_to(std::back_inserter(json), "{}{}", i == 0 ? "" : ",", values[i]);
    }
  } else {
    const Bytes bytes(tensor.As<uint8_t>(), tensor.size_bytes(), nullptr);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t value = ir::IntElement(bytes, tensor.dtype(), i);
      if (tensor.dtype() == DType::kBool) {
        json += i == 0 ? "" : ",";
        json += value != 0 ? "true" : "false";
      } else {
        fmt::format_to(std::back_inserter(json), "{}{}", i == 0 ? "" : ",", value);
      }
    }
  }
  json += ']';
  return {};
}

}  // namespace anemone::serve
