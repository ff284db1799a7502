#include "core/backend/cpu/packed_pair.h"

#include <algorithm>
#include <cmath>

#include "core/backend/cpu/panel_sums.h"

namespace riesz::cpu {

namespace {

// Most rows of one partial maximum.
constexpr int64_t kPartRows = 4096;
// Rows that a centre is the median of, and coordinates of one tile of medians.
constexpr int64_t kCentreRows = 63;
constexpr int64_t kCentreColumns = 512;

int64_t Parts(int64_t rows) { return (rows + kPartRows - 1) / kPartRows; }

void PackPanelOf(MatrixView rows, int64_t panel, const float* centre, float scale, float* to) {
  const int64_t first = panel * kPanelRows;
  PackPanel(rows.data + first * rows.cols, std::min(kPanelRows, rows.rows - first), rows.cols,
            centre, scale, to);
}

// Of coordinate k, over up to kCentreRows evenly spaced rows.
float MedianOfSample(MatrixView rows, int64_t k) {
  const int64_t count = std::min(kCentreRows, rows.rows);
  float sample[kCentreRows];
  for (int64_t i = 0; i < count; ++i) sample[i] = rows.data[i * rows.rows / count * rows.cols + k];
  std::nth_element(sample, sample + count / 2, sample + count);
  return sample[count / 2];
}

}  // namespace

PackedPair::PackedPair(ProblemShape shape)
    : shape_(shape),
      centre_(static_cast<size_t>(shape.d)),
      partial_maxima_(static_cast<size_t>(Parts(shape.n) + Parts(shape.m))),
      x_largest_(static_cast<size_t>(PanelCount(shape.n))),
      y_largest_(static_cast<size_t>(PanelCount(shape.m))),
      x_(PaddedRows(shape.n) * shape.d),
      y_(PaddedRows(shape.m) * shape.d) {}

int64_t PackedPair::Bytes(ProblemShape shape) {
  return Buffer::Bytes(PaddedRows(shape.n) * shape.d) +
         Buffer::Bytes(PaddedRows(shape.m) * shape.d) + shape.d * 4 +
         (Parts(shape.n) + Parts(shape.m) + PanelCount(shape.n) + PanelCount(shape.m)) * 4;
}

void PackedPair::PlanScale(TilePlan& plan, MatrixView x, MatrixView y) {
  const int64_t x_parts = Parts(shape_.n);
  const int64_t parts = x_parts + Parts(shape_.m);
  plan.AddPhase(parts, CopySeconds(kPartRows * shape_.d), [=, this](int64_t part, int) {
    const MatrixView rows = part < x_parts ? x : y;
    const int64_t first = (part < x_parts ? part : part - x_parts) * kPartRows;
    const int64_t end = std::min(rows.rows, first + kPartRows);
    float most = 0;
    for (int64_t i = first * rows.cols; i < end * rows.cols; ++i) {
      most = std::max(most, std::abs(rows.data[i]));
    }
    partial_maxima_[static_cast<size_t>(part)] = most;
  });
  plan.AddSerial([this] {
    const float most = *std::max_element(partial_maxima_.begin(), partial_maxima_.end());
    // Denormal data would ask for more than float32's largest power of two.
    scale_ = most > 0 ? std::ldexp(1.0f, std::min(-std::ilogb(most), 126)) : 1.0f;
  });
}

void PackedPair::MeasureParticles(int64_t q) {
  x_largest_[static_cast<size_t>(q)] = LargestMagnitude(x_panel(q), panel_floats());
}

float PackedPair::largest() const {
  return std::max(*std::max_element(x_largest_.begin(), x_largest_.end()),
                  *std::max_element(y_largest_.begin(), y_largest_.end()));
}

void PackedPair::PlanTarget(TilePlan& plan, MatrixView y) {
  plan.AddPhase((shape_.d + kCentreColumns - 1) / kCentreColumns,
                CopySeconds(kCentreColumns * kCentreRows), [=, this](int64_t tile, int) {
                  const int64_t end = std::min(shape_.d, (tile + 1) * kCentreColumns);
                  for (int64_t k = tile * kCentreColumns; k < end; ++k) {
                    centre_[static_cast<size_t>(k)] = MedianOfSample(y, k);
                  }
                });
  plan.AddPhase(PanelCount(shape_.m), CopySeconds(panel_floats()), [=, this](int64_t q, int) {
    PackPanelOf(y, q, centre_.data(), scale_, y_panel(q));
    y_largest_[static_cast<size_t>(q)] = LargestMagnitude(y_panel(q), panel_floats());
  });
}

void PackedPair::PlanParticles(TilePlan& plan, MatrixView x) {
  plan.AddPhase(PanelCount(shape_.n), CopySeconds(panel_floats()), [=, this](int64_t q, int) {
    PackPanelOf(x, q, centre_.data(), scale_, x_panel(q));
    MeasureParticles(q);
  });
}

}  // namespace riesz::cpu
