#include "server/options.h"

#include <gmock/gmock.h>
#include <stdlib.h>

namespace riesz {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The error's text, or "" where the flags were accepted.
std::string Complaint(const std::vector<std::string>& arguments) {
  return std::string(ParseCommandLine(arguments).status().message());
}

ServerOptions Parsed(const std::vector<std::string>& arguments) {
  const auto command_line = ParseCommandLine(arguments);
  EXPECT_TRUE(command_line.ok()) << command_line.status();
  return command_line.ok() ? command_line->options : ServerOptions();
}

// Sets a variable of the environment for a scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(OptionsTest, DefaultsServeLoopbackOnly) {
  const ServerOptions options = Parsed({});
  EXPECT_THAT(options.listen, ElementsAre("127.0.0.1:7443"));
  EXPECT_FALSE(options.insecure_allow_remote);
  EXPECT_EQ(options.metrics_listen, "");
  EXPECT_EQ(options.device, "cpu");
  EXPECT_EQ(options.max_message_bytes, 4 << 20);
}

TEST(OptionsTest, EveryFlagIsRead) {
  const ServerOptions options = Parsed({"--listen",
                                        "127.0.0.1:0",
                                        "--listen=[::1]:7,unix:/tmp/s",
                                        "--metrics-listen",
                                        "localhost:9",
                                        "--data-dir",
                                        "/data",
                                        "--state-dir",
                                        "/state",
                                        "--device",
                                        "cuda:1",
                                        "--matrix-precision",
                                        "3xtf32",
                                        "--threads",
                                        "3",
                                        "--memory-limit",
                                        "3GiB",
                                        "--quantum-ms",
                                        "20",
                                        "--max-queued-jobs",
                                        "5",
                                        "--max-calls",
                                        "6",
                                        "--max-concurrent-streams",
                                        "7",
                                        "--max-message-bytes",
                                        "8MiB",
                                        "--drain-timeout",
                                        "9",
                                        "--io-threads",
                                        "2",
                                        "--log-level",
                                        "warning"});
  EXPECT_THAT(options.listen, ElementsAre("127.0.0.1:0", "[::1]:7", "unix:/tmp/s"));
  EXPECT_EQ(options.metrics_listen, "localhost:9");
  EXPECT_EQ(options.data_dir, "/data");
  EXPECT_EQ(options.state_dir, "/state");
  EXPECT_EQ(options.device, "cuda:1");
  EXPECT_EQ(options.matrix_precision, MatrixPrecision::kTf32x3);
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.memory_limit_bytes, int64_t{3} << 30);
  EXPECT_EQ(options.quantum, std::chrono::milliseconds(20));
  EXPECT_EQ(options.max_queued_jobs, 5);
  EXPECT_EQ(options.max_calls, 6);
  EXPECT_EQ(options.max_concurrent_streams, 7);
  EXPECT_EQ(options.max_message_bytes, 8 << 20);
  EXPECT_EQ(options.drain_timeout, std::chrono::seconds(9));
  EXPECT_EQ(options.io_threads, 2);
  EXPECT_EQ(options.log_level, LogLevel::kWarning);
}

TEST(OptionsTest, TheEnvironmentStandsBehindFlags) {
  const Environment threads("RIESZ_THREADS", "5");
  const Environment device("RIESZ_DEVICE", "reference");
  const ServerOptions options = Parsed({"--threads", "2"});
  EXPECT_EQ(options.threads, 2);
  EXPECT_EQ(options.device, "reference");
}

TEST(OptionsTest, ASwitchThatTheEnvironmentTurnsOffStaysOff) {
  for (const char* off : {"false", "0"}) {
    const Environment remote("RIESZ_INSECURE_ALLOW_REMOTE", off);
    EXPECT_THAT(Complaint({"--listen", "0.0.0.0:1"}), HasSubstr("--insecure-allow-remote")) << off;
  }
  const Environment remote("RIESZ_INSECURE_ALLOW_REMOTE", "true");
  EXPECT_EQ(Complaint({"--listen", "0.0.0.0:1"}), "");
}

TEST(OptionsTest, ABadValueInTheEnvironmentIsRefusedToo) {
  const Environment threads("RIESZ_THREADS", "many");
  EXPECT_EQ(Complaint({}), "--threads must be a whole number in [0, 1024], got 'many'");
}

TEST(OptionsTest, ABadValueIsAnsweredWithFlagRangeAndValue) {
  EXPECT_EQ(Complaint({"--threads", "-1"}),
            "--threads must be a whole number in [0, 1024], got '-1'");
  EXPECT_EQ(Complaint({"--threads", "1.5"}),
            "--threads must be a whole number in [0, 1024], got '1.5'");
  EXPECT_EQ(
      Complaint({"--device", "tpu"}),
      "--device must be cpu, reference, cuda:N (a GPU; cuda is the first) or auto, got 'tpu'");
  EXPECT_EQ(Complaint({"--matrix-precision", "fp16"}),
            "--matrix-precision must be fp32, 3xtf32 or tf32, got 'fp16'");
  EXPECT_EQ(Complaint({"--log-level", "loud"}),
            "--log-level must be debug, info, warning or error, got 'loud'");
  EXPECT_EQ(Complaint({"--listen", "7443"}),
            "--listen must be HOST:PORT or unix:PATH, port in [0, 65535], got '7443'");
  EXPECT_EQ(Complaint({"--listen", "127.0.0.1:65536"}),
            "--listen must be HOST:PORT or unix:PATH, port in [0, 65535], got '127.0.0.1:65536'");
  EXPECT_THAT(Complaint({"--memory-limit", "4GB"}), HasSubstr("--memory-limit must be bytes"));
  EXPECT_THAT(Complaint({"--memory-limit", "9999999999TiB"}), HasSubstr("--memory-limit must be"));
  EXPECT_THAT(Complaint({"--max-message-bytes", "1KiB"}),
              HasSubstr("--max-message-bytes must be bytes"));
  EXPECT_THAT(Complaint({"--frobnicate"}), HasSubstr("--frobnicate"));
}

TEST(OptionsTest, AMessageLimitBeyondGrpcsIsRefused) {
  EXPECT_THAT(Complaint({"--max-message-bytes", "2GiB"}), HasSubstr("--max-message-bytes must be"));
}

TEST(OptionsTest, PlainTextToOtherMachinesNeedsAFlag) {
  for (const char* address : {"0.0.0.0:7443", "[::]:7443", "10.0.0.1:1", "example.org:1"}) {
    EXPECT_THAT(Complaint({"--listen", address}), HasSubstr("--insecure-allow-remote")) << address;
    EXPECT_THAT(Complaint({"--metrics-listen", address}), HasSubstr("--insecure-allow-remote"));
    EXPECT_EQ(Complaint({"--listen", address, "--insecure-allow-remote"}), "") << address;
  }
}

TEST(OptionsTest, ANameThatOnlyLooksLikeLoopbackIsRemote) {
  EXPECT_THAT(Complaint({"--listen", "127.evil.example:1"}), HasSubstr("--insecure-allow-remote"));
}

TEST(OptionsTest, PrintConfigShowsWhatCounts) {
  const auto command_line = ParseCommandLine({"--threads", "7", "--print-config"});
  ASSERT_TRUE(command_line.ok());
  EXPECT_THAT(command_line->print_and_exit, HasSubstr("threads = 7\n"));
  EXPECT_THAT(command_line->print_and_exit, HasSubstr("listen = 127.0.0.1:7443\n"));
}

TEST(OptionsTest, HelpAndVersionArePrinted) {
  const auto help = ParseCommandLine({"--help"});
  ASSERT_TRUE(help.ok());
  EXPECT_THAT(help->print_and_exit, HasSubstr("--insecure-allow-remote"));
  EXPECT_THAT(help->print_and_exit, HasSubstr("RIESZ_LISTEN"));
  const auto version = ParseCommandLine({"--version"});
  ASSERT_TRUE(version.ok());
  EXPECT_THAT(version->print_and_exit, HasSubstr("rieszd 0."));
}

}  // namespace
}  // namespace riesz
