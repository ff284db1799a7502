#include "server/options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/backend/make_backend.h"
#include "core/status_macros.h"
#include "server/build_info.h"

namespace riesz {
namespace {

constexpr char kDefaultDataDir[] = "/usr/share/datasets";
constexpr int64_t kMostMemoryBytes = int64_t{1} << 50;

// Reads text into the options, or says what the text must be: "must be in [1, 8]".
using Reader = std::function<std::string(const std::string& text, ServerOptions& options)>;

struct Flag {
  const char* name;
  const char* value;  // for --help; null: a switch
  const char* help;
  Reader read;
  std::function<std::string(const ServerOptions& options)> show;
};

bool ReadInteger(const std::string& text, int64_t& out) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && rest == end;
}

// Sets through `set` where low <= value <= high.
template <typename Set>
Reader Integer(int64_t low, int64_t high, Set set) {
  return [=](const std::string& text, ServerOptions& options) -> std::string {
    int64_t value = 0;
    if (!ReadInteger(text, value) || value < low || value > high) {
      return absl::StrCat("must be a whole number in [", low, ", ", high, "]");
    }
    set(options, value);
    return "";
  };
}

// Bytes with an optional suffix: 512MiB, 4GiB, 1000000.
bool ReadBytes(const std::string& text, int64_t& out) {
  static const std::pair<const char*, int64_t> kSuffixes[] = {
      {"KiB", int64_t{1} << 10},
      {"MiB", int64_t{1} << 20},
      {"GiB", int64_t{1} << 30},
      {"TiB", int64_t{1} << 40},
      {"B", 1},
  };
  std::string digits = text;
  int64_t unit = 1;
  for (const auto& [suffix, bytes] : kSuffixes) {
    const std::string_view end = suffix;
    if (digits.size() > end.size() && digits.ends_with(end)) {
      digits.resize(digits.size() - end.size());
      unit = bytes;
      break;
    }
  }
  int64_t value = 0;
  if (!ReadInteger(digits, value) || value < 0 || value > kMostMemoryBytes / unit) return false;
  out = value * unit;
  return true;
}

template <typename Set>
Reader Bytes(int64_t low, int64_t high, Set set) {
  return [=](const std::string& text, ServerOptions& options) -> std::string {
    int64_t value = 0;
    if (!ReadBytes(text, value) || value < low || value > high) {
      return absl::StrCat("must be bytes (suffix KiB, MiB, GiB or TiB) in [", low, ", ", high, "]");
    }
    set(options, value);
    return "";
  };
}

Reader Text(std::string ServerOptions::*member) {
  return [member](const std::string& text, ServerOptions& options) -> std::string {
    options.*member = text;
    return "";
  };
}

// HOST and port of HOST:PORT or [HOST]:PORT; false where there is no such thing.
bool SplitAddress(const std::string& address, std::string& host, int64_t& port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  host = address.substr(0, colon);
  return ReadInteger(address.substr(colon + 1), port) && port >= 0 && port <= 65535;
}

std::string ReadListen(const std::string& text, ServerOptions& options) {
  std::vector<std::string> addresses;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const std::string address = text.substr(begin, comma - begin);
    std::string host;
    int64_t port = 0;
    const bool is_unix = address.starts_with("unix:") && address.size() > 5;
    if (!is_unix && !SplitAddress(address, host, port)) {
      return "must be HOST:PORT or unix:PATH, port in [0, 65535]";
    }
    addresses.push_back(address);
    begin = comma + 1;
  }
  options.listen = std::move(addresses);
  return "";
}

std::string ReadMetricsListen(const std::string& text, ServerOptions& options) {
  std::string host;
  int64_t port = 0;
  if (!text.empty() && !SplitAddress(text, host, port)) {
    return "must be HOST:PORT, port in [0, 65535], or empty";
  }
  options.metrics_listen = text;
  return "";
}

std::string ReadDevice(const std::string& text, ServerOptions& options) {
  if (text != "cpu" && text != "reference" && text != "auto" && !GpuNamed(text)) {
    return "must be cpu, reference, cuda:N (a GPU; cuda is the first) or auto";
  }
  options.device = text;
  return "";
}

std::string ReadMatrixPrecision(const std::string& text, ServerOptions& options) {
  const std::optional<MatrixPrecision> precision = ParseMatrixPrecision(text);
  if (!precision) return "must be fp32, 3xtf32 or tf32";
  options.matrix_precision = *precision;
  return "";
}

std::string ReadLogLevel(const std::string& text, ServerOptions& options) {
  const std::optional<LogLevel> level = ParseLogLevel(text);
  if (!level) return "must be debug, info, warning or error";
  options.log_level = *level;
  return "";
}

std::string ReadSwitch(const std::string& text, ServerOptions& options) {
  if (text != "true" && text != "false") return "must be true or false";
  options.insecure_allow_remote = text == "true";
  return "";
}

const std::vector<Flag>& Flags() {
  using O = ServerOptions;
  static const std::vector<Flag> flags = {
      {"listen", "HOST:PORT,...", "addresses to serve gRPC on; port 0 lets the system choose",
       ReadListen, [](const O& o) { return absl::StrJoin(o.listen, ","); }},
      {"insecure-allow-remote", nullptr,
       "serve plain text on addresses that other machines can reach", ReadSwitch,
       [](const O& o) { return std::string(o.insecure_allow_remote ? "true" : "false"); }},
      {"metrics-listen", "HOST:PORT", "address to serve Prometheus metrics on; empty: off",
       ReadMetricsListen, [](const O& o) { return o.metrics_listen; }},
      {"data-dir", "DIR", "folder with data sets found by name", Text(&O::data_dir),
       [](const O& o) { return o.data_dir; }},
      {"state-dir", "DIR", "folder for durable state; in this version state is in memory only",
       Text(&O::state_dir), [](const O& o) { return o.state_dir; }},
      {"device", "NAME", "cpu, reference, cuda:N, or auto: the first GPU, else the cpu", ReadDevice,
       [](const O& o) { return o.device; }},
      {"matrix-precision", "NAME", "of products on a GPU: fp32, 3xtf32 or tf32",
       ReadMatrixPrecision, [](const O& o) { return std::string(NameOf(o.matrix_precision)); }},
      {"threads", "N", "worker threads of the device; 0: all that the process may use",
       Integer(0, 1024, [](O& o, int64_t v) { o.threads = static_cast<int>(v); }),
       [](const O& o) { return absl::StrCat(o.threads); }},
      {"memory-limit", "BYTES",
       "bound on what device and data sets hold, e.g. 4GiB; 0: 80 % of the device",
       Bytes(0, kMostMemoryBytes, [](O& o, int64_t v) { o.memory_limit_bytes = v; }),
       [](const O& o) { return absl::StrCat(o.memory_limit_bytes); }},
      {"quantum-ms", "MS", "time a job has the device before another's turn",
       Integer(1, 10'000, [](O& o, int64_t v) { o.quantum = std::chrono::milliseconds(v); }),
       [](const O& o) { return absl::StrCat(o.quantum.count()); }},
      {"max-queued-jobs", "N", "jobs that may wait for a device",
       Integer(1, 1'000'000, [](O& o, int64_t v) { o.max_queued_jobs = v; }),
       [](const O& o) { return absl::StrCat(o.max_queued_jobs); }},
      {"max-calls", "N", "calls answered at a time, over all connections",
       Integer(1, 1'000'000, [](O& o, int64_t v) { o.max_calls = v; }),
       [](const O& o) { return absl::StrCat(o.max_calls); }},
      {"max-concurrent-streams", "N", "calls at a time on one connection",
       Integer(1, 1'000'000,
               [](O& o, int64_t v) { o.max_concurrent_streams = static_cast<int>(v); }),
       [](const O& o) { return absl::StrCat(o.max_concurrent_streams); }},
      {"max-message-bytes", "BYTES", "largest message accepted",
       Bytes(2 << 20, 1 << 30, [](O& o, int64_t v) { o.max_message_bytes = v; }),
       [](const O& o) { return absl::StrCat(o.max_message_bytes); }},
      {"drain-timeout", "SECONDS", "time that work has to finish after SIGTERM",
       Integer(0, 86'400, [](O& o, int64_t v) { o.drain_timeout = std::chrono::seconds(v); }),
       [](const O& o) { return absl::StrCat(o.drain_timeout.count()); }},
      {"io-threads", "N", "threads for files and transfers",
       Integer(1, 64, [](O& o, int64_t v) { o.io_threads = static_cast<int>(v); }),
       [](const O& o) { return absl::StrCat(o.io_threads); }},
      {"log-level", "LEVEL", "debug, info, warning or error; debug has a line per call",
       ReadLogLevel, [](const O& o) { return std::string(LogLevelName(o.log_level)); }},
  };
  return flags;
}

std::string EnvironmentName(const char* flag) {
  return "RIESZ_" + absl::AsciiStrToUpper(absl::StrReplaceAll(flag, {{"-", "_"}}));
}

void AddFlag(CLI::App& app, const Flag& flag, const ServerOptions& defaults, CommandLine& out) {
  const std::string dashed = absl::StrCat("--", flag.name);
  const auto read = [&flag, &out, dashed](const std::string& text) {
    const std::string complaint = flag.read(text, out.options);
    if (!complaint.empty()) {
      throw CLI::ValidationError(absl::StrCat(dashed, " ", complaint, ", got '", text, "'"),
                                 CLI::ExitCodes::ValidationError);
    }
  };
  CLI::Option* option = nullptr;
  if (flag.value == nullptr) {
    option = app.add_flag_function(
        dashed, [read](int64_t count) { read(count > 0 ? "true" : "false"); }, flag.help);
  } else {
    // Several --listen make one list.
    option = app.add_option_function<std::vector<std::string>>(
        dashed, [read](const std::vector<std::string>& all) { read(absl::StrJoin(all, ",")); },
        flag.help);
    option->expected(1)->type_name(flag.value)->default_str(flag.show(defaults));
    option->multi_option_policy(std::string_view(flag.name) == "listen"
                                    ? CLI::MultiOptionPolicy::TakeAll
                                    : CLI::MultiOptionPolicy::TakeLast);
  }
  option->envname(EnvironmentName(flag.name));
}

bool IsLoopback(const std::string& address) {
  if (address.starts_with("unix:")) return true;
  std::string host;
  int64_t port = 0;
  if (!SplitAddress(address, host, port)) return false;
  if (host == "localhost" || host == "[::1]") return true;
  // Digits only: a name like 127.example.org may be anywhere.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

std::string PrintConfig(const ServerOptions& options) {
  std::string text;
  for (const Flag& flag : Flags()) {
    absl::StrAppend(&text, flag.name, " = ", flag.show(options), "\n");
  }
  return text;
}

absl::Status CheckListenAddresses(const ServerOptions& options) {
  std::vector<std::string> addresses = options.listen;
  if (!options.metrics_listen.empty()) addresses.push_back(options.metrics_listen);
  for (const std::string& address : addresses) {
    if (options.insecure_allow_remote || IsLoopback(address)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen and --metrics-listen must be loopback addresses (127.x.x.x, [::1], localhost, "
        "unix:PATH) unless --insecure-allow-remote is given, as traffic is plain text; got '",
        address, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine out;
  std::error_code ignored;
  if (std::filesystem::is_directory(kDefaultDataDir, ignored)) {
    out.options.data_dir = kDefaultDataDir;
  }
  const ServerOptions defaults = out.options;

  CLI::App app("rieszd: distribution matching as a service (gRPC, riesz.v1)", "rieszd");
  for (const Flag& flag : Flags()) AddFlag(app, flag, defaults, out);
  bool print_config = false;
  app.add_flag("--print-config", print_config, "print what all options come to, and exit");
  app.set_version_flag("--version", absl::StrCat("rieszd ", kVersion, " ", kCommit));
  // CLI11 reports everything, --help included, by exception; none leaves this function.
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    RIESZ_RETURN_IF_ERROR(CheckListenAddresses(out.options));
    if (print_config) out.print_and_exit = PrintConfig(out.options);
  } catch (const CLI::CallForHelp&) {
    out.print_and_exit = app.help();
  } catch (const CLI::CallForVersion& version) {
    out.print_and_exit = absl::StrCat(version.what(), "\n");
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return out;
}

}  // namespace riesz
