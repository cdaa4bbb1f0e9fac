#include "runtime/breaker_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/sha256.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSchema = "anemone.breaker";
constexpr int kSchemaVersion = 1;
constexpr uintmax_t kMaxStoreBytes = 64 << 10;

Json ToJson(const BreakerKey& key, const std::string& os_build, const BreakerImage& image) {
  Json json;
  json["schema"] = kSchema;
  json["schema_version"] = kSchemaVersion;
  json["model_hash"] = key.model_hash;
  json["backend"] = key.backend;
  json["compute_units"] = key.units;
  json["os_build"] = os_build;
  json["state"] = CircuitStateName(image.state);
  json["consecutive_failures"] = image.consecutive_failures;
  json["consecutive_opens"] = image.consecutive_opens;
  json["opened_unix_ns"] = image.opened_unix_ns;
  json["wait_ns"] = image.wait_ns;
  return json;
}

struct Saved {
  std::string os_build;
  BreakerImage image;
};

// The state of `key` in `text`, or the rule that `text` breaks.
Result<Saved> FromJson(const std::string& text, const BreakerKey& key) {
  const Json json = ParseJsonOrNull(text);
  if (!json.is_object()) return InvalidInput("it is not a JSON object");
  if (json["schema"] != kSchema || json["schema_version"] != kSchemaVersion) {
    return InvalidInput("it is not of schema {} version {}", kSchema, kSchemaVersion);
  }
  if (json["model_hash"] != key.model_hash || json["backend"] != key.backend ||
      json["compute_units"] != key.units) {
    return InvalidInput("it belongs to another model, backend or units");
  }
  Saved saved;
  const Json& os_build = json["os_build"];
  const Json& state = json["state"];
  if (!os_build.is_text() || !state.is_text()) return InvalidInput("os_build or state is missing");
  saved.os_build = os_build.text();
  const auto parsed = CircuitStateFromName(state.text());
  if (!parsed) return InvalidInput("its state is unknown");
  saved.image.state = *parsed;
  for (const auto& [name, member] :
       {std::pair{"consecutive_failures", &BreakerImage::consecutive_failures},
        std::pair{"consecutive_opens", &BreakerImage::consecutive_opens},
        std::pair{"opened_unix_ns", &BreakerImage::opened_unix_ns},
        std::pair{"wait_ns", &BreakerImage::wait_ns}}) {
    const Json& value = json[name];
    if (!value.is_integer() || (value.is_unsigned() && value.unsigned_integer() > INT64_MAX) ||
        value.integer() < 0) {
      return InvalidInput("'{}' is not a number of at least 0", name);
    }
    saved.image.*member = value.integer();
  }
  return saved;
}

Status MakeFolder(const std::string& dir) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(dir);
  return {};
}

}  // namespace

Event CircuitEvent(const BreakerKey& key, const BreakerEvent& event) {
  Event out;
  out.type = EventType::kCircuit;
  out.time_unix_ns = event.time_unix_ns;
  out.model = key.model_hash;
  out.backend = key.backend;
  out.units = key.units;
  out.from = event.from;
  out.to = event.to;
  out.failure = event.failure;
  out.wait_ns = event.wait_ns;
  out.text = TransitionReasonName(event.reason);
  return out;
}

BreakerStore::BreakerStore(std::string dir, std::string os_build)
    : dir_(std::move(dir)), os_build_(std::move(os_build)) {}

std::string BreakerStore::PathOf(const BreakerKey& key) const {
  Sha256 hash;
  for (const std::string* part : {&key.model_hash, &key.backend, &key.units}) {
    hash.Update(*part);
    hash.Update(std::string_view("\0", 1));
  }
  return (fs::path(dir_) / (ToHex(hash.Finish()).substr(0, 32) + ".json")).string();
}

// Marks are PATH.mark-PID-N, held locked while the process lives; the system unlocks them
// when it dies.
int64_t BreakerStore::CollectDeaths(const BreakerKey& key) const {
  const std::string prefix = fs::path(PathOf(key)).filename().string() + ".mark-";
  std::error_code error;
  fs::directory_iterator walk(dir_, error);
  std::vector<std::string> marks;
  for (; !error && walk != fs::directory_iterator(); walk.increment(error)) {
    if (walk->path().filename().string().starts_with(prefix))
      marks.push_back(walk->path().string());
  }
  int64_t deaths = 0;
  for (const std::string& mark : marks) {
    const int fd = ::open(mark.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) continue;
    // If two processes look at once, only the one that removes it counts it.
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::unlink(mark.c_str()) == 0) ++deaths;
    ::close(fd);
  }
  return deaths;
}

BreakerStore::Loaded BreakerStore::Load(const BreakerKey& key) const {
  const std::string path = PathOf(key);
  Loaded loaded;
  std::ifstream stream(path, std::ios::binary);
  if (stream) {
    std::error_code error;
    const uintmax_t size = fs::file_size(path, error);
    auto saved = error || size > kMaxStoreBytes
                     ? Result<Saved>(InvalidInput("it is too large"))
                     : FromJson({std::istreambuf_iterator<char>(stream), {}}, key);
    if (!saved.ok()) {
      loaded.note = fmt::format("{}: started fresh, because {}", path, saved.error().message());
    } else if (saved->os_build != os_build_) {
      loaded.note = fmt::format("{}: learned on OS build {}, but this is {}: probing again", path,
                                saved->os_build, os_build_);
      // A backend that never failed needs no probes.
      const bool healthy = saved->image.state == CircuitState::kClosed;
      if (!healthy) loaded.image.emplace().state = CircuitState::kHalfOpen;
    } else {
      loaded.image = saved->image;
    }
  }
  loaded.deaths = CollectDeaths(key);
  if (loaded.deaths > 0) {
    if (!loaded.image) loaded.image.emplace();
    loaded.image->consecutive_failures += loaded.deaths;
    loaded.note += fmt::format("{}{}: {} earlier process{} died in a load or an inference",
                               loaded.note.empty() ? "" : "; ", path, loaded.deaths,
                               loaded.deaths == 1 ? "" : "es");
  }
  return loaded;
}

Status BreakerStore::Save(const BreakerKey& key, const BreakerImage& image) const {
  ANEMONE_TRY(MakeFolder(dir_));
  return WriteAtomically(PathOf(key), ToJson(key, os_build_, image).Dump({.indent = 2}) + "\n");
}

Result<BreakerStore::Attempt> BreakerStore::Begin(const BreakerKey& key,
                                                  std::string_view what) const {
  static std::atomic<uint64_t> counter{0};
  ANEMONE_TRY(MakeFolder(dir_));
  const std::string suffix = fmt::format("{}-{}", ::getpid(), counter.fetch_add(1));
  const std::string path = fmt::format("{}.mark-{}", PathOf(key), suffix);
  // Locked before it gets the name that others look for: an unlocked mark counts as a death.
  const std::string unlocked = fmt::format("{}.new-{}", PathOf(key), suffix);
  const auto failed = [&path](std::string_view doing) {
    return IoError("cannot {} the mark: {}", doing, std::generic_category().message(errno))
        .At(path);
  };
  const int fd = ::open(unlocked.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return failed("make");
  const bool noted = ::write(fd, what.data(), what.size()) == static_cast<ssize_t>(what.size());
  if (!noted || ::flock(fd, LOCK_EX | LOCK_NB) != 0 ||
      ::rename(unlocked.c_str(), path.c_str()) != 0) {
    Error error = failed("set");
    ::unlink(unlocked.c_str());
    ::close(fd);
    return error;
  }
  return Attempt(path, fd);
}

void BreakerStore::Attempt::End() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());
  ::close(fd_);
  fd_ = -1;
}

Status BreakerStore::Clear(const BreakerKey& key) const {
  (void)CollectDeaths(key);
  std::error_code error;
  fs::remove(PathOf(key), error);
  if (error) return IoError("cannot remove: {}", error.message()).At(PathOf(key));
  return {};
}

// --- The registry

struct BreakerRegistry::Entries {
  std::map<BreakerKey, std::shared_ptr<CircuitBreaker>> breakers;
};

BreakerRegistry::BreakerRegistry(
    const BreakerConfig& config, std::shared_ptr<const BreakerStore> store,
    std::function<void(const BreakerKey&, const BreakerEvent&)> on_transition,
    std::function<void(const BreakerKey&, const std::string&)> on_note, const Clock* clock)
    : config_(config),
      store_(std::move(store)),
      on_transition_(std::move(on_transition)),
      on_note_(std::move(on_note)),
      clock_(clock),
      entries_(std::make_unique<Entries>()) {}

BreakerRegistry::~BreakerRegistry() = default;

std::shared_ptr<CircuitBreaker> BreakerRegistry::Get(const BreakerKey& key) {
  const std::lock_guard lock(mutex_);
  auto& breaker = entries_->breakers[key];
  if (breaker) return breaker;
  BreakerOptions options;
  options.clock = clock_;
  // Copies, not `this`: a breaker that someone still holds may outlive the registry.
  if (on_transition_) {
    options.on_transition = [key, tell = on_transition_](const BreakerEvent& event) {
      tell(key, event);
    };
  }
  if (store_) {
    BreakerStore::Loaded loaded = store_->Load(key);
    options.restored = loaded.image;
    if (!loaded.note.empty() && on_note_) on_note_(key, loaded.note);
    options.on_image = [key, store = store_, note = on_note_](const BreakerImage& image) {
      const Status saved = store->Save(key, image);
      if (!saved.ok() && note) note(key, saved.error().ToString());
    };
    // The marks of the deaths are gone from the disk; their count must survive if
    // this process dies.
    if (loaded.deaths > 0) options.on_image(*loaded.image);
  }
  breaker = std::make_shared<CircuitBreaker>(config_, std::move(options));
  return breaker;
}

void BreakerRegistry::ForEach(
    const std::function<void(const BreakerKey&, CircuitBreaker&)>& visit) {
  std::vector<std::pair<BreakerKey, std::shared_ptr<CircuitBreaker>>> all;
  {
    const std::lock_guard lock(mutex_);
    all.assign(entries_->breakers.begin(), entries_->breakers.end());
  }
  for (const auto& [key, breaker] : all) visit(key, *breaker);
}

}  // namespace anemone::runtime
