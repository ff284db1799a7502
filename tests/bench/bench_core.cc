// riesz_bench_core: times a backend's operations in process. One JSON line a case.
//
//   riesz_bench_core sliced N M d P [options]        sliced gradient, r = 1
//   riesz_bench_core sliced-value N M d P [options]  sliced energy distance
//   riesz_bench_core exact-value N M d [options]
//   riesz_bench_core exact-gradient N M d [options]
//   riesz_bench_core flow-step N M d P [options]
//
// --device is cpu (default) or cuda:N, with --matrix-precision fp32, 3xtf32 or tf32.
// Random data unless files are given: x standard normal, y standard normal + 0.1. With --x and --y
// (float32 .npy, C order) N, M and d are left out. --out writes the gradient as float32 .npy.
// A measured call is whole: it allocates, packs both ensembles, draws fresh directions and returns
// the result in the device's memory. A flow step reuses its stepper, as flows do.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/make_backend.h"
#include "core/random.h"

namespace {

using riesz::Budget;

struct Options {
  std::string method;
  riesz::ProblemShape shape;
  riesz::DirectionSpec directions;
  std::string direction_name = "orthogonal";
  double exponent = 1;
  int repeats = 5;
  riesz::BackendOptions backend;
  std::string device = "cpu";
  std::string x_file, y_file, out_file;
};

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "riesz_bench_core: %s\n", message.c_str());
  std::exit(2);
}

template <typename T>
T OrFail(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status().ToString());
  return *std::move(value);
}

struct Table {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<float> values;
};

// Version 1.0 .npy, little-endian float32, C order, two dimensions: what numpy.save writes.
Table ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[10];
  if (!file.read(magic, sizeof magic) || std::memcmp(magic, "\x93NUMPY\x01", 7) != 0) {
    Fail(path + " is not an .npy file of version 1");
  }
  const int length = static_cast<unsigned char>(magic[8]) | static_cast<unsigned char>(magic[9])
                                                                << 8;
  std::string header(static_cast<size_t>(length), ' ');
  file.read(header.data(), length);
  Table table;
  const size_t shape = header.find("'shape': (");
  if (header.find("'<f4'") == std::string::npos || header.find("False") == std::string::npos ||
      shape == std::string::npos ||
      std::sscanf(header.c_str() + shape, "'shape': (%ld, %ld)", &table.rows, &table.cols) != 2) {
    Fail(path + " must hold a two-dimensional float32 array in C order");
  }
  table.values.resize(static_cast<size_t>(table.rows * table.cols));
  const auto bytes = static_cast<std::streamsize>(table.values.size() * sizeof(float));
  if (!file.read(reinterpret_cast<char*>(table.values.data()), bytes)) Fail(path + " is cut off");
  return table;
}

void WriteNpy(const std::string& path, const Table& table) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(table.rows) + ", " + std::to_string(table.cols) + "), }";
  header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');
  header.push_back('\n');
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  const char length[2] = {static_cast<char>(header.size() & 0xff),
                          static_cast<char>(header.size() >> 8)};
  file.write(length, 2);
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(reinterpret_cast<const char*>(table.values.data()),
             static_cast<std::streamsize>(table.values.size() * sizeof(float)));
  if (!file.flush()) Fail("cannot write " + path);
}

Table Normals(int64_t rows, int64_t cols, uint64_t seed, float shift) {
  Table table{rows, cols, std::vector<float>(static_cast<size_t>(rows * cols))};
  for (int64_t i = 0; i < rows; ++i) {
    float* row = table.values.data() + i * cols;
    riesz::FillNormals(seed, riesz::RandomStream::kGenerator, 0, static_cast<uint64_t>(i), row,
                       cols);
    for (int64_t k = 0; k < cols; ++k) row[k] += shift;
  }
  return table;
}

std::shared_ptr<const riesz::DeviceEnsemble> Load(riesz::Backend& backend, const Table& table) {
  auto buffer = OrFail(backend.NewEnsemble(table.rows, table.cols));
  const auto bytes = static_cast<int64_t>(table.values.size() * sizeof(float));
  auto memory = OrFail(buffer->Map(0, bytes));
  std::memcpy(memory.data(), table.values.data(), memory.size());
  if (!buffer->Commit().ok()) Fail("the backend refused the ensemble");
  return OrFail(buffer->Seal());
}

riesz::DirectionKind KindNamed(const std::string& name) {
  if (name == "iid") return riesz::DirectionKind::kIid;
  if (name == "orthogonal") return riesz::DirectionKind::kOrthogonal;
  if (name == "low-discrepancy") return riesz::DirectionKind::kLowDiscrepancy;
  if (name == "structured") return riesz::DirectionKind::kStructured;
  Fail("--directions is iid, orthogonal, low-discrepancy or structured");
}

Options Parse(int argc, char** argv) {
  Options o;
  if (argc < 2)
    Fail("usage: sliced|sliced-value|exact-value|exact-gradient|flow-step N M d [P] ...");
  o.method = argv[1];
  std::vector<int64_t> sizes;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      sizes.push_back(std::atoll(argv[i]));
      continue;
    }
    if (++i == argc) Fail(word + " needs a value");
    const std::string value = argv[i];
    if (word == "--directions") {
      o.directions.kind = KindNamed(value);
      o.direction_name = value;
    } else if (word == "--repeats") {
      o.repeats = std::max(1, std::atoi(value.c_str()));
    } else if (word == "--threads") {
      o.backend.threads = std::atoi(value.c_str());
    } else if (word == "--device") {
      o.device = value;
    } else if (word == "--matrix-precision") {
      const auto precision = riesz::ParseMatrixPrecision(value);
      if (!precision) Fail("--matrix-precision is fp32, 3xtf32 or tf32");
      o.backend.matrix_precision = *precision;
    } else if (word == "--seed") {
      o.directions.seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (word == "--exponent") {
      o.exponent = std::atof(value.c_str());
    } else if (word == "--x") {
      o.x_file = value;
    } else if (word == "--y") {
      o.y_file = value;
    } else if (word == "--out") {
      o.out_file = value;
    } else {
      Fail("unknown option " + word);
    }
  }
  const bool files = !o.x_file.empty() && !o.y_file.empty();
  const size_t want = (files ? 0 : 3) + (o.method.rfind("exact", 0) == 0 ? 0 : 1);
  if (sizes.size() != want) Fail(o.method + " takes " + std::to_string(want) + " numbers here");
  if (!files) o.shape = {sizes[0], sizes[1], sizes[2]};
  if (o.method.rfind("exact", 0) != 0) o.directions.count = sizes.back();
  return o;
}

// Processor time of all threads so far: what a run takes when others use the machine too.
double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Finish(riesz::Operation& operation) {
  Budget budget = Budget::Unlimited();
  if (OrFail(operation.Run(budget, {})) != riesz::RunResult::kDone) Fail("the operation stopped");
}

}  // namespace

int main(int argc, char** argv) {
  Options o = Parse(argc, argv);
  const auto backend = OrFail(riesz::MakeBackend(o.device, o.backend));
  const Table x_table = o.x_file.empty() ? Normals(o.shape.n, o.shape.d, 1, 0) : ReadNpy(o.x_file);
  const Table y_table =
      o.y_file.empty() ? Normals(o.shape.m, o.shape.d, 2, 0.1f) : ReadNpy(o.y_file);
  o.shape = {x_table.rows, y_table.rows, x_table.cols};
  const auto x = Load(*backend, x_table);
  const auto y = Load(*backend, y_table);

  const bool exact = o.method.rfind("exact", 0) == 0;
  const bool value = o.method == "sliced-value" || o.method == "exact-value";
  const riesz::Method method = exact ? riesz::Method::kExact : riesz::Method::kSliced;
  riesz::EnergyDistanceSpec value_spec{
      .method = method, .exponent = o.exponent, .directions = o.directions};
  riesz::GradientSpec gradient_spec{
      .method = method, .exponent = o.exponent, .directions = o.directions};
  riesz::FlowSpec flow_spec;
  flow_spec.directions = o.directions;
  std::shared_ptr<const riesz::DeviceEnsemble> gradient;
  std::unique_ptr<riesz::FlowStepper> stepper;
  riesz::WorkEstimate estimate;
  double result = 0;
  std::function<void()> work;
  if (o.method == "flow-step") {
    stepper = OrFail(backend->NewFlowStepper(x, y, flow_spec));
    estimate = backend->Estimate(o.shape, flow_spec);
    work = [&] {
      Budget budget = Budget::Unlimited();
      if (OrFail(stepper->Step(budget, {}, true)) != riesz::RunResult::kDone) Fail("stopped");
      result = stepper->measurement()->energy_distance;
    };
  } else if (value) {
    estimate = backend->Estimate(o.shape, value_spec);
    work = [&] {
      auto operation = OrFail(backend->NewEnergyDistance(x, y, value_spec));
      Finish(*operation);
      result = operation->result().energy_distance;
      ++value_spec.directions.seed;
    };
  } else if (o.method == "sliced" || o.method == "exact-gradient") {
    estimate = backend->Estimate(o.shape, gradient_spec);
    work = [&] {
      gradient.reset();  // as a caller who is done with the last one
      auto operation = OrFail(backend->NewGradient(x, y, gradient_spec));
      Finish(*operation);
      gradient = operation->gradient();
      result = operation->summary().rms_velocity;
      ++gradient_spec.directions.seed;
    };
  } else {
    Fail("unknown method " + o.method);
  }

  // Pages, clocks, and a processor of its own for every thread, which the system takes its time to
  // find; the peer's process has had all that since its first case.
  constexpr double kWarmUpSeconds = 0.5;
  for (double warm = 0; warm < kWarmUpSeconds;) warm += Seconds(work);
  std::vector<double> times;
  const double processor_start = ProcessorSeconds();
  for (int i = 0; i < o.repeats; ++i) times.push_back(Seconds(work));
  const double processor_s = (ProcessorSeconds() - processor_start) / o.repeats;
  std::sort(times.begin(), times.end());
  if (!o.out_file.empty() && gradient != nullptr) {
    Table table{o.shape.n, o.shape.d,
                std::vector<float>(static_cast<size_t>(o.shape.n * o.shape.d))};
    if (!backend->Download(*gradient, 0, table.values).ok()) Fail("download failed");
    WriteNpy(o.out_file, table);
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const riesz::BackendReport report = backend->Report();
  std::printf(
      "{\"case\": \"%s\", \"n\": %ld, \"m\": %ld, \"d\": %ld, \"p\": %ld, \"directions\": \"%s\", "
      "\"threads\": %d, \"median_s\": %.6f, \"min_s\": %.6f, \"max_s\": %.6f, \"processor_s\": "
      "%.6f, \"repeats\": %d, "
      "\"result\": %.9g, \"scratch_bytes\": %ld, \"estimate_s\": %.6f, \"peak_rss_bytes\": %ld, "
      "\"device\": \"%s\"}\n",
      o.method.c_str(), o.shape.n, o.shape.m, o.shape.d, exact ? 0 : o.directions.count,
      o.direction_name.c_str(), report.threads, times[times.size() / 2], times.front(),
      times.back(), processor_s, o.repeats, result, estimate.scratch_bytes, estimate.seconds,
      usage.ru_maxrss * 1024L, report.description.c_str());
  return 0;
}
