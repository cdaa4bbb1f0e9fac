// The flags of commands that may fetch, and their progress display.
#include <cmath>

#include "cli/command.h"

namespace anemone::cli {
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

void AddFetchNetworkFlags(Command command, FetchNetworkFlags& flags) {
  command.AddOption("--cache-dir", flags.cache_dir,
                    "where downloads are kept; ANEMONE_CACHE_DIR or ~/.cache/anemone by default");
  command.AddOption("--lock-file", flags.lock_file,
                    "digests recorded at first use; ANEMONE_LOCK_FILE by default");
  command.AddFlag("--offline", flags.offline, "use the cache only, open no connection");
  command.AddOption("--mirror", flags.mirror, "use MIRROR/host/path instead (ANEMONE_MIRROR)");
  command.AddOption("--ca-bundle", flags.ca_bundle,
                    "certificates to trust instead of the system's (ANEMONE_CA_BUNDLE)");
  command.AddOption("--connections", flags.connections, "most connections at once")
      .Range(1, 16)
      .ShowDefault();
  command.AddOption("--retries", flags.retries, "consecutive failures before giving up")
      .Range(0, 100)
      .ShowDefault();
  command
      .AddOption("--stall-timeout", flags.stall_seconds,
                 "seconds below 1 kB/s after which a connection counts as dead")
      .Range(1, 3600)
      .ShowDefault();
  command.AddOption("--max-wait", flags.max_wait_seconds, "the longest Retry-After to wait for")
      .Range(0, 86400)
      .ShowDefault();
  command.AddOption("--max-size", flags.max_bytes, "refuse more bytes than this (K, M and G: 1024)")
      .ByteSize();
}

Result<acquire::FetchOptions> MakeFetchOptions(const FetchNetworkFlags& flags,
                                               const Globals& globals, Progress& progress,
                                               const std::string& label) {
  acquire::FetchOptions options = acquire::FetchOptions::FromEnvironment();
  options.cache_root = flags.cache_dir;
  options.lock_file = flags.lock_file;
  acquire::NetworkOptions& network = options.network;
  network.offline = network.offline || flags.offline;
  if (!flags.mirror.empty()) network.mirror = flags.mirror;
  if (!flags.ca_bundle.empty()) network.ca_file = flags.ca_bundle;
  network.connections = flags.connections;
  network.retries = flags.retries;
  network.stall_seconds = flags.stall_seconds;
  network.max_wait_seconds = flags.max_wait_seconds;
  if (flags.max_bytes > 0) {
    network.max_bytes = static_cast<int64_t>(flags.max_bytes);
    network.max_bytes_unannounced = network.max_bytes;
  }
  network.progress = [&progress, label,
                      quiet = globals.quiet](const acquire::DownloadProgress& state) {
    if (!quiet) progress.Step(label + ": " + Describe(state));
    return true;
  };
  return options;
}

}  // namespace anemone::cli
