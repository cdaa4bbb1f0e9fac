// Sequences of tensors, of which Core ML has none: they are lists that the importer keeps, so that what
// is taken out of one again is a tensor of the program.
#pragma once

#include "base/status.h"

namespace anemone::onnx {
class NodeContext;
}

namespace anemone::ops::slice {

Status EmitSequenceConstruct(onnx::NodeContext& c);  // of any number of tensors; SequenceEmpty too
Status EmitSequenceInsert(onnx::NodeContext& c);
Status EmitSequenceErase(onnx::NodeContext& c);
Status EmitSequenceAt(onnx::NodeContext& c);
Status EmitSequenceLength(onnx::NodeContext& c);
Status EmitSequenceMap(onnx::NodeContext& c);
Status EmitSplitToSequence(onnx::NodeContext& c);
Status EmitConcatFromSequence(onnx::NodeContext& c);

}  // namespace anemone::ops::slice
