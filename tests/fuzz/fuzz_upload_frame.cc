// The hand-written reader of UploadChunksRequest against protobuf's own: it reads all that protobuf
// writes, and the same values from whatever both accept, however the bytes are cut into slices.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "riesz/v1/ensemble_service.pb.h"
#include "server/chunk_frame.h"

namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

// Ids that the server hands out are shorter; longer ones are refused by ours alone.
constexpr size_t kMaxUploadIdBytes = 128;

// UploadChunksRequest with `upload_id` as bytes: protobuf refuses an id that is not UTF-8 while it
// parses, ours when it looks for the upload and finds none.
std::unique_ptr<Message> NewMessage() {
  static google::protobuf::DescriptorPool pool;
  static google::protobuf::DynamicMessageFactory factory;
  static const Descriptor* const descriptor = [] {
    google::protobuf::FileDescriptorProto file;
    file.set_name("frame.proto");
    file.set_syntax("proto3");
    riesz::v1::UploadChunksRequest::descriptor()->CopyTo(file.add_message_type());
    file.mutable_message_type(0)->mutable_field(0)->set_type(
        google::protobuf::FieldDescriptorProto::TYPE_BYTES);
    return pool.BuildFile(file)->message_type(0);
  }();
  return std::unique_ptr<Message>(factory.GetPrototype(descriptor)->New());
}

grpc::ByteBuffer Cut(const uint8_t* data, size_t size, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t begin = 0; begin < size; begin += piece) {
    slices.emplace_back(data + begin, std::min(piece, size - begin));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Join(const riesz::UploadFrame& frame) {
  std::string joined;
  for (const auto part : frame.data) {
    joined.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return joined;
}

void CheckSame(const riesz::UploadFrame& frame, const Message& message) {
  const auto& read = *message.GetReflection();
  const auto field = [&](int number) { return message.GetDescriptor()->FindFieldByNumber(number); };
  RIESZ_CHECK(frame.upload_id.size() <= kMaxUploadIdBytes, "an id beyond its bound");
  RIESZ_CHECK(frame.upload_id == read.GetString(message, field(1)), "upload_id");
  RIESZ_CHECK(frame.offset == read.GetInt64(message, field(2)), "offset");
  RIESZ_CHECK(frame.crc32c == read.GetUInt32(message, field(3)), "crc32c");
  RIESZ_CHECK(Join(frame) == read.GetString(message, field(4)), "data");
  RIESZ_CHECK(frame.data_bytes == static_cast<int64_t>(Join(frame).size()), "data_bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] + size_t{1};
  ++data, --size;

  const std::unique_ptr<Message> message = NewMessage();
  const bool parsed = message->ParseFromArray(data, static_cast<int>(size));
  const auto frame = riesz::ParseUploadFrame(Cut(data, size, piece));
  if (!parsed) return 0;
  if (frame.ok()) CheckSame(*frame, *message);

  // They may differ in whether they accept what no writer makes (groups, tags of more than five
  // bytes); what protobuf itself writes ours must read.
  message->DiscardUnknownFields();
  const std::string written = message->SerializeAsString();
  const auto again = riesz::ParseUploadFrame(
      Cut(reinterpret_cast<const uint8_t*>(written.data()), written.size(), piece));
  if (again.ok()) {
    CheckSame(*again, *message);
  } else {
    RIESZ_CHECK(again.status().message().find("upload_id") != std::string::npos,
                "refused what protobuf wrote");
  }
  return 0;
}
