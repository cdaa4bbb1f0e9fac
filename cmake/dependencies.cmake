# Every library we use; tools/packages/ names the package that each comes from.
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(hwy REQUIRED CONFIG)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Threads REQUIRED)
# libyaml's own package files differ from system to system.
find_path(ANEMONE_YAML_INCLUDE yaml.h REQUIRED)
find_library(ANEMONE_YAML_LIBRARY yaml REQUIRED)
add_library(anemone_yaml INTERFACE)
target_include_directories(anemone_yaml SYSTEM INTERFACE ${ANEMONE_YAML_INCLUDE})
target_link_libraries(anemone_yaml INTERFACE ${ANEMONE_YAML_LIBRARY})

# Neither are xxHash's.
find_path(ANEMONE_XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(ANEMONE_XXHASH_LIBRARY xxhash REQUIRED)
add_library(anemone_xxhash INTERFACE)
target_include_directories(anemone_xxhash SYSTEM INTERFACE ${ANEMONE_XXHASH_INCLUDE})
target_link_libraries(anemone_xxhash INTERFACE ${ANEMONE_XXHASH_LIBRARY})

# What .cc files may include but no header that others include (fmt and Threads are public).
set(ANEMONE_PRIVATE_DEPENDENCIES
  nlohmann_json::nlohmann_json protobuf::libprotobuf hwy::hwy OpenSSL::Crypto
  PNG::PNG JPEG::JPEG ZLIB::ZLIB anemone_yaml anemone_xxhash)
# On Linux libcurl is opened when it is needed: src/acquire/curl_library.cc says why.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  add_library(anemone_curl INTERFACE)
  target_include_directories(anemone_curl SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})
  target_link_libraries(anemone_curl INTERFACE ${CMAKE_DL_LIBS})
  list(APPEND ANEMONE_PRIVATE_DEPENDENCIES anemone_curl)
else()
  list(APPEND ANEMONE_PRIVATE_DEPENDENCIES CURL::libcurl)
endif()

# The database of the lab.
list(APPEND ANEMONE_PRIVATE_DEPENDENCIES SQLite::SQLite3)

# Optional: without prometheus-cpp the one file that uses it says so at run time. The definition is
# on that file alone, so that installing the package rebuilds nothing else.
find_package(prometheus-cpp CONFIG QUIET)
if(TARGET prometheus-cpp::pull)
  list(APPEND ANEMONE_PRIVATE_DEPENDENCIES prometheus-cpp::core prometheus-cpp::pull)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/runtime/prometheus_exporter.cc
    PROPERTIES COMPILE_DEFINITIONS ANEMONE_HAVE_PROMETHEUS)
endif()
