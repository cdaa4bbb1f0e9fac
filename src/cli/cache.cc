// anemone cache: what is kept between processes, where, how large; and how to be rid of it.
#include <filesystem>
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

using facade::SizeText;

// "12.3 MB" alone, for a column.
std::string ShortSize(int64_t bytes) {
  const std::string size = SizeText(bytes);
  return size.substr(0, size.find(" ("));
}

void PrintCacheRows(const CacheListResult& cache) {
  for (const auto& model : cache.compiled) {
    std::cout << fmt::format("{:<24} {:>12}  {:<12} {:<12} {}{}\n", model.name,
                             ShortSize(model.size_bytes), model.compute_units, model.os_build,
                             model.content_sha256.substr(0, 12), model.in_use ? "  in use" : "");
  }
  for (const auto& verdict : cache.first_loads) {
    const std::string key = std::filesystem::path(verdict.path).stem().string();
    std::cout << fmt::format("first load {}: {}\n", key.substr(0, 12), verdict.text);
  }
  for (const auto& file : cache.downloads) {
    std::cout << fmt::format("{:<24} {:>12}  {}  {}\n", file.name.empty() ? "-" : file.name,
                             ShortSize(file.size_bytes), file.sha256.substr(0, 12), file.url);
  }
}

Status List(const CacheListOptions& options, const Globals& globals) {
  ANEMONE_ASSIGN(const CacheListResult cache, facade::RunCacheList(options));
  if (globals.json) {
    Print(cache.json);
    return {};
  }
  PrintCacheRows(cache);
  Say(globals,
      fmt::format("{} downloads, {}{}", cache.downloads.size(), SizeText(cache.downloaded_bytes),
                  cache.partial_bytes > 0
                      ? ", and " + SizeText(cache.partial_bytes) + " of unfinished ones"
                      : ""));
  Say(globals,
      fmt::format("{} compiled models, {}, {} verdicts on first loads in {}", cache.compiled.size(),
                  SizeText(cache.compiled_bytes), cache.first_loads.size(), cache.root));
  return {};
}

Status Clear(const CacheClearOptions& options, const Globals& globals) {
  ANEMONE_ASSIGN(const CacheClearResult cleared, facade::RunCacheClear(options));
  if (globals.json) Print(cleared.json);
  if (!options.name.empty()) {
    Say(globals, fmt::format("freed {} of downloads in {}", SizeText(cleared.downloads_freed_bytes),
                             cleared.root));
    return {};
  }
  if (globals.json) return {};
  Say(globals,
      fmt::format("freed {} in {}{}", SizeText(cleared.freed_bytes + cleared.downloads_freed_bytes),
                  cleared.root,
                  cleared.left_in_use > 0
                      ? fmt::format("; {} models are in use and stay", cleared.left_in_use)
                      : ""));
  return {};
}

}  // namespace

void AddCache(Command app, Context& context) {
  Command command = app.AddCommand("cache", "what is kept between runs, where, how large");
  command.RequireCommand();
  const auto add = [&]<typename Options>(const char* name, const char* what,
                                         Status (*body)(const Options&, const Globals&)) {
    Command sub = command.AddCommand(name, what);
    auto options = std::make_shared<Options>();
    AddOptions(sub, options::TableOf(*options));
    sub.Footer(fmt::format("Example: anemone cache {} --json", name));
    OnRun(sub, context, [options, body, &context] { return body(*options, context.globals); });
  };
  add("ls", "downloads, compiled models and verdicts on first loads", &List);
  add("clear", "delete what is not in use", &Clear);
}

}  // namespace anemone::cli
