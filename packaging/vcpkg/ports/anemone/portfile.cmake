# An overlay port, built from the checkout that it stands in:
#   vcpkg install anemone --overlay-ports=packaging/vcpkg/ports
# NOT MEASURED with vcpkg itself. Its manifest and the files that it names are checked by a test.
vcpkg_check_linkage(ONLY_DYNAMIC_LIBRARY)
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DANEMONE_TESTS=OFF -DANEMONE_BENCH=OFF -DANEMONE_PYTHON=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/anemone)
vcpkg_copy_tools(TOOL_NAMES anemone AUTO_CLEAN)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
