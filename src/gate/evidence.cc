#include "gate/evidence.h"

#include <algorithm>
#include <fstream>

#include "runtime/run_record_io.h"

namespace anemone::gate {
namespace {

using runtime::RunMachine;

bool SameDevice(const RunMachine& a, const RunMachine& b) {
  return a.os == b.os && a.os_build == b.os_build && a.chip == b.chip &&
         a.hardware_model == b.hardware_model && a.architecture == b.architecture;
}

bool IsOn(const RecordFile& file, const std::string& backend, const std::string& units) {
  const runtime::RunHeader& header = file.record.header;
  return header.backend == backend &&
         (backend == "cpu" || units.empty() || header.compute_units == units);
}

}  // namespace

std::string Device::label() const {
  std::string label = machine.chip.value_or(machine.architecture);
  // "Debian GNU/Linux 12 (bookworm)" identifies the system.
  const bool named = machine.os == "linux" && machine.os_version;
  label += ", " + (named ? *machine.os_version : machine.os);
  if (machine.os_version && !named) label += " " + *machine.os_version;
  if (machine.os_build) label += " (" + *machine.os_build + ")";
  return label;
}

Result<RecordFile> ReadRecordFile(const std::string& path) {
  RecordFile file;
  file.path = path;
  auto record = runtime::ReadRunRecord(path);
  if (record.ok()) {
    file.record = std::move(*record);
    return file;
  }
  if (record.error().code() != ErrorCode::kInvalidInput) return std::move(record).error();
  // A readable header makes it a run record; errors in the rest are findings.
  std::ifstream stream(path, std::ios::binary);
  std::string line;
  if (!std::getline(stream, line) || stream.eof()) return std::move(record).error();
  auto header = runtime::ParseRunRecord(line + "\n", path);
  if (!header.ok()) return std::move(record).error();
  file.record = std::move(*header);
  // Evidence is told in one line, which a list of problems is not.
  file.broken = record.error().ToString();
  std::ranges::replace(file.broken, '\n', ' ');
  return file;
}

Sides SidesOf(const Policy& policy, const Evidence& evidence) {
  Sides sides;
  if (!policy.devices.empty() && evidence.device) {
    const std::string chip = evidence.device->machine.chip.value_or("");
    const bool named = std::any_of(policy.devices.begin(), policy.devices.end(),
                                   [&](const std::string& name) { return chip.starts_with(name); });
    if (!named) {
      sides.absent = fmt::format("the policy is not about '{}'", chip);
      return sides;
    }
  }
  for (const RecordFile& file : evidence.records) {
    if (!file.broken.empty()) continue;
    if (IsOn(file, policy.subject_backend, policy.subject_units) && sides.subject == nullptr) {
      sides.subject = &file;
    }
  }
  for (const RecordFile& file : evidence.records) {
    if (!file.broken.empty() || policy.baseline_backend.empty()) continue;
    if (&file == sides.subject || !IsOn(file, policy.baseline_backend, "")) continue;
    // Prefers the one of the same run when there are several.
    const bool same_run = sides.subject != nullptr && file.record.header.time_unix_ns ==
                                                          sides.subject->record.header.time_unix_ns;
    if (sides.baseline == nullptr || same_run) sides.baseline = &file;
  }
  if (sides.subject != nullptr) return sides;
  sides.absent = evidence.unavailable;
  if (!sides.absent.empty()) return sides;
  sides.absent = fmt::format("no record of '{}' with units '{}'", policy.subject_backend,
                             policy.subject_units);
  for (const RecordFile& file : evidence.records) {
    if (file.record.header.backend == policy.subject_backend && file.broken.empty()) {
      sides.absent += fmt::format(" ({} is of '{}')", file.path, file.record.header.compute_units);
    }
  }
  return sides;
}

std::vector<Evidence> GroupRecords(std::vector<RecordFile> records) {
  std::vector<Evidence> groups;
  for (RecordFile& file : records) {
    const runtime::RunHeader& header = file.record.header;
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const Evidence& group) {
      return group.model_hash == header.model_hash &&
             SameDevice(group.device->machine, header.machine);
    });
    Evidence& group = found == groups.end() ? groups.emplace_back() : *found;
    if (!group.device) {
      group.model = header.model;
      group.model_hash = header.model_hash;
      group.device = Device{header.machine};
    }
    for (const runtime::RunParity& parity : file.record.parity) {
      if (group.precision.empty()) group.precision = parity.precision;
      // Compared with the executor, it is the backend's parity; compared with a model, the model's.
      // Both records of a run hold it.
      if (parity.reference != "cpu" &&
          std::find(group.parity.begin(), group.parity.end(), parity) == group.parity.end()) {
        group.parity.push_back(parity);
      }
    }
    group.records.push_back(std::move(file));
  }
  return groups;
}

}  // namespace anemone::gate
