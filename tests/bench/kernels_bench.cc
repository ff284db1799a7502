// The cpu backend's kernels one by one: nanoseconds a point, flops a second.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/backend/cpu/panels.h"
#include "core/backend/cpu/power_slices.h"
#include "core/backend/cpu/product.h"
#include "core/backend/cpu/ranks.h"
#include "core/backend/cpu/sort.h"
#include "core/random.h"

namespace riesz::cpu {
namespace {

std::vector<float> Normals(int64_t count, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  FillNormals(seed, RandomStream::kGenerator, 0, 0, values.data(), count);
  return values;
}

void PerPoint(benchmark::State& state, int64_t points) {
  state.counters["ns_per_point"] = benchmark::Counter(
      static_cast<double>(points) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void PerFlop(benchmark::State& state, double flops) {
  state.counters["flops"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void BM_SortKeys(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto values = Normals(n, 1);
  std::vector<uint32_t> keys(values.size());
  for (auto _ : state) SortKeys(values.data(), n, keys.data());
  PerPoint(state, n);
}
BENCHMARK(BM_SortKeys)->Arg(1000)->Arg(10000)->Arg(100000);

void BM_SortKeysWithIndex(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto values = Normals(n, 1);
  std::vector<uint64_t> work(values.size());
  std::vector<uint32_t> keys(values.size()), indices(values.size());
  for (auto _ : state) {
    SortKeysWithIndex(values.data(), n, work.data(), keys.data(), indices.data());
  }
  PerPoint(state, n);
}
BENCHMARK(BM_SortKeysWithIndex)->Arg(1000)->Arg(10000)->Arg(100000);

void BM_CountRanks(benchmark::State& state) {
  const int64_t n = state.range(0);
  std::vector<uint32_t> x(static_cast<size_t>(n)), y(x.size());
  SortKeys(Normals(n, 1).data(), n, x.data());
  SortKeys(Normals(n, 2).data(), n, y.data());
  std::vector<int32_t> below(x.size()), own(x.size());
  for (auto _ : state) CountRanks(x.data(), n, y.data(), n, below.data(), own.data());
  PerPoint(state, 2 * n);
}
BENCHMARK(BM_CountRanks)->Arg(1000)->Arg(10000)->Arg(100000);

// A slice from projections to velocities; points are particles and targets.
void BM_SliceVelocities(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto x = Normals(n, 1);
  const auto y = Normals(n, 2);
  SliceScratch scratch(n, n, false);
  std::vector<float> h(x.size());
  for (auto _ : state) {
    std::copy(x.begin(), x.end(), h.begin());
    SliceVelocities(h.data(), n, y.data(), n, scratch, nullptr);
  }
  PerPoint(state, 2 * n);
}
BENCHMARK(BM_SliceVelocities)->Arg(1000)->Arg(10000)->Arg(20000)->Arg(100000);

void BM_MeasureSlice(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto x = Normals(n, 1);
  const auto y = Normals(n, 2);
  SliceScratch scratch(n, n, true);
  for (auto _ : state) benchmark::DoNotOptimize(MeasureSlice(x.data(), n, y.data(), n, scratch));
  PerPoint(state, 2 * n);
}
BENCHMARK(BM_MeasureSlice)->Arg(10000);

// The same at r != 1; the argument after the number of points is 100 r.
void BM_PowerVelocities(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto x = Normals(n, 1);
  const auto y = Normals(n, 2);
  const PowerSlices slices(static_cast<double>(state.range(1)) / 100);
  PowerScratch scratch(n, n);
  std::vector<float> h(x.size());
  for (auto _ : state) {
    std::copy(x.begin(), x.end(), h.begin());
    slices.Velocities(h.data(), n, y.data(), n, scratch, nullptr);
  }
  PerPoint(state, 2 * n);
}
BENCHMARK(BM_PowerVelocities)->Args({10000, 150})->Args({10000, 60})->Args({100000, 150});

void BM_PowerMeasure(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto x = Normals(n, 1);
  const auto y = Normals(n, 2);
  const PowerSlices slices(static_cast<double>(state.range(1)) / 100);
  PowerScratch scratch(n, n);
  for (auto _ : state) {
    benchmark::DoNotOptimize(slices.Measure(x.data(), n, y.data(), n, scratch));
  }
  PerPoint(state, 2 * n);
}
BENCHMARK(BM_PowerMeasure)->Args({10000, 150})->Args({10000, 60});

// 256 particles onto 256 directions in R^d.
void BM_Project(benchmark::State& state) {
  const int64_t d = state.range(0);
  constexpr int64_t kRows = 256, kDirections = 256;
  Buffer panels(kRows * d), strips(kDirections * d + kStripWidth * d), out(kRows * kDirections);
  std::fill_n(panels.data(), panels.size(), 0.5f);
  std::fill_n(strips.data(), strips.size(), 0.25f);
  StripProduct p;
  p.panels = panels.data();
  p.panel_count = PanelCount(kRows);
  p.panel_stride = d * kPanelRows;
  p.strips = strips.data();
  p.strip_depth = d;
  p.columns = kDirections;
  p.end_column = kDirections;
  p.end_depth = d;
  p.out = out.data();
  p.out_panel_stride = kPanelRows;
  p.out_stride = kRows;
  for (auto _ : state) Multiply(p);
  PerFlop(state, 2.0 * kRows * kDirections * static_cast<double>(d));
}
BENCHMARK(BM_Project)->Arg(2)->Arg(50)->Arg(392)->Arg(784);

// The two products of an exact tile: one panel with 13 others.
void BM_InnerProducts(benchmark::State& state) {
  const int64_t d = state.range(0);
  constexpr int64_t kOthers = 13;
  Buffer a(kPanelRows * d), b(kOthers * kPanelRows * d), out(kOthers * kPanelRows * kPanelRows);
  std::fill_n(a.data(), a.size(), 0.5f);
  std::fill_n(b.data(), b.size(), 0.25f);
  for (auto _ : state) InnerProducts(a.data(), b.data(), kOthers, d, out.data());
  PerFlop(state, 2.0 * kPanelRows * kPanelRows * kOthers * static_cast<double>(d));
}
BENCHMARK(BM_InnerProducts)->Arg(50)->Arg(784);

void BM_WeightedSums(benchmark::State& state) {
  const int64_t d = state.range(0);
  constexpr int64_t kOthers = 13;
  Buffer weights(kOthers * kPanelRows * kPanelRows), b(kOthers * kPanelRows * d);
  Buffer sums(kPanelRows * d);
  std::fill_n(weights.data(), weights.size(), 0.5f);
  std::fill_n(b.data(), b.size(), 0.25f);
  std::fill_n(sums.data(), sums.size(), 0.0f);
  for (auto _ : state) WeightedSums(weights.data(), b.data(), kOthers, d, sums.data());
  PerFlop(state, 2.0 * kPanelRows * kPanelRows * kOthers * static_cast<double>(d));
}
BENCHMARK(BM_WeightedSums)->Arg(50)->Arg(784);

}  // namespace
}  // namespace riesz::cpu
