#include "facade/downloads.h"

#include <cmath>

#include "facade/tool_options.h"
#include "options/option.h"

namespace anemone::facade {
namespace {

std::string Duration(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string Describe(const acquire::DownloadProgress& progress) {
  if (!progress.note.empty()) return progress.note;
  const double done = static_cast<double>(progress.done_bytes) * 1e-6;
  std::string text = fmt::format("{:.1f} MB", done);
  if (progress.total_bytes) {
    text =
        fmt::format("{:.1f} of {:.1f} MB", done, static_cast<double>(*progress.total_bytes) * 1e-6);
  }
  text += fmt::format(", {:.1f} MB/s", progress.bytes_per_second * 1e-6);
  if (progress.seconds_left) text += ", " + Duration(*progress.seconds_left) + " left";
  if (progress.connections > 1) text += fmt::format(", {} connections", progress.connections);
  return text;
}

}  // namespace

Result<acquire::FetchOptions> ToFetchOptions(const DownloadOptions& options, const Hooks& hooks,
                                             const std::string& label) {
  ANEMONE_TRY(options::Check(options));
  acquire::FetchOptions fetch = acquire::FetchOptions::FromEnvironment();
  fetch.cache_root = options.cache_dir;
  fetch.lock_file = options.lock_file;
  acquire::NetworkOptions& network = fetch.network;
  network.offline = network.offline || options.offline;
  if (!options.mirror.empty()) network.mirror = options.mirror;
  if (!options.ca_bundle.empty()) network.ca_file = options.ca_bundle;
  network.connections = options.connections;
  network.retries = options.retries;
  network.stall_seconds = options.stall_timeout;
  network.max_wait_seconds = options.max_wait;
  if (options.max_size > 0) {
    constexpr uint64_t kMost = INT64_MAX;
    network.max_bytes = static_cast<int64_t>(std::min(options.max_size, kMost));
    network.max_bytes_unannounced = network.max_bytes;
  }
  network.progress = [&hooks, label](const acquire::DownloadProgress& state) {
    Tell(hooks, label + ": " + Describe(state));
    return CheckCancelled(hooks).ok();
  };
  return fetch;
}

}  // namespace anemone::facade
