"""`riesz distance` and `riesz gradient` against numpy float64."""

import math

import numpy
import scipy.stats

import oracle
from service import ServiceTest

# Distances are formed in float32: each of the three means keeps a relative error of a few 2^-24
# times sqrt(d), and E is their difference. 1e-5 of the largest mean bounds it for d <= 64.
RELATIVE = 1e-5


class Distance(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        random = numpy.random.default_rng(20261123)
        cls.a = random.normal(size=(300, 16)).astype(numpy.float32)
        cls.b = (random.normal(size=(400, 16)) * 1.5 + 0.3).astype(numpy.float32)
        cls.line_a = random.normal(size=(200, 1)).astype(numpy.float32)
        # Rounded, so that the two samples share values: ties are the rule's business.
        cls.line_b = numpy.round(random.normal(size=(150, 1)) + 1, 1).astype(numpy.float32)
        cls.line_a[:60] = numpy.round(cls.line_a[:60], 1)
        test = cls("run_riesz")
        for name, content in [("a", cls.a), ("b", cls.b), ("la", cls.line_a), ("lb", cls.line_b)]:
            numpy.save(cls.folder / f"{name}.npy", content)
            test.riesz("ensemble", "put", name, f"{name}.npy")

    def test_exact_value_is_the_definition(self):
        scale = 2 * numpy.linalg.norm(self.a, axis=1).mean()
        for estimator in ("v", "u"):
            for exponent in (1, 0.5, 1.5):
                reply = self.riesz_json("distance", "a", "b", "--method", "exact", "--exponent",
                                        exponent, "--estimator", estimator)
                expected = oracle.energy_distance(self.a, self.b, exponent, estimator == "u")
                self.assertAlmostEqual(reply["energy_distance"], expected,
                                       delta=RELATIVE * max(scale, scale**exponent),
                                       msg=f"estimator {estimator}, exponent {exponent}")
                self.assertEqual(reply["method"], "METHOD_EXACT")
                self.assertNotIn("slicing_standard_error", reply)
                self.assertNotIn("slices", reply)

    def test_sliced_value_lies_within_its_stated_error(self):
        exact = oracle.energy_distance(self.a, self.b)
        for directions in ("orthogonal", "iid", "structured", "low-discrepancy"):
            reply = self.riesz_json("distance", "a", "b", "--method", "sliced", "--exponent", 1,
                                    "--estimator", "v", "--directions", directions,
                                    "--slices", 4096, "--seed", 7)
            error = reply["slicing_standard_error"]
            self.assertGreater(error, 0)
            self.assertLess(error, 0.05 * exact)
            # At least 256 blocks, so the error is normal: 5 sigma is one false alarm in
            # 1.7 million; of the 8 blocks of low-discrepancy directions one in 600, hence the seed.
            self.assertLess(abs(reply["energy_distance"] - exact), 5 * error)
            self.assertEqual(int(reply["slices"]), 4096)
            self.assertEqual(reply["directions"]["seed"], "7")

    def test_error_target_adds_slices_until_it_is_met(self):
        exact = oracle.energy_distance(self.a, self.b)
        loose, tight = (self.riesz_json("distance", "a", "b", "--method", "sliced", "--error", error,
                                        "--seed", 5) for error in (0.05, 0.005))
        for reply, error in ((loose, 0.05), (tight, 0.005)):
            self.assertTrue(reply["target_met"])
            self.assertLessEqual(reply["slicing_standard_error"], error * reply["energy_distance"])
            # Dozens of blocks: 6 sigma leaves room for the error's own error.
            self.assertLess(abs(reply["energy_distance"] - exact),
                            6 * reply["slicing_standard_error"])
        self.assertGreater(int(tight["slices"]), int(loose["slices"]))

    def test_error_target_says_when_the_budget_does_not_reach(self):
        reply = self.riesz_json("distance", "a", "b", "--method", "sliced", "--error", 1e-6,
                                "--max-slices", 500)
        self.assertFalse(reply["target_met"])
        self.assertLessEqual(int(reply["slices"]), 500)

    def test_auto_with_a_target_no_slices_reach_cheaply_is_exact(self):
        reply = self.riesz_json("distance", "a", "b", "--method", "auto", "--error", 1e-4)
        self.assertEqual(reply["method"], "METHOD_EXACT")
        self.assertTrue(reply["target_met"])

    def test_exact_value_bounds_wasserstein_1_from_below(self):
        reply = self.riesz_json("distance", "la", "lb", "--method", "exact")
        w1 = scipy.stats.wasserstein_distance(self.line_a[:, 0], self.line_b[:, 0])
        self.assertEqual(reply["wasserstein_1_lower_bound"], reply["energy_distance"] / 2)
        self.assertLessEqual(reply["wasserstein_1_lower_bound"], w1)
        self.assertNotIn("wasserstein_1_lower_bound",
                         self.riesz_json("distance", "la", "lb", "--method", "exact",
                                         "--exponent", 1.5))

    def test_bad_error_targets_name_the_field(self):
        for arguments, word in ((("--error", -1), "error_target.relative"),
                                (("--error", 0), "error_target"),
                                (("--error", 0.1, "--slices", 100), "directions.count"),
                                (("--max-slices", 100), "--max-slices"),
                                (("--error", 0.1, "--max-slices", -5), "error_target.max_slices")):
            failed = self.run_riesz("distance", "a", "b", *arguments)
            self.assertNotEqual(failed.returncode, 0)
            self.assertIn(word, failed.stderr)

    def test_sliced_values_of_every_exponent_lie_within_their_stated_error(self):
        for exponent in (0.3, 0.75, 1.5, 1.9):
            reply = self.riesz_json("distance", "a", "b", "--method", "sliced", "--exponent",
                                    exponent, "--slices", 4096, "--seed", 7)
            exact = oracle.energy_distance(self.a, self.b, exponent)
            error = reply["slicing_standard_error"]
            self.assertLess(error, 0.05 * exact)
            self.assertLess(abs(reply["energy_distance"] - exact), 5 * error)  # as above
            self.assertEqual(reply["exponent"], exponent)

    def test_sliced_gradients_say_when_their_error_is_unreliable(self):
        command = ("gradient", "a", "b", "--slices", 32, "--seed", 7, "--out", "r.npy", "--exponent")
        self.assertEqual(self.riesz_json(*command, 1.5)["notes"], [])
        self.assertIn("0.75", self.riesz_json(*command, 0.6)["notes"][0])
        self.assertIn("unreliable", self.run_riesz(*command, 0.6).stderr)

    def test_same_seed_gives_the_same_number(self):
        command = ("distance", "a", "b", "--method", "sliced", "--slices", 100, "--seed", 3)
        self.assertEqual(self.riesz_json(*command)["energy_distance"],
                         self.riesz_json(*command)["energy_distance"])

    def test_seed_chosen_by_the_server_is_echoed_and_repeats_the_number(self):
        first = self.riesz_json("distance", "a", "b", "--method", "sliced", "--slices", 64)
        again = self.riesz_json("distance", "a", "b", "--method", "sliced", "--slices", 64,
                                "--seed", first["directions"]["seed"])
        self.assertEqual(first["energy_distance"], again["energy_distance"])

    def test_auto_says_what_it_chose(self):
        reply = self.riesz_json("distance", "a", "b", "--method", "auto")
        self.assertIn(reply["method"], ("METHOD_EXACT", "METHOD_SLICED"))
        reply = self.riesz_json("gradient", "a", "b", "--exponent", 0.5, "--keep-as", "rough")
        self.assertEqual(reply["method"], "METHOD_EXACT", "slices do not take this exponent")

    def test_one_dimension_sliced_is_exact_and_scipys_squared(self):
        scipys = scipy.stats.energy_distance(self.line_a[:, 0], self.line_b[:, 0]) ** 2
        for method in ("sliced", "exact"):
            reply = self.riesz_json("distance", "la", "lb", "--method", method)
            self.assertAlmostEqual(reply["energy_distance"], scipys, delta=RELATIVE)

    def test_same_ensemble_is_at_distance_zero(self):
        for method in ("sliced", "exact"):
            reply = self.riesz_json("distance", "a", "a", "--method", method)
            self.assertAlmostEqual(reply["energy_distance"], 0, delta=1e-6)

    def test_file_serves_as_operand(self):
        reply = self.riesz_json("distance", "a.npy", "b", "--method", "exact")
        self.assertAlmostEqual(reply["energy_distance"], oracle.energy_distance(self.a, self.b),
                               delta=1e-4)

    def test_plain_output_names_the_number(self):
        plain = self.riesz("distance", "a", "b", "--method", "exact")
        self.assertIn(f"{oracle.energy_distance(self.a, self.b):.3g}", plain)

    def test_exact_gradient_is_the_definition(self):
        for exponent in (1, 1.5):
            self.riesz("gradient", "a", "b", "--method", "exact", "--exponent", exponent,
                       "--out", "exact.npy")
            got = numpy.load(self.folder / "exact.npy")
            expected = oracle.gradient(self.a, self.b, exponent)
            self.assertEqual(got.dtype, numpy.float32)
            scale = numpy.sqrt((expected**2).sum(axis=1).mean())
            self.assertLess(numpy.abs(got - expected).max(), RELATIVE * scale * 10)

    def test_sliced_gradient_error_obeys_the_law(self):
        self.riesz("gradient", "a", "b", "--slices", 1000, "--seed", 7, "--out", "g.npy")
        got = numpy.load(self.folder / "g.npy")
        expected = oracle.gradient(self.a, self.b)
        n, d = self.a.shape
        rms = math.sqrt(n**2 * ((got - expected) ** 2).sum(axis=1).mean())
        # E|N g_i - exact|^2 <= 2 pi d / P (core/README.md); the mean over 300 correlated particles
        # of 1000 slices stays within twice that.
        self.assertLess(rms, 2 * math.sqrt(2 * math.pi * d / 1000))
        self.assertGreater(rms, 0)

    def test_sliced_gradient_in_one_dimension_is_exact(self):
        self.riesz("gradient", "la", "lb", "--method", "sliced", "--out", "line.npy")
        got = numpy.load(self.folder / "line.npy")
        expected = oracle.gradient(self.line_a, self.line_b)
        # |N g_i| <= 2 and ties are counted in integers: float32 rounding only.
        self.assertLess(numpy.abs(got - expected).max() * len(got), 1e-6)
