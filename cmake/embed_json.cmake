# embed_json(SOURCE FILE NAMESPACE NAME): SOURCE becomes a C++ file with the text of FILE, a JSON file
# of the tree, as anemone::NAMESPACE::NAME and its length NAMESize. Raw string literals are limited in
# length by some compilers, so it is cut into lines.
function(embed_json source file namespace name)
  set(path ${CMAKE_SOURCE_DIR}/${file})
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  file(READ ${path} text)
  string(REPLACE "\n" "\\n)json\"\nR\"json(" text "${text}")
  string(REPLACE "\\n)json\"" ")json\" \"\\n\"" text "${text}")
  set(output ${CMAKE_BINARY_DIR}/${name}.cc)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"// Made from @file@.
#include <cstddef>
namespace anemone::@namespace@ {
extern const char* const @name@;
extern const size_t @name@Size;
static constexpr char @name@Text[] = R\"json(@text@)json\";
const char* const @name@ = @name@Text;
const size_t @name@Size = sizeof(@name@Text) - 1;
}  // namespace anemone::@namespace@
")
  set(${source} ${output} PARENT_SCOPE)
endfunction()
