// Content-derived UUIDs: identifiers that are the same for the same bytes, where a file format asks
// for a UUID and others draw it at random.
#pragma once

#include <string>
#include <string_view>

#include "base/content_hash.h"

namespace anemone {

// `hash` as a version 8 UUID (RFC 9562: vendor-defined content), upper
// case: "5F15AADD-2F4E-8414-826F-AF8D81B958C7".
std::string UuidFrom(const ContentHash& hash);

// Whether `text` has the shape of a UUID (8-4-4-4-12 hexadecimal digits, either case).
bool IsUuid(std::string_view text);

}  // namespace anemone
