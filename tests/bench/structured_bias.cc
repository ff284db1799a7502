// Bias of E|<xi, v>| along structured directions, relative, against uniform ones, for v a
// coordinate vector, the worst case (mean over the coordinates). Prints the table of
// core/README.md.
//
//   riesz_bench_structured_bias [millions of terms a row, default 1600: a minute or two]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/directions.h"
#include "core/kernel.h"

int main(int argc, char** argv) {
  const double terms = 1e6 * (argc > 1 ? std::atof(argv[1]) : 1600);
  std::printf("| d | bias | its standard error |\n|---|---|---|\n");
  for (const int64_t dim : {16, 17, 64, 67, 128, 784}) {
    const riesz::DirectionSpec spec{
        .kind = riesz::DirectionKind::kStructured, .count = dim, .seed = 1};
    riesz::DirectionScratch scratch(spec, dim);
    std::vector<float> rows(static_cast<size_t>(dim * dim));
    const auto d = static_cast<double>(dim);
    const double blocks = std::ceil(terms / (d * d));
    const double c = riesz::SlicingConstant(dim, 1);
    double sum = 0, squares = 0;  // over blocks
    for (uint64_t step = 0; step < static_cast<uint64_t>(blocks); ++step) {
      riesz::GenerateDirectionBlock(spec, dim, step, 0, rows.data(), scratch);
      double block = 0;
      for (const float v : rows) block += std::abs(v);
      block = c * block / (d * d) - 1;
      sum += block;
      squares += block * block;
    }
    const double mean = sum / blocks;
    std::printf("| %ld | %.1e | %.0e |\n", dim, mean,
                std::sqrt((squares / blocks - mean * mean) / blocks));
    std::fflush(stdout);
  }
  return 0;
}
