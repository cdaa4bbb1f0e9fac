// anemone doctor: what this machine can do, and what stands in a model's way on Apple's.
#include <iostream>

#include "base/json.h"
#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

void PrintFloat16(const Json& float16) {
  if (float16.contains("skipped")) {
    std::cout << fmt::format("float16   not tried: {}\n", float16["skipped"].text());
    return;
  }
  std::cout << fmt::format(
      "float16   {} on {}\n",
      float16["passed"].boolean() ? "within the limits" : "NOT within the limits",
      float16["inputs"].text());
  if (float16["first_overflow"].is_text()) {
    std::cout << fmt::format("          first operator beyond 65504: '{}'\n",
                             float16["first_overflow"].text());
  }
  if (float16["first_not_a_number"].is_text()) {
    std::cout << fmt::format("          first operator that gives no number: '{}'\n",
                             float16["first_not_a_number"].text());
  }
  for (const Json& output : float16["outputs"]) {
    const auto figure = [&](const char* key) {
      return output[key].is_null() ? std::string("infinite")
                                   : fmt::format("{:.3g}", output[key].number());
    };
    std::cout << fmt::format("          {}: L-inf {} of range, RMSE {} of range\n",
                             output["output"].text(), figure("l_inf_relative"),
                             figure("rmse_relative"));
  }
  std::string names;
  for (const Json& name : float16["dominant"])
    names += (names.empty() ? "'" : ", '") + name.text() + "'";
  if (!names.empty()) std::cout << "          most of the error: " << names << "\n";
  for (const Json& name : float16["lost_by_range"]) {
    std::cout << fmt::format(
        "          '{}' gives nothing that float16 can hold, whatever the input\n", name.text());
  }
  std::string keep;
  for (const Json& pattern : float16["keep_float32"])
    keep += fmt::format(" --keep-float32 '{}'", pattern.text());
  if (const int64_t scaled = float16["rescaled_operators"].integer(); scaled > 0) {
    std::cout << fmt::format(
        "          convert scales the results of {} operators by powers of two{}\n", scaled,
        keep.empty() ? "" : ", and keeps in float32 what" + keep + " name");
  } else if (!keep.empty()) {
    std::cout << "          convert keeps in float32 by itself what these name:" << keep << "\n";
  } else if (!float16["passed"].boolean()) {
    std::cout << "          no list of operators to keep in float32 was found\n";
  } else {
    std::cout << "          nothing needs to stay in float32\n";
  }
}

std::string DoctorText(const Json& value) {
  if (value.is_null()) return "unknown";
  return value.is_text() ? value.text() : value.Dump();
}

void PrintDoctor(const Json& document) {
  const Json& machine = document["machine"];
  std::string simd;
  for (const Json& target : machine["simd"]) simd += " " + target.text();
  std::cout << fmt::format("machine   {} {}, {} cores, {}\n", DoctorText(machine["os"]),
                           DoctorText(machine["os_version"]), DoctorText(machine["cores"]),
                           DoctorText(machine["chip"]));
  std::cout << fmt::format("SIMD     {}\n", simd);
  for (const Json& backend : document["backends"]) {
    std::cout << fmt::format(
        "backend   {}: {}\n", DoctorText(backend["name"]),
        backend["available"].boolean() ? "available" : DoctorText(backend["reason"]));
  }
  const Json& caches = document["caches"];
  const auto size = [](const Json& bytes) {
    return bytes.is_null() ? std::string("unknown") : facade::SizeText(bytes.integer());
  };
  std::cout << fmt::format("caches    {}: downloads {}, compiled models {}\n",
                           DoctorText(caches["root"]), size(caches["downloads_bytes"]),
                           size(caches["compiled_bytes"]));
  for (const Json& failed : caches["failed_first_loads"]) {
    std::cout << fmt::format("          a first load failed: {} ({})\n",
                             DoctorText(failed["message"]), DoctorText(failed["path"]));
  }
  for (const auto& [name, value] : document["settings"].items()) {
    std::cout << fmt::format("setting   {}={}\n", name, DoctorText(value));
  }
  if (!document.contains("model")) return;
  PrintFloat16(document["model"]["float16"]);
  for (const Json& drift : document["model"]["known_drifts"]) {
    std::cout << fmt::format("drift     '{}': {} ({})\n            instead: {}\n",
                             DoctorText(drift["operator"]), DoctorText(drift["reason"]),
                             DoctorText(drift["source"]), DoctorText(drift["rewrite"]));
  }
  std::cout << fmt::format("placement of {}\n", DoctorText(document["model"]["placement_of"]));
  for (const Json& chip : document["model"]["chips"]) {
    std::cout << fmt::format(
        "{:<9} {:.1f} % of the operators could run on the Neural Engine, "
        "{:.1f} % would (estimated)\n",
        DoctorText(chip["chip"]), chip["ane_supported_pct"].number(),
        chip["ane_preferred_pct"].number());
    for (const Json& note : chip["notes"])
      std::cout << fmt::format("          note: {}\n", DoctorText(note));
    for (const Json& blocker : chip["blockers"]) {
      std::cout << fmt::format("          {} x {} ('{}', {})\n", DoctorText(blocker["operators"]),
                               DoctorText(blocker["reason"]), DoctorText(blocker["example"]),
                               DoctorText(blocker["confidence"]));
      if (!blocker["rewrite"].is_null()) {
        std::cout << fmt::format("            instead: {}\n", DoctorText(blocker["rewrite"]));
      }
    }
  }
}

Status RunDoctor(DoctorOptions options, const Globals& globals) {
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const DoctorResult result, facade::RunDoctor(options));
  if (globals.json) {
    Print(result.json);
    return {};
  }
  ANEMONE_ASSIGN(const Json document, ParseJson(result.json));
  PrintDoctor(document);
  return {};
}

}  // namespace

void AddDoctor(Command app, Context& context) {
  Command command = app.AddCommand(
      "doctor", "this machine; with MODEL: what stands in its way on Apple's, and what to do");
  auto options = std::make_shared<DoctorOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer("Example: anemone doctor model.mlpackage --chip m1,m4,a17pro");
  OnRun(command, context, [options, &context] { return RunDoctor(*options, context.globals); });
}

}  // namespace anemone::cli
