// Reads a file of torch.export.save (.pt2) without executing anything: the archive of PyTorch 2.8 and
// newer, and the older form with pickled tensors, whose pickles the restricted reader of acquire/
// takes apart.
//
// Ownership: tensors are views of the mapped file where their layout allows it. Thread rules: pure
// functions. Errors: kInvalidInput for damaged files; kUnsupported for other kinds of PyTorch files
// (TorchScript, weights, AOTInductor packages) by what they are, with the way on.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "torch/program.h"

namespace anemone::torch {

Result<Program> ReadProgram(const std::string& path);
Result<Program> ReadProgram(const Bytes& file);

}  // namespace anemone::torch
