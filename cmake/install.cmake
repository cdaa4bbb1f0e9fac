# What `cmake --install` puts on a machine: the command, the shared library with its headers, what
# find_package(anemone) and pkg-config read, the shells' completions, the manual and the licenses.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The public interface alone is visible: include/anemone/*.h say so, and the version script hides the
# templates of the standard library that our code instantiates.
add_library(anemone_shared SHARED
  $<TARGET_OBJECTS:anemone_core> $<TARGET_OBJECTS:anemone_cold> $<TARGET_OBJECTS:anemone_proto>)
target_link_libraries(anemone_shared PRIVATE fmt::fmt Threads::Threads ${ANEMONE_PRIVATE_DEPENDENCIES})
set_target_properties(anemone_shared PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(anemone_shared INTERFACE
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(anemone_shared INTERFACE cxx_std_20)
# Until 1.0 a minor version may change the interface.
set_target_properties(anemone_shared PROPERTIES OUTPUT_NAME anemone VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} EXPORT_NAME anemone
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/exported_symbols.map)
if(NOT APPLE)
  target_link_options(anemone_shared PRIVATE
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/exported_symbols.map -Wl,--no-undefined)
endif()

install(TARGETS anemone_shared EXPORT anemone
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
if(TARGET anemone)
  install(TARGETS anemone RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
endif()
# What the command prints of itself.
if(TARGET anemone AND NOT CMAKE_CROSSCOMPILING)
  set(shared_files ${CMAKE_BINARY_DIR}/share)
  add_custom_command(OUTPUT ${shared_files}/anemone.1
    COMMAND ${CMAKE_COMMAND} -E make_directory ${shared_files}
    COMMAND anemone completion bash > ${shared_files}/anemone
    COMMAND anemone completion zsh > ${shared_files}/_anemone
    COMMAND anemone completion fish > ${shared_files}/anemone.fish
    COMMAND anemone manual > ${shared_files}/anemone.1
    DEPENDS anemone VERBATIM COMMENT "Completions and the manual")
  add_custom_target(anemone_shared_files ALL DEPENDS ${shared_files}/anemone.1)
  install(FILES ${shared_files}/anemone COMPONENT command
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${shared_files}/_anemone COMPONENT command
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${shared_files}/anemone.fish COMPONENT command
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  install(FILES ${shared_files}/anemone.1 COMPONENT command DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(DIRECTORY include/anemone DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)

install(EXPORT anemone FILE anemone-targets.cmake NAMESPACE anemone::
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/anemone COMPONENT development)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/anemone-config.cmake @ONLY
  CONTENT "include(\${CMAKE_CURRENT_LIST_DIR}/anemone-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/anemone-config-version.cmake
  COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH anemone_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/anemone.pc @ONLY CONTENT [[
# The folder may be moved as a whole.
prefix=${pcfiledir}/@anemone_prefix_from_pc@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: anemone
Description: Convert, compress, inspect and run Core ML models on Linux and macOS
Version: @PROJECT_VERSION@
Libs: -L${libdir} -lanemone
Cflags: -I${includedir}
]])
install(FILES ${CMAKE_BINARY_DIR}/anemone-config.cmake ${CMAKE_BINARY_DIR}/anemone-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/anemone COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/anemone.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# Programs in C, C++ and Rust, built against an installed tree and run.
if(ANEMONE_TESTS)
  add_test(NAME install/consumers COMMAND bash ${CMAKE_SOURCE_DIR}/tests/consumers/run.sh ${CMAKE_BINARY_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(install/consumers PROPERTIES LABELS install TIMEOUT 300)
endif()
