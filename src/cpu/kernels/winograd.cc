#include "cpu/kernels/winograd.h"

#include <algorithm>

#include "base/rounding.h"
#include "base/thread_pool.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/gemm_tile.h"
#include "cpu/kernels/tile_driver.h"
#include "cpu/kernels/winograd_transform.h"

namespace anemone::cpu {
namespace {

// Transformed windows and sums of one thread's tiles, in its second-level cache beside some filters.
constexpr int64_t kTilesBytes = 640 * 1024;
// The same where all threads work on each step together.
constexpr int64_t kSharedBytes = 8 * 1024 * 1024;
// Filters that every thread may read for each of its blocks.
constexpr int64_t kRereadBytes = 2560 * 1024;

// Rows that are a multiple of 2 KiB apart would share few sets of the first-level cache.
int64_t SpreadOut(int64_t floats) { return floats % 512 == 0 ? floats + 16 : floats; }

// The tiles of an image, and how they lie in the buffers of a block of them.
struct Geometry {
  Geometry(const ConvShape& s, int tile)
      : tile_size(tile),
        points((tile + 2) * (tile + 2)),
        across(CeilDiv(s.out_w, tile)),
        down(CeilDiv(s.out_h, tile)),
        tiles(s.batch * across * down),
        in_stride(SpreadOut(RoundUp(s.in_c, VectorWidth()))),
        out_stride(SpreadOut(PackedColumns(s.out_c))) {}

  // From point to point in a block of `count` tiles.
  int64_t in_plane(int64_t count) const { return count * in_stride + 16; }
  int64_t out_plane(int64_t count) const { return count * out_stride + 16; }
  int64_t BlockFloats(int64_t count) const { return points * (in_plane(count) + out_plane(count)); }
  // Tiles whose buffers take about so many bytes, a whole number of the product's rows.
  int64_t TilesIn(int64_t bytes) const {
    const int64_t each = points * (in_stride + out_stride) * int64_t{sizeof(float)};
    const int64_t rows = MaxTileRows();
    return std::min(tiles, std::max(bytes / each / rows, int64_t{1}) * rows);
  }

  int tile_size;
  int64_t points;
  int64_t across, down;
  int64_t tiles;
  int64_t in_stride, out_stride;
};

// Some tiles, and where their transformed windows and their sums lie.
struct WindowBlock {
  int64_t first = 0;
  int64_t count = 0;
  float* windows = nullptr;
  float* sums = nullptr;
};

class Winograd {
 public:
  Winograd(const ConvShape& shape, const WinogradWeights& weights, const float* in,
           const Destination& out, std::span<const Step> steps)
      : shape_(shape),
        weights_(weights),
        geometry_(shape, weights.tile),
        transforms_(ChooseWinogradTransforms(weights.tile)),
        multiply_(ChooseTile()),
        in_(in),
        steps_(steps, out) {
    problem_.m = shape.batch * shape.out_h * shape.out_w;
    problem_.n = shape.out_c;
    problem_.out = out;
    problem_.out_stride = shape.out_c;
    problem_.steps = steps;
    panels_ = CeilDiv(shape.out_c, PanelWidth());
  }

  void Run(float* scratch, ThreadPool& pool) const {
    const int64_t each = geometry_.TilesIn(kTilesBytes);
    const int64_t blocks = CeilDiv(geometry_.tiles, each);
    const int64_t filter_bytes =
        geometry_.points * PackedFloats(shape_.in_c, shape_.out_c) * int64_t{sizeof(float)};
    // Each block reads all filters.
    if (blocks >= pool.threads() && filter_bytes <= kRereadBytes) {
      RunBlocks(CeilDiv(blocks, pool.threads()) * pool.threads(), pool);
    } else {
      RunTogether(scratch, pool);
    }
  }

 private:
  WindowBlock BlockAt(int64_t first, int64_t end, float* memory) const {
    const int64_t count = end - first;
    return {first, count, memory, memory + geometry_.points * geometry_.in_plane(count)};
  }

  // Each thread does all of its own tiles.
  void RunBlocks(int64_t blocks, ThreadPool& pool) const {
    const int64_t tiles = geometry_.tiles;
    blocks = std::min(blocks, tiles);
    pool.ParallelFor(blocks, 1, [&](int64_t begin, int64_t end) {
      thread_local Floats memory;
      memory.Reserve(geometry_.BlockFloats(CeilDiv(tiles, blocks)));
      for (int64_t b = begin; b < end; ++b) {
        const WindowBlock block =
            BlockAt(tiles * b / blocks, tiles * (b + 1) / blocks, memory.data());
        Transform(block, 0, block.count);
        for (int64_t p = 0; p < geometry_.points; ++p) Multiply(block, p);
        Finish(block, 0, block.count);
      }
    });
  }

  // All threads transform, then multiply, then finish: each reads its part of the filters only.
  void RunTogether(float* scratch, ThreadPool& pool) const {
    const int64_t each = geometry_.TilesIn(kSharedBytes);
    const int64_t blocks = CeilDiv(geometry_.tiles, each);
    for (int64_t b = 0; b < blocks; ++b) {
      const WindowBlock block =
          BlockAt(geometry_.tiles * b / blocks, geometry_.tiles * (b + 1) / blocks, scratch);
      pool.ParallelFor(block.count, 1,
                       [&](int64_t begin, int64_t end) { Transform(block, begin, end); });
      pool.ParallelFor(geometry_.points, 1, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) Multiply(block, p);
      });
      pool.ParallelFor(block.count, 1,
                       [&](int64_t begin, int64_t end) { Finish(block, begin, end); });
    }
  }

  // The transformed windows of tiles [begin, end) of a block.
  void Transform(const WindowBlock& block, int64_t begin, int64_t end) const {
    const ConvShape& s = shape_;
    const int window = geometry_.tile_size + 2;
    WinogradInput input;
    input.channels = s.in_c;
    input.plane = geometry_.in_plane(block.count);
    for (int64_t t = begin; t < end; ++t) {
      const int64_t at = block.first + t;
      const int64_t image = at / (geometry_.across * geometry_.down);
      const int64_t top = at / geometry_.across % geometry_.down * geometry_.tile_size - s.pad_top;
      const int64_t left = at % geometry_.across * geometry_.tile_size - s.pad_left;
      const float** to = input.pixels;
      for (int64_t y = top; y < top + window; ++y) {
        const float* line = in_ + ((image * s.in_h + y) * s.in_w + left) * s.in_c;
        const bool inside = y >= 0 && y < s.in_h;
        for (int64_t x = left; x < left + window; ++x, line += s.in_c) {
          *to++ = inside && x >= 0 && x < s.in_w ? line : weights_.zeros.data();
        }
      }
      input.out = block.windows + t * geometry_.in_stride;
      transforms_.input(input);
    }
  }

  // The sums of all tiles of a block at one point.
  void Multiply(const WindowBlock& block, int64_t point) const {
    const int64_t row_tiles = CeilDiv(block.count, MaxTileRows());
    const float* windows = block.windows + point * geometry_.in_plane(block.count);
    float* sums = block.sums + point * geometry_.out_plane(block.count);
    const PackedView filters{
        weights_.panels.data() + point * PackedFloats(shape_.in_c, shape_.out_c),
        weights_.zeros.data(), shape_.in_c, shape_.out_c};
    const float* rows[kMostRows];
    for (int64_t panel = 0; panel < panels_; ++panel) {
      TileArgs args = PanelArgs(filters, panel, 1);
      args.a = rows;
      args.bias = weights_.zeros.data();
      TileEpilogue end;
      end.stride = geometry_.out_stride;
      end.columns = args.panel_width;
      for (int64_t t = 0; t < row_tiles; ++t) {
        const int64_t first = block.count * t / row_tiles;
        end.rows = static_cast<int>(block.count * (t + 1) / row_tiles - first);
        for (int r = 0; r < end.rows; ++r) rows[r] = windows + (first + r) * geometry_.in_stride;
        end.c = sums + first * geometry_.out_stride + panel * PanelWidth();
        multiply_(args, end);
      }
    }
  }

  // The outputs of tiles [begin, end) of a block.
  void Finish(const WindowBlock& block, int64_t begin, int64_t end) const {
    const ConvShape& s = shape_;
    const int size = geometry_.tile_size;
    TileBlock pixels;
    pixels.panel_end = panels_;
    thread_local Floats waiting;
    const bool waits = problem_.out.floats == nullptr && steps_.quantize == nullptr;
    if (waits) waiting.Reserve(size * size * s.out_c);
    pixels.waiting = waits ? waiting.data() : nullptr;
    const TileEpilogue first = EpilogueAt(problem_, steps_, pixels, 0);
    WinogradOutput output;
    output.plane = geometry_.out_plane(block.count);
    output.bias = weights_.bias.data();
    output.channels = s.out_c;
    for (TileEpilogue& row : output.rows) row = first;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t at = block.first + t;
      const int64_t image = at / (geometry_.across * geometry_.down);
      const int64_t top = at / geometry_.across % geometry_.down * size;
      const int64_t left = at % geometry_.across * size;
      output.sums = block.sums + t * geometry_.out_stride;
      output.height = static_cast<int>(std::min<int64_t>(size, s.out_h - top));
      const int width = static_cast<int>(std::min<int64_t>(size, s.out_w - left));
      const auto row_of = [&](int64_t y) { return (image * s.out_h + top + y) * s.out_w + left; };
      for (int y = 0; y < output.height; ++y) {
        Start(first, waits ? y * size : row_of(y), row_of(y), &output.rows[y]);
        output.rows[y].rows = width;
      }
      transforms_.output(output);
      if (steps_.rest.empty() && !waits) continue;
      for (int y = 0; y < output.height; ++y) {
        pixels.row = row_of(y);
        pixels.rows = width;
        pixels.waiting = waits ? waiting.data() + y * size * s.out_c : nullptr;
        FinishBlock(problem_, steps_, pixels);
      }
    }
  }

  // `first`, which is for row 0, for row `operand_row` of the steps' operands, stored at row `row`.
  static void Start(const TileEpilogue& first, int64_t row, int64_t operand_row,
                    TileEpilogue* end) {
    for (int i = 0; i < first.count; ++i) {
      const TileStep& step = first.steps[i];
      if (step.operand == nullptr) continue;
      end->steps[i].operand = step.operand + operand_row * step.row_stride;
    }
    const int64_t at = row * first.stride;
    if (first.c != nullptr) end->c = first.c + at;
    if (first.narrow != nullptr) end->narrow = first.narrow + at;
    if (first.bytes != nullptr) end->bytes = first.bytes + at;
  }

  static constexpr int kMostRows = 16;

  const ConvShape& shape_;
  const WinogradWeights& weights_;
  const Geometry geometry_;
  const WinogradTransforms transforms_;
  const decltype(ChooseTile()) multiply_;
  const float* in_;
  TileProblem problem_;
  TileSteps steps_;
  int64_t panels_ = 0;
};

}  // namespace

bool CanBeWinograd(const ConvShape& s) {
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 &&
         s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1;
}

int ChooseWinogradTile(const ConvShape& s) {
  constexpr double kTransform = 16.0;   // of one value at one point, in or out
  constexpr double kStream = 13.0;      // of one weight that the second-level cache does not hold
  constexpr double kCachedBytes = 2e6;  // of weights that it holds
  constexpr double kGain = 0.75;        // for the memory that more points take
  constexpr int64_t kFewestChannels = 16;
  if (!CanBeWinograd(s) || std::min(s.in_c, s.out_c) < kFewestChannels) return 0;
  const auto in_c = static_cast<double>(s.in_c), out_c = static_cast<double>(s.out_c);
  // Of one pair of an input and an output channel: `points` weights, each used `rows` times.
  const auto product = [&](double points, double rows) {
    const bool streams = points * in_c * out_c * sizeof(float) > kCachedBytes;
    return points * (rows + (streams ? kStream : 0.0));
  };
  const auto winograd = [&](int64_t tile) {
    const auto tiles = static_cast<double>(CeilDiv(s.out_h, tile) * CeilDiv(s.out_w, tile));
    const auto points = static_cast<double>((tile + 2) * (tile + 2));
    return product(points, tiles) + kTransform * points * tiles * (1.0 / in_c + 1.0 / out_c);
  };
  const double direct = product(9.0, static_cast<double>(s.out_h * s.out_w));
  const double two = winograd(2), four = winograd(4);
  if (four < kGain * std::min(two, direct)) return 4;
  return two < kGain * direct ? 2 : 0;
}

double WinogradErrorLimit(int tile, int64_t in_c) {
  constexpr double kRoundoff = 1.0 / (1 << 24);
  constexpr double kTransforms = 40.0;  // roundings of one value in the transforms
  // The most that |output transform| (|filter transform| 1) (|input transform| 1) comes to, in both directions.
  const double amplified = tile == 2 ? 4.0 * 4.0 : 13.25 * 13.25;
  return amplified * (static_cast<double>(in_c) + kTransforms) * kRoundoff;
}

WinogradWeights PackWinograd(const ConvShape& s, int tile, const float* weights, const float* bias,
                             ThreadPool& pool) {
  constexpr int64_t kTaps = 9;
  const int64_t plane = PackedFloats(s.in_c, s.out_c);
  const int64_t points = int64_t{tile + 2} * (tile + 2);
  WinogradWeights packed;
  packed.tile = tile;
  packed.panels.Reserve(points * plane);
  const WinogradFilterFunction transform = ChooseWinogradTransforms(tile).filter;
  const int64_t panels = CeilDiv(s.out_c, PanelWidth());
  pool.ParallelFor(panels, 1, [&](int64_t begin, int64_t end) {
    Floats gathered(kTaps * PanelWidth());
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * PanelWidth();
      WinogradFilter filter;
      filter.taps = gathered.data();
      filter.channels = filter.stride = PanelWidthAt(s.out_c, panel);
      filter.plane = plane;
      filter.out = packed.panels.data() + first * s.in_c;
      const int64_t columns = std::min(filter.channels, s.out_c - first);
      std::fill_n(gathered.data(), kTaps * filter.stride, 0.0f);
      for (int64_t c = 0; c < s.in_c; ++c, filter.out += filter.channels) {
        for (int64_t j = 0; j < columns; ++j) {
          const float* from = weights + ((first + j) * s.in_c + c) * kTaps;
          for (int64_t t = 0; t < kTaps; ++t) gathered.data()[t * filter.stride + j] = from[t];
        }
        transform(filter);
      }
    }
  });
  packed.bias.Reserve(PackedColumns(s.out_c));
  std::fill_n(packed.bias.data(), PackedColumns(s.out_c), 0.0f);
  if (bias != nullptr) std::copy_n(bias, s.out_c, packed.bias.data());
  const int64_t zeros = std::max<int64_t>(s.in_c, PanelWidth());
  packed.zeros.Reserve(zeros);
  std::fill_n(packed.zeros.data(), zeros, 0.0f);
  return packed;
}

int64_t WinogradScratchFloats(const ConvShape& s, int tile) {
  const Geometry geometry(s, tile);
  return geometry.BlockFloats(geometry.TilesIn(kSharedBytes));
}

void RunWinograd(const ConvShape& shape, const WinogradWeights& weights, const float* in,
                 const Destination& out, float* scratch, std::span<const Step> steps,
                 ThreadPool& pool) {
  Winograd(shape, weights, in, out, steps).Run(scratch, pool);
}

}  // namespace anemone::cpu
