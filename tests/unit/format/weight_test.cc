// weight.bin: the writer against bytes that coremltools wrote, the reader against itself and
// against damage.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "base/mapped_file.h"
#include "format/weight_layout.h"
#include "format/weight_reader.h"
#include "format/weight_writer.h"
#include "support/mutations.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

using test::ScratchFolder;

Bytes BytesOf(std::initializer_list<int> values) {
  std::vector<uint8_t> bytes;
  for (const int value : values) bytes.push_back(static_cast<uint8_t>(value));
  return Bytes::FromVector(std::move(bytes));
}

template <typename T>
Bytes Iota(size_t count) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), T{0});
  return Bytes::FromVector(std::move(values));
}

std::string Contents(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The tree hash that WeightWriter documents, computed from the file.
ContentHash TreeHash(const std::string& file) {
  constexpr size_t kStep = size_t{1} << 20;
  std::vector<std::string_view> pieces{std::string_view(file).substr(0, 64)};
  for (size_t at = 64; at < file.size();) {
    pieces.push_back(std::string_view(file).substr(at, 64));
    uint64_t size = 0;
    std::memcpy(&size, file.data() + at + 8, sizeof(size));
    const std::string_view data = std::string_view(file).substr(at + 64, size);
    for (size_t i = 0; i < data.size(); i += kStep) pieces.push_back(data.substr(i, kStep));
    at = (at + 64 + size + 63) / 64 * 64;
  }
  std::vector<ContentHash> hashes;
  for (const std::string_view piece : pieces) hashes.push_back(ContentHashOf(piece));
  return ContentHashOf(std::as_bytes(std::span(hashes)));
}

// The writer's file, read back from disk.
std::string Write(const WeightWriter& writer, const ScratchFolder& scratch) {
  const std::string path = scratch / "weight.bin";
  std::filesystem::remove(path);
  auto file = OutputFile::Create(path);
  EXPECT_TRUE(file.ok());
  const auto hash = writer.WriteTo(*file);
  EXPECT_TRUE(hash.ok());
  EXPECT_TRUE(file->Close().ok());
  std::string text = test::ReadText(path);
  EXPECT_EQ(*hash, TreeHash(text));
  EXPECT_EQ(text.size(), writer.size_bytes());
  return text;
}

Result<WeightReader> Open(std::string_view text) {
  return WeightReader::FromBytes(Bytes::Copy(text.data(), text.size()), "weight.bin");
}

uint64_t Add(WeightWriter& writer, DType dtype, int64_t count, Bytes data) {
  const auto offset = writer.Add(dtype, count, std::move(data));
  EXPECT_TRUE(offset.ok()) << offset.error().ToString();
  return offset.ok() ? *offset : 0;
}

// The blobs of tests/oracle/make_weight_fixture.py, in its order.
struct Blob {
  DType dtype;
  int64_t count;
  Bytes data;
};
std::vector<Blob> OracleBlobs() {
  std::vector<Blob> blobs = {
      {DType::kFp32, 3, Bytes::FromVector(std::vector<float>{0, 1, 2})},
      {DType::kFp16, 40, Iota<uint16_t>(40)},
      {DType::kUInt8, 64, Iota<uint8_t>(64)},
      {DType::kInt8, 5, Bytes::FromVector(std::vector<int8_t>{0, -1, 2, -3, 4})},
      {DType::kInt16, 5, Bytes::FromVector(std::vector<int16_t>{0, -1, 2, -3, 4})},
      {DType::kUInt16, 5, Iota<uint16_t>(5)},
      {DType::kInt32, 5, Bytes::FromVector(std::vector<int32_t>{0, -1, 2, -3, 4})},
      {DType::kUInt32, 5, Iota<uint32_t>(5)},
      {DType::kInt4, 5, BytesOf({0xF1, 0x82, 0x07})},
  };
  constexpr std::pair<DType, unsigned> kSubByte[] = {{DType::kUInt1, 1},
                                                     {DType::kUInt2, 2},
                                                     {DType::kUInt3, 3},
                                                     {DType::kUInt4, 4},
                                                     {DType::kUInt6, 6}};
  for (const auto& [dtype, bits] : kSubByte) {
    std::vector<uint8_t> packed((11 * bits + 7) / 8);
    for (unsigned i = 0; i < 11; ++i) {
      const unsigned value = i * 5 % (1u << bits);
      for (unsigned b = 0; b < bits; ++b) {
        if (((value >> b) & 1) == 0) continue;
        packed[(i * bits + b) / 8] |= static_cast<uint8_t>(1u << ((i * bits + b) % 8));
      }
    }
    blobs.push_back({dtype, 11, Bytes::FromVector(std::move(packed))});
  }
  return blobs;
}

TEST(WeightTest, WriterMakesTheBytesThatCoremltoolsMakes) {
  const ScratchFolder scratch;
  WeightWriter writer;
  for (const Blob& blob : OracleBlobs()) Add(writer, blob.dtype, blob.count, blob.data);
  const auto expected =
      MapFile(std::string(test::kSourceDir) + "/tests/fixtures/packages/all_dtypes.bin");
  ASSERT_TRUE(expected.ok()) << expected.error().ToString();
  EXPECT_EQ(Write(writer, scratch), Contents(*expected));
}

TEST(WeightTest, ReaderFindsEveryBlobOfCoremltools) {
  const std::string path =
      std::string(test::kSourceDir) + "/tests/fixtures/packages/all_dtypes.bin";
  const auto reader = WeightReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().ToString();
  const auto listed = reader->List();
  ASSERT_TRUE(listed.ok()) << listed.error().ToString();
  const std::vector<Blob> blobs = OracleBlobs();
  ASSERT_EQ(listed->size(), blobs.size());
  for (size_t i = 0; i < blobs.size(); ++i) {
    SCOPED_TRACE(DTypeName(blobs[i].dtype));
    EXPECT_EQ((*listed)[i].dtype, blobs[i].dtype);
    EXPECT_EQ((*listed)[i].element_count, blobs[i].count);
    EXPECT_EQ((*listed)[i].size_bytes, blobs[i].data.size());
    const auto data = reader->Read((*listed)[i].header_offset, blobs[i].dtype, blobs[i].count);
    ASSERT_TRUE(data.ok()) << data.error().ToString();
    EXPECT_EQ(Contents(*data), Contents(blobs[i].data));
  }
}

TEST(WeightTest, EqualBlobsAreStoredOnce) {
  WeightWriter writer;
  const uint64_t first = Add(writer, DType::kInt8, 100, Iota<int8_t>(100));
  EXPECT_EQ(first, 64u);
  const uint64_t other_type = Add(writer, DType::kUInt8, 100, Iota<int8_t>(100));
  EXPECT_NE(other_type, first) << "same bytes, other element type";
  EXPECT_EQ(Add(writer, DType::kInt8, 100, Iota<int8_t>(100)), first);
  // Equal bytes, but five elements of four bits here and six there.
  const uint64_t five = Add(writer, DType::kInt4, 5, BytesOf({0x11, 0x11, 0x01}));
  EXPECT_NE(Add(writer, DType::kInt4, 6, BytesOf({0x11, 0x11, 0x01})), five);
  // Differs only in bytes that the fingerprint skips.
  std::vector<uint8_t> large(100000, 7);
  const uint64_t sevens = Add(writer, DType::kUInt8, 100000, Bytes::FromVector(large));
  large[1] = 8;
  EXPECT_NE(Add(writer, DType::kUInt8, 100000, Bytes::FromVector(large)), sevens);
}

TEST(WeightTest, ABlobOfSeveralPiecesHasATreeDigest) {
  const ScratchFolder scratch;
  WeightWriter writer;
  Add(writer, DType::kUInt8, (size_t{3} << 20) + 5, Iota<uint8_t>((size_t{3} << 20) + 5));
  Add(writer, DType::kFp32, 3, Iota<float>(3));
  EXPECT_GT(Write(writer, scratch).size(), size_t{3} << 20);  // compares the digests
}

TEST(WeightTest, EmptyWriterAndEmptyBlob) {
  const ScratchFolder scratch;
  WeightWriter writer;
  EXPECT_TRUE(writer.empty());
  const std::string none = Write(writer, scratch);
  EXPECT_EQ(none.size(), 64u);
  ASSERT_TRUE(Open(none).ok());
  EXPECT_TRUE(Open(none)->List()->empty());

  const uint64_t offset = Add(writer, DType::kFp32, 0, Bytes());
  const auto reader = Open(Write(writer, scratch));
  ASSERT_TRUE(reader.ok());
  const auto data = reader->Read(offset, DType::kFp32, 0);
  ASSERT_TRUE(data.ok()) << data.error().ToString();
  EXPECT_TRUE(data->empty());
}

TEST(WeightTest, WriterRefusesWhatTheFormatCannotHold) {
  WeightWriter writer;
  for (const DType dtype : {DType::kString, DType::kBool, DType::kFp64, DType::kInt64}) {
    const auto offset = writer.Add(dtype, 0, Bytes());
    ASSERT_FALSE(offset.ok());
    EXPECT_EQ(offset.error().code(), ErrorCode::kUnsupported);
  }
  EXPECT_EQ(writer.Add(DType::kFp32, 2, BytesOf({1})).error().code(), ErrorCode::kInternal);
  EXPECT_EQ(writer.Add(DType::kFp32, -1, Bytes()).error().code(), ErrorCode::kInternal);
  EXPECT_TRUE(writer.empty());
}

TEST(WeightTest, DataOutlivesTheReader) {
  const ScratchFolder scratch;
  WeightWriter writer;
  const uint64_t offset = Add(writer, DType::kUInt8, 64, Iota<uint8_t>(64));
  Write(writer, scratch);
  Bytes data;
  {
    const auto reader = WeightReader::Open(scratch / "weight.bin");
    ASSERT_TRUE(reader.ok());
    data = *reader->Read(offset, DType::kUInt8, 64);
  }
  std::filesystem::remove(scratch / "weight.bin");
  EXPECT_EQ(Contents(data), Contents(Iota<uint8_t>(64)));
}

// ---- files that break the rules; each error names the place and the rule ----

class BadWeightTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WeightWriter writer;
    offset_ = Add(writer, DType::kInt4, 5, BytesOf({0x11, 0x11, 0x01}));
    file_ = Write(writer, scratch_);
  }
  template <typename T>
  void Patch(size_t at, T value) {
    std::memcpy(file_.data() + at, &value, sizeof(value));
  }
  void ExpectRefused(std::string_view rule) { ExpectRefused(offset_, DType::kInt4, 5, rule); }
  void ExpectRefused(uint64_t offset, DType dtype, int64_t count, std::string_view rule) {
    const auto reader = Open(file_);
    ASSERT_TRUE(reader.ok()) << reader.error().ToString();
    const auto data = reader->Read(offset, dtype, count);
    ASSERT_FALSE(data.ok());
    EXPECT_EQ(data.error().code(), ErrorCode::kInvalidInput);
    const std::string text = data.error().ToString();
    EXPECT_NE(text.find(rule), std::string::npos) << text;
    EXPECT_NE(text.find("weight.bin: offset "), std::string::npos) << text;
  }
  // Offsets of the header's fields in the file.
  static constexpr size_t kHeader = sizeof(FileHeader);
  static constexpr size_t kDType = kHeader + offsetof(BlobHeader, blob_dtype);
  static constexpr size_t kSize = kHeader + offsetof(BlobHeader, size_bytes);
  static constexpr size_t kOffset = kHeader + offsetof(BlobHeader, offset);
  static constexpr size_t kUnused = kHeader + offsetof(BlobHeader, unused_trailing_bits);

  ScratchFolder scratch_;
  std::string file_;
  uint64_t offset_ = 0;
};

TEST_F(BadWeightTest, Sentinel) {
  Patch<uint32_t>(kHeader, 0xDEADBEEE);
  ExpectRefused("must start with 0xdeadbeef, but starts with 0xdeadbeee");
}
TEST_F(BadWeightTest, UnknownDType) {
  for (const uint32_t dtype : {0u, 16u, 0xFFFFFFFFu}) {
    Patch<uint32_t>(kDType, dtype);
    ExpectRefused("is not known");
  }
}
TEST_F(BadWeightTest, OtherDTypeThanDeclared) {
  ExpectRefused(offset_, DType::kUInt4, 5, "the blob holds 5 int4 elements");
}
TEST_F(BadWeightTest, OtherCountThanDeclared) {
  ExpectRefused(offset_, DType::kInt4, 6, "declares 6 int4 elements");
  ExpectRefused(offset_, DType::kInt4, int64_t{1} << 40, "declares 1099511627776");
}
TEST_F(BadWeightTest, SizePastTheEnd) {
  Patch<uint64_t>(kSize, 4);
  ExpectRefused("outside the file");
}
TEST_F(BadWeightTest, SizeThatOverflows) {
  for (const uint64_t size : {UINT64_MAX, UINT64_MAX - 127, UINT64_MAX / 8 + 1}) {
    Patch<uint64_t>(kSize, size);
    ExpectRefused("outside the file");
  }
}
TEST_F(BadWeightTest, DataOffsetPastTheEnd) {
  for (const uint64_t offset : {uint64_t{192}, UINT64_MAX - 63}) {
    Patch<uint64_t>(kOffset, offset);
    ExpectRefused("outside the file");
  }
}
TEST_F(BadWeightTest, DataOffsetNotAligned) {
  Patch<uint64_t>(kOffset, 127);
  ExpectRefused("multiple of 64");
}
TEST_F(BadWeightTest, HeaderOffsets) {
  ExpectRefused(0, DType::kInt4, 5, "multiple of 64 after");
  ExpectRefused(65, DType::kInt4, 5, "multiple of 64 after");
  ExpectRefused(128, DType::kInt4, 5, "outside the file");
  ExpectRefused(UINT64_MAX - 63, DType::kInt4, 5, "outside the file");
}
TEST_F(BadWeightTest, UnusedBits) {
  for (const uint64_t bits : {uint64_t{3}, uint64_t{8}, UINT64_MAX}) {
    Patch<uint64_t>(kUnused, bits);
    ExpectRefused("do not hold whole int4 elements");
  }
}
TEST_F(BadWeightTest, FileHeader) {
  EXPECT_EQ(Open("").error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(Open(file_.substr(0, 63)).error().code(), ErrorCode::kInvalidInput);
  Patch<uint32_t>(4, 1);
  const auto reader = Open(file_);
  ASSERT_FALSE(reader.ok());
  EXPECT_NE(reader.error().ToString().find("version 1 is not known"), std::string::npos);
}
TEST_F(BadWeightTest, CountBeyondTheFileIsNoEndlessWalk) {
  Patch<uint32_t>(0, UINT32_MAX);
  const auto blobs = Open(file_)->List();
  ASSERT_FALSE(blobs.ok());
  EXPECT_EQ(blobs.error().code(), ErrorCode::kInvalidInput);
}

// coremltools 5 to 7 left the reserved bytes of a header as they were in memory.
TEST(WeightTest, ReservedBytesOfWholeByteElementsAreIgnored) {
  const ScratchFolder scratch;
  WeightWriter writer;
  const uint64_t offset = Add(writer, DType::kFp16, 40, Iota<uint16_t>(40));
  std::string file = Write(writer, scratch);
  const size_t from = offset + offsetof(BlobHeader, unused_trailing_bits);
  for (size_t i = from; i < offset + sizeof(BlobHeader); ++i) file[i] = static_cast<char>(0x7F);
  for (size_t i = 8; i < sizeof(FileHeader); ++i) file[i] = static_cast<char>(0xA5);
  const auto reader = Open(file);
  ASSERT_TRUE(reader.ok()) << reader.error().ToString();
  const auto data = reader->Read(offset, DType::kFp16, 40);
  ASSERT_TRUE(data.ok()) << data.error().ToString();
  EXPECT_EQ(Contents(*data), Contents(Iota<uint16_t>(40)));
  ASSERT_TRUE(reader->List().ok());
  EXPECT_EQ(reader->List()->front().element_count, 40);
}

TEST(WeightTest, NoMutationOfAFileCrashesTheReader) {
  const auto good =
      MapFile(std::string(test::kSourceDir) + "/tests/fixtures/packages/all_dtypes.bin");
  ASSERT_TRUE(good.ok());
  const auto blobs = WeightReader::FromBytes(*good, "good")->List();
  int refused = 0;
  test::ForEachMutation({good->data(), good->size()}, {}, [&](std::vector<std::byte> bad) {
    const auto reader = WeightReader::FromBytes(Bytes::FromVector(std::move(bad)), "bad");
    if (!reader.ok()) {
      ++refused;
      return;
    }
    (void)reader->List();
    for (const BlobInfo& blob : *blobs) {
      const auto data = reader->Read(blob.header_offset, blob.dtype, blob.element_count);
      if (!data.ok()) {
        ++refused;
        continue;
      }
      uint8_t sum = 0;  // touch every byte: sanitizers see a view past the end
      for (const uint8_t byte : data->As<uint8_t>()) sum = static_cast<uint8_t>(sum + byte);
      (void)sum;
    }
  });
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace anemone::format
