// Shapes as texts: "1x3x224x224", and with dimensions that are open: "1x[1..512]" a range,
// "1x[1..512=128]" one with a default, "[1|2|4]x128" a choice, "1x3x?x?" any size. Thread rules: pure
// functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anemone/options.h"

namespace anemone::options {

// Dimensions separated by 'x' or ','; nullopt when `text` is none, or one breaks a rule.
std::optional<std::vector<Dimension>> ReadShape(std::string_view text);
// One open dimension: "[1..512]" or "1..512", "[1|2|4]" or "1|2|4", "?". Nullopt for anything else.
std::optional<Dimension> ReadOpenDimension(std::string_view text);
// The text that ReadShape reads.
std::string ShapeText(const std::vector<Dimension>& shape);
// Moves what is NAME:SHAPE in a list of input files ("NAME=FILE", "FILE") to the shapes.
void MoveShapes(std::vector<std::string>* inputs,
                std::map<std::string, std::vector<Dimension>>* shapes);
// What is wrong with a dimension: "a dimension below 1", "the range 5 to 2"; empty for a right one.
std::string BrokenRule(const Dimension& dimension);

}  // namespace anemone::options
