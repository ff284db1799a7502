// Early return of an error across a layer's border.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RIESZ_RETURN_IF_ERROR(expression)                     \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

#define RIESZ_CONCAT_INNER(a, b) a##b
#define RIESZ_CONCAT(a, b) RIESZ_CONCAT_INNER(a, b)
// RIESZ_ASSIGN_OR_RETURN(auto x, F()): declares or assigns x, or returns F's error.
#define RIESZ_ASSIGN_OR_RETURN(target, expression) \
  RIESZ_ASSIGN_OR_RETURN_IMPL(RIESZ_CONCAT(status_or_, __LINE__), target, expression)
#define RIESZ_ASSIGN_OR_RETURN_IMPL(temporary, target, expression) \
  auto temporary = (expression);                                   \
  if (!temporary.ok()) return std::move(temporary).status();       \
  target = *std::move(temporary)
