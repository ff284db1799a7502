// Laws at the sizes that a GPU is for, and that no emulation reaches: every way of sorting,
// products that cuBLAS splits in its own ways, equal rows far apart in one product.
#include <algorithm>
#include <cmath>

#include "core/backend/make_backend.h"
#include "tests/contract/contract.h"

namespace riesz::contract {
namespace {

class GpuScale : public BackendContract {};
RIESZ_ON_EVERY_BACKEND(GpuScale);

struct Size {
  int64_t n, d, slices;
};
// 20,480 particles are the most that a block sorts; beyond them the device's sort.
constexpr Size kSizes[] = {{128, 784, 1000}, {8192, 100, 500},   {20'000, 784, 1000},
                           {20'480, 2, 100}, {50'000, 100, 200}, {1'000'000, 2, 20}};

// Equal ensembles have equal projections only if a product's element does not depend on its place.
TEST_P(GpuScale, GradientIsZeroWhenEnsemblesAreEqual) {
  for (const auto& [n, d, slices] : kSizes) {
    const Points x = Normals(n, d, 1);
    const Gradient g = SlicedGradient(x, x, {.count = slices, .seed = 3});
    EXPECT_EQ(g.values, std::vector<float>(x.values.size())) << n << " x " << d;
  }
}

TEST_P(GpuScale, DuplicatesWithinAnEnsembleTie) {
  // Every particle twice, half an ensemble apart: both halves of the gradient are the same bits.
  for (const auto& [n, d, slices] : kSizes) {
    Points x = Normals(n, d, 1);
    const auto half = static_cast<std::ptrdiff_t>(x.values.size() / 2);
    std::copy_n(x.values.begin(), half, x.values.begin() + half);
    const std::vector<float> g =
        SlicedGradient(x, Normals(n, d, 2), {.count = slices, .seed = 3}).values;
    EXPECT_TRUE(std::equal(g.begin(), g.begin() + half, g.begin() + half)) << n << " x " << d;
  }
}

TEST_P(GpuScale, TheCpuAgrees) {
  // Both round projections: neighbours closer than that may change places, each a change of 2/n in
  // h. At these sizes the gradient's relative difference stays far below 1e-3.
  for (const auto& [n, d, slices] : kSizes) {
    const Points x = Normals(n, d, 1), y = Normals(n, d, 2, 1.5f);
    const DirectionSpec directions{.kind = DirectionKind::kIid, .count = slices, .seed = 3};
    const Gradient ours = SlicedGradient(x, y, directions);
    std::unique_ptr<Backend> gpu = std::move(backend_);
    backend_ = MakeBackend("cpu").value();
    const Gradient theirs = SlicedGradient(x, y, directions);
    backend_ = std::move(gpu);
    double difference = 0, size = 0;
    for (size_t e = 0; e < ours.values.size(); ++e) {
      difference += std::pow(static_cast<double>(ours.values[e]) - theirs.values[e], 2);
      size += std::pow(static_cast<double>(theirs.values[e]), 2);
    }
    EXPECT_LT(std::sqrt(difference / size), 1e-3) << n << " x " << d;
    EXPECT_NEAR(ours.summary.rms_velocity, theirs.summary.rms_velocity,
                1e-3 * theirs.summary.rms_velocity);
  }
}

TEST_P(GpuScale, RepetitionsChangeNoBit) {
  for (const auto& [n, d, slices] : kSizes) {
    const Points x = Normals(n, d, 1), y = Normals(n, d, 2, 1.5f);
    const DirectionSpec directions{.count = slices, .seed = 3};
    const std::vector<float> once = SlicedGradient(x, y, directions).values;
    for (const int64_t chunks : {0, 1}) {
      EXPECT_EQ(GradientOf(x, y, {.directions = directions}, chunks).values, once);
    }
  }
}

}  // namespace
}  // namespace riesz::contract
