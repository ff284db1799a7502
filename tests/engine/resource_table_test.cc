#include "core/engine/resource_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace riesz {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ResourceTableTest : public ::testing::Test {
 protected:
  void Add(const std::string& tenant, const std::string& id) {
    auto claim = table.ClaimId({tenant, id});
    ASSERT_TRUE(claim.ok()) << claim.status();
    table.Publish(*std::move(claim), std::make_shared<std::string>(id));
  }
  std::vector<std::string> Ids(const PageRequest& request, std::string* token = nullptr) {
    std::vector<std::string> ids;
    const auto page = table.List("t", request);
    EXPECT_TRUE(page.ok()) << page.status();
    for (const auto& item : page->items) ids.push_back(*item);
    if (token != nullptr) *token = page->next_page_token;
    return ids;
  }
  ResourceTable<std::string> table{"thing", 5};
};

TEST_F(ResourceTableTest, AClaimKeepsTheIdButIsNotFound) {
  auto claim = table.ClaimId({"t", "a"});
  ASSERT_TRUE(claim.ok());
  EXPECT_EQ(table.ClaimId({"t", "a"}).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(table.Find({"t", "a"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(table.Erase({"t", "a"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Ids({}), IsEmpty());
  claim->Release();
  Add("t", "a");
  EXPECT_EQ(**table.Find({"t", "a"}), "a");
}

TEST_F(ResourceTableTest, TenantsDoNotSeeEachOther) {
  Add("t", "a");
  Add("u", "a");
  Add("u", "b");
  EXPECT_THAT(Ids({}), ElementsAre("a"));
  ASSERT_TRUE(table.Erase({"u", "a"}).ok());
  EXPECT_TRUE(table.Find({"t", "a"}).ok());
}

TEST_F(ResourceTableTest, ATenantHasABoundAndErasingMakesRoom) {
  for (const char* id : {"a", "b", "c", "d", "e"}) Add("t", id);
  const auto refused = table.ClaimId({"t", "f"});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DetailOf(refused.status())->reason, ErrorReason::kLimit);
  EXPECT_EQ(DetailOf(refused.status())->metadata.at("limit"), "5");
  EXPECT_TRUE(table.ClaimId({"u", "f"}).ok());
  ASSERT_TRUE(table.Erase({"t", "c"}).ok());
  EXPECT_TRUE(table.ClaimId({"t", "f"}).ok());
}

TEST_F(ResourceTableTest, PagesCoverAllIdsInOrder) {
  for (const char* id : {"d", "b", "e", "a", "c"}) Add("t", id);
  std::string token;
  EXPECT_THAT(Ids({.size = 2, .token = ""}, &token), ElementsAre("a", "b"));
  ASSERT_TRUE(table.Erase({"t", "b"}).ok());  // the token does not depend on it
  EXPECT_THAT(Ids({.size = 2, .token = token}, &token), ElementsAre("c", "d"));
  EXPECT_THAT(Ids({.size = 2, .token = token}, &token), ElementsAre("e"));
  EXPECT_EQ(token, "");
}

TEST_F(ResourceTableTest, APageThatEndsExactlyAtTheLastIdHasNoToken) {
  Add("t", "a");
  Add("t", "b");
  std::string token = "x";
  EXPECT_THAT(Ids({.size = 2, .token = ""}, &token), ElementsAre("a", "b"));
  EXPECT_EQ(token, "");
}

TEST_F(ResourceTableTest, BadPageRequestsNameTheField) {
  for (const PageRequest& bad :
       {PageRequest{.size = -1, .token = ""}, PageRequest{.size = 1001, .token = ""}}) {
    const auto refused = table.List("t", bad);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DetailOf(refused.status())->metadata.at("field"), "page_size");
  }
  const auto refused = table.List("t", {.size = 0, .token = "No Such Token"});
  EXPECT_EQ(DetailOf(refused.status())->metadata.at("field"), "page_token");
}

TEST(ResourceIdTest, IdsAreLowerCaseLettersDigitsAndHyphens) {
  const std::string longest(63, 'a');
  for (const std::string& good :
       {std::string("a"), std::string("a1"), std::string("a-b"), longest}) {
    EXPECT_TRUE(IsResourceId(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("A"), std::string("1a"), std::string("a-"), std::string("-a"),
        std::string("a_b"), std::string("a\0b", 3), std::string("\xc3\xa4"), longest + "a"}) {
    EXPECT_FALSE(IsResourceId(bad)) << bad;
    EXPECT_EQ(ValidateResourceId(bad, "id").code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_LT(ValidateResourceId(std::string(1 << 20, 'x'), "id").message().size(), 300u);
}

}  // namespace
}  // namespace riesz
