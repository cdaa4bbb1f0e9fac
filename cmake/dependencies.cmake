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

# Optional: without cpp-httplib `anemone serve` says so at run time. Debian compiles it to a library, and what it was
# compiled with is part of its interface; elsewhere it is a header. Our connection takes the place of the library's own,
# whose interface differs between its versions.
find_path(ANEMONE_HTTPLIB_INCLUDE httplib.h)
find_library(ANEMONE_HTTPLIB_LIBRARY cpp-httplib)
if(ANEMONE_HTTPLIB_INCLUDE)
  set(httplib_definitions CPPHTTPLIB_ZLIB_SUPPORT)
  set(httplib_libraries ZLIB::ZLIB)
  if(ANEMONE_HTTPLIB_LIBRARY)
    list(APPEND httplib_definitions CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
    list(APPEND httplib_libraries ${ANEMONE_HTTPLIB_LIBRARY})
  endif()
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_DEFINITIONS ${httplib_definitions})
  list(TRANSFORM CMAKE_REQUIRED_DEFINITIONS PREPEND -D)
  set(CMAKE_REQUIRED_INCLUDES ${ANEMONE_HTTPLIB_INCLUDE})
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  check_cxx_source_compiles([[
    #include <httplib.h>
    struct Connection final : httplib::Stream {
      bool is_readable() const override { return true; }
      bool is_writable() const override { return true; }
      ssize_t read(char*, size_t) override { return -1; }
      ssize_t write(const char*, size_t) override { return -1; }
      void get_remote_ip_and_port(std::string&, int&) const override {}
      void get_local_ip_and_port(std::string&, int&) const override {}
      socket_t socket() const override { return 0; }
    };
    struct Server final : httplib::Server {
      bool process_and_close_socket(socket_t) override {
        Connection connection;
        bool closed = false;
        return process_request(connection, false, closed, [](httplib::Request&) {});
      }
    };
    Server server;
  ]] ANEMONE_HTTPLIB_IS_KNOWN)
  unset(CMAKE_REQUIRED_DEFINITIONS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
endif()
if(ANEMONE_HTTPLIB_IS_KNOWN)
  list(APPEND ANEMONE_PRIVATE_DEPENDENCIES ${httplib_libraries})
  # On these two alone, so that installing the package rebuilds nothing else; they are not joined (keep_alone of cmake/unity.cmake).
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/serve/http_server.cc ${CMAKE_SOURCE_DIR}/src/serve/connection.cc
    PROPERTIES COMPILE_DEFINITIONS "ANEMONE_HAVE_HTTPLIB;${httplib_definitions}")
else()
  message(STATUS "cpp-httplib 0.11 not found (Debian's libcpp-httplib-dev): anemone serve says so")
endif()

# Optional: without prometheus-cpp the one file that uses it says so at run time. The definition is
# on that file alone, so that installing the package rebuilds nothing else.
find_package(prometheus-cpp CONFIG QUIET)
if(TARGET prometheus-cpp::pull)
  list(APPEND ANEMONE_PRIVATE_DEPENDENCIES prometheus-cpp::core prometheus-cpp::pull)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/runtime/prometheus_exporter.cc
    PROPERTIES COMPILE_DEFINITIONS ANEMONE_HAVE_PROMETHEUS)
endif()
