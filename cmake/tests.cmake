# tests/unit/<folder>/*_test.cc become the binary anemone_tests_<folder>; each case is one ctest
# entry "<folder>/Suite.Case" with the label <folder>. Tests run in the source root.
# tests/support/*.cc, if any, is a library that all of them link.
find_package(GTest REQUIRED)
include(GoogleTest)

set(test_include_dir ${CMAKE_BINARY_DIR}/tests/include)
configure_file(${CMAKE_SOURCE_DIR}/cmake/test_paths.h.in ${test_include_dir}/test_paths.h)

add_library(anemone_for_tests INTERFACE)
target_include_directories(anemone_for_tests INTERFACE
  ${test_include_dir} ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(anemone_for_tests INTERFACE
  anemone_core ${ANEMONE_CLI_LIBRARY} anemone_options anemone_cold_options anemone_proto
  GTest::gtest GTest::gmock
  ${ANEMONE_PRIVATE_DEPENDENCIES})

file(GLOB_RECURSE support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.cc)
add_library(anemone_test_support STATIC ${support_sources})
target_link_libraries(anemone_test_support PUBLIC anemone_for_tests)
# One for all test binaries.
precompile_headers(anemone_test_support ${ANEMONE_COMMON_HEADERS} <gtest/gtest.h> <gmock/gmock.h>)

file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*_test.cc)
set(test_folders "")
foreach(source IN LISTS test_sources)
  file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR}/tests/unit ${source})
  string(REGEX REPLACE "/.*" "" folder ${relative})
  list(APPEND test_folders ${folder})
  list(APPEND test_sources_${folder} ${source})
endforeach()
list(REMOVE_DUPLICATES test_folders)

# Folders whose tests run on the double of Core ML: left out where it cannot be built.
set(double_folders coreml)
if(NOT TARGET anemone_coreml_double)
  list(REMOVE_ITEM test_folders ${double_folders})
endif()

foreach(folder IN LISTS test_folders)
  # C sources beside the tests show that the C interface is C.
  file(GLOB c_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${folder}/*.c)
  set_source_files_properties(${c_sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  # Fewer at a time than sources of the library: a test is edited often.
  join_sources(joined ${test_sources_${folder}} SIZE 6)
  add_executable(anemone_tests_${folder} ${joined} ${c_sources})
  target_link_libraries(anemone_tests_${folder} PRIVATE
    anemone_for_tests GTest::gtest_main anemone_test_support)
  # As the libraries are compiled: a precompiled header serves one kind of position independence.
  set_target_properties(anemone_tests_${folder} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(anemone_tests_${folder} PRIVATE -fPIC)
  reuse_precompiled_headers(anemone_tests_${folder} anemone_test_support)
  if(folder IN_LIST double_folders)
    target_link_libraries(anemone_tests_${folder} PRIVATE anemone_coreml_double)
  endif()
  gtest_discover_tests(anemone_tests_${folder}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    TEST_PREFIX "${folder}/"
    PROPERTIES LABELS ${folder} TIMEOUT 600)
endforeach()

# tests/oracle/<name>.cc become programs anemone_oracle_<name>, built only when asked for: the scripts beside them compare
# us with other implementations and are not part of the tests.
file(GLOB oracle_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/oracle/*.cc)
foreach(source IN LISTS oracle_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(anemone_oracle_${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(anemone_oracle_${name} PRIVATE anemone_for_tests)
endforeach()
