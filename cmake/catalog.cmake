# models/catalog.json as a string in the library: catalog_source is the file that holds it. Raw
# string literals are limited in length by some compilers, so it is cut into lines.
set(catalog_json ${CMAKE_SOURCE_DIR}/models/catalog.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${catalog_json})
file(READ ${catalog_json} catalog_text)
string(REPLACE "\n" "\\n)json\"\nR\"json(" catalog_text "${catalog_text}")
string(REPLACE "\\n)json\"" ")json\" \"\\n\"" catalog_text "${catalog_text}")
set(catalog_source ${CMAKE_BINARY_DIR}/catalog_json.cc)
file(CONFIGURE OUTPUT ${catalog_source} @ONLY CONTENT
"// Made from models/catalog.json.
#include <cstddef>
namespace anemone::acquire {
extern const char* const kCatalogJson;
extern const size_t kCatalogJsonSize;
static constexpr char kText[] = R\"json(@catalog_text@)json\";
const char* const kCatalogJson = kText;
const size_t kCatalogJsonSize = sizeof(kText) - 1;
}  // namespace anemone::acquire
")
