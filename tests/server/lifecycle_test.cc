// What happens over time: cancel, deadline, watches, drain, health, metrics, the guard.
#include <arpa/inet.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/server/rpc_fixture.h"

namespace riesz {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

// Lets a test hold a computation between two chunks.
class Gate {
 public:
  void Wait() {
    waiting_.store(true);
    waiting_.notify_all();
    open_.wait(false);
  }
  void AwaitWaiting() { waiting_.wait(false); }
  void Open() {
    open_.store(true);
    open_.notify_all();
  }

 private:
  std::atomic<bool> waiting_{false}, open_{false};
};

// A unary or streaming call of any method with one empty message.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::GenericStub generic(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = generic.PrepareCall(&context, method, &queue);
  const auto wait = [&queue] {
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
  };
  stream->StartCall(nullptr);
  wait();
  const grpc::Slice nothing("");
  stream->Write(grpc::ByteBuffer(&nothing, 1), nullptr);
  wait();
  stream->WritesDone(nullptr);
  wait();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  return status;
}

// The body of GET /metrics.
std::string Scrape(const std::string& address) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string body;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) {
    const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[65536];
      for (ssize_t got; (got = read(fd, buffer, sizeof(buffer))) > 0;) {
        body.append(buffer, static_cast<size_t>(got));
      }
    }
  }
  close(fd);
  return body;
}

class LifecycleTest : public RpcTest {
 protected:
  // grpc.health.v1.Health/Check by hand: SERVING is 1, NOT_SERVING 2; -1 where the call fails.
  int Health(const std::string& service) {
    std::string request;
    if (!service.empty()) {
      request = absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
    }
    grpc::GenericStub generic(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(request);
    const auto call = generic.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                                               grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    grpc::Slice bytes;
    if (!status.ok() || !answer.DumpToSingleSlice(&bytes).ok() || bytes.size() != 2) return -1;
    return bytes.begin()[1];
  }

  void MakeFlow() {
    ASSERT_TRUE(Create("x").ok());
    ASSERT_TRUE(Create("y").ok());
    const grpc::Status status = CreateFlow("f");
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
};

TEST_F(LifecycleTest, ACancelledComputationStopsAtTheNextChunk) {
  Gate gate;
  FakeBackendOptions fake;
  fake.chunks = int64_t{1} << 50;  // never done
  fake.on_chunk = [&](FakeCall call, int64_t chunk) {
    if (call == FakeCall::kRunEnergyDistance && chunk == 10) gate.Wait();
  };
  StartServer(fake);
  ASSERT_TRUE(Create("x").ok());
  grpc::ClientContext context;
  grpc::Status status;
  std::thread caller([&] {
    v1::ComputeEnergyDistanceRequest request;
    request.mutable_x()->set_ensemble("x");
    request.mutable_y()->set_ensemble("x");
    v1::ComputeEnergyDistanceResponse response;
    status = discrepancies_->ComputeEnergyDistance(&context, request, &response);
  });
  gate.AwaitWaiting();
  context.TryCancel();
  caller.join();
  EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
  gate.Open();
  // Cancelled work leaves the device, or this would never end.
  while (server_->guard().calls_in_flight() > 0) std::this_thread::yield();
  EXPECT_GT(backend_->chunks(), 10);
  ExpectAlive();
}

TEST_F(LifecycleTest, ADeadlineStopsAComputationInside) {
  FakeBackendOptions fake;
  fake.chunks = int64_t{1} << 50;  // never done
  StartServer(fake);
  ASSERT_TRUE(Create("x").ok());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  v1::ComputeEnergyDistanceRequest request;
  request.mutable_x()->set_ensemble("x");
  request.mutable_y()->set_ensemble("x");
  v1::ComputeEnergyDistanceResponse response;
  EXPECT_EQ(discrepancies_->ComputeEnergyDistance(&context, request, &response).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  while (server_->guard().calls_in_flight() > 0) std::this_thread::yield();
  EXPECT_GT(backend_->chunks(), 0);
  ExpectAlive();
}

TEST_F(LifecycleTest, AWatchShowsTheFlowUntilItRests) {
  StartServer();
  MakeFlow();
  ASSERT_TRUE(Advance("f", 25).ok());
  v1::WatchFlowRequest request;
  request.set_id("f");
  request.set_until_idle(true);
  request.mutable_min_interval()->set_nanos(10'000'000);
  grpc::ClientContext context;
  const auto reader = flows_->WatchFlow(&context, request);
  v1::WatchFlowResponse state;
  int64_t last = -1;
  while (reader->Read(&state)) {
    EXPECT_GE(state.flow().step(), last);
    last = state.flow().step();
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(last, 25);
  EXPECT_EQ(state.flow().state(), v1::FLOW_STATE_READY);
}

TEST_F(LifecycleTest, AReaderThatNeverReadsHoldsNothingUp) {
  StartServer();
  MakeFlow();
  v1::WatchFlowRequest request;
  request.set_id("f");
  request.mutable_min_interval()->set_nanos(10'000'000);
  grpc::ClientContext slow_context;
  const auto slow = flows_->WatchFlow(&slow_context, request);
  ASSERT_TRUE(Advance("f", 5000).ok());
  request.set_until_idle(true);
  grpc::ClientContext context;
  const auto reader = flows_->WatchFlow(&context, request);
  v1::WatchFlowResponse state;
  while (reader->Read(&state)) {
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(state.flow().step(), 5000);
  slow_context.TryCancel();
  EXPECT_EQ(slow->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(LifecycleTest, AReaderThatLeavesIsForgotten) {
  StartServer();
  MakeFlow();
  v1::WatchFlowRequest request;
  request.set_id("f");
  {
    grpc::ClientContext context;
    const auto reader = flows_->WatchFlow(&context, request);
    v1::WatchFlowResponse state;
    ASSERT_TRUE(reader->Read(&state));
    context.TryCancel();  // while the flow rests: nothing else would end the watch
    reader->Finish();
  }
  while (server_->guard().calls_in_flight() > 0) std::this_thread::yield();
  v1::Flow flow;
  EXPECT_TRUE(Advance("f", 3, &flow).ok());
}

TEST_F(LifecycleTest, DeletingAFlowEndsItsWatches) {
  StartServer();
  MakeFlow();
  v1::WatchFlowRequest watch;
  watch.set_id("f");
  grpc::ClientContext context;
  const auto reader = flows_->WatchFlow(&context, watch);
  v1::WatchFlowResponse state;
  ASSERT_TRUE(reader->Read(&state));
  v1::DeleteFlowRequest request;
  request.set_id("f");
  ASSERT_TRUE(Call(flows_, &v1::FlowService::Stub::DeleteFlow, request).ok());
  while (reader->Read(&state)) {
  }
  EXPECT_THAT(reader->Finish(), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
}

TEST_F(LifecycleTest, HealthIsToldPerServiceAndLivenessOutlivesReadiness) {
  Gate gate;
  FakeBackendOptions fake;
  fake.on_chunk = [&](FakeCall call, int64_t) {
    if (call == FakeCall::kRunEnergyDistance) gate.Wait();
  };
  StartServer(fake);
  for (const char* name : kServiceNames) EXPECT_EQ(Health(name), 1) << name;
  EXPECT_EQ(Health(""), 1);
  EXPECT_EQ(Health("liveness"), 1);
  EXPECT_EQ(Health("riesz.v1.NoService"), -1);

  ASSERT_TRUE(Create("x").ok());
  grpc::Status in_flight;
  std::thread caller([&] { in_flight = Distance("x", "x"); });
  gate.AwaitWaiting();
  std::thread drain([&] { server_->Drain(std::chrono::seconds(60)); });
  while (!server_->guard().draining()) std::this_thread::yield();
  for (const char* name : kServiceNames) EXPECT_EQ(Health(name), 2) << name;
  EXPECT_EQ(Health(""), 2);
  EXPECT_EQ(Health("liveness"), 1);
  EXPECT_THAT(Create("z"), IsError(StatusCode::UNAVAILABLE, "DRAINING"));
  gate.Open();
  caller.join();
  drain.join();
  EXPECT_TRUE(in_flight.ok()) << "work under way finishes: " << in_flight.error_message();
}

absl::Status DeviceLostError() {
  return WithDetail(absl::UnavailableError("the bus is silent"), {ErrorReason::kDeviceLost, {}});
}

TEST_F(LifecycleTest, TheLastDevicesLossTurnsHealthAndIsLoggedOnce) {
  ServerOptions options;
  options.metrics_listen = "127.0.0.1:0";
  StartServer({}, options);
  ASSERT_TRUE(Create("x").ok());
  EXPECT_THAT(Scrape(server_->metrics_address()),
              HasSubstr("riesz_device_up{device=\"fake\"} 1\n"));
  backend_->FailCall(FakeCall::kRunEnergyDistance, 0, DeviceLostError());
  testing::internal::CaptureStderr();
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_THAT(Distance("x", "x"), IsError(StatusCode::UNAVAILABLE, "DEVICE_LOST"));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const size_t line = log.find("msg=\"device lost\" device=fake error=\"the bus is silent\"");
  EXPECT_NE(line, std::string::npos) << log;
  EXPECT_EQ(log.find("msg=\"device lost\"", line + 1), std::string::npos) << log;
  EXPECT_EQ(Health(""), 2);
  for (const char* name : kServiceNames) EXPECT_EQ(Health(name), 2) << name;
  EXPECT_EQ(Health("liveness"), 1);
  EXPECT_THAT(Create("z"), IsError(StatusCode::UNAVAILABLE, "DEVICE_LOST"));
  EXPECT_THAT(Scrape(server_->metrics_address()),
              HasSubstr("riesz_device_up{device=\"fake\"} 0\n"));
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(
      Call(info_, &v1::ServerService::Stub::GetServerInfo, v1::GetServerInfoRequest(), &info).ok());
  EXPECT_TRUE(info.devices(0).lost());
  ExpectAlive();
}

TEST_F(LifecycleTest, AServerWithADeviceLeftStaysServing) {
  auto lost = std::make_unique<FakeBackend>();
  lost->FailCall(FakeCall::kNewEnsemble, 0, DeviceLostError());
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(std::move(lost));
  FakeBackendOptions other;
  other.name = "other";
  backends.push_back(std::make_unique<FakeBackend>(other));
  ServerOptions options;
  options.metrics_listen = "127.0.0.1:0";
  StartServerOn(std::move(backends), options);
  EXPECT_THAT(Create("x"), IsError(StatusCode::UNAVAILABLE, "DEVICE_LOST"));
  EXPECT_EQ(Health(""), 1);
  const std::string metrics = Scrape(server_->metrics_address());
  EXPECT_THAT(metrics, HasSubstr("riesz_device_up{device=\"fake\"} 0\n"));
  EXPECT_THAT(metrics, HasSubstr("riesz_device_up{device=\"other\"} 1\n"));
}

TEST_F(LifecycleTest, ADrainEndsWatchesAndStopsFlowsAtAStep) {
  StartServer();
  MakeFlow();
  ASSERT_TRUE(Advance("f", int64_t{1} << 40).ok());
  v1::WatchFlowRequest watch;
  watch.set_id("f");
  grpc::ClientContext context;
  const auto reader = flows_->WatchFlow(&context, watch);
  v1::WatchFlowResponse state;
  ASSERT_TRUE(reader->Read(&state));
  server_->Drain(std::chrono::seconds(60));
  while (reader->Read(&state)) {
  }
  EXPECT_THAT(reader->Finish(), IsError(StatusCode::UNAVAILABLE, "DRAINING"));
}

// The guard refuses while it drains, so a method that answers anything else has no guard.
TEST_F(LifecycleTest, EveryMethodOfEveryServiceIsGuarded) {
  ServerOptions options;
  options.metrics_listen = "127.0.0.1:0";
  StartServer({}, options);
  server_->guard().StartDrain();
  int methods = 0;
  for (const char* name : kServiceNames) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(service, nullptr);
    for (int i = 0; i < service->method_count(); ++i, ++methods) {
      const std::string method = absl::StrCat("/", name, "/", service->method(i)->name());
      EXPECT_THAT(CallRaw(channel_, method), IsError(StatusCode::UNAVAILABLE, "DRAINING"))
          << method;
    }
  }
  // Every service of the protocol is in the list.
  std::set<std::string> files;
  for (const char* name : kServiceNames) {
    files.insert(google::protobuf::DescriptorPool::generated_pool()
                     ->FindServiceByName(name)
                     ->file()
                     ->name());
  }
  EXPECT_EQ(files.size(), 4u);
  const std::string metrics = Scrape(server_->metrics_address());
  size_t refused = 0;
  for (size_t at = 0; (at = metrics.find("grpc_code=\"Unavailable\"", at)) != std::string::npos;
       ++at) {
    const size_t end = metrics.find('\n', at);
    refused += metrics.substr(end - 2, 2) == " 1";
  }
  EXPECT_EQ(refused, static_cast<size_t>(methods));
}

TEST_F(LifecycleTest, MoreCallsThanTheLimitAreRefused) {
  Gate gate;
  FakeBackendOptions fake;
  fake.on_chunk = [&](FakeCall call, int64_t) {
    if (call == FakeCall::kRunEnergyDistance) gate.Wait();
  };
  ServerOptions options;
  options.max_calls = 1;
  StartServer(fake, options);
  ASSERT_TRUE(Create("x").ok());
  while (server_->guard().calls_in_flight() > 0) std::this_thread::yield();
  grpc::Status first;
  std::thread caller([&] { first = Distance("x", "x"); });
  gate.AwaitWaiting();
  EXPECT_THAT(Create("y"), IsError(StatusCode::RESOURCE_EXHAUSTED, "LIMIT"));
  gate.Open();
  caller.join();
  EXPECT_TRUE(first.ok());
}

TEST_F(LifecycleTest, MetricsHaveZerosFromTheStartAndCountCalls) {
  ServerOptions options;
  options.metrics_listen = "127.0.0.1:0";
  StartServer({}, options);
  const std::string before = Scrape(server_->metrics_address());
  for (const char* line : {
           "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"WatchFlow\","
           "grpc_service=\"riesz.v1.FlowService\",grpc_type=\"server_stream\"} 0\n",
           "grpc_server_started_total{grpc_method=\"UploadChunks\","
           "grpc_service=\"riesz.v1.EnsembleService\",grpc_type=\"client_stream\"} 0\n",
           "riesz_compute_seconds_count{device=\"fake\",operation=\"gradient\"} 0\n",
           "riesz_queue_seconds_count{device=\"fake\"} 0\n",
           "riesz_flow_steps_total{device=\"fake\"} 0\n",
           "riesz_transfer_bytes_total{direction=\"upload\"} 0\n",
           "riesz_uploads 0\n",
           "riesz_build_info{",
           "riesz_memory_limit_bytes{device=\"fake\"}",
       }) {
    EXPECT_THAT(before, HasSubstr(line));
  }
  ExpectAlive();
  ASSERT_TRUE(Create("x").ok());
  ASSERT_TRUE(Distance("x", "x").ok());
  v1::DownloadEnsembleRequest download;
  download.mutable_source()->set_ensemble("x");
  std::string data;
  ASSERT_TRUE(Download(download, &data).ok());
  const std::string after = Scrape(server_->metrics_address());
  for (const char* line : {
           "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Ping\","
           "grpc_service=\"riesz.v1.ServerService\",grpc_type=\"unary\"} 1\n",
           "riesz_compute_seconds_count{device=\"fake\",operation=\"energy_distance\"} 1\n",
           "riesz_transfer_bytes_total{direction=\"download\"} 32\n",
           "riesz_ensembles 1\n",
       }) {
    EXPECT_THAT(after, HasSubstr(line));
  }
}

TEST_F(LifecycleTest, ServerInfoNamesDevicesLimitsAndDurability) {
  StartServer();
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(
      Call(info_, &v1::ServerService::Stub::GetServerInfo, v1::GetServerInfoRequest(), &info).ok());
  ASSERT_EQ(info.devices_size(), 1);
  EXPECT_EQ(info.devices(0).name(), "fake");
  EXPECT_EQ(info.durability(), v1::DURABILITY_EPHEMERAL);
  bool chunk_limit = false;
  for (const v1::Limit& limit : info.limits()) {
    EXPECT_GT(limit.value(), 0) << limit.name();
    EXPECT_NE(limit.unit(), "") << limit.name();
    chunk_limit |= limit.name() == "max_chunk_bytes" && limit.value() == 1 << 20;
  }
  EXPECT_TRUE(chunk_limit);
}

TEST_F(LifecycleTest, ATakenAddressIsAnErrorNotACrash) {
  StartServer();
  ServerOptions options;
  options.listen = server_->addresses();
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(std::make_unique<FakeBackend>());
  EXPECT_TRUE(absl::IsUnavailable(Server::Start(options, std::move(backends)).status()));
}

}  // namespace
}  // namespace riesz
