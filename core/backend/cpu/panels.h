// How ensembles lie in memory while they are computed on: panels.
//
// A panel holds kPanelRows = 32 particles, coordinate by coordinate: element (row r, coordinate k)
// of panel q is at [(q * dim + k) * 32 + r]. Rows beyond the last particle are zero. A panel's
// coordinate is two AVX-512 vectors (four of AVX2), so every product below runs over whole vectors,
// whatever d.
//
// Directions lie in strips of kStripWidth = 12 columns, depth by depth: element (depth k, column c)
// of the strip that starts at column s is at [s * depth + k * width + (c - s)]; width is 12 but for
// the last strip, which has the rest rounded up to a multiple of 4, zero-filled.
//
// Why a layout of our own: packed once an operation instead of once a product, centred on the way
// for free, and a product's element no longer depends on where its row lies, so that permuted
// ensembles give permuted bits.
//
// Thread safety: the functions are pure; tiles may be packed at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/matrix.h"

namespace riesz::cpu {

inline constexpr int64_t kPanelRows = 32;
inline constexpr int64_t kStripWidth = 12;

inline int64_t PanelCount(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
inline int64_t PaddedRows(int64_t rows) { return PanelCount(rows) * kPanelRows; }
inline int64_t PaddedColumns(int64_t columns) { return (columns + 3) / 4 * 4; }

// Packs `rows` <= 32 row-major rows of `dim` floats, minus `centre` (dim), times `scale`, into a
// panel. The scale is a power of two and comes first: a difference of large floats could overflow.
void PackPanel(const float* rows_data, int64_t rows, int64_t dim, const float* centre, float scale,
               float* panel);
// The inverse, times `scale`: panel to row-major rows.
void UnpackPanel(const float* panel, int64_t rows, int64_t dim, float scale, float* rows_data);

// Strips for projecting: depth = dim, columns = directions. `strip` counts strips from 0.
void PackDirectionStrip(const float* directions, int64_t count, int64_t dim, int64_t strip,
                        float* strips);
// Strips for projecting back: depth = directions, columns = coordinates.
void PackCoordinateStrip(const float* directions, int64_t count, int64_t dim, int64_t strip,
                         float* strips);
inline int64_t StripCount(int64_t columns) { return (columns + kStripWidth - 1) / kStripWidth; }

// Memory for floats that large products run over, content undefined (core/large_memory.h).
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t floats);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  float* data() { return data_; }
  const float* data() const { return data_; }
  int64_t size() const { return size_; }
  // What a buffer of so many floats takes, rounding included.
  static int64_t Bytes(int64_t floats);

 private:
  float* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace riesz::cpu
