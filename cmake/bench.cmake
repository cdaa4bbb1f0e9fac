# bench/<name>.cc becomes the executable bench_<name>; it brings its own main (BENCHMARK_MAIN).
find_package(benchmark QUIET)
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.cc)
if(benchmark_FOUND)
  foreach(source IN LISTS bench_sources)
    cmake_path(GET source STEM name)
    add_executable(bench_${name} ${source})
    target_link_libraries(bench_${name} PRIVATE anemone_core anemone_options anemone_proto
      benchmark::benchmark ${ANEMONE_PRIVATE_DEPENDENCIES})
  endforeach()
elseif(bench_sources)
  message(STATUS "Google Benchmark not found: bench/ is not built")
endif()
