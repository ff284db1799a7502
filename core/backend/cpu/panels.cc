#include "core/backend/cpu/panels.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "core/large_memory.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/panels.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
using D4 = hn::FixedTag<float, 4>;
using V4 = hn::Vec<D4>;

HWY_INLINE void Transpose(V4& a, V4& b, V4& c, V4& d) {
  const D4 tag;
  const hn::Repartition<double, D4> pairs;
  const auto low_ab = hn::BitCast(pairs, hn::InterleaveLower(tag, a, b));
  const auto high_ab = hn::BitCast(pairs, hn::InterleaveUpper(tag, a, b));
  const auto low_cd = hn::BitCast(pairs, hn::InterleaveLower(tag, c, d));
  const auto high_cd = hn::BitCast(pairs, hn::InterleaveUpper(tag, c, d));
  a = hn::BitCast(tag, hn::InterleaveLower(pairs, low_ab, low_cd));
  b = hn::BitCast(tag, hn::InterleaveUpper(pairs, low_ab, low_cd));
  c = hn::BitCast(tag, hn::InterleaveLower(pairs, high_ab, high_cd));
  d = hn::BitCast(tag, hn::InterleaveUpper(pairs, high_ab, high_cd));
}
#endif

// Coordinates are taken a cache line at a time, so that a row's line is read once.
constexpr int64_t kLine = 16;

// Element by element; what the vector loops below leave over.
void PackCorner(const float* rows_data, int64_t rows, int64_t dim, const float* centre, float scale,
                int64_t first, float* panel) {
  for (int64_t k = first; k < dim; ++k) {
    for (int64_t r = 0; r < rows; ++r) {
      panel[k * kPanelRows + r] = rows_data[r * dim + k] * scale - centre[k] * scale;
    }
    std::fill(panel + k * kPanelRows + rows, panel + (k + 1) * kPanelRows, 0.0f);
  }
}

void PackPanelImpl(const float* rows_data, int64_t rows, int64_t dim, const float* centre,
                   float scale, float* panel) {
  int64_t packed = 0;
#if HWY_TARGET != HWY_SCALAR
  const D4 tag;
  const V4 factor = hn::Set(tag, scale);
  for (; rows == kPanelRows && packed + kLine <= dim; packed += kLine) {
    for (int64_t r = 0; r < kPanelRows; r += 4) {
      for (int64_t k = packed; k < packed + kLine; k += 4) {
        const float* from = rows_data + r * dim + k;
        const V4 shift = hn::Mul(hn::LoadU(tag, centre + k), factor);
        V4 a = hn::Sub(hn::Mul(hn::LoadU(tag, from), factor), shift);
        V4 b = hn::Sub(hn::Mul(hn::LoadU(tag, from + dim), factor), shift);
        V4 c = hn::Sub(hn::Mul(hn::LoadU(tag, from + 2 * dim), factor), shift);
        V4 d = hn::Sub(hn::Mul(hn::LoadU(tag, from + 3 * dim), factor), shift);
        Transpose(a, b, c, d);
        float* to = panel + k * kPanelRows + r;
        hn::Store(a, tag, to);
        hn::Store(b, tag, to + kPanelRows);
        hn::Store(c, tag, to + 2 * kPanelRows);
        hn::Store(d, tag, to + 3 * kPanelRows);
      }
    }
  }
#endif
  PackCorner(rows_data, rows, dim, centre, scale, packed, panel);
}

void UnpackPanelImpl(const float* panel, int64_t rows, int64_t dim, float scale, float* rows_data) {
  int64_t unpacked = 0;
#if HWY_TARGET != HWY_SCALAR
  const D4 tag;
  const V4 factor = hn::Set(tag, scale);
  for (; rows == kPanelRows && unpacked + kLine <= dim; unpacked += kLine) {
    for (int64_t r = 0; r < kPanelRows; r += 4) {
      for (int64_t k = unpacked; k < unpacked + kLine; k += 4) {
        const float* from = panel + k * kPanelRows + r;
        V4 a = hn::Mul(hn::Load(tag, from), factor);
        V4 b = hn::Mul(hn::Load(tag, from + kPanelRows), factor);
        V4 c = hn::Mul(hn::Load(tag, from + 2 * kPanelRows), factor);
        V4 d = hn::Mul(hn::Load(tag, from + 3 * kPanelRows), factor);
        Transpose(a, b, c, d);
        float* to = rows_data + r * dim + k;
        hn::StoreU(a, tag, to);
        hn::StoreU(b, tag, to + dim);
        hn::StoreU(c, tag, to + 2 * dim);
        hn::StoreU(d, tag, to + 3 * dim);
      }
    }
  }
#endif
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = unpacked; k < dim; ++k) {
      rows_data[r * dim + k] = panel[k * kPanelRows + r] * scale;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(PackPanelImpl);
HWY_EXPORT(UnpackPanelImpl);

void PackPanel(const float* rows_data, int64_t rows, int64_t dim, const float* centre, float scale,
               float* panel) {
  HWY_DYNAMIC_DISPATCH(PackPanelImpl)(rows_data, rows, dim, centre, scale, panel);
}

void UnpackPanel(const float* panel, int64_t rows, int64_t dim, float scale, float* rows_data) {
  HWY_DYNAMIC_DISPATCH(UnpackPanelImpl)(panel, rows, dim, scale, rows_data);
}

void PackDirectionStrip(const float* directions, int64_t count, int64_t dim, int64_t strip,
                        float* strips) {
  const int64_t first = strip * kStripWidth;
  const int64_t width = std::min(kStripWidth, PaddedColumns(count) - first);
  float* to = strips + first * dim;
  for (int64_t c = 0; c < width; ++c) {
    if (first + c < count) {
      const float* direction = directions + (first + c) * dim;
      for (int64_t k = 0; k < dim; ++k) to[k * width + c] = direction[k];
    } else {
      for (int64_t k = 0; k < dim; ++k) to[k * width + c] = 0;
    }
  }
}

void PackCoordinateStrip(const float* directions, int64_t count, int64_t dim, int64_t strip,
                         float* strips) {
  const int64_t first = strip * kStripWidth;
  const int64_t width = std::min(kStripWidth, PaddedColumns(dim) - first);
  const int64_t filled = std::min(width, dim - first);
  float* to = strips + first * count;
  for (int64_t p = 0; p < count; ++p) {
    std::copy_n(directions + p * dim + first, filled, to + p * width);
    std::fill_n(to + p * width + filled, width - filled, 0.0f);
  }
}

namespace {

// From here on a buffer's memory is kept for the next of its size: an operation of the same shape
// follows as a rule, and zeroing fresh pages was 7 % of a 10k x 784 gradient.
constexpr int64_t kKeptBytes = 256 << 10;
constexpr int64_t kLine = 64;

}  // namespace

int64_t Buffer::Bytes(int64_t floats) {
  const int64_t bytes = floats * static_cast<int64_t>(sizeof(float));
  return (bytes + kLine - 1) / kLine * kLine;
}

Buffer::Buffer(int64_t floats) : size_(floats) {
  if (floats == 0) return;
  const auto bytes = static_cast<size_t>(Bytes(floats));
  void* memory = bytes >= kKeptBytes ? AllocateLarge(bytes) : std::aligned_alloc(kLine, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  data_ = static_cast<float*>(memory);
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  const auto bytes = static_cast<size_t>(Bytes(size_));
  if (bytes >= kKeptBytes) {
    FreeLarge(data_, bytes);
  } else {
    std::free(data_);
  }
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
