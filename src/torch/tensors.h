// The tensors of an exported program: raw storages with their description, or pickled ones. Thread
// rules: pure functions.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "base/status.h"
#include "torch/program.h"

namespace anemone::torch {

using Tensors = std::map<std::string, HeldTensor>;
// The bytes of a file beside the configuration; null when there is none.
using FindFile = std::function<const Bytes*(const std::string& name)>;

// A *_weights_config.json or *_constants_config.json: adds its tensors to `tensors`. Those that are not
// plain tensors (torch's custom objects) are left out: what reads them is reported.
Status AddPayload(const Json& config, const FindFile& find, Tensors* tensors);
// A file of torch.save that holds a dict of tensors, which may be empty.
Status AddPickled(const Bytes& file, Tensors* tensors);

}  // namespace anemone::torch
