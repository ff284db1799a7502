// RIESZ_CHECK: a condition that only our own defect can break. It prints place, condition and
// reason, and aborts: going on would return wrong numbers. Never for anything a caller or the world
// can cause.
#pragma once

#include <cstdio>
#include <cstdlib>

#define RIESZ_CHECK(condition, reason)                                                            \
  do {                                                                                            \
    if (!(condition)) [[unlikely]] {                                                              \
      std::fprintf(stderr, "%s:%d: RIESZ_CHECK(%s) failed: %s\n", __FILE__, __LINE__, #condition, \
                   reason);                                                                       \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)
