#include "server/mutation.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

#include "absl/strings/str_cat.h"
#include "core/error.h"

namespace riesz {

absl::Status CheckRequestId(std::string_view id) {
  if (id.size() <= kMaxRequestIdLength) return absl::OkStatus();
  return InvalidField("request_id", absl::StrCat("at most ", kMaxRequestIdLength, " characters"),
                      absl::StrCat(id.size()));
}

std::string DeterministicBytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

bool EndedWithItsClient(const absl::Status& status) {
  return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace riesz
