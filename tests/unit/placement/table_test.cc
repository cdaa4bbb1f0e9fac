// Completeness: every operator of the op table has a rule or says that nothing is known; every rule
// belongs to an operator; every source is one that the documentation explains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "place_helpers.h"

namespace anemone::placement {
namespace {

TEST(PlaceTable, EveryOperatorHasARule) {
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    EXPECT_NE(FindPlaceRule(def->name), nullptr) << def->name << " has no placement rule";
  }
}

TEST(PlaceTable, EveryRuleIsOfAnOperator) {
  std::set<std::string_view> seen;
  for (const PlaceRule* rule : AllPlaceRules()) {
    EXPECT_NE(ir::FindOpDef(rule->op), nullptr) << rule->op;
    EXPECT_NE(rule->ane, nullptr) << rule->op;
    EXPECT_TRUE(seen.insert(rule->op).second) << rule->op << " twice";
  }
  EXPECT_EQ(seen.size(), ir::AllOpDefs().size());
}

TEST(PlaceTable, EveryRuleSaysWhatWorkItIsAndWhichBeliefHolds) {
  for (const PlaceRule* rule : AllPlaceRules()) {
    EXPECT_NE(rule->work, WorkKind::kUnset) << rule->op;
    EXPECT_NE(rule->belief, BeliefKind::kUnset) << rule->op;
    EXPECT_EQ(rule->work == WorkKind::kNone, rule->others == Others::kNobody) << rule->op;
  }
}

TEST(PlaceTable, UnknownOperatorSaysSo) {
  ir::Operation operation("sqrt_of_the_sea", nullptr);
  const OpPlacement placement = Place(operation, ir::Opset::kIOS18, ChipOrFail("m4"));
  EXPECT_EQ(placement.ane.support, Support::kUnknown);
  EXPECT_THAT(placement.ane.reason, testing::HasSubstr("sqrt_of_the_sea"));
  EXPECT_TRUE(placement.cpu.expected);
}

TEST(Chips, NamesAndLists) {
  EXPECT_EQ((*FindChip("M1 Pro"))->name, "m1pro");
  EXPECT_EQ((*FindChip("a17-pro"))->title, "A17 Pro");
  EXPECT_FALSE(FindChip("").ok());
  const auto unknown = FindChip("m99");
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.error().message(), testing::HasSubstr("m1pro"));
  const auto list = ParseChips("m1,M4,m1,a14");
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[1]->name, "m4");
  EXPECT_FALSE(ParseChips("m1,").ok());
  EXPECT_FALSE(ParseChips("").ok());
}

TEST(Chips, TableIsPlausible) {
  std::set<std::string_view> names;
  for (const Chip& chip : AllChips()) {
    EXPECT_TRUE(names.insert(chip.name).second) << chip.name;
    if (chip.ane_tops && chip.ane_fp16_tflops) {
      EXPECT_LE(*chip.ane_fp16_tflops, *chip.ane_tops) << chip.name;
    }
    EXPECT_EQ(chip.int8_compute, chip.family >= AneFamily::kH16) << chip.name;
    EXPECT_EQ(chip.max_width_height, chip.family >= AneFamily::kH16 ? 65536 : 16384) << chip.name;
  }
}

}  // namespace
}  // namespace anemone::placement
