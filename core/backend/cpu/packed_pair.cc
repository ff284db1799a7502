#include "core/backend/cpu/packed_pair.h"

#include <algorithm>
#include <cmath>

namespace riesz::cpu {

namespace {

// Most rows of one partial sum of the mean; parts are summed in order, whatever the threads.
constexpr int64_t kPartRows = 4096;

int64_t Parts(int64_t rows) { return (rows + kPartRows - 1) / kPartRows; }

void PackPanelOf(MatrixView rows, int64_t panel, const float* centre, float scale, float* to) {
  const int64_t first = panel * kPanelRows;
  PackPanel(rows.data + first * rows.cols, std::min(kPanelRows, rows.rows - first), rows.cols,
            centre, scale, to);
}

}  // namespace

PackedPair::PackedPair(ProblemShape shape)
    : shape_(shape),
      centre_(static_cast<size_t>(shape.d)),
      partial_sums_(static_cast<size_t>(Parts(shape.m) * shape.d)),
      partial_maxima_(static_cast<size_t>(Parts(shape.n) + Parts(shape.m))),
      x_(PaddedRows(shape.n) * shape.d),
      y_(PaddedRows(shape.m) * shape.d) {}

int64_t PackedPair::Bytes(ProblemShape shape) {
  return Buffer::Bytes(PaddedRows(shape.n) * shape.d) +
         Buffer::Bytes(PaddedRows(shape.m) * shape.d) + shape.d * 4 + Parts(shape.m) * shape.d * 8;
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

void PackedPair::PlanTarget(TilePlan& plan, MatrixView y) {
  const int64_t parts = Parts(shape_.m);
  const int64_t d = shape_.d;
  plan.AddPhase(parts, CopySeconds(std::min(kPartRows, shape_.m) * d),
                [=, this](int64_t part, int) {
                  double* sums = partial_sums_.data() + part * d;
                  std::fill_n(sums, d, 0.0);
                  const int64_t end = std::min(y.rows, (part + 1) * kPartRows);
                  for (int64_t i = part * kPartRows; i < end; ++i) {
                    const float* row = y.data + i * d;
                    for (int64_t k = 0; k < d; ++k) sums[k] += row[k];
                  }
                });
  plan.AddSerial([=, this] {
    for (int64_t k = 0; k < d; ++k) {
      double sum = 0;
      for (int64_t part = 0; part < parts; ++part) {
        sum += partial_sums_[static_cast<size_t>(part * d + k)];
      }
      centre_[static_cast<size_t>(k)] = static_cast<float>(sum / static_cast<double>(shape_.m));
    }
  });
  plan.AddPhase(PanelCount(shape_.m), CopySeconds(panel_floats()), [=, this](int64_t q, int) {
    PackPanelOf(y, q, centre_.data(), scale_, y_panel(q));
  });
}

void PackedPair::PlanParticles(TilePlan& plan, MatrixView x) {
  plan.AddPhase(PanelCount(shape_.n), CopySeconds(panel_floats()), [=, this](int64_t q, int) {
    PackPanelOf(x, q, centre_.data(), scale_, x_panel(q));
  });
}

}  // namespace riesz::cpu
