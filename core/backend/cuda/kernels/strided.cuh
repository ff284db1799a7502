// Elements of a row-major matrix that a thread of a grid-stride loop visits, with their columns.
#pragma once

#include "core/backend/cuda/kernel_language.h"

namespace riesz::cuda {

// for (StridedElement e(size, dim); e.inside(); e.Next()): e.index, e.column = e.index % dim. The
// column goes along by additions: a division of 64 bits takes longer than to move an element.
struct StridedElement {
  int64_t index, size, stride, column, column_stride, dim;

  __device__ StridedElement(int64_t of_size, int64_t of_dim)
      : index(int64_t{blockIdx.x} * blockDim.x + threadIdx.x),
        size(of_size),
        stride(int64_t{gridDim.x} * blockDim.x),
        column(index % of_dim),
        column_stride(stride % of_dim),
        dim(of_dim) {}
  __device__ bool inside() const { return index < size; }
  __device__ void Next() {
    index += stride;
    column += column_stride;
    if (column >= dim) column -= dim;
  }
};

}  // namespace riesz::cuda
