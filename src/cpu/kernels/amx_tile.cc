#include "cpu/kernels/amx_tile.h"

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"

#if HWY_ARCH_X86_64
#include <immintrin.h>
#endif

namespace anemone::cpu {

AmxCut::AmxCut(int64_t m, int64_t max_rows) {
  const int64_t tiles = (m + max_rows - 1) / max_rows;
  rows_each = static_cast<int>(((m + tiles - 1) / tiles + 1) / 2);
}

int64_t AmxMaxRows(int64_t width) {
  for (const int64_t each : {16, 15, 14, 13, 12}) {
    if (width % each == 0) return 2 * each;
  }
  return 2 * kAmxRows;
}

namespace {

bool AreEquallyFarApart(const void* const* pointers, int rows, int64_t* stride) {
  const auto at = [&](int r) { return reinterpret_cast<intptr_t>(pointers[r]); };
  *stride = rows > 1 ? at(1) - at(0) : 0;
  int64_t differences = 0;
  for (int r = 2; r < rows; ++r) differences |= at(r) - at(r - 1) - *stride;
  return differences == 0;
}

}  // namespace

void CollectAmxRows(const AmxCut& cut, const void* const* pointers, int64_t taps, int rows,
                    int64_t depth_bytes, std::vector<uint8_t>* copies, AmxRows* to) {
  const int each = cut.rows_each;
  const int64_t padded = (depth_bytes + kAmxRowBytes - 1) / kAmxRowBytes * kAmxRowBytes;
  const auto needed = static_cast<size_t>(2 * taps * each * padded);
  uint8_t* copy = nullptr;
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (const int first : {0, rows - each}) {
      const void* const* from = pointers + tap * rows + first;
      int64_t stride = 0;
      if (AreEquallyFarApart(from, each, &stride)) {
        *to++ = {from[0], stride};
        continue;
      }
      if (copy == nullptr) {
        // What is read behind a row is multiplied by 0.
        if (copies->size() < needed) copies->resize(needed);
        copy = copies->data();
      }
      *to++ = {copy, padded};
      for (int r = 0; r < each; ++r, copy += padded) {
        std::memcpy(copy, from[r], static_cast<size_t>(depth_bytes));
      }
    }
  }
}

#if HWY_ARCH_X86_64

namespace {

#define ANEMONE_AMX __attribute__((target("amx-tile,amx-int8,amx-bf16")))

// g++ does not know that these instructions read memory: what was written before is written by now.
HWY_INLINE void WriteBack(const void* written) { asm volatile("" : : "r"(written) : "memory"); }

// Registers 0 to 3: sums (top left, top right, bottom left, bottom right); 4 and 5: left operand; 6 and
// 7: right operand.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

#define ANEMONE_AMX_PRODUCT(Name, multiply, Sum)                                            \
  ANEMONE_AMX void Name(const AmxTileArgs& args, const AmxRows* a, int rows, int rows_each, \
                        Sum* sums) {                                                        \
    WriteBack(a);                                                                           \
    const auto* b = static_cast<const uint8_t*>(args.b);                                    \
    const int64_t width_bytes = int64_t{4} * args.panel_width;                              \
    const auto* start = static_cast<const uint8_t*>(args.start);                            \
    Sum* const bottom = sums + static_cast<int64_t>(rows - rows_each) * args.panel_width;   \
    const bool both = args.panel_width == kAmxPanelWidth;                                   \
    if (start == nullptr) {                                                                 \
      _tile_zero(0);                                                                        \
      _tile_zero(1);                                                                        \
      _tile_zero(2);                                                                        \
      _tile_zero(3);                                                                        \
    } else {                                                                                \
      _tile_loadd(0, start, 0);                                                             \
      _tile_loadd(2, start, 0);                                                             \
      if (both) {                                                                           \
        _tile_loadd(1, start + kAmxRowBytes, 0);                                            \
        _tile_loadd(3, start + kAmxRowBytes, 0);                                            \
      }                                                                                     \
    }                                                                                       \
    for (int64_t tap = 0; tap < args.taps; ++tap, a += 2) {                                 \
      const auto* top = static_cast<const uint8_t*>(a[0].base);                             \
      const auto* low = static_cast<const uint8_t*>(a[1].base);                             \
      for (int64_t k = 0; k < args.chunks; ++k) {                                           \
        _tile_loadd(4, top + k * kAmxRowBytes, a[0].stride_bytes);                          \
        _tile_loadd(6, b, width_bytes);                                                     \
        multiply(0, 4, 6);                                                                  \
        _tile_loadd(5, low + k * kAmxRowBytes, a[1].stride_bytes);                          \
        multiply(2, 5, 6);                                                                  \
        if (both) {                                                                         \
          _tile_loadd(7, b + kAmxRowBytes, width_bytes);                                    \
          multiply(1, 4, 7);                                                                \
          multiply(3, 5, 7);                                                                \
        }                                                                                   \
        b += kAmxRows * width_bytes;                                                        \
      }                                                                                     \
    }                                                                                       \
    /* Rows of both are equal, and written twice. */                                        \
    _tile_stored(0, sums, width_bytes);                                                     \
    _tile_stored(2, bottom, width_bytes);                                                   \
    if (both) {                                                                             \
      _tile_stored(1, sums + kAmxRows, width_bytes);                                        \
      _tile_stored(3, bottom + kAmxRows, width_bytes);                                      \
    }                                                                                       \
  }

ANEMONE_AMX_PRODUCT(BytesProduct, _tile_dpbusd, int32_t)
ANEMONE_AMX_PRODUCT(Bf16Product, _tile_dpbf16ps, float)
#undef ANEMONE_AMX_PRODUCT

ANEMONE_AMX void Configure(const TileConfiguration& configuration) {
  WriteBack(&configuration);
  _tile_loadconfig(&configuration);
}
ANEMONE_AMX void Release() { _tile_release(); }

}  // namespace

AmxTiles::AmxTiles(const AmxCut& cut) : rows_each_(cut.rows_each) {
  TileConfiguration configuration;
  for (int i = 0; i < 8; ++i) {
    configuration.row_bytes[i] = kAmxRowBytes;
    configuration.rows[i] = static_cast<uint8_t>(i < 6 ? rows_each_ : kAmxRows);
  }
  Configure(configuration);
}

AmxTiles::~AmxTiles() { Release(); }

void AmxTiles::MultiplyBytes(const AmxTileArgs& args, const AmxRows* a, int rows,
                             int32_t* sums) const {
  BytesProduct(args, a, rows, rows_each_, sums);
}

void AmxTiles::MultiplyBf16(const AmxTileArgs& args, const AmxRows* a, int rows,
                            float* sums) const {
  Bf16Product(args, a, rows, rows_each_, sums);
}

#else

// Nobody asks for them: base/simd_level.h says so.
AmxTiles::AmxTiles(const AmxCut& cut) : rows_each_(cut.rows_each) {}
AmxTiles::~AmxTiles() = default;
void AmxTiles::MultiplyBytes(const AmxTileArgs&, const AmxRows*, int, int32_t*) const {}
void AmxTiles::MultiplyBf16(const AmxTileArgs&, const AmxRows*, int, float*) const {}

#endif

}  // namespace anemone::cpu
