#include "core/backend/cuda/kernels/iid_directions.h"

#include "tests/core/cuda/emulated_device.h"

namespace riesz::cuda {
namespace {

using IidDirections = EmulatedDevice;

// Bits, not tolerances: IEEE arithmetic in the same order, which nvcc keeps as well (-fmad=false).
TEST_F(IidDirections, AreTheFloatsOfTheHost) {
  for (const int64_t dim : {2, 3, 7, 8, 33, 784, 1025}) {
    const DirectionSpec spec{.kind = DirectionKind::kIid, .count = 300, .seed = 0x9E3779B97F4A7C15};
    for (const uint64_t step : {uint64_t{0}, uint64_t{5}, (uint64_t{1} << 40) + 3}) {
      const int64_t block = 1;  // slices 256 .. 299
      std::vector<float> host(static_cast<size_t>(44 * dim));
      GenerateDirectionBlock(spec, dim, step, block, host.data());
      auto drawn = Garbage<float>(44 * dim);
      ASSERT_TRUE(DrawIidDirections(device_, spec, dim, step, 256, 44, drawn.data()).ok());
      EXPECT_EQ(OnHost(drawn), host) << "dimension " << dim << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace riesz::cuda
