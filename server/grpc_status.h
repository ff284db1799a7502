// The one place where an absl::Status becomes a grpc::Status.
//
// The answer carries a google.rpc.ErrorInfo (domain "riesz.v1", a reason of
// proto/riesz/v1/errors.proto, metadata) in grpc-status-details-bin.
//
// Thread safety: the functions are pure.
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/error.h"

namespace riesz {

// Bound on grpc-status-details-bin. Clients refuse trailers above 8 KiB in all; base64 adds a third
// to this, and the text travels a second time beside it.
inline constexpr size_t kMaxStatusDetailsBytes = 4096;

// OK becomes OK. Texts longer than 1 KiB and metadata that does not fit are cut; bytes that are not
// UTF-8 become '?'. INTERNAL and UNKNOWN name the request, as that is all a user can quote.
grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view request_id);

// The reason of a status without a detail.
ErrorReason DefaultReason(absl::StatusCode code);

// As in ErrorInfo: the name in errors.proto without the prefix ERROR_REASON_.
std::string ReasonName(ErrorReason reason);

}  // namespace riesz
