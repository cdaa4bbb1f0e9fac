// PyTorch's weight files (.pth, .pt, .bin), read without executing anything: the zip form of
// torch.save and the legacy form from before 1.6. The restricted reader is pickle.h.
//
// It returns the tensors of the state_dict: the outermost dict when it holds tensors, or the dict
// under one of the usual keys ("state_dict", "model", "model_state", ...). Other entries of a
// checkpoint (epoch, optimizer) are left out. Ownership: tensors are views of the mapped file where
// their layout allows, at any address, else copies, in all not more than twice the file. Thread rules: pure
// functions. Errors: kInvalidInput with tensor and rule; kUnsupported for TorchScript, big-endian
// files and anything that pickle.h refuses.
#pragma once

#include <string>
#include <vector>

#include "acquire/safetensors.h"
#include "base/bytes.h"
#include "base/status.h"

namespace anemone::acquire {

struct TorchFileRules {
  bool may_be_empty = false;  // else a file without tensors is an error
};

// Sorted by name, names unique.
Result<std::vector<NamedTensor>> ParseTorchFile(const Bytes& file,
                                                const TorchFileRules& rules = {});
// Whether the bytes begin as the legacy form does.
bool IsLegacyTorchFile(const Bytes& file);

}  // namespace anemone::acquire
