// The parts of a download that need no network: segments, back-off, URLs, content checks, hashing
// of a growing file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "acquire/content_check.h"
#include "acquire/partial_file.h"
#include "acquire/prefix_hasher.h"
#include "acquire/retry.h"
#include "acquire/segments.h"
#include "acquire/url.h"
#include "acquire/write_behind.h"
#include "support/scratch.h"

namespace anemone::acquire {
namespace {

using testing::HasSubstr;

TEST(Segments, FillSplitAndResume) {
  Segments segments(1000);
  segments.at(0).active = true;
  segments.at(0).position = 200;
  EXPECT_EQ(segments.Split(500), std::nullopt);  // 800 left: no two halves of 500
  ASSERT_EQ(segments.Split(100), std::optional<size_t>(1));
  EXPECT_EQ(segments.at(0).end, 600);
  EXPECT_EQ(segments.at(1).begin, 600);
  EXPECT_EQ(segments.NextIdle(), std::optional<size_t>(1));
  segments.at(1).position = 700;
  EXPECT_EQ(segments.done_bytes(), 300);
  EXPECT_EQ(segments.contiguous_bytes(), 200);
  EXPECT_EQ(segments.Print(), "0-200 600-700");

  const auto resumed = Segments::Parse(segments.Print(), 1000);
  ASSERT_TRUE(resumed.ok()) << resumed.error().ToString();
  EXPECT_EQ(resumed->size(), 2u);
  EXPECT_EQ(resumed->done_bytes(), 300);
  EXPECT_EQ(resumed->contiguous_bytes(), 200);
  EXPECT_EQ(resumed->at(0).end, 600);
  EXPECT_EQ(resumed->at(1).end, 1000);

  segments.at(0).position = 600;
  EXPECT_EQ(segments.contiguous_bytes(), 700);
  EXPECT_FALSE(segments.complete());
  segments.at(1).position = 1000;
  EXPECT_TRUE(segments.complete());
}

TEST(Segments, ResumesWhatBeginsInTheMiddle) {
  const auto segments = Segments::Parse("300-400", 500);
  ASSERT_TRUE(segments.ok());
  EXPECT_EQ(segments->contiguous_bytes(), 0);
  EXPECT_EQ(segments->done_bytes(), 100);
  EXPECT_EQ(segments->at(0).end, 300);
}

TEST(Segments, UnknownTotal) {
  Segments segments;
  segments.at(0).position = 70;
  EXPECT_FALSE(segments.complete());
  EXPECT_FALSE(segments.SetTotal(60));  // less than there is
  EXPECT_TRUE(segments.SetTotal(70));
  EXPECT_TRUE(segments.complete());
  EXPECT_FALSE(segments.SetTotal(80));  // known already
}

TEST(Segments, RefusesDamagedBooks) {
  for (const char* text : {"100-50", "0-200 100-300", "x", "0-", "-5", "0-2000", "0-100  200-300",
                           "0-99999999999999999999"}) {
    EXPECT_FALSE(Segments::Parse(text, 1000).ok()) << text;
  }
}

TEST(Retry, BackOffDoublesUpToALimitWithJitter) {
  EXPECT_EQ(BackOffMs(1, 1.0), 500);
  EXPECT_EQ(BackOffMs(1, 0.0), 250);
  EXPECT_EQ(BackOffMs(4, 1.0), 4000);
  EXPECT_EQ(BackOffMs(100, 1.0), 30'000);
}

TEST(Retry, RetryAfterInSecondsOrAsDate) {
  EXPECT_EQ(RetryAfterMs("7", 0), std::optional<int64_t>(7000));
  EXPECT_EQ(RetryAfterMs(" 120 ", 0), std::optional<int64_t>(120'000));
  EXPECT_EQ(RetryAfterMs("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 5),
            std::optional<int64_t>(5000));
  EXPECT_EQ(RetryAfterMs("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 9),
            std::optional<int64_t>(0));
  EXPECT_EQ(RetryAfterMs("soon", 0), std::nullopt);
  EXPECT_EQ(RetryAfterMs("", 0), std::nullopt);
  EXPECT_GT(RetryAfterMs("99999999999999999999999", 0).value_or(0), int64_t{1} << 40);
}

TEST(UrlTest, PartsAndNames) {
  const auto url = ParseUrl("https://Host.example:8443/a/b%20c.bin?x=1#part");
  ASSERT_TRUE(url.ok()) << url.error().ToString();
  EXPECT_EQ(url->file_name, "b_c.bin");
  EXPECT_EQ(url->text.find('#'), std::string::npos);
  const auto mirrored = AtMirror("http://mirror:1/pub/", *url);
  ASSERT_TRUE(mirrored.ok());
  EXPECT_EQ(*mirrored, "http://mirror:1/pub/" + url->host + "/a/b%20c.bin?x=1");
  // A name that would lead out of the folder, hide or be empty.
  EXPECT_EQ(ParseUrl("https://h/a/..%2f..%2fetc%2fpasswd")->file_name, "passwd");
  EXPECT_EQ(ParseUrl("https://h/.bashrc")->file_name, "bashrc");
  EXPECT_EQ(ParseUrl("https://h/")->file_name, "download");
}

TEST(UrlTest, RefusesOtherSchemesAndSecrets) {
  EXPECT_THAT(ParseUrl("file:///etc/passwd").error().message(), HasSubstr("scheme 'file'"));
  EXPECT_THAT(ParseUrl("ftp://h/x").error().message(), HasSubstr("scheme 'ftp'"));
  EXPECT_THAT(ParseUrl("https://me:secret@h/x").error().message(), HasSubstr("password"));
  EXPECT_FALSE(ParseUrl("https://").ok());
  EXPECT_FALSE(ParseUrl("https://h/\nx").ok());
}

TEST(ContentCheck, TellsWeightFilesFromOtherThings) {
  const test::ScratchFolder folder;
  const auto check = [&](std::string_view text, std::string_view name) {
    test::WriteText(folder / "data", text);
    return CheckContent(folder / "data", name).ToString();
  };
  EXPECT_EQ(check(std::string("\x08\0\0\0\0\0\0\0{}      ", 16), "a.safetensors"), "OK");
  EXPECT_THAT(check("<html>no</html>", "a.safetensors"), HasSubstr("promises a safetensors file"));
  EXPECT_THAT(check("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a.onnx"),
              HasSubstr("Git LFS pointer"));
  EXPECT_THAT(check("{\"error\": 1}", "a.pth"), HasSubstr("promises a PyTorch file"));
  EXPECT_THAT(check("{\"error\": 1}", "a.onnx"), HasSubstr("promises an ONNX file"));
  EXPECT_THAT(check("PK\x03", "a.npz"), HasSubstr("promises an .npz archive"));
  EXPECT_THAT(check("", "a.dat"), HasSubstr("empty"));
  EXPECT_EQ(check("anything", "a.dat"), "OK");
}

TEST(PrefixHasher, FollowsAFileThatGrowsAndBeginsAnew) {
  const test::ScratchFolder folder;
  auto partial = PartialFile::Open(folder / "p", "https://h/x");
  ASSERT_TRUE(partial.ok());
  PrefixHasher hasher(partial->fd());
  std::vector<std::byte> data(5 << 20);
  for (size_t i = 0; i < data.size(); ++i) data[i] = std::byte(i * 31 % 251);
  const std::span<const std::byte> all(data);
  for (int round = 0; round < 3; ++round) {
    const size_t size = data.size() - size_t(round) * 1'000'003;
    for (size_t at = 0; at < size; at += 300'000) {
      const auto piece = all.subspan(at, std::min<size_t>(300'000, size - at));
      ASSERT_TRUE(partial->Write(int64_t(at), piece).ok());
      hasher.Advance(int64_t(at + piece.size()));
    }
    if (round == 0) {
      hasher.Restart();  // in the middle of its work
      continue;
    }
    const auto digest = hasher.Finish(int64_t(size));
    ASSERT_TRUE(digest.ok());
    EXPECT_EQ(ToHex(*digest), ToHex(Sha256Of(all.first(size))));
    hasher.Restart();
  }
  EXPECT_FALSE(hasher.Finish(int64_t(data.size()) + 1).ok());  // more than there is
}

TEST(WriteBehind, GathersInOrderAndReachesMarks) {
  std::vector<std::byte> file(size_t{20} << 20);
  std::vector<int64_t> marks;
  size_t writes = 0;
  WriteBehind writer(
      [&](int64_t offset, std::span<const std::byte> data) {
        std::copy(data.begin(), data.end(), file.begin() + offset);
        ++writes;
        return Status();
      },
      [&](int64_t mark) { marks.push_back(mark); });
  // Two streams that take turns, as two connections do: one from 0, one from 10 MiB.
  std::vector<std::byte> piece(100'000);
  int64_t first = 0;
  int64_t second = int64_t{10} << 20;
  for (int turn = 0; turn < 60; ++turn) {
    for (int i = 0; i < (turn % 3) + 1; ++i) {
      int64_t& at = turn % 2 == 0 ? first : second;
      if (at + std::ssize(piece) > std::ssize(file)) continue;
      std::fill(piece.begin(), piece.end(), static_cast<std::byte>(turn + 1));
      ASSERT_TRUE(writer.Write(at, piece).ok());
      at += std::ssize(piece);
      writer.Mark(first);
    }
  }
  ASSERT_TRUE(writer.Flush().ok());
  EXPECT_EQ(marks.back(), first);
  EXPECT_TRUE(std::is_sorted(marks.begin(), marks.end()));
  EXPECT_LT(writes, 120u);  // of 120 pieces
  const auto filled = [&](int64_t from, int64_t to) {
    return std::none_of(file.begin() + from, file.begin() + to,
                        [](std::byte byte) { return byte == std::byte{}; });
  };
  EXPECT_TRUE(filled(0, first));
  EXPECT_TRUE(filled(int64_t{10} << 20, second));
  EXPECT_EQ(file[static_cast<size_t>(first)], std::byte{});
  EXPECT_TRUE(writer.Flush().ok());  // nothing to do
}

TEST(WriteBehind, TheFirstErrorIsReportedAndEndsIt) {
  std::atomic<int> writes = 0;
  bool reached = false;
  WriteBehind writer(
      [&](int64_t offset, std::span<const std::byte>) {
        ++writes;
        return offset >= 2'000'000 ? Status(IoError("the disk is full at {}", offset)) : Status();
      },
      [&](int64_t mark) { reached = reached || mark > 2'500'000; });
  const std::vector<std::byte> piece(500'000);
  Status status;
  int64_t at = 0;
  for (; status.ok() && at < 100'000'000; at += std::ssize(piece)) {
    status = writer.Write(at, piece);
    writer.Mark(at + std::ssize(piece));
  }
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message(), HasSubstr("the disk is full at 2"));
  EXPECT_LT(at, 20'000'000);  // it stops collecting data that cannot be written
  EXPECT_FALSE(writer.Flush().ok());
  EXPECT_EQ(writes, 3);
  EXPECT_FALSE(reached);
}

TEST(PartialFileTest, TakesUpOnlyItsOwnBook) {
  const test::ScratchFolder folder;
  const std::string data(1000, 'x');
  {
    auto partial = PartialFile::Open(folder / "p", "https://h/x");
    ASSERT_TRUE(partial.ok());
    partial->segments().Restart(5000);
    ASSERT_TRUE(partial->Write(0, std::as_bytes(std::span(data))).ok());
    partial->segments().at(0).position = 1000;
    partial->identity().etag = "\"1\"";
    ASSERT_TRUE(partial->Save(true).ok());
  }
  {
    auto partial = PartialFile::Open(folder / "p", "https://h/x");
    ASSERT_TRUE(partial.ok());
    EXPECT_EQ(partial->segments().done_bytes(), 1000);
    EXPECT_EQ(partial->identity().validator(), "\"1\"");
    EXPECT_EQ(partial->segments().total(), std::optional<int64_t>(5000));
  }
  // A file shorter than its record, a broken record, another URL: start over.
  std::filesystem::resize_file(folder / "p/data", 999);
  EXPECT_EQ(PartialFile::Open(folder / "p", "https://h/x")->segments().done_bytes(), 0);
  test::WriteText(folder / "p/data", data);
  EXPECT_EQ(PartialFile::Open(folder / "p", "https://h/y")->segments().done_bytes(), 0);
  test::WriteText(folder / "p/data", data);
  test::WriteText(folder / "p/state.json", "{\"schema_version\": 1, \"url\": 7}");
  EXPECT_EQ(PartialFile::Open(folder / "p", "https://h/x")->segments().done_bytes(), 0);
}

}  // namespace
}  // namespace anemone::acquire
