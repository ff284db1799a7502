// cuBLAS is not here, but its argument list is that of every BLAS.
#include "core/backend/cuda/blas_call.h"

#include <cblas.h>

#include "core/random.h"
#include "tests/core/cuda/emulated_device.h"

namespace riesz::cuda {
namespace {

class BlasCallTest : public EmulatedDevice {
 protected:
  static std::vector<float> Random(int64_t size, uint64_t seed) {
    std::vector<float> values(static_cast<size_t>(size));
    FillNormals(seed, RandomStream::kGenerator, 0, 0, values.data(), size);
    return values;
  }
};

TEST_F(BlasCallTest, IsTheProductInColumns) {
  for (const bool transpose_a : {false, true}) {
    for (const bool accumulate : {false, true}) {
      const int64_t rows = 3, cols = 5, depth = 7;
      MatrixProduct p{.transpose_a = transpose_a, .rows = rows, .cols = cols, .depth = depth};
      // Strides beyond the rows' ends, as projections have them.
      p.a_stride = (transpose_a ? rows : depth) + 2;
      p.b_stride = (transpose_a ? cols : depth) + 1;
      p.c_stride = cols + 4;
      p.accumulate = accumulate;
      const std::vector<float> a = Random(12 * p.a_stride, 1), b = Random(12 * p.b_stride, 2);
      std::vector<float> by_blas = Random(rows * p.c_stride, 3);
      auto on_device = OnDevice(by_blas);
      p.a = a.data();
      p.b = b.data();
      p.c = on_device.data();
      ASSERT_TRUE(device_.Multiply(p).ok());
      const BlasCall call = BlasCallOf(p);
      const auto narrow = [](int64_t i) { return static_cast<int>(i); };
      cblas_sgemm(CblasColMajor, call.transpose_first ? CblasTrans : CblasNoTrans,
                  call.transpose_second ? CblasTrans : CblasNoTrans, narrow(call.m), narrow(call.n),
                  narrow(call.k), 1, call.first, narrow(call.first_stride), call.second,
                  narrow(call.second_stride), accumulate ? 1.0f : 0.0f, by_blas.data(),
                  narrow(p.c_stride));
      const std::vector<float> plain = OnHost(on_device);
      // Sums of eight terms of order 1.
      for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(plain[i], by_blas[i], 1e-5) << i;
    }
  }
}

}  // namespace
}  // namespace riesz::cuda
