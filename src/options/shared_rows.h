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
// Of tools that measure or predict: the variable of sessions does not stand for the flag.
Option PlannedUnitsRow(std::string& field, std::string_view help, bool may_be_absent = false);

Option TargetRow(std::string& field, std::string_view help, bool may_be_absent = false);
Option PrecisionRow(std::string& field, std::string_view help, bool may_be_absent = false);
Option KeepFloat32Row(std::vector<std::string>& field, std::string_view help);

// A MODEL, and how it is loaded.
Option ModelRow(std::string& field);
Table ModelRows(ModelOptions& options);
Option WeightsRow(std::string& field);
Option SeedRow(uint64_t& field);
Option InputShapesRow(Shapes& field);
Option InputValueRow(std::vector<std::string>& field);
Option LoweringRow(std::vector<std::string>& field);
Option ClampInt64Row(bool& field);

// A folder of photographs, and what they show.
Option LabelsRow(std::string& field);

// Puts `more` behind `table`.
void Append(Table& table, const Table& more);

}  // namespace anemone::options
