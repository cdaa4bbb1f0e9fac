// The restricted reader of pickles and the two forms of PyTorch's files, on handmade bytes: what
// is refused, with its name and offset, and what broken files do. Files that PyTorch wrote are
// in weight_file_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "acquire/pickle.h"
#include "acquire/torch_file.h"
#include "support/mutations.h"

namespace anemone::acquire {
namespace {

using testing::HasSubstr;
using Kind = PickleValue::Kind;

Bytes ToBytes(std::string_view text) { return Bytes::Copy(text.data(), text.size()); }

// Pieces of pickles.
std::string Text(std::string_view text) {  // BINUNICODE
  std::string out = "X";
  for (int i = 0; i < 4; ++i) out += static_cast<char>(text.size() >> (8 * i));
  return out + std::string(text);
}
std::string Global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
std::string Int(int value) { return std::string("K") + static_cast<char>(value); }
std::string Storage(std::string_view type, std::string_view key, int count) {
  return "(" + Text("storage") + Global("torch", type) + Text(key) + Text("cpu") + Int(count) +
         "tQ";
}
std::string Shape(const std::vector<int>& sizes) {
  std::string out = "(";
  for (const int size : sizes) out += Int(size);
  return out + "t";
}
std::string TensorCode(const std::string& storage, int offset, const std::vector<int>& size,
                       const std::vector<int>& stride) {
  return Global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + Int(offset) + Shape(size) +
         Shape(stride) + "\x89" + Global("collections", "OrderedDict") + ")RtR";
}
std::string Whole(const std::string& body) { return "\x80\x02" + body + "."; }

std::string PickleError(const std::string& pickle) {
  const auto read = ReadPickle(ToBytes(pickle));
  return read.ok() ? "OK" : read.error().ToString();
}

// The legacy form around `object`, with storages of float32 in the order of `keys`.
std::string Legacy(const std::string& object,
                   const std::vector<std::pair<std::string, std::vector<float>>>& storages) {
  std::string file("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);
  file += Whole("M\xe9\x03");
  file += Whole("}" + Text("little_endian") + "\x88s");
  file += Whole(object);
  std::string keys = "](";
  for (const auto& [key, values] : storages) keys += Text(key);
  file += Whole(keys + "e");
  for (const auto& [key, values] : storages) {
    const uint64_t count = values.size();
    file.append(reinterpret_cast<const char*>(&count), 8);
    file.append(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  }
  return file;
}

TEST(PickleTest, PlainData) {
  const auto read =
      ReadPickle(ToBytes(Whole("}(" + Text("a") + "K\x07" + Text("b") + "\x8a\x01\xff" + Text("c") +
                               std::string("G\x3f\xf8\0\0\0\0\0\0", 9) + Text("d") +
                               "](K\x01N\x88"
                               "eu")));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  const auto& items = read->root->items;
  ASSERT_EQ(items.size(), 8u);
  EXPECT_EQ(items[0]->text, "a");
  EXPECT_EQ(items[1]->integer, 7);
  EXPECT_EQ(items[3]->integer, -1);
  EXPECT_EQ(items[5]->number, 1.5);
  ASSERT_EQ(items[7]->items.size(), 3u);
  EXPECT_EQ(items[7]->items[2]->kind, Kind::kBool);
}

TEST(PickleTest, GlobalsOutsideTheListAreRefusedWithNameAndOffset) {
  for (const auto& [module, name] :
       {std::pair("os", "system"), std::pair("builtins", "eval"), std::pair("posix", "system"),
        std::pair("torch.storage", "_load_from_bytes"), std::pair("subprocess", "Popen"),
        std::pair("argparse", "Namespace"), std::pair("torch", "load")}) {
    const std::string error = PickleError(Whole(Global(module, name) + "(" + Text("id") + "tR"));
    EXPECT_THAT(error, HasSubstr(fmt::format("'{}.{}' at offset 2", module, name)));
    EXPECT_THAT(error, HasSubstr("not executed"));
    const std::string stacked =
        PickleError("\x80\x04" + Text(module) + Text(name) + "\x93" + "(" + Text("id") + "tR.");
    EXPECT_THAT(stacked, HasSubstr(fmt::format("'{}.{}'", module, name)));
  }
}

TEST(PickleTest, OpcodesThatCallCodeAreRefused) {
  EXPECT_THAT(PickleError(Whole("(" + Text("x") + "ios\nsystem\n")), HasSubstr("opcode INST"));
  EXPECT_THAT(PickleError(Whole("(" + Global("torch", "Size") + "o")), HasSubstr("opcode OBJ"));
  EXPECT_THAT(PickleError(Whole(Global("torch", "Size") + ")\x81")),
              HasSubstr("opcode NEWOBJ at offset 15"));
  EXPECT_THAT(PickleError(Whole("\x82\x01")), HasSubstr("opcode EXT1"));
  EXPECT_THAT(PickleError(Whole("P1\n")), HasSubstr("opcode PERSID"));
  // Calling something that is only a name; changing attributes of something that is not a dict.
  EXPECT_THAT(PickleError(Whole(Global("torch", "FloatStorage") + ")R")),
              HasSubstr("a call of 'torch.FloatStorage'"));
  EXPECT_THAT(PickleError(Whole(Global("torch", "Size") + "}b")), HasSubstr("BUILD"));
  EXPECT_THAT(PickleError(Whole(Text("x") + ")R")), HasSubstr("REDUCE without a global"));
  EXPECT_THAT(PickleError("\x80\x09."), HasSubstr("protocol 9"));
}

TEST(PickleTest, BrokenOnesAreErrors) {
  for (const std::string& body :
       {std::string("R"), std::string("t"), std::string("u"), std::string("s"), std::string("a"),
        std::string("Q"), std::string("b"), std::string("h\x05"), std::string("q\x01"),
        std::string("X\xff\xff\xff\xff"
                    "a"),
        std::string("]K\x01s"), std::string("cos"), std::string("(K\x01u"), std::string("\x07"),
        std::string("NQ"), std::string("\x85"),
        Text("x") + "K\x01"
                    "a",
        std::string("}(K\x01u")}) {
    EXPECT_NE(PickleError(Whole(body)), "OK") << body;
  }
  EXPECT_THAT(PickleError("\x80\x02N"), HasSubstr("without STOP"));
  EXPECT_NE(PickleError(""), "OK");
}

TEST(PickleTest, SmallFilesCannotAskForMuchMemory) {
  // A list that contains itself, copied again and again.
  std::string body = "](";
  for (int i = 0; i < 1000; ++i) body += "K\x01K\x02\x86";
  body += "eq\x01";
  for (int i = 0; i < 100'000; ++i) body += Global("collections", "OrderedDict") + "h\x01\x85R";
  EXPECT_THAT(PickleError(Whole(body)), HasSubstr("more values than weight files have"));
  EXPECT_THAT(PickleError(Whole(std::string(3'000'000, 'N'))), HasSubstr("more values"));
}

TEST(TorchFile, LegacyFormStridesAndSharing) {
  const std::string storage = Storage("FloatStorage", "7", 6);
  const std::string object = "}(" + Text("a") + TensorCode(storage, 0, {2, 3}, {3, 1}) + Text("b") +
                             TensorCode(storage, 0, {3, 2}, {1, 3}) + Text("c") +
                             TensorCode(storage, 4, {}, {}) + Text("epoch") + "K\x03u";
  const auto tensors = ParseTorchFile(ToBytes(Legacy(object, {{"7", {0, 1, 2, 3, 4, 5}}})));
  ASSERT_TRUE(tensors.ok()) << tensors.error().ToString();
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].shape, (std::vector<int64_t>{2, 3}));
  const auto b = (*tensors)[1].data.As<float>();
  EXPECT_EQ(std::vector<float>(b.begin(), b.end()), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ((*tensors)[2].data.As<float>()[0], 4.0f);
}

TEST(TorchFile, FindsTheStateDictOfACheckpoint) {
  const std::string tensor = TensorCode(Storage("FloatStorage", "0", 1), 0, {1}, {1});
  const std::string object = "}(" + Text("epoch") + "K\x03" + Text("model") + "}(" + Text("w") +
                             tensor + "u" + Text("optimizer") + "}(" + Text("m") + tensor + "uu";
  const auto tensors = ParseTorchFile(ToBytes(Legacy(object, {{"0", {1}}})));
  ASSERT_TRUE(tensors.ok()) << tensors.error().ToString();
  ASSERT_EQ(tensors->size(), 1u);
  EXPECT_EQ((*tensors)[0].name, "w");
}

TEST(TorchFile, TensorsMustLieInTheirStorage) {
  const auto error = [](const std::string& tensor) {
    const auto read =
        ParseTorchFile(ToBytes(Legacy("}" + Text("a") + tensor + "s", {{"0", {1, 2}}})));
    return read.ok() ? "OK" : read.error().ToString();
  };
  const std::string storage = Storage("FloatStorage", "0", 2);
  EXPECT_EQ(error(TensorCode(storage, 0, {2}, {1})), "OK");
  EXPECT_EQ(error(TensorCode(storage, 2, {0}, {1})), "OK");
  EXPECT_THAT(error(TensorCode(storage, 1, {2}, {1})),
              HasSubstr("tensor 'a': the tensor reaches past"));
  EXPECT_THAT(error(TensorCode(storage, 0, {2, 2}, {2, 1})), HasSubstr("reaches past"));
  EXPECT_THAT(error(TensorCode(storage, 0, {2}, {200})), HasSubstr("reaches past"));
  EXPECT_THAT(error(TensorCode(storage, 0, std::vector<int>(60, 99), std::vector<int>(60, 0))),
              HasSubstr("overflows"));
  // One element spread over a billion: no memory is asked for.
  EXPECT_THAT(error(TensorCode(storage, 0, std::vector<int>(5, 100), std::vector<int>(5, 0))),
              HasSubstr("more than twice the file"));
  EXPECT_THAT(error(TensorCode(Storage("FloatStorage", "9", 2), 0, {2}, {1})),
              HasSubstr("the storage '0' is listed but not used"));
  EXPECT_THAT(error(TensorCode(Storage("QInt8Storage", "0", 2), 0, {2}, {1})),
              HasSubstr("'torch.QInt8Storage'"));
}

TEST(TorchFile, MutationsEndInAValueOrAnError) {
  const std::string storage = Storage("FloatStorage", "7", 6);
  const std::string good = Legacy("}(" + Text("a") + TensorCode(storage, 0, {2, 3}, {3, 1}) +
                                      Text("b") + TensorCode(storage, 0, {3, 2}, {1, 3}) + "u",
                                  {{"7", {0, 1, 2, 3, 4, 5}}});
  size_t refused = 0;
  size_t all = 0;
  test::ForEachMutation(std::as_bytes(std::span(good)), {400, 8000, 8000},
                        [&](std::vector<std::byte> bad) {
                          ++all;
                          const auto read = ParseTorchFile(Bytes::FromVector(std::move(bad)));
                          if (!read.ok()) return void(++refused);
                          for (const NamedTensor& tensor : *read) {
                            ASSERT_LE(tensor.data.size(), 2 * good.size());
                            // Touches every byte: sanitizers see views that reach outside.
                            uint64_t sum = 0;
                            for (size_t i = 0; i < tensor.data.size(); ++i) {
                              sum += uint64_t(tensor.data.data()[i]);
                            }
                            ASSERT_LE(sum, uint64_t{255} * tensor.data.size());
                          }
                        });
  EXPECT_GT(refused, all / 3);
}

}  // namespace
}  // namespace anemone::acquire
