# Optional tools that only make the build faster: ccache, and mold or lld as the linker.
find_program(ANEMONE_CCACHE ccache)
set(ANEMONE_RELATIVE_PATHS OFF)
if(ANEMONE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # BASEDIR and NOHASHDIR let two checkouts share what they have in common: the compiler sees paths
  # relative to its working directory. The sloppiness is what precompiled headers need.
  foreach(language IN ITEMS C CXX OBJC OBJCXX)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${ANEMONE_CCACHE})
  endforeach()
  set(ANEMONE_RELATIVE_PATHS ON)
endif()
# Paths of the machine that built stay out of the binary. Where they are relative they are out of a
# release already, and the flag, which names the checkout, would keep another one from using the
# cache; debug information names the working directory all the same.
target_compile_options(anemone_options INTERFACE
  $<$<NOT:$<AND:$<BOOL:${ANEMONE_RELATIVE_PATHS}>,$<CONFIG:Release>>>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>)

if(NOT APPLE)
  include(CheckLinkerFlag)
  foreach(linker IN ITEMS mold lld)
    check_linker_flag(CXX -fuse-ld=${linker} ANEMONE_HAVE_${linker})
    if(ANEMONE_HAVE_${linker})
      add_link_options(-fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()
