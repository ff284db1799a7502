"""What goes up comes down: files of every kind, ensembles by name."""

import gzip
import pathlib
import struct

import numpy

from service import DATA_SETS, ServiceTest


class Transfer(ServiceTest):
    def put(self, name, file, *flags):
        return self.riesz_json("ensemble", "put", name, file, *flags)["ensemble"]

    def get(self, name):
        self.riesz("ensemble", "get", name, f"{name}.out.npy")
        return numpy.load(self.folder / f"{name}.out.npy")

    def write_idx(self, path, content, opener=open):
        header = struct.pack(">HBB", 0, 8, content.ndim) + struct.pack(
            f">{content.ndim}I", *content.shape)
        with opener(self.folder / path, "wb") as file:
            file.write(header + content.tobytes())

    def test_float32_comes_back_byte_by_byte(self):
        # 3.05 MiB: several chunks, the last one short.
        content = numpy.random.default_rng(1).normal(size=(1999, 400)).astype(numpy.float32)
        content[0, :4] = [0.0, -0.0, 1e-45, 3.4e38]
        numpy.save(self.folder / "a.npy", content)
        self.riesz("ensemble", "put", "a", "a.npy")
        self.riesz("ensemble", "get", "a", "back.npy")
        self.assertEqual((self.folder / "back.npy").read_bytes(),
                         (self.folder / "a.npy").read_bytes())

    def test_float64_and_float16_are_converted_and_said_so(self):
        for kind in (numpy.float64, numpy.float16):
            content = numpy.random.default_rng(2).normal(size=(5, 3)).astype(kind)
            numpy.save(self.folder / "wide.npy", content)
            name = f"from-{kind.__name__}"
            done = self.run_riesz("ensemble", "put", name, "wide.npy")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(kind.__name__, done.stderr + done.stdout)
            numpy.testing.assert_array_equal(self.get(name), content.astype(numpy.float32))

    def test_csv_comes_back(self):
        (self.folder / "points.csv").write_text("1,2.5,-3e-2\n4,5,6\n")
        self.put("csv", "points.csv")
        numpy.testing.assert_array_equal(
            self.get("csv"), numpy.array([[1, 2.5, -3e-2], [4, 5, 6]], numpy.float32))

    def test_idx_images_are_scaled_to_one_plain_and_compressed(self):
        pixels = numpy.random.default_rng(3).integers(0, 256, (7, 4, 5), numpy.uint8)
        self.write_idx("t-images-idx3-ubyte", pixels)
        self.write_idx("t-images-idx3-ubyte.gz", pixels, gzip.open)
        expected = (pixels.reshape(7, 20) / 255.0).astype(numpy.float32)
        for name, path in [("idx", "t-images-idx3-ubyte"), ("idx-gz", "t-images-idx3-ubyte.gz")]:
            about = self.put(name, path)
            numpy.testing.assert_allclose(self.get(name), expected, rtol=0, atol=1e-7)
            self.assertEqual(about["sample_shape"], {"channels": 1, "height": 4, "width": 5})
            self.assertAlmostEqual(about["value_scaling"]["scale"], 1 / 255, delta=1e-9)

    def test_cifar_10_keeps_channels_and_labels(self):
        random = numpy.random.default_rng(4)
        records = random.integers(0, 256, (6, 3073), numpy.uint8)
        records[:, 0] = [0, 1, 2, 3, 4, 9]
        (self.folder / "data_batch_1.bin").write_bytes(records.tobytes())
        about = self.put("cifar", "data_batch_1.bin")
        numpy.testing.assert_allclose(self.get("cifar"), records[:, 1:] / 255.0, rtol=0, atol=1e-7)
        self.assertEqual(about["sample_shape"], {"channels": 3, "height": 32, "width": 32})
        self.assertTrue(about["has_labels"])

    def test_data_set_on_the_server_is_the_real_one(self):
        about = self.riesz_json("ensemble", "create", "y", "--dataset", "fashion-mnist", "--split",
                                "train", "--count", 2000, "--seed", 1)["ensemble"]
        self.assertEqual(int(about["count"]), 2000)
        self.assertEqual(int(about["dimension"]), 784)
        path = pathlib.Path(DATA_SETS) / "fashion-mnist/train-images-idx3-ubyte.gz"
        pixels = numpy.frombuffer(gzip.open(path).read(), numpy.uint8, offset=16)
        known = {row.tobytes() for row in pixels.reshape(-1, 784)}
        rows = numpy.rint(self.get("y") * 255).astype(numpy.uint8)
        self.assertTrue(all(row.tobytes() in known for row in rows))
        self.assertGreater(len({row.tobytes() for row in rows}), 1990)
        self.assertEqual(rows.shape, (2000, 784))

    def test_generators_have_their_law_and_their_seed(self):
        for name in ("n1", "n2"):
            self.riesz("ensemble", "create", name, "--generator", "normal", "--count", 3000,
                       "--dim", 64, "--seed", 5)
        normal = self.get("n1")
        self.assertEqual(normal.tobytes(), self.get("n2").tobytes())
        # 192,000 draws: mean within 5/sqrt(n), variance within 5 sqrt(2/n).
        self.assertLess(abs(normal.mean()), 0.0115)
        self.assertLess(abs(normal.var() - 1), 0.017)
        self.riesz("ensemble", "create", "u1", "--generator", "uniform", "--count", 3000,
                   "--dim", 64, "--seed", 5)
        uniform = self.get("u1")
        self.assertGreaterEqual(uniform.min(), 0)
        self.assertLess(uniform.max(), 1)
        self.assertLess(abs(uniform.mean() - 0.5), 0.0034)

    def test_list_show_and_remove_agree(self):
        numpy.save(self.folder / "small.npy", numpy.ones((2, 3), numpy.float32))
        self.put("small", "small.npy")
        self.assertIn("small", self.riesz("ensemble", "ls"))
        listed = self.riesz_json("ensemble", "ls")["ensembles"]
        self.assertIn("small", [ensemble["id"] for ensemble in listed])
        shown = self.riesz_json("ensemble", "show", "small")["ensemble"]
        self.assertEqual((shown["count"], shown["dimension"]), ("2", "3"))
        self.riesz("ensemble", "rm", "small")
        self.assertNotIn("small", [e["id"] for e in self.riesz_json("ensemble", "ls")["ensembles"]])
