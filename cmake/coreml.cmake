# The Core ML backend, src/coreml/*.mm and *.m.
#  - macOS, ANEMONE_COREML=ON (the default there): part of anemone_core, on Apple's frameworks.
#  - Elsewhere: the library holds unavailable.cc instead, which says why there is none; and where
#    clang-19 and GNUstep are there, the same sources are built against the test double of
#    tests/doubles/, as the object library anemone_coreml_double. Only tests link that; linking it
#    takes the place of unavailable.cc.
file(GLOB coreml_objc CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/src/coreml/*.mm ${CMAKE_SOURCE_DIR}/src/coreml/*.m)

if(ANEMONE_COREML AND NOT APPLE AND NOT ANEMONE_COREML_DOUBLE)
  message(FATAL_ERROR "ANEMONE_COREML needs macOS, or -DANEMONE_COREML_DOUBLE=ON for the test double")
endif()

if(APPLE AND ANEMONE_COREML)
  enable_language(OBJC)
  enable_language(OBJCXX)
  set(CMAKE_OBJCXX_STANDARD 20)
  target_sources(anemone_core PRIVATE ${coreml_objc})
  # Manual retain and release: one source serves GNUstep too.
  set_source_files_properties(${coreml_objc} PROPERTIES COMPILE_OPTIONS "-fno-objc-arc")
  target_link_libraries(anemone_core
    PUBLIC "-framework Foundation" "-framework CoreML" "-framework CoreVideo")
  return()
endif()

if(NOT ANEMONE_COREML_DOUBLE OR NOT ANEMONE_TESTS)
  return()
endif()
find_program(ANEMONE_OBJC clang-19)
find_program(ANEMONE_OBJCXX clang++-19)
find_path(ANEMONE_GNUSTEP_INCLUDE Foundation/Foundation.h PATHS /usr/include/GNUstep)
find_library(ANEMONE_GNUSTEP_BASE gnustep-base)
find_library(ANEMONE_BLOCKS_RUNTIME BlocksRuntime)
# gcc's private include folder holds objc/; adding all of it would shadow clang's intrinsics.
execute_process(COMMAND gcc -print-file-name=include
  OUTPUT_VARIABLE gcc_include OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT ANEMONE_OBJC OR NOT ANEMONE_OBJCXX OR NOT ANEMONE_GNUSTEP_INCLUDE
    OR NOT ANEMONE_GNUSTEP_BASE OR NOT ANEMONE_BLOCKS_RUNTIME
    OR NOT EXISTS ${gcc_include}/objc/objc.h)
  if(ANEMONE_COREML_DOUBLE STREQUAL "ON")
    message(FATAL_ERROR "ANEMONE_COREML_DOUBLE needs clang-19, GNUstep base and libBlocksRuntime")
  endif()
  message(STATUS "clang-19 or GNUstep not found: the Core ML backend is not tested with its double")
  return()
endif()

set(CMAKE_OBJC_COMPILER ${ANEMONE_OBJC} CACHE FILEPATH "")
set(CMAKE_OBJCXX_COMPILER ${ANEMONE_OBJCXX} CACHE FILEPATH "")
# CMake keeps one setting of precompiled headers for all languages: that of the C++ compiler stays.
set(pch_extension ${CMAKE_PCH_EXTENSION})
set(pch_prologue ${CMAKE_PCH_PROLOGUE})
enable_language(OBJC)
enable_language(OBJCXX)
set(CMAKE_PCH_EXTENSION ${pch_extension})
set(CMAKE_PCH_PROLOGUE ${pch_prologue})
set(CMAKE_OBJCXX_STANDARD 20)
set(CMAKE_OBJC_STANDARD 11)

set(objc_shim ${CMAKE_BINARY_DIR}/objc_shim)
file(MAKE_DIRECTORY ${objc_shim})
file(CREATE_LINK ${gcc_include}/objc ${objc_shim}/objc SYMBOLIC)
# GNUstep asks for libobjc2's objc/blocks_runtime.h under -fblocks.
file(WRITE ${CMAKE_BINARY_DIR}/objc_shim_blocks/objc/blocks_runtime.h "#include <Block.h>\n")

file(GLOB double_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/doubles/CoreML/*.m
  ${CMAKE_SOURCE_DIR}/tests/doubles/CoreML/*.c ${CMAKE_SOURCE_DIR}/tests/doubles/CoreML/*.cc)
add_library(anemone_coreml_double OBJECT ${coreml_objc} ${double_sources})
set_target_properties(anemone_coreml_double PROPERTIES C_STANDARD 11)
# As the system headers that they stand for.
target_include_directories(anemone_coreml_double SYSTEM PUBLIC ${CMAKE_SOURCE_DIR}/tests/doubles)
target_include_directories(anemone_coreml_double SYSTEM PRIVATE ${ANEMONE_GNUSTEP_INCLUDE}
  ${objc_shim} ${CMAKE_BINARY_DIR}/objc_shim_blocks)
set(objc "$<COMPILE_LANGUAGE:OBJC,OBJCXX>")
target_compile_definitions(anemone_coreml_double PRIVATE
  "$<${objc}:GNUSTEP;GNUSTEP_BASE_LIBRARY=1;GNU_RUNTIME=1;_NATIVE_OBJC_EXCEPTIONS>")
target_compile_options(anemone_coreml_double PRIVATE -Wall -Wextra
  $<$<BOOL:${ANEMONE_WERROR}>:-Werror>
  "$<${objc}:-fobjc-runtime=gcc;-fexceptions;-fobjc-exceptions;-fblocks>"
  "$<${objc}:-fconstant-string-class=NSConstantString;-Wno-deprecated-declarations>")
# clang's instrumentation is not for the sanitizers of the compiler that links, but for the one that
# must see every atomic (tests/doubles/CoreML/tsan.c has what that lacks).
if(NOT ANEMONE_SANITIZE STREQUAL "thread")
  target_compile_options(anemone_coreml_double PRIVATE "$<${objc}:-fno-sanitize=all>")
endif()
# The blocks runtime is needed, and comes before GNUstep, whatever the linker thinks: its symbols are
# weak, and GNUstep has a _Block_copy of its own, which leaves the copy of a block uninitialized.
target_link_libraries(anemone_coreml_double PUBLIC anemone_core
  "-Wl,--push-state,--no-as-needed,${ANEMONE_BLOCKS_RUNTIME},--pop-state"
  ${ANEMONE_GNUSTEP_BASE} objc)
