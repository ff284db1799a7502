// Pictures are decoded again by libpng and looked at.
#include "client/cli/picture.h"

#include <gmock/gmock.h>
#include <png.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "client/cli/font.h"
#include "client/cli/image_grid.h"
#include "client/cli/scatter.h"

namespace riesz::cli {
namespace {

using testing::ElementsAre;

Picture Decode(const std::string& path, int32_t channels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
  EXPECT_EQ(image.format,
            static_cast<png_uint_32>(channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY));
  Picture out = Picture::Filled(static_cast<int32_t>(image.width),
                                static_cast<int32_t>(image.height), channels, 0);
  EXPECT_NE(png_image_finish_read(&image, nullptr, out.pixels.data(), 0, nullptr), 0);
  return out;
}

TEST(PictureTest, PngDecodesToTheSamePixels) {
  for (const int32_t channels : {1, 3}) {
    Picture picture = Picture::Filled(7, 5, channels, 0);
    for (size_t i = 0; i < picture.pixels.size(); ++i) {
      picture.pixels[i] = static_cast<uint8_t>(i * 2);
    }
    const std::string path = testing::TempDir() + "riesz_picture.png";
    ASSERT_TRUE(WritePng(path, picture).ok());
    const Picture decoded = Decode(path, channels);
    EXPECT_EQ(decoded.width, 7);
    EXPECT_EQ(decoded.height, 5);
    EXPECT_EQ(decoded.pixels, picture.pixels);
    std::filesystem::remove(path);
  }
}

TEST(PictureTest, APlaceThatCannotBeWrittenIsNamed) {
  const absl::Status status = WritePng("/no/such/folder/a.png", Picture::Filled(1, 1, 1, 0));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("/no/such/folder/a.png"));
}

TEST(ImageGridTest, ImagesStandInOrderAndValuesAreClamped) {
  // Three grey images of 1 x 2 pixels in two columns: gaps of two pixels around each.
  Matrix images(3, 2);
  const float values[] = {0, 1, -5, 7, 0.5f, std::numeric_limits<float>::quiet_NaN()};
  std::copy(std::begin(values), std::end(values), images.data());
  const auto picture =
      DrawGrid({images.view()},
               {.shape = {.channels = 1, .height = 1, .width = 2}, .columns = 2, .zoom = 1});
  ASSERT_TRUE(picture.ok()) << picture.status();
  Picture p = *picture;
  EXPECT_EQ(p.width, 2 + 2 * 4);
  EXPECT_EQ(p.height, 2 + 2 * 3);
  EXPECT_EQ(*p.at(2, 2), 0);
  EXPECT_EQ(*p.at(3, 2), 255);
  EXPECT_EQ(*p.at(6, 2), 0);
  EXPECT_EQ(*p.at(7, 2), 255);
  EXPECT_EQ(*p.at(2, 5), 128);
  EXPECT_EQ(*p.at(3, 5), 0);
  EXPECT_EQ(*p.at(0, 0), 32);  // the gap
  EXPECT_EQ(*p.at(6, 5), 32);  // the place of a fourth image
}

TEST(ImageGridTest, ColoursArePlanesAndZoomRepeatsPixels) {
  Matrix image(1, 3);
  image.data()[1] = 1;  // green
  const auto picture = DrawGrid(
      {image.view()}, {.shape = {.channels = 3, .height = 1, .width = 1}, .columns = 1, .zoom = 3});
  ASSERT_TRUE(picture.ok()) << picture.status();
  Picture p = *picture;
  for (int32_t y = 2; y < 5; ++y) {
    for (int32_t x = 2; x < 5; ++x) {
      EXPECT_THAT(std::vector<int>(p.at(x, y), p.at(x, y) + 3), ElementsAre(0, 255, 0));
    }
  }
}

TEST(ImageGridTest, EachSourceBeginsALine) {
  const Matrix two(2, 1);
  const Matrix one(1, 1);
  const auto picture =
      DrawGrid({two.view(), one.view(), two.view()},
               {.shape = {.channels = 1, .height = 1, .width = 1}, .columns = 10, .zoom = 1});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width, 2 + 2 * 3);
  EXPECT_EQ(picture->height, 2 + 3 * 3);
}

TEST(ImageGridTest, ShapesThatDoNotFitAndPicturesTooLargeAreRefused) {
  const Matrix images(1, 5);
  const auto wrong =
      DrawGrid({images.view()},
               {.shape = {.channels = 1, .height = 2, .width = 2}, .columns = 1, .zoom = 1});
  EXPECT_EQ(wrong.status().message(), "--shape must be of 5 values, as the particles, got 1x2x2");
  const auto large =
      DrawGrid({images.view()},
               {.shape = {.channels = 1, .height = 1, .width = 5}, .columns = 1, .zoom = 1 << 14});
  EXPECT_EQ(large.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(FontTest, GlyphsHaveTheirDotsAndAreClipped) {
  Picture picture = Picture::Filled(7, 7, 3, 255);
  DrawText(picture, "L", 0, 0, 1, {0, 0, 0});
  for (int32_t y = 0; y < 7; ++y) {
    EXPECT_EQ(*picture.at(0, y), 0);
    EXPECT_EQ(*picture.at(4, y), y == 6 ? 0 : 255);
  }
  DrawText(picture, "clipped \xc3\xa9", -3, -3, 2, {0, 0, 0});  // must stay within the memory
  EXPECT_EQ(TextWidth("ab", 2), 24);
}

TEST(ScatterTest, TicksAreRoundNumbersWithinTheRange) {
  EXPECT_THAT(Ticks(-3.2, 3.2, 6), ElementsAre(-3, -2, -1, 0, 1, 2, 3));
  EXPECT_THAT(Ticks(0, 1, 5),
              ElementsAre(0, testing::DoubleEq(0.2), testing::DoubleEq(0.4),
                          testing::DoubleNear(0.6, 1e-12), testing::DoubleEq(0.8), 1));
  EXPECT_EQ(TickLabel(0.2, 0.2), "0.2");
  EXPECT_EQ(TickLabel(-3, 1), "-3");
  EXPECT_EQ(TickLabel(1500, 500), "1500");
  EXPECT_EQ(TickLabel(0.25, 0.05), "0.25");
}

TEST(ScatterTest, DotsLandWhereTheAxesSay) {
  // The corners of a square: the axes' ranges are 8 % wider, so a corner lies 0.04 / 1.08 of the
  // plot inside its border, and the y axis points up.
  Matrix points(2, 2);
  points.row(1)[0] = 1;
  points.row(1)[1] = 1;
  const auto picture = DrawScatter({{.label = "x", .points = points.view()}}, {0, 1});
  ASSERT_TRUE(picture.ok()) << picture.status();
  Picture p = *picture;
  const auto inset = static_cast<int32_t>(760 * 0.04 / 1.08);
  const int32_t left = 90 + inset;
  const int32_t right = 90 + 760 - inset;
  const int32_t top = 60 + inset;
  const int32_t bottom = 60 + 760 - inset;
  const auto blue = [&](int32_t x, int32_t y) { return p.at(x, y)[2] > p.at(x, y)[0] + 50; };
  EXPECT_TRUE(blue(left, bottom));
  EXPECT_TRUE(blue(right, top));
  EXPECT_FALSE(blue(left, top));
  EXPECT_FALSE(blue(right, bottom));
}

TEST(ScatterTest, DegenerateSetsAreDrawnToo) {
  Matrix points(2, 2);
  for (const float value : {0.0f, 5e8f, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    std::fill(points.data(), points.data() + points.size(), value);
    EXPECT_TRUE(DrawScatter({{.label = "x", .points = points.view()}}, {0, 1}).ok()) << value;
  }
}

TEST(ScatterTest, CoordinatesBeyondTheDimensionAreRefused) {
  const Matrix points(2, 2);
  EXPECT_EQ(DrawScatter({{.label = "x", .points = points.view()}}, {0, 2}).status().message(),
            "--coordinates must be below 2, the dimension of x, got 0,2");
}

}  // namespace
}  // namespace riesz::cli
