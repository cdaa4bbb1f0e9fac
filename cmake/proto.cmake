# anemone_proto: each src/<folder>/proto/<name>.proto compiled by protoc into the build folder.
# Include the result as "<folder>/proto/<name>.pb.h", in .cc files only; protos import each other
# by the same paths, relative to src/.
file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*/proto/*.proto)
set(proto_dir ${CMAKE_BINARY_DIR}/proto)
set(proto_outputs "")
foreach(proto IN LISTS protos)
  file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR}/src ${proto})
  string(REGEX REPLACE "\\.proto$" "" stem ${relative})
  # DEPENDS names all protos: an import that changed must rebuild its users.
  add_custom_command(
    OUTPUT ${proto_dir}/${stem}.pb.cc ${proto_dir}/${stem}.pb.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${proto_dir}
    COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/src --cpp_out=${proto_dir} ${relative}
    DEPENDS ${protos} VERBATIM COMMENT "protoc ${relative}")
  list(APPEND proto_outputs ${proto_dir}/${stem}.pb.cc)
endforeach()

if(proto_outputs)
  add_library(anemone_proto STATIC ${proto_outputs})
  target_compile_options(anemone_proto PRIVATE -w)
  # protobuf's headers are parsed once for several of them.
  set_target_properties(anemone_proto PROPERTIES UNITY_BUILD ${ANEMONE_UNITY} UNITY_BUILD_BATCH_SIZE 4)
  # SYSTEM: generated headers do not meet our warnings.
  target_include_directories(anemone_proto SYSTEM PUBLIC ${proto_dir})
  target_link_libraries(anemone_proto PUBLIC protobuf::libprotobuf PRIVATE anemone_cold_options)
else()
  add_library(anemone_proto INTERFACE)
endif()
# The headers alone, for tools that read sources without building them.
add_custom_target(anemone_proto_headers DEPENDS ${proto_outputs})
