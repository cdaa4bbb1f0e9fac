# Precompiled headers: what nearly every source includes, parsed once. A source still includes what it
# uses: the lints (clang-tidy, portable) compile without them, and so does ANEMONE_PRECOMPILE=OFF.
option(ANEMONE_PRECOMPILE "Precompile the headers that nearly every source includes" ON)

# Headers of others only: g++ knows a header with "#pragma once" by its time too, so a precompiled one
# of ours could not be shared by two checkouts through the compiler cache.
set(ANEMONE_COMMON_HEADERS
  <algorithm> <array> <charconv> <cmath> <cstdint> <cstring> <filesystem> <functional> <limits>
  <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <unordered_map> <utility>
  <variant> <vector> <fmt/core.h>)

# precompile_headers(TARGET HEADER...): those headers, for the C++ sources of the target.
function(precompile_headers target)
  if(NOT ANEMONE_PRECOMPILE)
    return()
  endif()
  set(headers "")
  foreach(header IN LISTS ARGN)
    list(APPEND headers "$<$<COMPILE_LANGUAGE:CXX>:${header}>")
  endforeach()
  target_precompile_headers(${target} PRIVATE ${headers})
  # The compiler cache judges a new precompiled header by the old one that it finds, so there must be
  # none when the headers or the options change: another build folder could not share the objects.
  get_target_property(options anemone_options INTERFACE_COMPILE_OPTIONS)
  list(APPEND headers "${CMAKE_CXX_FLAGS_RELEASE}" ${options})
  set(list ${CMAKE_BINARY_DIR}/CMakeFiles/${target}.headers)
  set(old "")
  if(EXISTS ${list})
    file(READ ${list} old)
  endif()
  if(NOT "${old}" STREQUAL "${headers}")
    file(REMOVE ${CMAKE_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.gch)
    file(WRITE ${list} "${headers}")
  endif()
endfunction()

# skip_precompiled_headers(SOURCE...): g++ 12 for aarch64 crashes where the header of SVE, which
# Highway includes, meets a precompiled one, so what is compiled for each instruction set has none.
function(skip_precompiled_headers)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    return()
  endif()
  foreach(source IN LISTS ARGN)
    file(STRINGS ${source} found REGEX "#include .hwy/foreach_target.h" LIMIT_COUNT 1)
    if(found)
      set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()

# reuse_precompiled_headers(TARGET FROM): those of FROM, which is compiled with the same options.
function(reuse_precompiled_headers target from)
  if(ANEMONE_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${from})
  endif()
endfunction()
