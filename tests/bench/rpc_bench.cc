// What the network layer costs: upload and download rates on one stream with CRC32C at both ends,
// empty calls a second, and their latency. Speaks to a rieszd that runs beside it.
//
//   riesz_bench_rpc 127.0.0.1:7443                    all of them
//   riesz_bench_rpc 127.0.0.1:7443 upload download    some of pings, latency, upload, download
//
// Prints one line of JSON a measurement: median, least and greatest of the repetitions.
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/crc32c.h"
#include "core/matrix.h"
#include "riesz/v1/ensemble_service.grpc.pb.h"
#include "riesz/v1/server_service.grpc.pb.h"
#include "server/chunk_frame.h"
#include "server/raw_message.h"

namespace riesz {
namespace {

using Seconds = std::chrono::duration<double>;
using SteadyTime = std::chrono::steady_clock;

constexpr int64_t kContentBytes = int64_t{512} << 20;
constexpr int64_t kChunkBytes = 1 << 20;
constexpr int64_t kDim = 1024;
constexpr int kRepetitions = 5;
constexpr int kInFlight = 64;
constexpr int kLatencyCalls = 5000;
constexpr auto kPingTime = std::chrono::seconds(2);
constexpr char kEnsemble[] = "bench-rpc";
constexpr char kPing[] = "/riesz.v1.ServerService/Ping";

void Require(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "riesz_bench_rpc: %s\n", what.c_str());
  std::exit(1);
}

void Require(const grpc::Status& status) { Require(status.ok(), status.error_message()); }

void Print(const char* name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::printf("{\"%s\": %.6g, \"least\": %.6g, \"greatest\": %.6g, \"repetitions\": %zu}\n", name,
              values[values.size() / 2], values.front(), values.back(), values.size());
  std::fflush(stdout);
}

// A stream whose operations are waited for one by one.
class RawStream {
 public:
  RawStream(grpc::GenericStub& stub, const std::string& method) {
    stream_ = stub.PrepareCall(&context_, method, &queue_);
    stream_->StartCall(this);
    Require(Wait(), method + ": the call does not start");
  }
  bool Write(const grpc::ByteBuffer& message) {
    stream_->Write(message, this);
    return Wait();
  }
  bool WritesDone() {
    stream_->WritesDone(this);
    return Wait();
  }
  bool Read(grpc::ByteBuffer& message) {
    stream_->Read(&message, this);
    return Wait();
  }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, this);
    Wait();
    return status;
  }

 private:
  bool Wait() {
    void* tag;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

class Bench {
 public:
  explicit Bench(const std::string& server)
      : channel_(grpc::CreateChannel(server, grpc::InsecureChannelCredentials())),
        ensembles_(v1::EnsembleService::NewStub(channel_)),
        generic_(channel_),
        content_(kContentBytes / 4 / kDim, kDim),
        copy_(kContentBytes / 4 / kDim, kDim) {
    for (int64_t i = 0; i < content_.size(); ++i) content_.data()[i] = static_cast<float>(i % 1000);
  }

  void Delete() {
    grpc::ClientContext context;
    v1::DeleteEnsembleRequest request;
    request.set_id(kEnsemble);
    v1::DeleteEnsembleResponse response;
    ensembles_->DeleteEnsemble(&context, request, &response);  // NOT_FOUND at first
  }

  double Upload() {
    Delete();
    v1::StartUploadRequest start;
    start.set_id(kEnsemble);
    start.set_count(kContentBytes / 4 / kDim);
    start.set_dimension(kDim);
    v1::StartUploadResponse started;
    grpc::ClientContext start_context;
    Require(ensembles_->StartUpload(&start_context, start, &started));

    const auto begin = SteadyTime::now();
    uint32_t whole_crc = 0;
    {
      RawStream stream(generic_, "/riesz.v1.EnsembleService/UploadChunks");
      v1::UploadChunksRequest opening;
      opening.set_upload_id(started.upload().id());
      Require(stream.Write(SerializeRaw(opening)), "the upload does not open");
      for (int64_t offset = 0; offset < kContentBytes; offset += kChunkBytes) {
        const auto chunk = Bytes().subspan(static_cast<size_t>(offset), kChunkBytes);
        const uint32_t crc = Crc32c(chunk);
        whole_crc = CombineCrc32c(whole_crc, crc, kChunkBytes);
        if (!stream.Write(MakeChunkMessage(offset, crc, {nullptr, chunk}))) break;
      }
      stream.WritesDone();
      grpc::ByteBuffer answer;
      stream.Read(answer);
      Require(stream.Finish());
    }
    v1::FinishUploadRequest finish;
    finish.set_upload_id(started.upload().id());
    finish.set_crc32c(whole_crc);
    v1::FinishUploadResponse finished;
    grpc::ClientContext finish_context;
    Require(ensembles_->FinishUpload(&finish_context, finish, &finished));
    return kContentBytes / Seconds(SteadyTime::now() - begin).count() / 1e9;
  }

  double Download() {
    std::memset(copy_.data(), 0, copy_.bytes());
    const auto out = std::as_writable_bytes(std::span(copy_.data(), copy_.bytes() / 4));
    v1::DownloadEnsembleRequest request;
    request.mutable_source()->set_ensemble(kEnsemble);
    const auto begin = SteadyTime::now();
    RawStream stream(generic_, "/riesz.v1.EnsembleService/DownloadEnsemble");
    Require(stream.Write(SerializeRaw(request)), "the download does not open");
    stream.WritesDone();
    grpc::ByteBuffer message;
    Require(stream.Read(message), "the download has no header");
    int64_t received = 0;
    while (stream.Read(message)) {
      // Chunks of uploads and downloads share their fields' numbers.
      absl::StatusOr<UploadFrame> frame = ParseUploadFrame(message);
      Require(frame.ok() && frame->offset == received, "a chunk is malformed");
      uint32_t crc = 0;
      for (const std::span<const std::byte> piece : frame->data) {
        crc = CopyAndCrc32c(out.data() + received, piece, crc);
        received += static_cast<int64_t>(piece.size());
      }
      Require(crc == frame->crc32c, "a chunk's checksum differs");
    }
    Require(stream.Finish());
    const double seconds = Seconds(SteadyTime::now() - begin).count();
    Require(
        received == kContentBytes && std::memcmp(copy_.data(), content_.data(), kContentBytes) == 0,
        "the download is not what was uploaded");
    return kContentBytes / seconds / 1e9;
  }

  double PingsPerSecond() {
    struct Slot {
      std::unique_ptr<grpc::ClientContext> context;
      std::unique_ptr<grpc::GenericClientAsyncResponseReader> call;
      grpc::ByteBuffer answer;
      grpc::Status status;
    };
    std::vector<Slot> slots(kInFlight);
    grpc::CompletionQueue queue;
    const grpc::ByteBuffer request = SerializeRaw(v1::PingRequest());
    const auto send = [&](Slot& slot) {
      slot.context = std::make_unique<grpc::ClientContext>();
      slot.call = generic_.PrepareUnaryCall(slot.context.get(), kPing, request, &queue);
      slot.call->StartCall();
      slot.call->Finish(&slot.answer, &slot.status, &slot);
    };
    const auto begin = SteadyTime::now();
    for (Slot& slot : slots) send(slot);
    int64_t answered = 0;
    double seconds = 0;
    for (int left = kInFlight; left > 0;) {
      void* tag;
      bool ok = false;
      Require(queue.Next(&tag, &ok) && ok, "a ping was lost");
      Slot& slot = *static_cast<Slot*>(tag);
      Require(slot.status);
      const auto now = SteadyTime::now();
      if (now - begin < kPingTime) {
        ++answered;
        seconds = Seconds(now - begin).count();
        send(slot);
      } else {
        --left;
      }
    }
    return static_cast<double>(answered) / seconds;
  }

  // Milliseconds of single calls, one after the other, sorted.
  std::vector<double> PingLatencies() {
    const auto stub = v1::ServerService::NewStub(channel_);
    std::vector<double> latencies;
    for (int i = 0; i < kLatencyCalls; ++i) {
      grpc::ClientContext context;
      v1::PingResponse response;
      const auto begin = SteadyTime::now();
      Require(stub->Ping(&context, v1::PingRequest(), &response));
      latencies.push_back(Seconds(SteadyTime::now() - begin).count() * 1e3);
    }
    std::sort(latencies.begin(), latencies.end());
    return latencies;
  }

 private:
  std::span<const std::byte> Bytes() const {
    return std::as_bytes(std::span(content_.data(), content_.bytes() / 4));
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::EnsembleService::Stub> ensembles_;
  grpc::GenericStub generic_;
  Matrix content_;
  Matrix copy_;  // what came back
};

std::vector<double> Repeat(const std::function<double()>& measure) {
  measure();  // warms connection, allocator and pages
  std::vector<double> values;
  for (int i = 0; i < kRepetitions; ++i) values.push_back(measure());
  return values;
}

int Main(const std::string& server, const std::vector<std::string>& wanted) {
  Bench bench(server);
  const auto measures = [&wanted](const char* what) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), what) != wanted.end();
  };
  std::printf("{\"server\": \"%s\", \"hardware_threads\": %u}\n", server.c_str(),
              std::thread::hardware_concurrency());
  if (measures("pings")) Print("pings_per_s", Repeat([&] { return bench.PingsPerSecond(); }));
  if (measures("latency")) {
    const std::vector<double> latencies = bench.PingLatencies();
    std::printf("{\"ping_ms_median\": %.4g, \"ping_ms_p99\": %.4g, \"calls\": %zu}\n",
                latencies[latencies.size() / 2], latencies[latencies.size() * 99 / 100],
                latencies.size());
  }
  if (measures("upload")) Print("upload_gb_per_s", Repeat([&] { return bench.Upload(); }));
  if (measures("download")) {
    bench.Upload();
    Print("download_gb_per_s", Repeat([&] { return bench.Download(); }));
  }
  bench.Delete();
  return 0;
}

}  // namespace
}  // namespace riesz

int main(int argc, char** argv) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  if (argc < 2) {
    std::fprintf(stderr, "usage: riesz_bench_rpc HOST:PORT [MEASUREMENT...]\n");
    return 2;
  }
  return riesz::Main(argv[1], {argv + 2, argv + argc});
}
