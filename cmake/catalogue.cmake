# models/catalog.json as a string in the library: catalogue_source is the file that holds it. Raw
# string literals are limited in length by some compilers, so it is cut into lines.
set(catalogue_json ${CMAKE_SOURCE_DIR}/models/catalog.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${catalogue_json})
file(READ ${catalogue_json} catalogue_text)
string(REPLACE "\n" "\\n)json\"\nR\"json(" catalogue_text "${catalogue_text}")
string(REPLACE "\\n)json\"" ")json\" \"\\n\"" catalogue_text "${catalogue_text}")
set(catalogue_source ${CMAKE_BINARY_DIR}/catalogue_json.cc)
file(CONFIGURE OUTPUT ${catalogue_source} @ONLY CONTENT
"// Made from models/catalog.json.
#include <cstddef>
namespace anemone::acquire {
extern const char* const kCatalogueJson;
extern const size_t kCatalogueJsonSize;
static constexpr char kText[] = R\"json(@catalogue_text@)json\";
const char* const kCatalogueJson = kText;
const size_t kCatalogueJsonSize = sizeof(kText) - 1;
}  // namespace anemone::acquire
")
