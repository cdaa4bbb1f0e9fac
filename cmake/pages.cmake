# The pages that the command writes, as C++ strings, with the libraries in them, which are not kept in
# the tree. The lab's has Chart.js 3.9.1 (MIT). It is Debian's libjs-chart.js, or the npm package of that version, fetched once into
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

# The layout of `anemone view`: dagre 0.6.4 (MIT), Debian's python3-xstatic-dagre; or -DANEMONE_DAGRE_JS=FILE.
# Without it operators stand in one column.
find_file(ANEMONE_DAGRE_JS dagre.min.js
  PATHS /usr/lib/python3/dist-packages/xstatic/pkg/dagre/data NO_DEFAULT_PATH)
if(NOT ANEMONE_DAGRE_JS)
  message(STATUS "dagre not found (Debian's python3-xstatic-dagre): views show operators in one column")
  set(ANEMONE_DAGRE_JS "")
endif()

# embed_page(NAME NAMESPACE HEADER FUNCTION=FILE...): those texts as functions of the library.
function(embed_page name namespace header)
  set(output ${CMAKE_BINARY_DIR}/pages/${name}.cc)
  set(files ${ARGN})
  list(TRANSFORM files REPLACE "^[A-Za-z]+=" "")
  list(REMOVE_ITEM files "")
  list(JOIN ARGN "|" texts)
  add_custom_command(OUTPUT ${output} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DNAMESPACE=${namespace} -DHEADER=${header} "-DTEXTS=${texts}"
      -DOUTPUT=${output} -P ${CMAKE_SOURCE_DIR}/cmake/embed_page.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed_page.cmake
    COMMENT "Embedding the page ${name}")
  target_sources(anemone_core PRIVATE ${output})
endfunction()

set(lab_page ${CMAKE_SOURCE_DIR}/src/lab/report)
embed_page(lab_report anemone::lab lab/report_page.h PageTemplate=${lab_page}/page.html
  PageStyle=${lab_page}/page.css PageScript=${lab_page}/page.js ChartLibrary=${ANEMONE_CHART_JS})
set(view_page ${CMAKE_SOURCE_DIR}/src/facade/view_page)
embed_page(view anemone::facade::view_page facade/view_page.h Template=${view_page}/page.html
  Style=${view_page}/page.css Graph=${view_page}/graph.js Script=${view_page}/page.js Layout=${ANEMONE_DAGRE_JS})
set(serve_page ${CMAKE_SOURCE_DIR}/src/serve/page)
embed_page(serve anemone::serve::page serve/page.h Template=${serve_page}/page.html Style=${serve_page}/page.css
  Script=${serve_page}/page.js OpenApi=${serve_page}/openapi.json)
