// Predicts memory and time of an operation before anything is allocated.
//
// Bytes are what the constructors allocate, counted by the same code. Seconds are a model with a
// few constants measured on two AVX-512 cores at 3.6 GHz, with and without a matrix unit; right
// within a factor of two there, and in the right order elsewhere, which is what choosing a method
// needs.
//
// Thread safety: pure functions.
#pragma once

#include "core/backend/backend.h"
#include "core/backend/cpu/thread_pool.h"

namespace riesz::cpu {

WorkEstimate EstimateWork(const ThreadPool& pool, const ProblemShape& shape,
                          const EnergyDistanceSpec& spec);
WorkEstimate EstimateWork(const ThreadPool& pool, const ProblemShape& shape,
                          const GradientSpec& spec);
WorkEstimate EstimateWork(const ThreadPool& pool, const ProblemShape& shape, const FlowSpec& spec);

}  // namespace riesz::cpu
