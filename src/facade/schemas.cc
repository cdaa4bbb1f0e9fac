// The JSON Schemas of the documents that people write.
#include "anemone/tools.h"
#include "compress/configuration_schema.h"
#include "facade/document.h"
#include "gate/policy_schema.h"
#include "options/json_schema.h"

namespace anemone {

std::string SchemasJson() {
  return facade::DocumentText({{"compression", compress::ConfigurationSchema()},
                               {"gate_policy", gate::PolicySchema()},
                               {"options", options::OptionsSchema()}});
}

}  // namespace anemone
