// Error of slicing against P, by kind of directions and dimension: prints the table of
// core/README.md.
//
//   riesz_bench_direction_error [seeds, default 40]
//
// Two problems: `shift`, 200 standard normals against 200 that are shifted by 1/2 in every
// coordinate and scaled by 1.2; `mixture`, against 200 points of two clusters, at +1 with scale 1/2
// and at -1 with scale 3/2 in every coordinate. A cell is the RMS over seeds of the relative error
// of the energy distance (V), and of the gradient in its RMS norm, against the exact ones of the
// same points, in per cent.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/make_backend.h"
#include "core/random.h"
#include "core/validate.h"

namespace {

using riesz::DirectionKind;
using Ensemble = std::shared_ptr<const riesz::DeviceEnsemble>;

constexpr int64_t kPoints = 200;

template <typename T>
T OrFail(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "riesz_bench_direction_error: %s\n", value.status().ToString().c_str());
  std::exit(1);
}

// Row i is scale normal + shift, with the numbers of cluster i % clusters.
struct Cluster {
  float scale, shift;
};
Ensemble Load(riesz::Backend& backend, int64_t dim, uint64_t seed,
              const std::vector<Cluster>& clusters) {
  auto buffer = OrFail(backend.NewEnsemble(kPoints, dim));
  const auto memory = OrFail(buffer->Map(0, kPoints * dim * 4));
  std::vector<float> row(static_cast<size_t>(dim));
  for (int64_t i = 0; i < kPoints; ++i) {
    riesz::FillNormals(seed, riesz::RandomStream::kGenerator, 0, static_cast<uint64_t>(i),
                       row.data(), dim);
    const Cluster& cluster = clusters[static_cast<size_t>(i) % clusters.size()];
    for (float& v : row) v = v * cluster.scale + cluster.shift;
    std::memcpy(memory.data() + i * dim * 4, row.data(), static_cast<size_t>(dim) * 4);
  }
  if (!buffer->Commit().ok()) std::exit(1);
  return OrFail(buffer->Seal());
}

void Run(riesz::Operation& operation) {
  riesz::Budget budget = riesz::Budget::Unlimited();
  OrFail(operation.Run(budget, {}));
}

struct Answer {
  double value = 0;
  std::vector<float> gradient;
};

Answer Compute(riesz::Backend& backend, const Ensemble& x, const Ensemble& y, riesz::Method method,
               const riesz::DirectionSpec& directions) {
  Answer answer;
  auto value =
      OrFail(backend.NewEnergyDistance(x, y, {.method = method, .directions = directions}));
  Run(*value);
  answer.value = value->result().energy_distance;
  auto gradient = OrFail(backend.NewGradient(x, y, {.method = method, .directions = directions}));
  Run(*gradient);
  answer.gradient.resize(static_cast<size_t>(kPoints * x->dim()));
  if (!backend.Download(*gradient->gradient(), 0, answer.gradient).ok()) std::exit(1);
  return answer;
}

// "value / gradient" in per cent.
std::string Cell(riesz::Backend& backend, const Ensemble& x, const Ensemble& y, const Answer& exact,
                 riesz::DirectionSpec directions, int seeds) {
  double value = 0, gradient = 0, norm = 0;
  for (const float g : exact.gradient) norm += static_cast<double>(g) * g;
  for (int seed = 1; seed <= seeds; ++seed) {
    directions.seed = static_cast<uint64_t>(seed);
    const Answer sliced = Compute(backend, x, y, riesz::Method::kSliced, directions);
    value += std::pow(sliced.value / exact.value - 1, 2) / seeds;
    for (size_t e = 0; e < exact.gradient.size(); ++e) {
      gradient +=
          std::pow(static_cast<double>(sliced.gradient[e]) - exact.gradient[e], 2) / norm / seeds;
    }
  }
  char text[64];
  std::snprintf(text, sizeof text, " %.2g / %.2g |", 100 * std::sqrt(value),
                100 * std::sqrt(gradient));
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 40;
  const auto backend = OrFail(riesz::MakeBackend("cpu"));
  std::printf(
      "| d | problem | P | iid | orthogonal | low-discrepancy |\n|---|---|---|---|---|---|\n");
  for (const int64_t dim : {2, 3, 5, 10, 20, 30}) {
    const Ensemble x = Load(*backend, dim, 1, {{1, 0}});
    const std::pair<const char*, std::vector<Cluster>> problems[] = {
        {"shift", {{1.2f, 0.5f}}}, {"mixture", {{0.5f, 1}, {1.5f, -1}}}};
    for (const auto& [name, clusters] : problems) {
      const Ensemble y = Load(*backend, dim, 2, clusters);
      const Answer exact = Compute(*backend, x, y, riesz::Method::kExact, {});
      for (const int64_t slices : {100, 1000, 4000}) {
        std::string row =
            "| " + std::to_string(dim) + " | " + name + " | " + std::to_string(slices) + " |";
        for (const DirectionKind kind :
             {DirectionKind::kIid, DirectionKind::kOrthogonal, DirectionKind::kLowDiscrepancy}) {
          row += Cell(*backend, x, y, exact, {.kind = kind, .count = slices}, seeds);
        }
        std::printf("%s\n", row.c_str());
        std::fflush(stdout);
      }
    }
  }
  return 0;
}
