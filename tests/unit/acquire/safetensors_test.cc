#include "acquire/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "support/mutations.h"
#include "support/scratch.h"

namespace anemone::acquire {
namespace {

// A file of `header` and `data` zero bytes.
Bytes File(const std::string& header, size_t data) {
  std::vector<std::byte> file(8 + header.size() + data);
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<std::byte>(header.size() >> (8 * i));
  std::memcpy(file.data() + 8, header.data(), header.size());
  return Bytes::FromVector(std::move(file));
}

std::string SafetensorsError(const std::string& header, size_t data) {
  const auto result = SafeTensors::Parse(File(header, data));
  return result.ok() ? "no error" : result.error().ToString();
}

template <typename T>
NamedTensor Tensor(std::string name, DType dtype, std::vector<int64_t> shape,
                   std::vector<T> values) {
  return {std::move(name), dtype, std::move(shape), Bytes::FromVector(std::move(values))};
}

std::vector<NamedTensor> Sample() {
  return {Tensor<float>("b.weight", DType::kFp32, {2, 3}, {1, 2, 3, 4, 5, 6}),
          Tensor<int8_t>("a", DType::kInt8, {3}, {-1, 0, 1}),
          Tensor<uint16_t>("half", DType::kFp16, {1}, {0x3C00}),
          Tensor<int64_t>("count", DType::kInt64, {}, {42}),
          Tensor<float>("none", DType::kFp32, {0, 4}, {})};
}

void WriteFile(const std::string& path, const void* data, size_t size) {
  std::ofstream(path, std::ios::binary).write(static_cast<const char*>(data), ptrdiff_t(size));
}

class SafeTensorsFiles : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }
  void WriteTensors(const std::string& name, std::vector<NamedTensor> tensors) {
    const auto file = EncodeSafeTensors(std::move(tensors), {});
    ASSERT_TRUE(file.ok());
    WriteFile(Path(name), file->data(), file->size());
  }
  void WriteText(const std::string& name, const std::string& text) {
    WriteFile(Path(name), text.data(), text.size());
  }
  test::ScratchFolder folder_;
};

TEST(SafeTensors, RoundTrip) {
  const auto file = EncodeSafeTensors(Sample(), {{"format", "pt"}, {"seed", "7"}});
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  const auto read = SafeTensors::Parse(Bytes::FromVector(*file));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  ASSERT_EQ(read->tensors().size(), 5u);
  EXPECT_EQ(read->tensors()[0].name, "a");  // sorted by name
  EXPECT_EQ(read->tensors()[4].name, "none");
  const NamedTensor* weight = read->Find("b.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->dtype, DType::kFp32);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(weight->data.As<float>()[5], 6.0f);
  EXPECT_EQ(read->Find("count")->data.As<int64_t>()[0], 42);
  EXPECT_TRUE(read->Find("count")->shape.empty());
  EXPECT_EQ(read->Find("none")->data.size(), 0u);
  EXPECT_EQ(read->Find("missing"), nullptr);
  EXPECT_EQ(read->metadata().at("seed"), "7");
}

TEST(SafeTensors, WriterIsDeterministicWhateverTheOrder) {
  auto reversed = Sample();
  std::reverse(reversed.begin(), reversed.end());
  const auto a = EncodeSafeTensors(Sample(), {});
  const auto b = EncodeSafeTensors(reversed, {});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(*a, *b);
}

TEST(SafeTensors, WriterGivesTheBytesOfTheReferenceLibrary) {
  // safetensors.numpy.save({"b": float32 [[1]], "a": int8 [1, 2]}, {"k": "v"})
  const std::string header =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"I8","shape":[2],"data_offsets":[4,6]}})";
  std::string expected = header;
  expected.resize((header.size() + 7) / 8 * 8, ' ');
  const auto file = EncodeSafeTensors({Tensor<int8_t>("a", DType::kInt8, {2}, {1, 2}),
                                       Tensor<float>("b", DType::kFp32, {1, 1}, {1})},
                                      {{"k", "v"}});
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(file->size(), 8 + expected.size() + 6);
  EXPECT_EQ(std::memcmp(file->data() + 8, expected.data(), expected.size()), 0);
}

TEST(SafeTensors, WriterRefusesWhatItCannotExpress) {
  EXPECT_FALSE(EncodeSafeTensors({{"x", DType::kUInt4, {2}, Bytes::Copy("a", 1)}}, {}).ok());
  EXPECT_FALSE(EncodeSafeTensors({Tensor<float>("x", DType::kFp32, {2}, {1})}, {}).ok());
  EXPECT_FALSE(EncodeSafeTensors({Tensor<float>("x", DType::kFp32, {1}, {1}),
                                  Tensor<float>("x", DType::kFp32, {1}, {1})},
                                 {})
                   .ok());
  EXPECT_FALSE(EncodeSafeTensors({Tensor<float>("__metadata__", DType::kFp32, {1}, {1})}, {}).ok());
  EXPECT_FALSE(EncodeSafeTensors({Tensor<float>("\xff", DType::kFp32, {1}, {1})}, {}).ok());
}

TEST(SafeTensors, MisalignedDataIsReadAligned) {
  // One space of padding more than alignment wants.
  const Bytes file = File(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   )", 4);
  const auto read = SafeTensors::Parse(file);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  const std::span<const float> values = read->tensors()[0].data.As<float>();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(values.data()) % 4, 0u);
}

TEST(SafeTensors, HeaderSize) {
  EXPECT_FALSE(SafeTensors::Parse(Bytes()).ok());
  EXPECT_FALSE(SafeTensors::Parse(Bytes::Copy("\x02\0\0\0\0\0\0", 7)).ok());
  const auto past = SafeTensors::Parse(Bytes::Copy("\x09\0\0\0\0\0\0\0{}", 10));
  ASSERT_FALSE(past.ok());
  EXPECT_NE(past.error().ToString().find("claims 9 bytes, but the file has 2"), std::string::npos);
  const auto huge = SafeTensors::Parse(Bytes::Copy("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
  ASSERT_FALSE(huge.ok());
  EXPECT_NE(huge.error().ToString().find("the format allows 100000000"), std::string::npos);
  EXPECT_TRUE(SafeTensors::Parse(Bytes::Copy("\x02\0\0\0\0\0\0\0{}", 10)).ok());
}

TEST(SafeTensors, EachRuleOfTheFormat) {
  struct Case {
    const char* header;
    size_t data;
    const char* error;
  };
  const Case cases[] = {
      {R"([])", 0, "does not begin with '{'"},
      {R"(  {})", 0, "does not begin with '{'"},
      {R"({)", 0, "not valid JSON"},
      {R"({} x)", 0, "not valid JSON"},
      {"{\"\xff\":{}}", 0, "not valid JSON"},
      {R"({"x":1})", 0, "a number is not allowed here"},
      {R"({"x":[1]})", 0, "an array is not allowed here"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", 0, "dtype, shape and data_offsets are required"},
      {R"({"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "given twice"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}})", 4, "unknown field"},
      {R"({"x":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "a number is not allowed"},
      {R"({"x":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, "a string is not allowed"},
      {R"({"x":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, "an array is not allowed"},
      {R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "-1 is negative"},
      {R"({"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, "not a whole number"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "must hold two numbers"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "must hold two numbers"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "run backwards"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "end past the 4 bytes"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "need 8 bytes"},
      {R"({"x":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4, "not a data type"},
      {R"({"x":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4, "not supported"},
      {R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       "overflows"},
      {R"({"x":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}})", 4, "need 4398046"},
      {R"({"x":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4,
       "overflows"},
      {R"({"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}})", 4,
       "not a whole number of 64 bits"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8, "at the end do not belong"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "[0, 4) before tensor 'x'"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "inside its neighbor"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "tensor 'x' is listed twice"},
      {R"({"__metadata__":{"a":1}})", 0, "a number is not allowed"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, "holds the key 'a' twice"},
      {R"({"__metadata__":{"a":"1"},"__metadata__":{"b":"2"}})", 0, "listed twice"},
  };
  for (const Case& c : cases) {
    EXPECT_NE(SafetensorsError(c.header, c.data).find(c.error), std::string::npos)
        << c.header << "\n  gives: " << SafetensorsError(c.header, c.data);
  }
}

TEST(SafeTensors, DeepNestingIsRefusedAtOnce) {
  EXPECT_NE(
      SafetensorsError("{\"x\":" + std::string(1 << 20, '['), 0).find("an array is not allowed"),
      std::string::npos);
  std::string shape = "1";
  for (int i = 0; i < 100; ++i) shape += ",1";
  EXPECT_NE(
      SafetensorsError(R"({"x":{"dtype":"I8","shape":[)" + shape + R"(],"data_offsets":[0,1]}})", 1)
          .find("rank exceeds 64"),
      std::string::npos);
}

TEST(SafeTensors, DamagedFilesNeverCrash) {
  const auto file = EncodeSafeTensors(Sample(), {{"format", "pt"}});
  ASSERT_TRUE(file.ok());
  int refused = 0;
  int total = 0;
  test::ForEachMutation(*file, {}, [&](std::vector<std::byte> bad) {
    const size_t size = bad.size();
    const auto read = SafeTensors::Parse(Bytes::FromVector(std::move(bad)));
    ++total;
    if (!read.ok()) ++refused;
    if (size < file->size()) {
      EXPECT_FALSE(read.ok()) << "truncated to " << size;
    }
    if (!read.ok()) return;
    for (const NamedTensor& tensor : read->tensors()) {  // what is accepted is consistent
      int64_t count = 1;
      for (const int64_t dim : tensor.shape) count *= dim;
      EXPECT_EQ(*ByteSize(tensor.dtype, count), tensor.data.size());
    }
  });
  EXPECT_GT(refused, total / 2);
}

TEST_F(SafeTensorsFiles, OpensAndNamesTheFileInErrors) {
  WriteTensors("ok.safetensors", Sample());
  const auto read = SafeTensors::Open(Path("ok.safetensors"));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->tensors().size(), 5u);
  const auto missing = SafeTensors::Open(Path("missing.safetensors"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(missing.error().ToString().find("missing.safetensors"), std::string::npos);
  EXPECT_FALSE(SafeTensors::Open(folder_.path().string()).ok());
  WriteText("bad.safetensors", "not tensors at all");
  const auto bad = SafeTensors::Open(Path("bad.safetensors"));
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidInput);
  EXPECT_NE(bad.error().ToString().find("bad.safetensors"), std::string::npos);
}

TEST_F(SafeTensorsFiles, ShardedIndex) {
  WriteTensors("one.safetensors", {Tensor<float>("z", DType::kFp32, {1}, {1})});
  WriteTensors("two.safetensors", {Tensor<float>("a", DType::kFp32, {1}, {2})});
  WriteText(
      "model.safetensors.index.json",
      R"({"metadata":{"total_size":8},"weight_map":{"z":"one.safetensors","a":"two.safetensors"}})");
  const auto read = SafeTensors::Open(Path("model.safetensors.index.json"));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  ASSERT_EQ(read->tensors().size(), 2u);
  EXPECT_EQ(read->tensors()[0].name, "a");
  EXPECT_EQ(read->Find("z")->data.As<float>()[0], 1.0f);
}

TEST_F(SafeTensorsFiles, BrokenIndexes) {
  WriteTensors("one.safetensors", {Tensor<float>("z", DType::kFp32, {1}, {1})});
  struct Case {
    const char* text;
    const char* error;
  };
  const Case cases[] = {
      {"[", "not a JSON object"},
      {"{}", "no object named weight_map"},
      {R"({"weight_map":{"z":1}})", "not a string"},
      {R"({"weight_map":{"z":"../one.safetensors"}})", "not a plain file name"},
      {R"({"weight_map":{"z":"/etc/passwd"}})", "not a plain file name"},
      {R"({"weight_map":{"z":""}})", "not a plain file name"},
      {R"({"weight_map":{"z":"one.safetensors","z":"one.safetensors"}})", "listed twice"},
      {R"({"weight_map":{"z":"gone.safetensors"}})", "no such file"},
      {R"({"weight_map":{"y":"one.safetensors"}})", "'y' is not in the shard 'one.safetensors'"},
      {R"({"weight_map":{"z":"model.json"}})", "itself an index"},
  };
  for (const Case& c : cases) {
    WriteText("model.json", c.text);
    const auto read = SafeTensors::Open(Path("model.json"));
    ASSERT_FALSE(read.ok()) << c.text;
    EXPECT_NE(read.error().ToString().find(c.error), std::string::npos) << read.error().ToString();
  }
}

}  // namespace
}  // namespace anemone::acquire
