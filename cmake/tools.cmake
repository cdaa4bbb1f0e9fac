# Optional tools that only make the build faster: ccache, and mold or lld as the linker.
find_program(ANEMONE_CCACHE ccache)
if(ANEMONE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # BASEDIR and NOHASHDIR let two checkouts share their common objects.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${ANEMONE_CCACHE})
endif()

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
