// Rows that several tables have. Thread rules: pure functions.
#pragma once

#include "options/option.h"

namespace anemone::options {

// How a program is executed: of what loads one to predict, and of sessions.
Option BackendRow(std::string& field);
Option FunctionRow(std::string& field);
Option NumericsRow(std::string& field);
Option ThreadsRow(int& field);
Option ComputeUnitsRow(std::string& field);

Option TargetRow(std::string& field, std::string_view help, bool may_be_absent = false);
Option PrecisionRow(std::string& field, std::string_view help, bool may_be_absent = false);
Option KeepFloat32Row(std::vector<std::string>& field);

// How a MODEL is loaded.
Option WeightsRow(std::string& field);
Option SeedRow(uint64_t& field);
Option InputShapesRow(Shapes& field);

}  // namespace anemone::options
