#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "anemone/options.h"
#include "base/mapped_file.h"
#include "base/npy.h"
#include "media/image.h"
#include "media/normalize.h"
#include "media/resize.h"
#include "support/mutations.h"

namespace anemone::media {
namespace {

const std::string kFolder = "tests/fixtures/media/";

// The results of Pillow and torchvision (tools/oracle/media_golden.py).
const std::map<std::string, NpyArray>& Golden() {
  static const std::map<std::string, NpyArray> kGolden = [] {
    auto arrays = ReadNpz(kFolder + "golden.npz");
    EXPECT_TRUE(arrays.ok()) << arrays.error().ToString();
    std::map<std::string, NpyArray> map;
    if (!arrays.ok()) return map;
    for (auto& [name, array] : *arrays) map[name] = std::move(array);
    return map;
  }();
  return kGolden;
}

Image GoldenImage(const std::string& name) {
  const NpyArray& array = Golden().at(name);
  const auto pixels = array.data.As<uint8_t>();
  return {int(array.shape[1]), int(array.shape[0]), {pixels.begin(), pixels.end()}};
}

void ExpectSame(const Result<Image>& actual, const std::string& golden) {
  ASSERT_TRUE(actual.ok()) << golden << ": " << actual.error().ToString();
  const Image expected = GoldenImage(golden);
  ASSERT_EQ(actual->width, expected.width) << golden;
  ASSERT_EQ(actual->height, expected.height) << golden;
  ASSERT_EQ(actual->pixels.size(), expected.pixels.size()) << golden;
  int differing = 0;
  for (size_t i = 0; i < expected.pixels.size(); ++i) {
    differing += actual->pixels[i] != expected.pixels[i];
  }
  EXPECT_EQ(differing, 0) << golden;
}

// The golden names that begin with `prefix`, without it.
std::vector<std::string> Names(const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& [name, array] : Golden()) {
    if (name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
  }
  return names;
}

// "20x15" as width and height.
std::pair<int, int> SizeOf(const std::string& text) {
  const size_t x = text.find('x');
  return {std::stoi(text.substr(0, x)), std::stoi(text.substr(x + 1))};
}

TEST(Decode, EveryKindOfFileGivesPillowsPixels) {
  const auto names = Names("decode/");
  EXPECT_EQ(names.size(), 30u);
  for (const std::string& name : names) ExpectSame(ReadImage(kFolder + name), "decode/" + name);
}

TEST(Decode, ErrorsNameTheFile) {
  const auto missing = ReadImage(kFolder + "missing.png");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  const auto other = ReadImage(kFolder + "golden.npz");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(other.error().ToString().find("golden.npz"), std::string::npos);
  EXPECT_FALSE(DecodeImage(Bytes()).ok());
}

TEST(Decode, HugeSizesAreRefusedBeforeAnyMemoryIsTaken) {
  // A JPEG that claims 65500 x 65500, and a PNG of 2^31 - 1 squared (its header's checksum made to
  // match).
  auto jpeg = MapFile(kFolder + "yuv444.jpg");
  ASSERT_TRUE(jpeg.ok());
  std::string text(reinterpret_cast<const char*>(jpeg->data()), jpeg->size());
  const size_t frame = text.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  text.replace(frame + 5, 4, "\xFF\xDC\xFF\xDC");
  const auto huge = DecodeImage(Bytes::Copy(text.data(), text.size()));
  ASSERT_FALSE(huge.ok());
  EXPECT_NE(huge.error().ToString().find("65500 x 65500 pixels exceed"), std::string::npos);

  const std::string png(
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\2\0\0\0\x9b\xab\x9c\x31"
      "\0\0\0\1IDAT",
      41);
  const auto wide = DecodeImage(Bytes::Copy(png.data(), png.size()));
  ASSERT_FALSE(wide.ok());
  EXPECT_NE(wide.error().ToString().find("pixels exceed the limit"), std::string::npos)
      << wide.error().ToString();
}

TEST(Decode, TruncatedFilesAreErrors) {
  for (const char* name : {"rgb8.png", "rgb8_interlaced.png", "yuv420.jpg", "progressive.jpg"}) {
    const auto file = MapFile(kFolder + name);
    ASSERT_TRUE(file.ok());
    // The last bytes are PNG's end chunk and JPEG's end marker with at most a few bits of picture
    // before it.
    for (size_t size = 0; size + 16 < file->size(); ++size) {
      EXPECT_FALSE(DecodeImage(file->Slice(0, size)).ok()) << name << " cut to " << size;
    }
  }
  EXPECT_FALSE(ReadImage(kFolder + "no_end.jpg").ok());  // Pillow refuses it too
}

TEST(Decode, DamagedFilesNeverCrash) {
  for (const char* name : {"rgb8.png", "palette4.png", "gray16.png", "rgb8_interlaced.png",
                           "yuv420.jpg", "progressive.jpg", "cmyk.jpg", "restart.jpg"}) {
    const auto file = MapFile(kFolder + name);
    ASSERT_TRUE(file.ok());
    const std::span<const std::byte> good(file->data(), file->size());
    test::ForEachMutation(good, {.truncations = 0, .bit_flips = 600, .overwrites = 600},
                          [&](std::vector<std::byte> bad) {
                            const auto image = DecodeImage(Bytes::FromVector(std::move(bad)));
                            if (!image.ok()) return;
                            EXPECT_EQ(image->pixels.size(),
                                      size_t(image->width) * size_t(image->height) * 3);
                          });
  }
}

TEST(Resize, EveryFilterGivesPillowsPixels) {
  const Image source = GoldenImage("source");
  const auto names = Names("resize/");
  EXPECT_EQ(names.size(), 24u);
  for (const std::string& name : names) {
    const size_t slash = name.find('/');
    const auto filter = FilterFromName(name.substr(0, slash));
    ASSERT_TRUE(filter.has_value()) << name;
    const auto [width, height] = SizeOf(name.substr(slash + 1));
    ExpectSame(Resize(source, width, height, *filter), "resize/" + name);
  }
  EXPECT_FALSE(FilterFromName("cubic").has_value());
}

TEST(Resize, SameSizeIsACopy) {
  const Image source = GoldenImage("source");
  ExpectSame(Resize(source, source.width, source.height, Filter::kLanczos), "source");
}

TEST(Resize, ShorterSideAsTorchvision) {
  const Image source = GoldenImage("source");
  Image tall{source.height, source.width, std::vector<uint8_t>(source.pixels.size())};
  for (int y = 0; y < tall.height; ++y) {
    for (int x = 0; x < tall.width; ++x) std::memcpy(tall.Row(y) + 3 * x, source.Row(x) + 3 * y, 3);
  }
  for (const int size : {20, 21}) {
    ExpectSame(ResizeShorterSide(source, size, Filter::kBilinear),
               "shorter/" + std::to_string(size));
    ExpectSame(ResizeShorterSide(tall, size, Filter::kBilinear),
               "shorter_tall/" + std::to_string(size));
  }
}

TEST(Resize, CenterCropAsTorchvision) {
  const Image source = GoldenImage("source");
  const auto names = Names("crop/");
  EXPECT_EQ(names.size(), 7u);
  for (const std::string& name : names) {
    const auto [width, height] = SizeOf(name);
    ExpectSame(CenterCrop(source, width, height), "crop/" + name);
  }
}

TEST(Resize, BadSizesAreErrors) {
  const Image source = GoldenImage("source");
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{0, 1}, {1, 0}, {-1, 4}, {100000, 100000}}) {
    EXPECT_FALSE(Resize(source, width, height, Filter::kBox).ok());
    EXPECT_FALSE(CenterCrop(source, width, height).ok());
  }
  EXPECT_FALSE(ResizeShorterSide(source, 0, Filter::kBox).ok());
  EXPECT_FALSE(ResizeShorterSide(source, 1 << 20, Filter::kBox).ok());
  EXPECT_FALSE(Resize(Image{}, 4, 4, Filter::kBox).ok());
}

TEST(Normalize, EqualsTorchvisionBitForBit) {
  const Image source = GoldenImage("normalize_source");
  const auto nchw = Normalize(source, kImageNetMean, kImageNetDeviation, PixelLayout::kNchw);
  const auto expected = Golden().at("normalize").data.As<float>();
  ASSERT_EQ(nchw.size(), expected.size());
  EXPECT_TRUE(std::equal(nchw.begin(), nchw.end(), expected.begin()));
  const auto nhwc = Normalize(source, kImageNetMean, kImageNetDeviation, PixelLayout::kNhwc);
  EXPECT_EQ(nhwc[3 * 5 + 1], nchw[256 + 5]);
}

}  // namespace
}  // namespace anemone::media
