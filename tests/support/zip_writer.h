// A minimal zip writer, so that the tests of readers do not depend on one.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace anemone::test {

inline void Put(std::string* out, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) *out += static_cast<char>(i < 8 ? value >> (8 * i) : 0);
}

struct ZipSource {
  std::string name;
  std::string data;
  bool deflate = false;
  bool zip64 = false;
  uint32_t unix_mode = 0;  // of an archive made on Unix, as for a symbolic link; 0: none
};

inline std::string Zip(const std::vector<ZipSource>& sources) {
  std::string out;
  std::string directory;
  for (const ZipSource& source : sources) {
    std::string packed = source.data;
    if (source.deflate) {
      packed.resize(compressBound(source.data.size()) + 64);
      z_stream stream{};
      deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(source.data.data()));
      stream.avail_in = static_cast<uInt>(source.data.size());
      stream.next_out = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_out = static_cast<uInt>(packed.size());
      deflate(&stream, Z_FINISH);
      packed.resize(stream.total_out);
      deflateEnd(&stream);
    }
    const auto crc =
        crc32_z(0, reinterpret_cast<const Bytef*>(source.data.data()), source.data.size());
    const size_t local = out.size();
    std::string common;  // version, flags, method, time, date, crc, sizes, name size
    for (const auto& [value, width] : std::vector<std::pair<uint64_t, int>>{
             {20, 2}, {0, 2}, {source.deflate ? 8 : 0, 2}, {0, 4}, {crc, 4}}) {
      Put(&common, value, width);
    }
    std::string extra;
    if (source.zip64) {
      Put(&common, 0xFFFFFFFF, 4);
      Put(&common, 0xFFFFFFFF, 4);
      Put(&extra, 1, 2);
      Put(&extra, 16, 2);
      Put(&extra, source.data.size(), 8);
      Put(&extra, packed.size(), 8);
    } else {
      Put(&common, packed.size(), 4);
      Put(&common, source.data.size(), 4);
    }
    Put(&common, source.name.size(), 2);
    Put(&common, extra.size(), 2);
    Put(&out, 0x04034b50, 4);
    out.append(common).append(source.name).append(extra).append(packed);
    Put(&directory, 0x02014b50, 4);
    Put(&directory, source.unix_mode != 0 ? (3 << 8) | 20 : 20, 2);
    directory += common;
    directory.append(2 + 2 + 2, char{0});  // comment size, disk, internal attributes
    Put(&directory, uint64_t{source.unix_mode} << 16, 4);
    Put(&directory, local, 4);
    directory += source.name + extra;
  }
  const size_t start = out.size();
  out += directory;
  Put(&out, 0x06054b50, 4);
  Put(&out, 0, 4);
  Put(&out, sources.size(), 2);
  Put(&out, sources.size(), 2);
  Put(&out, directory.size(), 4);
  Put(&out, start, 4);
  Put(&out, 0, 2);
  return out;
}

}  // namespace anemone::test
