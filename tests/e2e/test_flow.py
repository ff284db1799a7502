"""Flows through the two binaries: what they compute, what they show, how they stop."""

import signal

import numpy
from PIL import Image

import oracle
from service import EXIT, PATIENCE_S, Server, ServiceTest


class Flow(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        random = numpy.random.default_rng(7)
        cls.x = random.uniform(size=(60, 784)).astype(numpy.float32)
        cls.y = random.normal(size=(80, 784)).astype(numpy.float32)
        cls.test = cls("run_riesz")
        for name, content in [("x", cls.x), ("y", cls.y)]:
            numpy.save(cls.folder / f"{name}.npy", content)
            cls.test.riesz("ensemble", "put", name, f"{name}.npy")

    def create(self, name, *flags, server=None):
        self.riesz("flow", "create", name, "--from", "x", "--target", "y", "--step-size", 1,
                   "--momentum", 0.8, "--slices", 50, "--seed", 9, *flags, server=server)

    def particles(self, flow, server=None):
        self.riesz("ensemble", "get", f"flow:{flow}", f"{flow}.npy", server=server)
        return numpy.load(self.folder / f"{flow}.npy")

    def test_one_dimensional_flow_follows_the_formula(self):
        random = numpy.random.default_rng(8)
        x = random.uniform(size=(40, 1)).astype(numpy.float32)
        y = random.normal(size=(30, 1)).astype(numpy.float32)
        for name, content in [("lx", x), ("ly", y)]:
            numpy.save(self.folder / f"{name}.npy", content)
            self.riesz("ensemble", "put", name, f"{name}.npy")
        for name, exponent in [("line", 1), ("bent", 1.5)]:
            self.riesz("flow", "create", name, "--from", "lx", "--target", "ly", "--step-size",
                       0.05, "--momentum", 0.5, "--seed", 1, "--exponent", exponent)
            self.riesz("flow", "advance", name, "--to", 12, "--watch")
            # 12 steps of float32 sums of size 1; a rank flipped by rounding would show as 0.05 / 40.
            numpy.testing.assert_allclose(self.particles(name),
                                          oracle.flow(x, y, 12, 0.05, 0.5, exponent),
                                          rtol=0, atol=2e-5)

    def test_advance_and_watch_reach_the_target_and_the_distance_falls(self):
        self.create("f")
        before = self.riesz_json("distance", "flow:f", "y", "--method", "exact")["energy_distance"]
        watched = self.riesz("flow", "advance", "f", "--to", 60, "--watch")
        self.assertIn("60", watched)
        shown = self.riesz_json("flow", "show", "f")["flow"]
        self.assertEqual((shown["step"], shown["state"]), ("60", "FLOW_STATE_READY"))
        reply = self.riesz_json("distance", "flow:f", "y", "--method", "exact")
        self.assertLess(reply["energy_distance"], before / 3)
        self.assertEqual(reply["x"]["flow_step"], "60")
        # A step already reached is fine, and watching a flow at rest ends at once.
        self.riesz("flow", "advance", "f", "--to", 30)
        self.riesz("flow", "watch", "f")
        self.assertIn("f", [flow["id"] for flow in self.riesz_json("flow", "ls")["flows"]])

    def test_same_seed_gives_the_same_bytes_whatever_the_cuts(self):
        self.create("one-go")
        self.riesz("flow", "advance", "one-go", "--to", 30, "--watch")
        self.create("in-pieces")
        for step in (1, 2, 17, 30):
            self.riesz("flow", "advance", "in-pieces", "--to", step, "--watch")
        self.assertEqual(self.particles("one-go").tobytes(), self.particles("in-pieces").tobytes())
        self.riesz("flow", "create", "other-seed", "--from", "x", "--target", "y", "--step-size",
                   1, "--momentum", 0.8, "--slices", 50, "--seed", 10)
        self.riesz("flow", "advance", "other-seed", "--to", 30, "--watch")
        self.assertNotEqual(self.particles("one-go").tobytes(),
                            self.particles("other-seed").tobytes())

    def test_snapshot_keeps_a_step(self):
        self.create("moving")
        self.riesz("flow", "advance", "moving", "--to", 5, "--watch")
        self.riesz("flow", "snapshot", "moving", "snap")
        at_five = self.particles("moving")
        self.riesz("flow", "advance", "moving", "--to", 9, "--watch")
        self.riesz("ensemble", "get", "snap", "snap.npy")
        self.assertEqual(numpy.load(self.folder / "snap.npy").tobytes(), at_five.tobytes())
        self.assertNotEqual(self.particles("moving").tobytes(), at_five.tobytes())

    def test_cancel_stops_a_long_flow_at_a_step(self):
        self.create("long")
        self.riesz("flow", "advance", "long", "--to", 100000000)
        self.riesz("flow", "cancel", "long")
        self.riesz("flow", "watch", "long")
        shown = self.riesz_json("flow", "show", "long")["flow"]
        self.assertEqual(shown["state"], "FLOW_STATE_READY")
        self.assertEqual(shown["step"], shown["target_step"])

    def test_watch_ends_with_the_interrupt_key_and_the_flow_goes_on(self):
        self.create("watched")
        self.riesz("flow", "advance", "watched", "--to", 100000000)
        watcher = self.start_riesz("flow", "watch", "watched")
        self.assertIn("watched", watcher.stdout.readline())
        watcher.send_signal(signal.SIGINT)
        self.assertEqual(watcher.wait(PATIENCE_S), EXIT.INTERRUPTED)
        self.assertIn(self.riesz_json("flow", "show", "watched")["flow"]["state"],
                      ("FLOW_STATE_RUNNING", "FLOW_STATE_QUEUED"))
        self.riesz("flow", "rm", "watched")

    def test_ensemble_in_use_is_kept_and_its_user_named(self):
        self.create("user")
        self.assert_refused(self.run_riesz("ensemble", "rm", "y"), EXIT.STATE, "user")
        self.riesz("flow", "rm", "user")

    def test_grid_shows_the_particles(self):
        about = self.riesz_json("ensemble", "create", "shoes", "--dataset", "fashion-mnist",
                                "--split", "test", "--count", 4, "--seed", 1)["ensemble"]
        self.assertEqual(about["sample_shape"]["width"], 28)
        self.riesz("image", "grid", "shoes", "--shape", "28x28", "--count", 4, "--zoom", 1,
                   "--out", "shoes.png")
        with Image.open(self.folder / "shoes.png") as image:
            pixels = numpy.asarray(image.convert("L"))
        self.riesz("ensemble", "get", "shoes", "shoes.npy")
        first = numpy.rint(numpy.load(self.folder / "shoes.npy")[0].reshape(28, 28) * 255)
        windows = numpy.lib.stride_tricks.sliding_window_view(pixels, (28, 28))
        gap = numpy.abs(windows.astype(int) - first).max(axis=(2, 3)).min()
        self.assertLessEqual(gap, 1, "the first particle is not in the picture")

    def test_grid_of_a_flow_and_plot_of_two_are_pictures(self):
        self.create("pictured")
        self.riesz("image", "grid", "flow:pictured", "--shape", "28x28", "--count", 49,
                   "--out", "garments.png")
        with Image.open(self.folder / "garments.png") as image:
            self.assertGreaterEqual(min(image.size), 7 * 28)
        self.riesz("plot", "flow:pictured", "y", "--out", "scatter.png")
        with Image.open(self.folder / "scatter.png") as image:
            self.assertGreater(len(image.convert("RGB").getcolors(1 << 24)), 2)

    def test_threads_do_not_change_the_bytes(self):
        self.create("two-threads")
        self.riesz("flow", "advance", "two-threads", "--to", 10, "--watch")
        single = Server(threads=1)
        self.addCleanup(single.stop)
        for name in ("x", "y"):
            self.riesz("ensemble", "put", name, f"{name}.npy", server=single)
        self.create("one-thread", server=single)
        self.riesz("flow", "advance", "one-thread", "--to", 10, "--watch", server=single)
        self.assertEqual(self.particles("two-threads").tobytes(),
                         self.particles("one-thread", server=single).tobytes())
