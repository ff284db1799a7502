// Calls through gRPC: answers, transfers, retries, and what is said about bad input.
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "core/validate.h"
#include "server/convert.h"
#include "tests/server/rpc_fixture.h"

namespace riesz {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

TEST_F(RpcTest, AnEnsembleIsCreatedListedShownAndDeleted) {
  StartServer();
  ASSERT_TRUE(Create("a").ok());
  EXPECT_THAT(Create("a"), IsError(StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS"));
  v1::ListEnsemblesResponse list;
  ASSERT_TRUE(
      Call(ensembles_, &v1::EnsembleService::Stub::ListEnsembles, v1::ListEnsemblesRequest(), &list)
          .ok());
  ASSERT_EQ(list.ensembles_size(), 1);
  EXPECT_EQ(list.ensembles(0).count(), 4);
  v1::DeleteEnsembleRequest gone;
  gone.set_id("a");
  EXPECT_TRUE(Call(ensembles_, &v1::EnsembleService::Stub::DeleteEnsemble, gone).ok());
  EXPECT_THAT(Call(ensembles_, &v1::EnsembleService::Stub::DeleteEnsemble, gone),
              IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
}

// With all the metadata allowed, 130 ensembles pass the 4 MiB that a client takes by default.
TEST_F(RpcTest, APageOfEnsemblesIsBoundedInBytesAndTheNextGoesOn) {
  StartServer();
  constexpr int kCount = 130;
  for (int i = 0; i < kCount; ++i) {
    v1::CreateEnsembleRequest request;
    request.set_id(absl::StrCat("e", 1000 + i));
    request.mutable_generator()->set_distribution(v1::Generator::DISTRIBUTION_UNIFORM);
    request.mutable_generator()->set_count(1);
    request.mutable_generator()->set_dimension(1);
    for (int64_t k = 0; k < kMaxMetadataEntries; ++k) {
      const std::string key = absl::StrCat(k);
      (*request.mutable_metadata())[key + std::string(kMaxMetadataBytes - key.size(), 'k')] =
          std::string(kMaxMetadataBytes, 'v');
    }
    ASSERT_TRUE(Call(ensembles_, &v1::EnsembleService::Stub::CreateEnsemble, request).ok());
  }
  v1::ListEnsemblesRequest request;
  request.set_page_size(1000);
  std::vector<std::string> ids;
  do {
    v1::ListEnsemblesResponse page;
    const grpc::Status status =
        Call(ensembles_, &v1::EnsembleService::Stub::ListEnsembles, request, &page);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_LE(page.ByteSizeLong(), static_cast<size_t>(kMaxPageBytes) + 100) << "and the token";
    ASSERT_GT(page.ensembles_size(), 0);
    for (const v1::Ensemble& ensemble : page.ensembles()) ids.push_back(ensemble.id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids.size(), static_cast<size_t>(kCount));
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(RpcTest, APageOfFlowsIsBoundedInBytesToo) {
  StartServer();
  constexpr int kCount = 60;
  v1::CreateEnsembleRequest points;
  points.set_id("x");
  points.mutable_generator()->set_distribution(v1::Generator::DISTRIBUTION_UNIFORM);
  points.mutable_generator()->set_count(1);
  points.mutable_generator()->set_dimension(kMaxDim);
  ASSERT_TRUE(Call(ensembles_, &v1::EnsembleService::Stub::CreateEnsemble, points).ok());
  for (int i = 0; i < kCount; ++i) {
    v1::CreateFlowRequest request;
    request.set_id(absl::StrCat("f", 1000 + i));
    request.mutable_start()->set_ensemble("x");
    request.set_target("x");
    for (int64_t k = 0; k < kMaxFrozenRanges; ++k) {
      v1::CoordinateRange* range = request.mutable_parameters()->add_frozen();
      range->set_begin(kMaxDim / 2 + 2 * k);
      range->set_end(kMaxDim / 2 + 2 * k + 1);
    }
    const grpc::Status status = Call(flows_, &v1::FlowService::Stub::CreateFlow, request);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  v1::ListFlowsRequest request;
  request.set_page_size(1000);
  int flows = 0, pages = 0;
  do {
    v1::ListFlowsResponse page;
    ASSERT_TRUE(Call(flows_, &v1::FlowService::Stub::ListFlows, request, &page).ok());
    EXPECT_LE(page.ByteSizeLong(), static_cast<size_t>(kMaxPageBytes) + 100);
    flows += page.flows_size();
    ++pages;
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(flows, kCount);
  EXPECT_GT(pages, 1) << "a flow's 1024 ranges are counted with 24 bytes each";
}

TEST_F(RpcTest, UploadedBytesComeBackFromAnyRow) {
  StartServer();
  const int64_t floats = 700'000;  // 2.8 MB: three chunks
  const std::string bytes = Counting(floats);
  const std::string upload = StartUpload("a", floats);
  std::vector<v1::UploadChunksRequest> chunks;
  for (size_t offset = 0; offset < bytes.size(); offset += kMaxChunkBytes) {
    chunks.push_back(Chunk(offset == 0 ? upload : "", static_cast<int64_t>(offset),
                           bytes.substr(offset, kMaxChunkBytes)));
  }
  v1::UploadChunksResponse response;
  ASSERT_TRUE(Send(chunks, &response).ok());
  EXPECT_EQ(response.upload().committed_bytes(), static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(response.upload().committed_crc32c(), CrcOf(bytes));
  ASSERT_TRUE(FinishUpload(upload, CrcOf(bytes)).ok());

  v1::DownloadEnsembleRequest request;
  request.mutable_source()->set_ensemble("a");
  std::string whole;
  ASSERT_TRUE(Download(request, &whole).ok());
  EXPECT_TRUE(whole == bytes);
  request.set_first_row(1000);
  request.set_row_count(5);
  std::string part;
  ASSERT_TRUE(Download(request, &part).ok());
  EXPECT_TRUE(part == bytes.substr(4000, 20));
  request.set_first_row(floats);
  request.set_row_count(0);
  std::string nothing;
  EXPECT_TRUE(Download(request, &nothing).ok());
  EXPECT_EQ(nothing, "");
}

TEST_F(RpcTest, AnUploadGoesOnWhereABrokenStreamEnded) {
  StartServer();
  const std::string bytes = Counting(100);
  const std::string upload = StartUpload("a", 100);
  ASSERT_TRUE(Send({Chunk(upload, 0, bytes.substr(0, 120))}).ok());
  EXPECT_THAT(Send({Chunk(upload, 120, bytes.substr(120, 40)), Chunk(upload, 0, "lost")}),
              IsError(StatusCode::OUT_OF_RANGE, "UPLOAD_OFFSET"));
  v1::QueryUploadRequest query;
  query.set_upload_id(upload);
  v1::QueryUploadResponse stands;
  ASSERT_TRUE(Call(ensembles_, &v1::EnsembleService::Stub::QueryUpload, query, &stands).ok());
  EXPECT_EQ(stands.upload().committed_bytes(), 160);
  EXPECT_EQ(stands.upload().committed_crc32c(), CrcOf(bytes.substr(0, 160)));
  EXPECT_THAT(FinishUpload(upload, CrcOf(bytes)),
              IsError(StatusCode::FAILED_PRECONDITION, "WRONG_STATE"));
  ASSERT_TRUE(Send({Chunk(upload, 160, bytes.substr(160))}).ok());
  EXPECT_TRUE(FinishUpload(upload, CrcOf(bytes)).ok());
}

TEST_F(RpcTest, WrongChecksumsAreDataLossAndCommitNothing) {
  StartServer();
  const std::string bytes = Counting(10);
  const std::string upload = StartUpload("a", 10);
  v1::UploadChunksRequest chunk = Chunk(upload, 0, bytes);
  chunk.set_crc32c(chunk.crc32c() ^ 1);
  EXPECT_THAT(Send({chunk}), IsError(StatusCode::DATA_LOSS, "CHECKSUM"));
  ASSERT_TRUE(Send({Chunk(upload, 0, bytes)}).ok());
  EXPECT_THAT(FinishUpload(upload, CrcOf(bytes) ^ 1), IsError(StatusCode::DATA_LOSS, "CHECKSUM"));
}

TEST_F(RpcTest, NumbersThatAreNotFiniteAreRefusedOnArrival) {
  StartServer();
  std::string bytes = Counting(10);
  const float nan = std::nanf("");
  bytes.replace(12, 4, reinterpret_cast<const char*>(&nan), 4);
  EXPECT_THAT(Send({Chunk(StartUpload("a", 10), 0, bytes)}),
              IsError(StatusCode::INVALID_ARGUMENT, "NON_FINITE"));
}

TEST_F(RpcTest, AnUploadHasOneWriterAtATime) {
  StartServer();
  const std::string upload = StartUpload("a", 10);
  grpc::ClientContext context;
  v1::UploadChunksResponse response;
  const auto first = ensembles_->UploadChunks(&context, &response);
  ASSERT_TRUE(first->Write(Chunk(upload, 0, Counting(5))));
  v1::QueryUploadRequest query;
  query.set_upload_id(upload);
  v1::QueryUploadResponse stands;
  do {  // until the first stream's chunk has arrived
    ASSERT_TRUE(Call(ensembles_, &v1::EnsembleService::Stub::QueryUpload, query, &stands).ok());
  } while (stands.upload().committed_bytes() == 0);
  EXPECT_THAT(Send({Chunk(upload, 20, Counting(5))}), IsError(StatusCode::ABORTED, "UPLOAD_BUSY"));
  first->WritesDone();
  EXPECT_TRUE(first->Finish().ok());
}

TEST_F(RpcTest, UploadStreamsOfTheWrongFormAreRefused) {
  StartServer();
  const std::string upload = StartUpload("a", 10);
  EXPECT_THAT(Send({}), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(Send({Chunk("", 0, "abcd")}), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(Send({Chunk("u-none", 0, "abcd")}), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
  EXPECT_THAT(Send({Chunk(upload, 0, std::string(kMaxChunkBytes + 4, '\0'))}),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_THAT(Send({Chunk(upload, 0, "abcd"), Chunk("u-other", 4, "abcd")}),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  ExpectAlive();
}

// Raw bytes where messages belong, with a fixed seed.
TEST_F(RpcTest, ArbitraryBytesOnTheDataPlaneGetAnAnswerAndTheServerLivesOn) {
  StartServer();
  grpc::GenericStub generic(channel_);
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(1 + random() % 60, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (round % 4 == 0) bytes = std::string(1, '\xff');  // never a message
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer message(&slice, 1);
    const char* const methods[] = {"/riesz.v1.EnsembleService/UploadChunks",
                                   "/riesz.v1.EnsembleService/DownloadEnsemble",
                                   "/riesz.v1.DiscrepancyService/ComputeGradient"};
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto stream = generic.PrepareCall(&context, methods[round % 3], &queue);
    const auto wait = [&queue] {
      void* tag;
      bool ok;
      queue.Next(&tag, &ok);
      return ok;
    };
    stream->StartCall(nullptr);
    wait();
    stream->Write(message, nullptr);
    wait();
    stream->WritesDone(nullptr);
    wait();
    grpc::Status status;
    stream->Finish(&status, nullptr);
    wait();
    EXPECT_FALSE(status.ok()) << round;
    EXPECT_NE(ReasonOf(status), "") << round << " " << status.error_message();
  }
  ExpectAlive();
}

TEST_F(RpcTest, ARetryGetsTheFirstAnswer) {
  StartServer();
  ASSERT_TRUE(Create("a", "r-1").ok());
  EXPECT_TRUE(Create("a", "r-1").ok()) << "the same request again";
  EXPECT_THAT(Create("b", "r-1"), IsError(StatusCode::INVALID_ARGUMENT, "REQUEST_ID_REUSED"));
  EXPECT_THAT(Create("a", "r-2"), IsError(StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS"));
  EXPECT_THAT(Create("c", std::string(129, 'r')),
              IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
}

TEST_F(RpcTest, ARetriedFinishOfAnUploadIsNotAnError) {
  StartServer();
  const std::string bytes = Counting(10);
  const std::string upload = StartUpload("a", 10);
  ASSERT_TRUE(Send({Chunk(upload, 0, bytes)}).ok());
  ASSERT_TRUE(FinishUpload(upload, CrcOf(bytes), "f-1").ok());
  EXPECT_TRUE(FinishUpload(upload, CrcOf(bytes), "f-1").ok());
  EXPECT_EQ(FinishUpload(upload, CrcOf(bytes), "f-2").error_code(), StatusCode::NOT_FOUND);
}

TEST_F(RpcTest, AFailedCallMayBeTriedAgainWithItsRequestId) {
  StartServer();
  backend_->FailCall(FakeCall::kNewEnsemble, 0, absl::ResourceExhaustedError("full"));
  EXPECT_THAT(Create("a", "r-1"), IsError(StatusCode::RESOURCE_EXHAUSTED, "LIMIT"));
  EXPECT_TRUE(Create("a", "r-1").ok());
}

TEST_F(RpcTest, ADistanceEchoesWhatWasChosen) {
  StartServer();
  ASSERT_TRUE(Create("x").ok());
  ASSERT_TRUE(Create("y").ok());
  v1::ComputeEnergyDistanceResponse response;
  ASSERT_TRUE(Distance("x", "y", &response).ok());
  EXPECT_EQ(response.method(), v1::METHOD_EXACT);
  EXPECT_EQ(response.exponent(), 1);
  EXPECT_EQ(response.estimator(), v1::ESTIMATOR_V);
  EXPECT_EQ(response.x().count(), 4);
  EXPECT_EQ(response.device(), "fake");
}

TEST_F(RpcTest, AGradientIsStreamedOrKept) {
  StartServer();
  ASSERT_TRUE(Create("x").ok());
  ASSERT_TRUE(Create("y").ok());
  v1::ComputeGradientRequest request;
  request.mutable_x()->set_ensemble("x");
  request.mutable_y()->set_ensemble("y");
  const auto compute = [&](std::vector<v1::ComputeGradientResponse>* messages) {
    grpc::ClientContext context;
    const auto reader = discrepancies_->ComputeGradient(&context, request);
    v1::ComputeGradientResponse message;
    while (reader->Read(&message)) messages->push_back(message);
    return reader->Finish();
  };
  std::vector<v1::ComputeGradientResponse> streamed;
  ASSERT_TRUE(compute(&streamed).ok());
  ASSERT_EQ(streamed.size(), 2u);
  EXPECT_EQ(streamed[0].summary().total_bytes(), 32);
  EXPECT_EQ(streamed[1].data().size(), 32u);
  EXPECT_EQ(streamed[1].crc32c(), CrcOf(streamed[1].data()));

  request.set_keep_as("g");
  request.set_request_id("r");
  std::vector<v1::ComputeGradientResponse> kept, again;
  ASSERT_TRUE(compute(&kept).ok());
  ASSERT_TRUE(compute(&again).ok()) << "a retry";
  ASSERT_EQ(kept.size(), 1u);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(kept[0].summary().ensemble().id(), "g");
  EXPECT_EQ(kept[0].summary().total_bytes(), 0);
  EXPECT_EQ(kept[0].SerializeAsString(), again[0].SerializeAsString());
}

TEST_F(RpcTest, UnknownNamesAreNotFound) {
  StartServer();
  ASSERT_TRUE(Create("x").ok());
  EXPECT_THAT(Distance("x", "none"), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
  EXPECT_THAT(Advance("none", 5), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
  v1::DownloadEnsembleRequest download;
  download.mutable_source()->set_ensemble("none");
  std::string data;
  EXPECT_THAT(Download(download, &data), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
  grpc::ClientContext context;
  v1::WatchFlowRequest watch;
  watch.set_id("none");
  const auto reader = flows_->WatchFlow(&context, watch);
  v1::WatchFlowResponse state;
  EXPECT_FALSE(reader->Read(&state));
  EXPECT_THAT(reader->Finish(), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
}

TEST_F(RpcTest, RowsOutsideTheEnsembleAreOutOfRange) {
  StartServer();
  ASSERT_TRUE(Create("x").ok());
  v1::DownloadEnsembleRequest download;
  download.mutable_source()->set_ensemble("x");
  std::string data;
  download.set_first_row(5);
  EXPECT_EQ(Download(download, &data).error_code(), StatusCode::OUT_OF_RANGE);
  download.set_first_row(1);
  download.set_row_count(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Download(download, &data).error_code(), StatusCode::OUT_OF_RANGE);
  download.set_first_row(-1);
  EXPECT_THAT(Download(download, &data), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  download.set_first_row(0);
  download.set_row_count(0);
  download.set_part(v1::ENSEMBLE_PART_LABELS);
  EXPECT_THAT(Download(download, &data), IsError(StatusCode::NOT_FOUND, "NOT_FOUND"));
}

TEST_F(RpcTest, BadArgumentsOfAComputationAreNamed) {
  StartServer();
  ASSERT_TRUE(Create("x").ok());
  const std::string upload = StartUpload("one", 4);
  ASSERT_TRUE(Send({Chunk(upload, 0, Counting(4))}).ok());
  ASSERT_TRUE(FinishUpload(upload, CrcOf(Counting(4))).ok());
  EXPECT_THAT(Distance("x", "one"), IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"))
      << "dimensions 2 and 1";
  v1::ComputeEnergyDistanceRequest request;
  request.mutable_x()->set_ensemble("x");
  request.mutable_y()->set_ensemble("x");
  for (const double exponent : {2.0, -1.0, 1e300}) {
    request.set_exponent(exponent);
    const grpc::Status status =
        Call(discrepancies_, &v1::DiscrepancyService::Stub::ComputeEnergyDistance, request);
    EXPECT_THAT(status, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
    EXPECT_THAT(status.error_message(), HasSubstr("exponent must be"));
  }
  v1::CreateFlowRequest flow;
  flow.set_id("f");
  flow.mutable_start()->set_ensemble("x");
  flow.set_target("x");
  flow.mutable_parameters()->set_step_size(-1);
  const grpc::Status status = Call(flows_, &v1::FlowService::Stub::CreateFlow, flow);
  EXPECT_EQ(status.error_message(), "flow.step_size must be in (0, 10], got -1");
  EXPECT_THAT(status, IsError(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
}

TEST_F(RpcTest, MoreThanMemoryHoldsIsRefusedBeforeItIsSent) {
  StartServer();
  EXPECT_THAT(Create("huge", "", int64_t{1} << 30),
              IsError(StatusCode::RESOURCE_EXHAUSTED, "MEMORY"));
  v1::StartUploadRequest upload;
  upload.set_id("huge");
  upload.set_count(int64_t{1} << 30);
  upload.set_dimension(1 << 20);
  const grpc::Status status = Call(ensembles_, &v1::EnsembleService::Stub::StartUpload, upload);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(ReasonOf(status), "");
  ExpectAlive();
}

// Every call that a whole story makes of the backend fails once, in turn: the answer is an error
// with a reason, and the story can be told again on the same server.
TEST_F(RpcTest, WhicheverBackendCallFailsTheAnswerHasAReasonAndTheServerLivesOn) {
  for (int64_t failing = 0;; ++failing) {
    StartServer();
    const auto story = [this](const std::string& suffix) {
      std::vector<grpc::Status> statuses;
      const std::string x = "x" + suffix, y = "y" + suffix;
      statuses.push_back(Create(x));
      statuses.push_back(Create(y));
      statuses.push_back(Distance(x, y));
      v1::DownloadEnsembleRequest download;
      download.mutable_source()->set_ensemble(x);
      std::string data;
      statuses.push_back(Download(download, &data));
      v1::ComputeGradientRequest gradient;
      gradient.mutable_x()->set_ensemble(x);
      gradient.mutable_y()->set_ensemble(y);
      grpc::ClientContext context;
      const auto reader = discrepancies_->ComputeGradient(&context, gradient);
      v1::ComputeGradientResponse message;
      while (reader->Read(&message)) {
      }
      statuses.push_back(reader->Finish());
      return statuses;
    };
    backend_->FailCall(failing, absl::InternalError("the device burps"));
    bool failed = false;
    for (const grpc::Status& status : story("")) {
      if (status.ok()) continue;
      failed = true;
      EXPECT_NE(ReasonOf(status), "") << failing << ": " << status.error_message();
    }
    const int64_t calls = backend_->calls();
    for (const grpc::Status& status : story("-again")) {
      // Only the failure left over where the first story made fewer calls than `failing`.
      EXPECT_TRUE(status.ok() || calls <= failing) << failing << ": " << status.error_message();
    }
    if (calls <= failing) break;
    EXPECT_TRUE(failed) << "call " << failing << " failed and nobody heard of it";
  }
}

TEST_F(RpcTest, InternalErrorsCarryARequestIdToQuote) {
  StartServer();
  ASSERT_TRUE(Create("x").ok());
  backend_->FailCall(FakeCall::kRunEnergyDistance, 0, absl::InternalError("the device burps"));
  v1::ComputeEnergyDistanceRequest request;
  request.mutable_x()->set_ensemble("x");
  request.mutable_y()->set_ensemble("x");
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "mine-1");
  v1::ComputeEnergyDistanceResponse response;
  const grpc::Status status = discrepancies_->ComputeEnergyDistance(&context, request, &response);
  EXPECT_THAT(status, IsError(StatusCode::INTERNAL, "INTERNAL"));
  EXPECT_THAT(status.error_message(), HasSubstr("(request id mine-1)"));
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto id = trailers.find("x-request-id");
  ASSERT_NE(id, trailers.end());
  EXPECT_EQ(std::string(id->second.data(), id->second.size()), "mine-1");
}

}  // namespace
}  // namespace riesz
