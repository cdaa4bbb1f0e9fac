// Content-derived UUIDs: the same bytes give the same identifier. For file formats that ask for a
// UUID, which others draw at random.
#pragma once

#include <string>
#include <string_view>

#include "base/content_hash.h"

namespace anemone {

// `hash` as a version 8 UUID (RFC 9562: vendor-defined content), in upper
// case: "5F15AADD-2F4E-8414-826F-AF8D81B958C7".
std::string UuidFrom(const ContentHash& hash);

// Whether `text` has the shape of a UUID (8-4-4-4-12 hexadecimal digits, either case).
bool IsUuid(std::string_view text);

}  // namespace anemone
