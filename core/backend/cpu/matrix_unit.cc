#include "core/backend/cpu/matrix_unit.h"

#include "core/backend/cpu/split.h"
#include "core/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace riesz::cpu {

namespace {

std::atomic<bool> allowed = true;

// Asks Linux for the tile registers' state, which it saves only for who asked
// (Documentation/x86/xstate.rst).
bool RequestTileState() {
  constexpr int kArchReqXcompPerm = 0x1023;
  constexpr int kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kAmxBf16 = 1u << 22;
  constexpr unsigned kAmxTile = 1u << 24;
  if ((d & kAmxBf16) == 0 || (d & kAmxTile) == 0) return false;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
}

// The register file: 8 tiles of 16 rows of 64 bytes.
struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  TileConfig() {
    std::fill_n(row_bytes, 8, kTileDepth * 2);
    std::fill_n(rows, 8, kTileSide);
  }
};
static_assert(sizeof(TileConfig) == 64);

#define RIESZ_AMX __attribute__((target("amx-tile,amx-bf16,avx512f")))

// Registers: 0-3 sums (upper and lower rows by two halves of the panel), 4-5 rows, 6-7 halves.
RIESZ_AMX inline void AddProducts() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

RIESZ_AMX inline void LoadRows(const Bfloat16* upper, const Bfloat16* lower) {
  _tile_loadd(4, upper, kTileDepth * 2);
  _tile_loadd(5, lower, kTileDepth * 2);
}

RIESZ_AMX inline void LoadPanel(const Bfloat16* piece) {
  _tile_loadd(6, piece, kTileDepth * 2);
  _tile_loadd(7, piece + kTileNumbers, kTileDepth * 2);
}

RIESZ_AMX inline void StoreSums(float* out, int64_t stride) {
  _tile_stored(0, out, stride * 4);
  _tile_stored(1, out + kTileSide, stride * 4);
  _tile_stored(2, out + kTileSide * stride, stride * 4);
  _tile_stored(3, out + kTileSide * stride + kTileSide, stride * 4);
}

// Adds the products of 32 rows to the sums. The panel's pieces are the leading, middle and trailing
// bits; so are the rows' where these are split: of the nine products of pieces the three smallest
// are left out.
template <int kRowPieces>
RIESZ_AMX inline void AddRows(const TileProduct& p, const Bfloat16* upper, const Bfloat16* lower) {
  constexpr int64_t kRowStep = kRowPieces * kTileNumbers;
  constexpr int64_t kPanelPiece = 2 * kTileNumbers;
  for (int64_t t = p.first_tile; t < p.end_tile; ++t) {
    const Bfloat16* panel = p.panel_tiles + t * kSplitPieces * kPanelPiece;
    const Bfloat16* a = upper + t * kRowStep;
    const Bfloat16* b = lower + t * kRowStep;
    LoadRows(a, b);
    LoadPanel(panel);
    AddProducts();
    LoadPanel(panel + kPanelPiece);
    AddProducts();
    LoadPanel(panel + 2 * kPanelPiece);
    AddProducts();
    if constexpr (kRowPieces == kSplitPieces) {
      LoadRows(a + kTileNumbers, b + kTileNumbers);
      LoadPanel(panel);
      AddProducts();
      LoadPanel(panel + kPanelPiece);
      AddProducts();
      LoadRows(a + 2 * kTileNumbers, b + 2 * kTileNumbers);
      LoadPanel(panel);
      AddProducts();
    }
  }
}

// Sums start at 0 and are added to what is there afterwards, as in product.h: runs of sums lose
// less than one long one.
template <int kRowPieces>
RIESZ_AMX void Multiply(const TileProduct& p) {
  constexpr int64_t kRows = 2 * kTileSide;
  alignas(64) float buffer[kRows * kRows];
  const int64_t row_stride = p.depth_tiles * kRowPieces * kTileNumbers;
  for (int64_t i = 0; i < p.rows; i += kRows) {
    const int64_t rows = std::min(kRows, p.rows - i);
    float* out = p.out + i * p.out_stride;
    const Bfloat16* upper = p.row_tiles + i / kTileSide * row_stride;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    AddRows<kRowPieces>(p, upper, upper + row_stride);
    if (rows == kRows && !p.accumulate) {
      StoreSums(out, p.out_stride);
      continue;
    }
    StoreSums(buffer, kRows);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < kRows; c += kTileSide) {
        float* to = out + r * p.out_stride + c;
        __m512 sums = _mm512_load_ps(buffer + r * kRows + c);
        if (p.accumulate) sums = _mm512_add_ps(_mm512_loadu_ps(to), sums);
        _mm512_storeu_ps(to, sums);
      }
    }
  }
}

}  // namespace

bool MatrixUnitAvailable() {
  static const bool granted = RequestTileState();
  return granted && allowed && RunsAvx512();
}

void AllowMatrixUnit(bool allow) { allowed = allow; }

RIESZ_AMX void MultiplyTiles(const TileProduct& product) {
  RIESZ_CHECK(product.pieces == 1 || product.pieces == kSplitPieces, "rows are whole or split");
  // Configured and released every time: whoever holds tiles pays for them at each switch of
  // threads.
  static const TileConfig config;
  _tile_loadconfig(&config);
  if (product.pieces == 1) {
    Multiply<1>(product);
  } else {
    Multiply<kSplitPieces>(product);
  }
  _tile_release();
}

}  // namespace riesz::cpu

#else

namespace riesz::cpu {

bool MatrixUnitAvailable() { return false; }
void AllowMatrixUnit(bool) {}
void MultiplyTiles(const TileProduct&) { RIESZ_CHECK(false, "no matrix unit"); }

}  // namespace riesz::cpu
#endif
