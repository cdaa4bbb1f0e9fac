// What metadata.json says of a program's element types and operators. Internal to src/format. Pure
// functions.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "base/status.h"
#include "format/proto/mil.pb.h"

namespace anemone::format {

// "Mixed (Float16, Int32)", or the only one; empty for none.
std::string MixedText(const std::set<std::string>& names);

// The numeric types of the inputs and of every operation's outputs. What no public compiled model
// shows is told in `unconfirmed`.
Result<std::set<std::string>> ComputePrecisionOf(const proto::Function& function,
                                                 std::set<std::string>* unconfirmed);
// How the constants of weight files are stored, over all functions.
Result<std::set<std::string>> StoragePrecisionOf(const proto::Program& program,
                                                 std::set<std::string>* unconfirmed);
// How often each operator occurs, but for const.
using Histogram = std::map<std::string, int64_t>;
Result<Histogram> HistogramOf(const proto::Function& function, std::set<std::string>* unconfirmed);

}  // namespace anemone::format
