#include "base/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/zip_reader.h"
#include "support/mutations.h"
#include "support/zip_writer.h"

namespace anemone {
namespace {

std::string Npy(std::string header, const std::string& data, int version = 1) {
  header += '\n';
  std::string file("\x93NUMPY", 6);
  file += static_cast<char>(version);
  file += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    file += static_cast<char>(header.size() >> (8 * i));
  return file + header + data;
}

Result<NpyArray> Parse(const std::string& file) {
  return ParseNpy(Bytes::Copy(file.data(), file.size()));
}

std::string NpyError(const std::string& file) {
  const auto result = Parse(file);
  return result.ok() ? "no error" : result.error().ToString();
}

using test::Zip;

const std::string kFloats("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc0\x40",
                          24);

TEST(Npy, ReadsRowMajor) {
  for (const int version : {1, 2, 3}) {
    const auto array =
        Parse(Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", kFloats, version));
    ASSERT_TRUE(array.ok()) << array.error().ToString();
    EXPECT_EQ(array->dtype, DType::kFp32);
    EXPECT_EQ(array->shape, (std::vector<int64_t>{2, 3}));
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(array->data.As<float>()[i], float(i + 1));
  }
}

TEST(Npy, ReadsColumnMajorAndOddSpelling) {
  const auto array =
      Parse(Npy(R"({"shape":(2L,3L),"fortran_order":True,"descr":"<f4"}   )", kFloats));
  ASSERT_TRUE(array.ok()) << array.error().ToString();
  const float expected[] = {1, 3, 5, 2, 4, 6};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(array->data.As<float>()[i], expected[i]);
}

TEST(Npy, ReadsEveryTypeAndScalarsAndEmpties) {
  for (const char* descr : {"|b1", "<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2",
                            "<u4", "<u8", "=f4", "<i1"}) {
    const std::string header =
        fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (), }}", descr);
    EXPECT_TRUE(Parse(Npy(header, std::string(size_t(descr[2] - '0'), '\0'))).ok()) << descr;
  }
  const auto empty = Parse(Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 3), }", ""));
  ASSERT_TRUE(empty.ok()) << empty.error().ToString();
  EXPECT_EQ(empty->data.size(), 0u);
}

TEST(Npy, WritesWhatNumpyWrites) {
  // numpy.save of arrays of shapes (2, 3), (6,) and (), NumPy 1.23 and later.
  const std::vector<std::pair<std::vector<int64_t>, std::string>> cases = {
      {{2, 3}, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
      {{6}, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"},
  };
  for (const auto& [shape, header] : cases) {
    const auto file = EncodeNpy({DType::kFp32, shape, Bytes::Copy(kFloats.data(), kFloats.size())});
    ASSERT_TRUE(file.ok());
    std::string padded = header;
    padded.resize(117, ' ');
    const std::string expected = Npy(padded, kFloats);
    ASSERT_EQ(file->size(), expected.size());
    EXPECT_EQ(std::memcmp(file->data(), expected.data(), expected.size()), 0);
  }
  const auto scalar = EncodeNpy({DType::kBool, {}, Bytes::Copy("\1", 1)});
  ASSERT_TRUE(scalar.ok());
  std::string padded = "{'descr': '|b1', 'fortran_order': False, 'shape': (), }";
  padded.resize(117, ' ');
  EXPECT_EQ(std::memcmp(scalar->data(), Npy(padded, "\1").data(), scalar->size()), 0);
}

TEST(Npy, RoundTripsAndRefusesOtherTypes) {
  const NpyArray array{DType::kInt64, {1, 2, 1}, Bytes::FromVector(std::vector<int64_t>{-5, 6})};
  const auto file = EncodeNpy(array);
  ASSERT_TRUE(file.ok());
  const auto read = ParseNpy(Bytes::FromVector(*file));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->shape, array.shape);
  EXPECT_EQ(read->data.As<int64_t>()[0], -5);
  EXPECT_FALSE(EncodeNpy({DType::kBf16, {1}, Bytes::Copy("ab", 2)}).ok());
  EXPECT_FALSE(EncodeNpy({DType::kFp32, {2}, Bytes::Copy("abcd", 4)}).ok());
  EXPECT_FALSE(EncodeNpy({DType::kFp32, {-1}, Bytes()}).ok());
}

TEST(Npy, EachRule) {
  const auto with = [](const char* header, const std::string& data = "") {
    return NpyError(Npy(header, data));
  };
  struct Case {
    const char* header;
    const char* error;
  };
  const Case cases[] = {
      {"", "does not begin with"},
      {"{'descr': '<f4'}", "needs descr, fortran_order and shape"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
       "gives 'descr' twice"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "bad value or key 'fortran_order'"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", "bad value or key 'shape'"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "bad value or key 'shape'"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "bad value"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "overflows"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", "need 4398046511104"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "goes on after"},
      {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", "lacks a comma"},
      {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "big-endian"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "not a plain number"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "not a plain number"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "structured"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "need 4 bytes"},
      {"{'other': '<f4'}", "bad value or key 'other'"},
  };
  for (const Case& c : cases) {
    EXPECT_NE(with(c.header).find(c.error), std::string::npos)
        << c.header << ": " << with(c.header);
  }
  EXPECT_NE(NpyError("PK").find("magic"), std::string::npos);
  EXPECT_NE(NpyError(Npy("{}", "", 9)).find("version 9"), std::string::npos);
  EXPECT_NE(NpyError(std::string("\x93NUMPY\2\0\xff\xff\xff\x7f{}", 14)).find("exceeds"),
            std::string::npos);
  EXPECT_NE(NpyError(std::string("\x93NUMPY\1\0\xff\xff{}", 12)).find("ends inside its header"),
            std::string::npos);
}

TEST(Npy, DamagedFilesNeverCrash) {
  const std::string good =
      Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", kFloats);
  test::ForEachMutation(std::as_bytes(std::span(good)), {}, [&](std::vector<std::byte> bad) {
    const size_t size = bad.size();
    const auto read = ParseNpy(Bytes::FromVector(std::move(bad)));
    if (size < good.size()) {
      EXPECT_FALSE(read.ok());
    }
    if (!read.ok()) return;
    int64_t count = 1;
    for (const int64_t dim : read->shape) count *= dim;
    EXPECT_EQ(*ByteSize(read->dtype, count), read->data.size());
  });
}

std::string SampleNpz() {
  const std::string x = Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", kFloats);
  return Zip({{"x.npy", x}, {"y.npy", x, true}, {"z.npy", x, true, true}});
}

TEST(Npz, StoredDeflatedAndZip64) {
  const std::string file = SampleNpz();
  const auto arrays = ParseNpz(Bytes::Copy(file.data(), file.size()));
  ASSERT_TRUE(arrays.ok()) << arrays.error().ToString();
  ASSERT_EQ(arrays->size(), 3u);
  EXPECT_EQ((*arrays)[0].first, "x");
  EXPECT_EQ((*arrays)[2].first, "z");
  for (const auto& [name, array] : *arrays) {
    ASSERT_EQ(array.data.size(), 24u);
    EXPECT_EQ(array.data.As<float>()[3], 4.0f) << name;
  }
}

TEST(Npz, Rules) {
  const auto error = [](const std::string& file) {
    const auto result = ParseNpz(Bytes::Copy(file.data(), file.size()));
    return result.ok() ? std::string("no error") : result.error().ToString();
  };
  const std::string x = Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", kFloats);
  EXPECT_NE(error("").find("too short"), std::string::npos);
  EXPECT_NE(error(std::string(100, 'x')).find("no end record"), std::string::npos);
  EXPECT_NE(error(Zip({{"x.txt", x}})).find("is not a .npy"), std::string::npos);
  EXPECT_NE(error(Zip({{"x.npy", x}, {"x.npy", x}})).find("appears twice"), std::string::npos);
  std::string damaged = Zip({{"x.npy", x}});
  damaged[60] ^= 1;
  EXPECT_NE(error(damaged).find("checksum"), std::string::npos);
  // A bomb: the directory claims 4 GB for 30 bytes.
  std::string bomb = Zip({{"x.npy", std::string(100, 'x'), true}});
  const size_t entry = bomb.find("PK\1\2");
  ASSERT_NE(entry, std::string::npos);
  bomb.replace(entry + 24, 4, "\xfe\xff\xff\xff");
  EXPECT_NE(error(bomb).find("cannot unpack to 4294967294"), std::string::npos) << error(bomb);
}

TEST(Npz, DamagedFilesNeverCrash) {
  const std::string good = SampleNpz();
  test::ForEachMutation(std::as_bytes(std::span(good)), {}, [&](std::vector<std::byte> bad) {
    const size_t size = bad.size();
    const auto read = ParseNpz(Bytes::FromVector(std::move(bad)));
    if (size < good.size()) {
      EXPECT_FALSE(read.ok());
    }
  });
}

}  // namespace
}  // namespace anemone
