# The parts of lab.html as C++ strings: src/lab/report/ and Chart.js 3.9.1 (MIT), which is not kept
# in the tree. It is Debian's libjs-chart.js, or the npm package of that version, fetched once into
# the build folder and checked; or -DANEMONE_CHART_JS=FILE. Without it the pages have tables but no
# charts.
set(chart_version 3.9.1)
set(chart_sha512
  "468d896cb9af83cde05c5e45e2c9e2690fa54db4afd7c13e4c87f670e7a21f522a7763c614eb5e9be0d4b9f319b02270144ef2c0f3a97d7141c114c6abb761eb")
find_file(ANEMONE_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH)
if(NOT ANEMONE_CHART_JS)
  find_program(ANEMONE_NPM npm)
  set(chart_dir ${CMAKE_BINARY_DIR}/chart)
  set(chart_archive ${chart_dir}/chart.js-${chart_version}.tgz)
  if(ANEMONE_NPM AND NOT EXISTS ${chart_archive})
    file(MAKE_DIRECTORY ${chart_dir})
    execute_process(COMMAND ${ANEMONE_NPM} pack chart.js@${chart_version}
      WORKING_DIRECTORY ${chart_dir} OUTPUT_QUIET ERROR_QUIET TIMEOUT 120)
  endif()
  if(EXISTS ${chart_archive})
    file(SHA512 ${chart_archive} chart_found)
    if(NOT chart_found STREQUAL chart_sha512)
      message(FATAL_ERROR "${chart_archive} is not the expected archive")
    endif()
    file(ARCHIVE_EXTRACT INPUT ${chart_archive} DESTINATION ${chart_dir})
    set(ANEMONE_CHART_JS ${chart_dir}/package/dist/chart.min.js)
  endif()
endif()
if(NOT ANEMONE_CHART_JS)
  message(STATUS "Chart.js not found (Debian's libjs-chart.js): lab reports have tables only")
  set(ANEMONE_CHART_JS "")
endif()

set(page_source ${CMAKE_BINARY_DIR}/report/report_page.cc)
set(page_parts page.html page.css page.js)
list(TRANSFORM page_parts PREPEND ${CMAKE_SOURCE_DIR}/src/lab/report/)
add_custom_command(OUTPUT ${page_source} VERBATIM
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR}/src/lab/report
    -DCHART_JS=${ANEMONE_CHART_JS} -DOUTPUT=${page_source}
    -P ${CMAKE_SOURCE_DIR}/cmake/embed_report.cmake
  DEPENDS ${page_parts} ${ANEMONE_CHART_JS} ${CMAKE_SOURCE_DIR}/cmake/embed_report.cmake
  COMMENT "Embedding the lab's report page")
target_sources(anemone_core PRIVATE ${page_source})
