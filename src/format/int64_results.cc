#include "format/int64_results.h"

#include <string_view>
#include <unordered_set>

namespace anemone::format {

void WriteInt64Results(const ir::Program& program, std::map<std::string, std::string>* metadata) {
  std::string names;
  for (const auto& function : program.functions) {
    ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
      if (!operation.has_int64_results()) return;
      if (!names.empty()) names += ',';
      names += operation.output()->name;
    });
  }
  if (names.empty()) {
    metadata->erase(kInt64ResultsKey);
  } else {
    metadata->insert_or_assign(kInt64ResultsKey, std::move(names));
  }
}

void ReadInt64Results(std::map<std::string, std::string>* metadata, ir::Program* program) {
  const auto found = metadata->find(kInt64ResultsKey);
  if (found == metadata->end()) return;
  const std::string text = std::move(found->second);
  metadata->erase(found);
  std::unordered_set<std::string_view> names;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = rest.find(',');
    names.insert(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  for (const auto& function : program->functions) {
    ir::ForEachOperation(*function->block, [&](ir::Operation& operation) {
      if (!operation.outputs().empty() && names.contains(operation.output()->name)) {
        operation.MarkInt64Results();
      }
    });
  }
}

}  // namespace anemone::format
