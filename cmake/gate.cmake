# gates/gate-c.json as a string in the library, as cmake/catalog.cmake does it: gate_source is the
# file that holds it.
set(gate_json ${CMAKE_SOURCE_DIR}/gates/gate-c.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${gate_json})
file(READ ${gate_json} gate_text)
set(gate_source ${CMAKE_BINARY_DIR}/gate_c_json.cc)
file(CONFIGURE OUTPUT ${gate_source} @ONLY CONTENT
"// Made from gates/gate-c.json.
#include <cstddef>
namespace anemone::gate {
extern const char* const kGateCJson;
extern const size_t kGateCJsonSize;
static constexpr char kText[] = R\"json(@gate_text@)json\";
const char* const kGateCJson = kText;
const size_t kGateCJsonSize = sizeof(kText) - 1;
}  // namespace anemone::gate
")
