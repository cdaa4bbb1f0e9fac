#include "base/html_page.h"

#include <gtest/gtest.h>

namespace anemone {
namespace {

TEST(HtmlPage, DataCannotEndItsScript) {
  EXPECT_EQ(JsonForScript(R"({"a": "</script><!-- x"})"),
            "{\"a\": \"\\u003c/script>\\u003c!-- x\"}");
}

TEST(HtmlPage, MarksAreReplacedOnceAndInOrder) {
  EXPECT_EQ(FillPage("<A><B><A>", {{"<A>", "1"}, {"<B>", "<A>"}}), "1<A><A>");
  // What data brings is not a mark any more.
  EXPECT_EQ(FillPage("<A><B>", {{"<B>", "2"}, {"<A>", "<B>"}}), "<B>2");
  EXPECT_EQ(FillPage("no mark", {{"<A>", "1"}}), "no mark");
}

}  // namespace
}  // namespace anemone
