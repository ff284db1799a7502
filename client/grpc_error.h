// The one place where a grpc::Status becomes an absl::Status.
//
// Thread safety: the function is pure.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace riesz {

// Same code, same text; the ErrorInfo of grpc-status-details-bin (domain "riesz.v1") becomes the
// ErrorDetail that core/error.h's DetailOf returns. Details of others are passed over.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace riesz
