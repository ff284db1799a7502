// Ensembles: generators, data sets, copies, expiry, tenants.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <thread>

#include "core/dataset/dataset.h"
#include "core/random.h"
#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

using ::testing::ElementsAre;

class EnsembleTest : public EngineFixture {
 protected:
  absl::StatusOr<EnsembleInfo> Create(EnsembleTraits traits, EnsembleSource source) {
    Await<EnsembleInfo> made;
    engine->CreateEnsemble(context, std::move(traits), std::move(source), made.callback());
    return made.Get();
  }
};

TEST_F(EnsembleTest, AGeneratedRowDependsOnSeedAndRowOnly) {
  Start();
  using enum GeneratorSource::Distribution;
  // 400 x 1000 floats are 1.6 MB: two tiles.
  const auto info = Create(
      {.id = "x"},
      GeneratorSource{
          .distribution = kNormal, .count = 400, .dim = 1000, .seed = 5, .mean = 3, .scale = 2});
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->source, "generator normal, seed 5");
  EXPECT_EQ(backend->calls(FakeCall::kMap), 2);
  const std::vector<float> values = Read(EnsembleRef{"x"});
  EXPECT_EQ(info->crc32c, Crc32c(std::as_bytes(std::span(values))));
  std::vector<float> row(1000);
  FillNormals(5, RandomStream::kGenerator, 0, 399, row.data(), 1000);
  for (float& v : row) v = static_cast<float>(3.0 + 2.0 * v);
  EXPECT_TRUE(std::equal(row.begin(), row.end(), values.end() - 1000));
}

TEST_F(EnsembleTest, AnIdIsTakenOnceAndCheckedFirst) {
  Start();
  ASSERT_TRUE(Generate("x").ok());
  EXPECT_EQ(ReasonOf(Generate("x").status()), ErrorReason::kAlreadyExists);
  EXPECT_EQ(Generate("X").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Generate("y", 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Generate("y").ok()) << "a failed creation leaves the id free";
}

TEST_F(EnsembleTest, ACopySharesTheParticlesAndOutlivesTheOriginal) {
  Start();
  ASSERT_TRUE(Put("x", 2, {1, 2, 3, 4}).ok());
  const int64_t used = UsedBytes();
  const auto copy = Create({.id = "z"}, ParticlesRef(EnsembleRef{"x"}));
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(copy->source, "ensemble x");
  EXPECT_EQ(UsedBytes(), used);
  ASSERT_TRUE(engine->DeleteEnsemble(context, "x").ok());
  EXPECT_THAT(Read(EnsembleRef{"z"}), ElementsAre(1, 2, 3, 4));
  ASSERT_TRUE(engine->DeleteEnsemble(context, "z").ok());
  EXPECT_EQ(UsedBytes(), 0);
}

TEST_F(EnsembleTest, InlineNumbersBecomeAnEnsemble) {
  Start();
  const float values[] = {1, 2};
  InlineTensor tensor{.rows = 1, .columns = 2, .bytes = std::string(8, '\0')};
  std::memcpy(tensor.bytes.data(), values, 8);
  ASSERT_TRUE(Create({.id = "z"}, ParticlesRef(tensor)).ok());
  EXPECT_THAT(Read(EnsembleRef{"z"}), ElementsAre(1, 2));
  tensor.rows = 2;
  EXPECT_EQ(DetailOf(Create({.id = "w"}, ParticlesRef(tensor)).status())->metadata.at("field"),
            "copy_of.inline_tensor.data");
  const float bad[] = {1, std::nanf("")};
  tensor.rows = 1;
  std::memcpy(tensor.bytes.data(), bad, 8);
  EXPECT_EQ(ReasonOf(Create({.id = "w"}, ParticlesRef(tensor)).status()), ErrorReason::kNonFinite);
}

TEST_F(EnsembleTest, AnExpiredEnsembleVanishesAndFreesItsMemory) {
  Start();
  EnsembleTraits traits{.id = "x"};
  traits.expire_time = wall + std::chrono::hours(1);
  ASSERT_TRUE(Create(traits, GeneratorSource{.count = 2, .dim = 2}).ok());
  ASSERT_TRUE(engine->GetEnsemble(context, "x").ok());
  wall += std::chrono::hours(1);
  EXPECT_EQ(engine->GetEnsemble(context, "x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(UsedBytes(), 0);
  EXPECT_EQ(DetailOf(Create(traits, GeneratorSource{.count = 2, .dim = 2}).status())
                ->metadata.at("field"),
            "expire_time");
}

TEST_F(EnsembleTest, AnEnsembleInUseDoesNotExpire) {
  Start();
  EnsembleTraits traits{.id = "y"};
  traits.expire_time = wall + std::chrono::hours(1);
  ASSERT_TRUE(Create(traits, GeneratorSource{.count = 2, .dim = 2}).ok());
  ASSERT_TRUE(Generate("x").ok());
  ASSERT_TRUE(NewFlow("f").ok());
  wall += std::chrono::hours(2);
  EXPECT_TRUE(engine->GetEnsemble(context, "y").ok());
  Await<std::monostate> deleted;
  engine->DeleteFlow(context, "f", deleted.callback());
  ASSERT_TRUE(deleted.Get().ok());
  EXPECT_FALSE(engine->GetEnsemble(context, "y").ok());
}

TEST_F(EnsembleTest, TenantsAreSeparate) {
  Start();
  ASSERT_TRUE(Generate("x").ok());
  CallContext other;
  other.tenant = "other";
  EXPECT_EQ(engine->GetEnsemble(other, "x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine->DeleteEnsemble(other, "x").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(engine->ListEnsembles(other, {})->items.empty());
  EXPECT_EQ(engine->ListEnsembles(context, {})->items.size(), 1u);
}

TEST_F(EnsembleTest, AnyByteRangeReadsTheSameBytes) {
  Start();
  ASSERT_TRUE(Generate("x", 5, 3).ok());
  Await<ResolvedParticles> resolved;
  engine->Resolve(context, EnsembleRef{"x"}, resolved.callback());
  const DeviceEnsemble& particles = *resolved.Get()->particles;
  std::vector<std::byte> all(60);
  ASSERT_TRUE(engine->ReadBytes(particles, 0, all).ok());
  for (int64_t begin = 0; begin <= 60; begin += 7) {
    std::vector<std::byte> part(static_cast<size_t>(60 - begin));
    ASSERT_TRUE(engine->ReadBytes(particles, begin, part).ok());
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + begin));
  }
  std::vector<std::byte> beyond(1);
  EXPECT_EQ(engine->ReadBytes(particles, 60, beyond).code(), absl::StatusCode::kOutOfRange);
  resolved.Forget();
}

TEST_F(EnsembleTest, ADataSetWhoseFileChangedIsReadAgain) {
  const std::filesystem::path dir =
      std::filesystem::path(::testing::TempDir()) / "riesz_engine_changing_data_set";
  std::filesystem::create_directories(dir);
  EngineOptions options;
  options.data_dir = dir.string();
  Start({}, options);
  for (const int64_t count : {3, 5}) {
    ASSERT_TRUE(WriteNpy((dir / "points.npy").string(), Matrix(count, 1).view()).ok());
    for (const std::string name : {"points", "points.npy"}) {
      const auto made = Create({.id = "c"}, DataSetSource{.name = name});
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_EQ(made->count, count) << name;
      ASSERT_TRUE(engine->DeleteEnsemble(context, "c").ok());
    }
  }
  std::filesystem::remove_all(dir);
}

TEST_F(EnsembleTest, DisjointRangesOfOneSeedAreDisjointSamplesOfTheDataSet) {
  const std::filesystem::path dir =
      std::filesystem::path(::testing::TempDir()) / "riesz_engine_data_sets";
  std::filesystem::create_directories(dir);
  Matrix rows(10, 1);
  for (int64_t i = 0; i < 10; ++i) rows.data()[i] = static_cast<float>(i);
  ASSERT_TRUE(WriteNpy((dir / "ten.npy").string(), rows.view()).ok());
  EngineOptions options;
  options.data_dir = dir.string();
  Start({}, options);
  Await<std::vector<std::string>> names;
  engine->DataSets(context, names.callback());
  ASSERT_THAT(*names.Get(), ElementsAre("ten.npy"));
  const std::string name = "ten.npy";
  const auto take = [&](const std::string& id, int64_t offset, int64_t count) {
    return Create({.id = id},
                  DataSetSource{.name = name, .count = count, .seed = 3, .offset = offset});
  };
  ASSERT_TRUE(take("a", 0, 4).ok());
  ASSERT_TRUE(take("b", 4, 0).ok()) << "0 takes the rest";
  std::vector<float> all = Read(EnsembleRef{"a"});
  const std::vector<float> rest = Read(EnsembleRef{"b"});
  EXPECT_EQ(all.size(), 4u);
  all.insert(all.end(), rest.begin(), rest.end());
  std::sort(all.begin(), all.end());
  EXPECT_THAT(all, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(take("c", 8, 3).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(take("c", 10, 0).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Create({.id = "c"}, DataSetSource{.name = "no-such"}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(Create({.id = "c"}, DataSetSource{.name = "../etc"}).ok());
  std::filesystem::remove_all(dir);
}

// A data directory with points.npy.
class DataSetTest : public EnsembleTest {
 protected:
  ~DataSetTest() override { std::filesystem::remove_all(dir_); }
  void StartWithPoints(int64_t rows, int64_t columns, int64_t memory_limit_bytes = 0) {
    std::filesystem::create_directories(dir_);
    ASSERT_TRUE(WriteNpy((dir_ / "points.npy").string(), Matrix(rows, columns).view()).ok());
    EngineOptions options;
    options.data_dir = dir_.string();
    options.memory_limit_bytes = memory_limit_bytes;
    Start({}, options);
  }
  // Tests run beside each other.
  const std::filesystem::path dir_ =
      std::filesystem::path(::testing::TempDir()) /
      (std::string("riesz_engine_") +
       ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(DataSetTest, OneThatDoesNotFitIsRefusedBeforeItIsRead) {
  StartWithPoints(1000, 10, 39'999);
  const auto refused = Create({.id = "c"}, DataSetSource{.name = "points", .count = 1});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kMemory);
  EXPECT_EQ(DetailOf(refused.status())->metadata.at("what"), "data set 'points'");
  EXPECT_EQ(DetailOf(refused.status())->metadata.at("wanted_bytes"), "40000");
  EXPECT_EQ(UsedBytes(), 0);
  EXPECT_TRUE(Generate("c").ok()) << "the id is free again";
}

TEST_F(DataSetTest, OneThatIsKeptIsInTheLedgerAndGivesWayToOthers) {
  // 40,000 bytes, and while a row is chosen 8,068 beside them.
  StartWithPoints(1000, 10, 120'000);
  ASSERT_TRUE(Create({.id = "c"}, DataSetSource{.name = "points", .count = 1}).ok());
  EXPECT_EQ(UsedBytes(), 40'000 + 40);
  const auto too_large = Generate("z", 100'000, 1);
  EXPECT_TRUE(absl::IsResourceExhausted(too_large.status()));
  EXPECT_EQ(UsedBytes(), 40'000 + 40) << "kept: nothing makes room for that";
  ASSERT_TRUE(Generate("z", 25'000, 1).ok()) << "100,000 bytes";
  EXPECT_EQ(UsedBytes(), 100'000 + 40);
}

TEST_F(DataSetTest, WithoutADirectoryNoFileIsRead) {
  StartWithPoints(1, 1);
  Start();  // without
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir_);
  const auto refused = Create({.id = "c"}, DataSetSource{.name = "points"});
  std::filesystem::current_path(before);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kNotFound) << refused.status();
}

TEST_F(DataSetTest, NamesAreLookedUpByIoThreads) {
  StartWithPoints(1, 1);
  // The callback stands for the look-up: it runs where that does.
  std::promise<std::thread::id> where;
  engine->DataSets(context, [&](const absl::StatusOr<std::vector<std::string>>& names) {
    EXPECT_THAT(*names, ElementsAre("points.npy"));
    where.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
}

TEST_F(DataSetTest, AReadingStopsAtItsDeadline) {
  StartWithPoints(8 << 10, 1 << 10);  // 32 MiB
  context.deadline = clock.Now() + std::chrono::seconds(9);
  clock.MoveWithEveryLook(std::chrono::seconds(1));
  const auto stopped = Create({.id = "c"}, DataSetSource{.name = "points"});
  clock.MoveWithEveryLook(std::chrono::seconds(0));
  EXPECT_EQ(ReasonOf(stopped.status()), ErrorReason::kDeadline);
  EXPECT_EQ(DetailOf(stopped.status())->metadata.at("chunks_planned"), "0")
      << "the ensemble was not begun";
  EXPECT_EQ(UsedBytes(), 0);
}

}  // namespace
}  // namespace riesz
