// Compress: makes a compressed variant of a model and says what was done to each tensor.
// Thread rules: changes the model it is given; nothing shared.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "anemone/options.h"
#include "base/status.h"
#include "compress/configuration.h"
#include "compress/report.h"
#include "ir/model.h"

namespace anemone::facade {

// Of what is done now, `done` of `total`.
using CompressProgress = std::function<void(std::string_view what, int64_t done, int64_t total)>;

// Whether the result is half precision, not integers, tables or zeros: what no configuration says.
bool IsHalfPrecision(const CompressOptions& options);
// What the options say, but for half precision. kUsage names what is out of range.
Result<compress::Configuration> ConfigurationOf(const CompressOptions& options);

// A model of another target than the one that is asked for is converted to that first. Without one, a
// model too old for the forms is raised to the lowest target that has them, and `raised_from` gets the
// op set that it had; a target that is asked for and too low is kUnsupported.
Status Compress(ir::Model& model, const CompressOptions& options,
                compress::Report* report = nullptr, const CompressProgress& progress = {},
                std::optional<ir::Opset>* raised_from = nullptr);

// Writes the model as facade::Save does, reads the package back and compares every operator and
// constant. kInternal when it is not what was written.
Status SaveAndReload(const ir::Model& model, const std::string& path);
// The second half of that.
Status CheckSaved(const ir::Model& model, const std::string& path);

}  // namespace anemone::facade
