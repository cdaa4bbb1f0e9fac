# The command and the Python extension for other Linux systems than this one: -DANEMONE_PORTABLE=FOLDER with the static
# libraries and the older C library of tools/portable/libraries.py, and -DANEMONE_PREBUILT=FOLDER, a build folder whose
# compiled code is linked again: nothing of the library is compiled. What comes out needs glibc and nothing else.
if(NOT ANEMONE_PREBUILT OR NOT EXISTS ${ANEMONE_PREBUILT}/libanemone_core.a)
  message(FATAL_ERROR "-DANEMONE_PORTABLE needs -DANEMONE_PREBUILT, a folder that holds libanemone_core.a")
endif()

find_package(CLI11 REQUIRED)

set(archives ${ANEMONE_PREBUILT}/libanemone_core.a ${ANEMONE_PREBUILT}/libanemone_proto.a)
foreach(name IN ITEMS fmt hwy prometheus-cpp civetweb cpp-httplib protobuf png16 jpeg)
  list(APPEND archives ${ANEMONE_PORTABLE}/lib/lib${name}.a)
endforeach()
foreach(name IN ITEMS ssl crypto sqlite3 yaml xxhash brotlienc brotlidec brotlicommon z)
  find_library(ANEMONE_STATIC_${name} lib${name}.a REQUIRED)
  list(APPEND archives ${ANEMONE_STATIC_${name}})
endforeach()

add_library(anemone_core INTERFACE)
target_include_directories(anemone_core INTERFACE src include)
# The archives need each other in a circle, and what they need of the C library is that of the folder.
target_link_libraries(anemone_core INTERFACE
  -Wl,--start-group ${archives} -Wl,--end-group pthread dl m anemone_portable)
add_library(anemone_portable INTERFACE)
target_link_options(anemone_portable INTERFACE
  -B${ANEMONE_PORTABLE}/glibc/ -L${ANEMONE_PORTABLE}/glibc -static-libstdc++ -static-libgcc
  -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-s -Wl,-z,relro -Wl,-z,now)

add_executable(anemone src/cli/main.cc)
target_compile_definitions(anemone PRIVATE ANEMONE_VERSION="${PROJECT_VERSION}")
set_target_properties(anemone PROPERTIES LINK_DEPENDS "${ANEMONE_PORTABLE}/glibc/stamp;${archives}")
target_link_libraries(anemone PRIVATE
  anemone_options ${ANEMONE_PREBUILT}/libanemone_cli.a anemone_core CLI11::CLI11)

if(ANEMONE_PYTHON)
  add_subdirectory(python)
  set_target_properties(_anemone PROPERTIES LINK_DEPENDS "${ANEMONE_PORTABLE}/glibc/stamp;${archives}")
  target_link_options(_anemone PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/extension_symbols.map)
  install(PROGRAMS $<TARGET_FILE:anemone> DESTINATION ${SKBUILD_SCRIPTS_DIR})
endif()
