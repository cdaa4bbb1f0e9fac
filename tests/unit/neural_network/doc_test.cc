// docs/neural-network-layers.md is what the table prints. ANEMONE_WRITE_DOCS=1 in the environment
// writes it anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "neural_network/layer_table.h"
#include "test_paths.h"

namespace anemone::neural_network {
namespace {

TEST(LayersDocumentTest, IsPrintedFromTheTable) {
  const std::string path =
      std::string(anemone::test::kSourceDir) + "/docs/neural-network-layers.md";
  if (std::getenv("ANEMONE_WRITE_DOCS") != nullptr) std::ofstream(path) << LayersMarkdown();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), LayersMarkdown());
}

}  // namespace
}  // namespace anemone::neural_network
