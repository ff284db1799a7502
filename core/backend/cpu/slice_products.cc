#include "core/backend/cpu/slice_products.h"

namespace riesz::cpu {

std::unique_ptr<SliceProducts> SliceProducts::Make(const SliceProductsShape& shape) {
  if (TiledProducts::Serves(shape.dim)) return std::make_unique<TiledProducts>(shape);
  return std::make_unique<StripProducts>(shape);
}

int64_t SliceProducts::Bytes(const SliceProductsShape& shape) {
  return TiledProducts::Serves(shape.dim) ? TiledProducts::Bytes(shape)
                                          : StripProducts::Bytes(shape);
}

void SliceProducts::Begin(const float* directions, std::span<const DirectionBlock> runs) {
  directions_ = directions;
  runs_ = runs;
  count_ = runs.back().first + runs.back().count;
}

}  // namespace riesz::cpu
