# Compiler options of our own code, as the interface target anemone_options.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# -O2, not -O3: the hot loops are written with Highway, and the rest builds faster.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

add_library(anemone_options INTERFACE)
target_compile_options(anemone_options INTERFACE
  -Wall -Wextra -Wshadow -Wvla
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Woverloaded-virtual>
  $<$<BOOL:${ANEMONE_WERROR}>:-Werror>
  # g++ 12 reports these wrongly for std::vector, std::string and std::variant at -O2, the last three
  # where the standard library comes from a precompiled header.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>
  # The executor gives the same bits on every machine: a*b+c is fused only where written so.
  -ffp-contract=off -fno-math-errno)

# For the tests, the command, generated code and the sources of the library that are named nowhere below:
# code that is compiled often and never hot. What "-Og" leaves out of "-O1" is a fifth of the compiler's time.
add_library(anemone_cold_options INTERFACE)
target_compile_options(anemone_cold_options INTERFACE $<$<CONFIG:Release>:-Og>)

# Sources of the library where time is spent per element, per call or per byte. The others run once for
# an operator, an option or a report. (src/coreml/ is here since a test's double takes the place of one
# of its objects.)
string(JOIN "|" ANEMONE_HOT_SOURCES
  "/src/(coreml|cpu/kernels|exec|media)/"
  "/src/ops/.*kernel[^/]*\\.cc$"
  "/src/base/(bytes|half|large_blocks|npy|random|sha256|thread_pool|tree_hash|uninitialized|zip_reader)\\.cc$"
  "/src/compress/[^/]*(adaround|bits|codec|decompress|equalize|gptq|kernels|kmeans|moments)[^/]*\\.cc$"
  "/src/compress/[^/]*(observer|palettization|pruning|quantization|sparse|storage|weights)[^/]*\\.cc$"
  "/src/cpu/(compiled|lower_attention|lower_state|memory|planner|planner_states|reference_op|specialize)\\.cc$"
  "/src/serve/(connection|http_server)\\.cc$"
  "/src/zoo/trial\\.cc$"
  "/src/runtime/(dispatch|latency_histogram|prometheus_exporter|session|telemetry[^/]*)\\.cc$")

if(ANEMONE_SANITIZE)
  # For every target, so that generated and third-party headers are instrumented too.
  add_compile_options(-fsanitize=${ANEMONE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ANEMONE_SANITIZE})
endif()
