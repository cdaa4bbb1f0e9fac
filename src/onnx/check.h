// Checks the structure of a graph as read: names are unique, every input exists, there is no cycle.
// Puts the nodes into an order in which every value is made before it is used (the file's own order
// if it is one).
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "onnx/model.h"

namespace anemone::onnx {

// Checks, and sorts the nodes of, the graph, its subgraphs and the bodies of functions.
// Errors: kInvalidInput naming the node and the value.
Status CheckModel(Model& model);

// The names that `node` reads: its inputs, and what its subgraphs take from outside. "" is left
// out; names may repeat.
std::vector<std::string_view> UsedNames(const Node& node);

}  // namespace anemone::onnx
