# tests/fuzz/<name>.cc become programs anemone_fuzz_<name> (libFuzzer, so Clang only); `./dev fuzz` runs them.
set(fuzz_common ${CMAKE_SOURCE_DIR}/tests/fuzz/target.cc)
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*.cc)
list(REMOVE_ITEM fuzz_sources ${fuzz_common})
add_custom_target(anemone_fuzz)
foreach(source IN LISTS fuzz_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(anemone_fuzz_${name} EXCLUDE_FROM_ALL ${source} ${fuzz_common})
  target_include_directories(anemone_fuzz_${name} PRIVATE ${test_include_dir} ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(anemone_fuzz_${name} PRIVATE
    anemone_core anemone_options anemone_test_options anemone_proto GTest::gtest GTest::gmock
    ${ANEMONE_PRIVATE_DEPENDENCIES})
  target_link_options(anemone_fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(anemone_fuzz anemone_fuzz_${name})
endforeach()
