#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/image_grid.h"
#include "client/cli/operand.h"
#include "client/cli/scatter.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

constexpr int64_t kLargestCount = 1 << 16;  // images, or columns, of one picture

absl::Status Write(Session& session, const std::string& path, const Picture& picture) {
  RIESZ_RETURN_IF_ERROR(FileError(WritePng(path, picture)));
  session.output().Answer(
      {{"path", path}, {"width", int64_t{picture.width}}, {"height", int64_t{picture.height}}},
      absl::StrCat(path, ": ", picture.width, " x ", picture.height, " pixels"));
  return absl::OkStatus();
}

struct GridOptions {
  std::vector<std::string> sources;
  std::string shape, out;
  int64_t count = 100;
  int64_t columns = 0;
  int32_t zoom = 0;
};

void DeclareGrid(CLI::App& sub, GridOptions& options) {
  sub.add_option("--shape", options.shape, "HxW or CxHxW; default: the source's own");
  sub.add_option("--zoom", options.zoom, "Pixels a side for each pixel; default: about 56 an image")
      ->check(CLI::Range(1, 64));
  sub.add_option("--out", options.out, "Where to write the PNG")->required();
}

absl::Status Draw(Session& session, const GridOptions& options, int64_t rows_per_source,
                  int64_t columns) {
  std::vector<LoadedParticles> loaded;
  GridLayout layout;
  layout.columns = columns;
  for (const std::string& source : options.sources) {
    RIESZ_ASSIGN_OR_RETURN(loaded.emplace_back(), Load(session, source, rows_per_source));
  }
  if (!options.shape.empty()) {
    RIESZ_ASSIGN_OR_RETURN(layout.shape, ParseShape(options.shape));
  } else if (loaded[0].shape) {
    layout.shape = *loaded[0].shape;
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        options.sources[0], " has no sample_shape: --shape HxW or CxHxW must say how its ",
        loaded[0].rows.cols(), " coordinates are an image"));
  }
  layout.zoom = options.zoom > 0 ? options.zoom : DefaultZoom(layout.shape);
  std::vector<MatrixView> views;
  for (const LoadedParticles& particles : loaded) views.push_back(particles.rows.view());
  RIESZ_ASSIGN_OR_RETURN(const Picture picture, DrawGrid(views, layout));
  return Write(session, options.out, picture);
}

// As square as the images are.
int64_t SquareColumns(int64_t count) {
  return static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
}

absl::Status RunGrid(Session& session, const GridOptions& options) {
  return Draw(session, options, options.count,
              options.columns > 0 ? options.columns : SquareColumns(options.count));
}

absl::Status RunRows(Session& session, const GridOptions& options) {
  return Draw(session, options, options.columns, options.columns);
}

struct PlotOptions {
  std::vector<std::string> sources;
  std::string coordinates = "0,1";
  std::string out;
  int64_t count = 20000;
};

absl::Status RunPlot(Session& session, const PlotOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(const auto coordinates, ParseCoordinates(options.coordinates));
  std::vector<LoadedParticles> loaded;
  std::vector<Series> series;
  for (const std::string& source : options.sources) {
    RIESZ_ASSIGN_OR_RETURN(loaded.emplace_back(), Load(session, source, options.count));
  }
  for (size_t i = 0; i < loaded.size(); ++i) {
    series.push_back({.label = options.sources[i], .points = loaded[i].rows.view()});
  }
  RIESZ_ASSIGN_OR_RETURN(const Picture picture, DrawScatter(series, coordinates));
  return Write(session, options.out, picture);
}

}  // namespace

void AddPictureCommands(CLI::App& app, Command& command) {
  CLI::App& image = AddGroup(app, "image", "Pictures of particles that are images");
  AddCommand<GridOptions>(
      image, command, "grid", "The first images of one source, as a PNG",
      [](CLI::App& sub, GridOptions& options) {
        sub.add_option("SOURCE", options.sources, kOperandHelp)->required()->expected(1);
        sub.add_option("--count", options.count, "Images")
            ->capture_default_str()
            ->check(CLI::Range(int64_t{1}, kLargestCount));
        sub.add_option("--columns", options.columns, "Images a line; default: a square")
            ->check(CLI::Range(int64_t{1}, kLargestCount));
        DeclareGrid(sub, options);
      },
      RunGrid);
  AddCommand<GridOptions>(
      image, command, "rows", "Several sources, one line of images each, as a PNG",
      [](CLI::App& sub, GridOptions& options) {
        options.columns = 10;
        sub.add_option("SOURCES", options.sources, kOperandHelp)->required();
        sub.add_option("--columns", options.columns, "Images a line")
            ->capture_default_str()
            ->check(CLI::Range(int64_t{1}, kLargestCount));
        DeclareGrid(sub, options);
      },
      RunRows);
  AddCommand<PlotOptions>(
      app, command, "plot", "Two coordinates of several sources as a scatter plot (PNG)",
      [](CLI::App& sub, PlotOptions& options) {
        sub.add_option("SOURCES", options.sources, kOperandHelp)->required();
        sub.add_option("--coordinates", options.coordinates, "I,J: the two coordinates")
            ->capture_default_str();
        sub.add_option("--count", options.count, "Points of each source at most")
            ->capture_default_str()
            ->check(CLI::PositiveNumber);
        sub.add_option("--out", options.out, "Where to write the PNG")->required();
      },
      RunPlot);
}

}  // namespace riesz::cli
