#include "facade/structure.h"

#include "base/json.h"

namespace anemone::facade {
namespace {

Json BlockJson(const ir::Block& block);

Json OperationJson(const ir::Operation& operation) {
  Json json{{"type", operation.type()}};
  json["arguments"] = Json::Object();
  for (const ir::Argument& argument : operation.arguments()) {
    Json names = Json::Array();
    for (const ir::Value* value : argument.values) names.push_back(value->name);
    json["arguments"][argument.name] = std::move(names);
  }
  json["outputs"] = Json::Array();
  for (const auto& output : operation.outputs()) json["outputs"].push_back(output->name);
  json["blocks"] = Json::Array();
  for (const auto& block : operation.blocks()) json["blocks"].push_back(BlockJson(*block));
  return json;
}

Json BlockJson(const ir::Block& block) {
  Json json;
  json["inputs"] = Json::Array();
  for (const auto& input : block.inputs()) json["inputs"].push_back(input->name);
  json["operations"] = Json::Array();
  for (const auto& operation : block.operations()) {
    json["operations"].push_back(OperationJson(*operation));
  }
  json["outputs"] = Json::Array();
  for (const ir::Value* output : block.outputs()) json["outputs"].push_back(output->name);
  return json;
}

}  // namespace

std::string StructureJson(const ir::Program& program) {
  Json json;
  json["functions"] = Json::Object();
  for (const auto& function : program.functions) {
    json["functions"][function->name] = BlockJson(*function->block);
  }
  return json.Dump();
}

}  // namespace anemone::facade
