// The binary files of a compiled model. All numbers are little-endian; text is its length as u64,
// then its bytes; a version is three u64 and a text.
//
//   coremldata.bin            u32      field number of the model's type in Model (502: mlProgram)
//                             version  of the compiled format
//                             version  of the specification
//                             text     ModelDescription, as protobuf
//                             ...      parameters, different for each type; of a pipeline, u64
//                                      with the number of its models, then u64 with its type
//   modelNames/coremldata.bin u64      with the number of names, then a text for each
//   analytics/coremldata.bin  sections to the end: text name, u64 count, then pairs of text
//
// Values and pure functions. Errors: kInvalidInput.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "format/proto/model.pb.h"

namespace anemone::format {

struct FormatVersion {
  uint64_t major = 0;
  uint64_t minor = 0;
  uint64_t patch = 0;
  std::string variant;
};

struct CompiledData {
  uint32_t model_type = 0;
  FormatVersion format;
  FormatVersion specification;
  proto::ModelDescription description;
  std::string parameters;
};

Result<CompiledData> ParseCompiledData(std::string_view bytes);
std::string EncodeCompiledData(const CompiledData& data);

// The names of a pipeline's models.
inline constexpr std::string_view kModelNamesName = "modelNames/coremldata.bin";
Result<std::vector<std::string>> ParseModelNames(std::string_view bytes);
std::string EncodeModelNames(const std::vector<std::string>& names);
// The number of models that a pipeline's parameters declare.
Result<uint64_t> ParseModelCount(const CompiledData& pipeline);

// The field number of an ML Program.
inline constexpr uint32_t kMlProgramType = proto::Model::kMlProgramFieldNumber;
// The specification's name of a type's field number: "mlProgram"; "none" for an unknown number.
std::string_view TypeNameOfField(uint32_t field);

struct AnalyticsSection {
  std::string name;
  std::vector<std::pair<std::string, std::string>> entries;
};
std::string EncodeAnalytics(const std::vector<AnalyticsSection>& sections);

}  // namespace anemone::format
