#include "client/cli/scatter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/font.h"
#include "core/error.h"

namespace riesz::cli {
namespace {

constexpr int32_t kLeft = 90, kRight = 30, kTop = 60, kBottom = 70;
constexpr int32_t kPlot = 760;  // pixels a side of the square of dots
constexpr int32_t kZoom = 2;    // of the text
constexpr int kTicks = 6;
constexpr double kMargin = 0.04;  // free space around the dots, of the range
constexpr Color kInk = {40, 40, 40};
constexpr Color kGridLine = {225, 225, 225};

// Okabe and Ito's colours, which colour-blind readers tell apart.
constexpr Color kColors[] = {{0, 114, 178}, {230, 159, 0},  {0, 158, 115},  {204, 121, 167},
                             {213, 94, 0},  {86, 180, 233}, {240, 228, 66}, {0, 0, 0}};

struct Axis {
  double low = 0, high = 1;
  double position(double value) const { return (value - low) / (high - low) * kPlot; }
};

// Blends a dot's coverage into the picture; its edge falls off over one pixel.
void DrawDot(Picture& picture, double x, double y, double radius, double opacity, Color color) {
  const auto first = [](double v, double r) { return static_cast<int32_t>(std::floor(v - r)); };
  const auto reach = static_cast<int32_t>(std::ceil(2 * radius)) + 2;
  for (int32_t j = first(y, radius); j < first(y, radius) + reach; ++j) {
    for (int32_t i = first(x, radius); i < first(x, radius) + reach; ++i) {
      if (i < 0 || j < 0 || i >= picture.width || j >= picture.height) continue;
      const double distance = std::hypot(i + 0.5 - x, j + 0.5 - y);
      const double cover = opacity * std::clamp(radius + 0.5 - distance, 0.0, 1.0);
      uint8_t* const pixel = picture.at(i, j);
      for (int c = 0; c < 3; ++c) {
        pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] * (1 - cover) + color[c] * cover));
      }
    }
  }
}

void DrawLine(Picture& picture, int32_t x0, int32_t y0, int32_t x1, int32_t y1, Color color) {
  for (int32_t y = y0; y <= y1; ++y) {
    for (int32_t x = x0; x <= x1; ++x) std::copy(color.begin(), color.end(), picture.at(x, y));
  }
}

bool Finite(float x, float y) { return std::isfinite(x) && std::isfinite(y); }

// Both axes with one scale, around the dots' middle.
std::pair<Axis, Axis> FitAxes(const std::vector<Series>& series, int64_t i, int64_t j) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double low[2] = {kInfinity, kInfinity};
  double high[2] = {-kInfinity, -kInfinity};
  for (const Series& s : series) {
    for (int64_t n = 0; n < s.points.rows; ++n) {
      const auto row = s.points.row(n);
      const float point[2] = {row[static_cast<size_t>(i)], row[static_cast<size_t>(j)]};
      if (!Finite(point[0], point[1])) continue;
      for (int axis = 0; axis < 2; ++axis) {
        low[axis] = std::min<double>(low[axis], point[axis]);
        high[axis] = std::max<double>(high[axis], point[axis]);
      }
    }
  }
  if (low[0] > high[0]) return {};
  double range = std::max(high[0] - low[0], high[1] - low[1]) * (1 + 2 * kMargin);
  // All dots at one place, up to rounding: any range will do that tick labels can tell apart.
  const double size =
      std::max({std::fabs(low[0]), std::fabs(low[1]), std::fabs(high[0]), std::fabs(high[1])});
  if (range <= size * 1e-6) range = std::max(1.0, size);
  const auto axis = [&](int a) {
    const double middle = (low[a] + high[a]) / 2;
    return Axis{middle - range / 2, middle + range / 2};
  };
  return {axis(0), axis(1)};
}

void DrawAxes(Picture& picture, const Axis& x, const Axis& y, std::pair<int64_t, int64_t> names) {
  const std::vector<double> x_ticks = Ticks(x.low, x.high, kTicks);
  const std::vector<double> y_ticks = Ticks(y.low, y.high, kTicks);
  const double spacing = x_ticks.size() > 1 ? x_ticks[1] - x_ticks[0] : x.high - x.low;
  const int32_t bottom = kTop + kPlot;
  for (const double tick : x_ticks) {
    const auto at = kLeft + static_cast<int32_t>(std::lround(x.position(tick)));
    DrawLine(picture, at, kTop, at, bottom, kGridLine);
    DrawLine(picture, at, bottom, at, bottom + 6, kInk);
    const std::string label = TickLabel(tick, spacing);
    DrawText(picture, label, at - (TextWidth(label, kZoom) - kZoom) / 2, bottom + 12, kZoom, kInk);
  }
  for (const double tick : y_ticks) {
    const auto at = bottom - static_cast<int32_t>(std::lround(y.position(tick)));
    DrawLine(picture, kLeft, at, kLeft + kPlot, at, kGridLine);
    DrawLine(picture, kLeft - 6, at, kLeft, at, kInk);
    const std::string label = TickLabel(tick, spacing);
    DrawText(picture, label, kLeft - 12 - TextWidth(label, kZoom), at - kGlyphHeight, kZoom, kInk);
  }
  DrawLine(picture, kLeft, bottom, kLeft + kPlot, bottom, kInk);
  DrawLine(picture, kLeft, kTop, kLeft, bottom, kInk);
  const std::string x_name = absl::StrCat("coordinate ", names.first);
  DrawText(picture, x_name, kLeft + (kPlot - TextWidth(x_name, kZoom)) / 2, bottom + 40, kZoom,
           kInk);
  DrawText(picture, absl::StrCat("coordinate ", names.second), 12, kTop - 24, kZoom, kInk);
}

void DrawLegend(Picture& picture, const std::vector<Series>& series) {
  int32_t left = kLeft;
  for (size_t s = 0; s < series.size(); ++s) {
    const std::string label = absl::StrCat(series[s].label, " (", series[s].points.rows, ")");
    DrawDot(picture, left + 7, 19, 6, 1, kColors[s % std::size(kColors)]);
    DrawText(picture, label, left + 20, 12, kZoom, kInk);
    left += 20 + TextWidth(label, kZoom) + 24;
  }
}

}  // namespace

std::vector<double> Ticks(double low, double high, int wanted) {
  const double rough = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double lead = rough / power;
  const double step = power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  for (double k = std::ceil(low / step); k * step <= high; ++k) ticks.push_back(k * step + 0.0);
  return ticks;
}

std::string TickLabel(double value, double spacing) {
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(spacing) + 1e-9)));
  if (decimals > 5 || std::fabs(value) >= 1e6) return absl::StrFormat("%.4g", value);
  return absl::StrFormat("%.*f", decimals, value);
}

absl::StatusOr<Picture> DrawScatter(const std::vector<Series>& series,
                                    std::pair<int64_t, int64_t> coordinates) {
  const auto [i, j] = coordinates;
  int64_t most = 1;
  for (const Series& s : series) {
    if (std::max(i, j) >= s.points.cols) {
      return InvalidField("--coordinates",
                          absl::StrCat("below ", s.points.cols, ", the dimension of ", s.label),
                          absl::StrCat(i, ",", j));
    }
    most = std::max(most, s.points.rows);
  }
  Picture picture =
      Picture::Filled(kLeft + kPlot + kRight, kTop + kPlot + kBottom, /*channels=*/3, 255);
  const auto [x, y] = FitAxes(series, i, j);
  DrawAxes(picture, x, y, coordinates);
  DrawLegend(picture, series);
  // Many dots are small and thin, so that dense places are seen.
  const double radius = most > 5000 ? 1.5 : most > 500 ? 2.5 : 4;
  const double opacity = most > 5000 ? 0.35 : most > 500 ? 0.55 : 0.8;
  for (size_t s = 0; s < series.size(); ++s) {
    for (int64_t n = 0; n < series[s].points.rows; ++n) {
      const auto row = series[s].points.row(n);
      const float px = row[static_cast<size_t>(i)];
      const float py = row[static_cast<size_t>(j)];
      if (!Finite(px, py)) continue;
      DrawDot(picture, kLeft + x.position(px), kTop + kPlot - y.position(py), radius, opacity,
              kColors[s % std::size(kColors)]);
    }
  }
  return picture;
}

}  // namespace riesz::cli
