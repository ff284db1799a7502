// Every backend against numbers that numpy and scipy made (make_golden.py says how).
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/contract/contract.h"
#include "tests/contract/oracle.h"

namespace riesz::contract {
namespace {

struct Case {
  std::string name;
  Points x{0, 0}, y{0, 0};
  std::map<double, double> v, u;                // exponent -> energy distance
  std::map<double, std::vector<double>> slope;  // exponent -> n dD^2/dx
};

template <class T>
std::vector<T> ReadNumbers(std::istream& in, size_t count) {
  std::vector<T> numbers(count);
  for (T& number : numbers) in >> number;
  return numbers;
}

std::vector<Case> ReadCases() {
  std::ifstream file(RIESZ_GOLDEN_FILE);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string key;
    in >> key;
    if (key == "#") continue;
    if (key == "case") {
      Case c;
      int64_t n = 0, m = 0, d = 0;
      in >> c.name >> n >> m >> d;
      c.x = Points(n, d);
      c.y = Points(m, d);
      cases.push_back(std::move(c));
      continue;
    }
    Case& c = cases.back();
    if (key == "x" || key == "y") {
      Points& p = key == "x" ? c.x : c.y;
      p.values = ReadNumbers<float>(in, p.values.size());
    } else if (key == "exact") {
      std::string estimator;
      double r = 0;
      in >> estimator >> r;
      in >> (estimator == "v" ? c.v : c.u)[r];
    } else if (key == "gradient") {
      double r = 0;
      in >> r;
      c.slope[r] = ReadNumbers<double>(in, c.x.values.size());
    } else {
      ADD_FAILURE() << "unknown record " << key;
    }
    EXPECT_FALSE(in.fail()) << c.name << ": " << key;
  }
  return cases;
}

class Golden : public BackendContract {
 protected:
  const std::vector<Case> cases_ = ReadCases();
};
RIESZ_ON_EVERY_BACKEND(Golden);

TEST_P(Golden, FileHoldsEveryCase) {
  ASSERT_EQ(cases_.size(), 9u);
  for (const Case& c : cases_) {
    EXPECT_EQ(c.v.size(), 5u) << c.name;
    EXPECT_EQ(c.slope.size(), 5u) << c.name;
    EXPECT_EQ(c.u.size(), c.name == "pair" ? 0u : 5u) << c.name;
  }
}

// The bound is what float32 arithmetic may do to a pair (oracle.h); the 1e-12 is the rounding of
// the golden sums themselves.
TEST_P(Golden, DistancesAreThoseOfScipy) {
  for (const Case& c : cases_) {
    for (const Estimator estimator : {Estimator::kV, Estimator::kU}) {
      for (const auto& [r, value] : estimator == Estimator::kV ? c.v : c.u) {
        const Bounded oracle = ExactDistance(c.x, c.y, r, estimator);
        EXPECT_NEAR(oracle.value, value, 1e-10) << c.name << " " << r;
        EXPECT_NEAR(Exact(c.x, c.y, r, estimator), value, oracle.bound + 1e-12)
            << c.name << " " << r;
        if (c.x.d == 1 && r == 1) {
          const DirectionSpec any{.count = 3};
          EXPECT_NEAR(Sliced(c.x, c.y, any, estimator).energy_distance, value, oracle.bound + 1e-12)
              << c.name;
        }
      }
    }
  }
}

TEST_P(Golden, GradientsAreThoseOfNumpy) {
  for (const Case& c : cases_) {
    const auto n = static_cast<double>(c.x.n);
    for (const auto& [r, slope] : c.slope) {
      const BoundedVelocity oracle = ExactVelocity(c.x, c.y, r);
      const std::vector<float> gradient = ExactGradient(c.x, c.y, r).values;
      for (size_t e = 0; e < slope.size(); ++e) {
        const double bound = oracle.bound[e / static_cast<size_t>(c.x.d)];
        EXPECT_NEAR(n * gradient[e], slope[e], bound + 1e-12) << c.name << " " << r << " " << e;
      }
    }
  }
}

}  // namespace
}  // namespace riesz::contract
