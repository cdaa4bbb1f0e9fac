// ir::Type to and from the wire format. Internal to src/format. Pure functions.
#pragma once

#include "base/status.h"
#include "ir/type.h"

namespace anemone::format {

namespace proto {
class ValueType;
}

// No tensor type may have more elements than this (unknown dimensions count as one): 2^35
// floats are 128 GiB. The limit keeps sums and products of sizes far from overflow everywhere
// after the reader.
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 35;

Result<ir::Type> DecodeType(const proto::ValueType& wire);
Status EncodeType(const ir::Type& type, proto::ValueType* wire);

}  // namespace anemone::format
