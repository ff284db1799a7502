"""Bad input of every kind: a clear error with its class's exit code, and the server lives on."""

import gzip
import struct
import subprocess

import numpy

from service import EXIT, RIESZ, ServiceTest, environment, free_port


class BadInput(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("run_riesz")
        numpy.save(cls.folder / "a.npy", numpy.ones((10, 4), numpy.float32))
        numpy.save(cls.folder / "wide.npy", numpy.ones((10, 5), numpy.float32))
        for name in ("a", "wide"):
            test.riesz("ensemble", "put", name, f"{name}.npy")
        test.riesz("flow", "create", "f", "--from", "a", "--target", "a")

    def refuses(self, exit_code, words, *arguments):
        with self.subTest(arguments=arguments):
            self.assert_refused(self.run_riesz(*arguments), exit_code, *words)
            self.assert_server_lives()

    def refuses_file(self, words, name, content):
        (self.folder / name).write_bytes(content)
        self.refuses(EXIT.LOCAL_FILE, (name, *words), "ensemble", "put", "bad", name)

    def test_computations_name_the_field_and_the_range(self):
        distance = ("distance", "a", "a", "--method")
        self.refuses(EXIT.INVALID, ["exponent", "(0, 2)", "2"], *distance, "exact", "--exponent", 2)
        self.refuses(EXIT.INVALID, ["exponent", "-1"], *distance, "exact", "--exponent", -1)
        self.refuses(EXIT.INVALID, ["exponent"], *distance, "exact", "--exponent", "nan")
        self.refuses(EXIT.INVALID, ["exponent", "(0.5, 2)", "variance"], "gradient", "a", "a",
                     "--method", "sliced", "--exponent", 0.5, "--out", "g.npy")
        for slices in (0, -1, 10**9):
            self.refuses(EXIT.INVALID, ["1048576", str(slices)], *distance, "sliced", "--slices",
                         slices)
        self.refuses(EXIT.INVALID, ["4", "5"], "distance", "a", "wide")
        self.refuses(EXIT.INVALID, ["4", "5"], "gradient", "a", "wide", "--out", "g.npy")
        self.refuses(EXIT.INVALID, ["4", "5"], "flow", "create", "g", "--from", "a", "--target",
                     "wide")

    def test_unknown_names_are_named(self):
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "distance", "a", "nobody")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "distance", "flow:nobody", "a")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "ensemble", "show", "nobody")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "ensemble", "rm", "nobody")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "ensemble", "get", "nobody", "out.npy")
        self.assertFalse((self.folder / "out.npy").exists(), "a failed download left a file")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "flow", "advance", "nobody", "--to", 1)
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "flow", "watch", "nobody")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "ensemble", "create", "e", "--dataset", "nobody")
        self.refuses(EXIT.NOT_FOUND, ["nobody"], "image", "grid", "flow:nobody", "--shape", "2x2",
                     "--count", 1, "--out", "o.png")

    def test_creation_refuses_what_cannot_be(self):
        create = ("ensemble", "create")
        normal = ("--generator", "normal")
        self.refuses(EXIT.INVALID, ["count", "0"], *create, "e", *normal, "--count", 0, "--dim", 2)
        self.refuses(EXIT.INVALID, ["dim", "-1"], *create, "e", *normal, "--count", 2, "--dim", -1)
        # Over the count's bound, and 4 TiB, over memory: both are answers, neither a crash.
        self.refuses(EXIT.INVALID, ["count"], *create, "e", *normal, "--count", 2**40, "--dim", 1000)
        self.refuses(EXIT.EXHAUSTED, ["memory"], *create, "e", *normal, "--count", 2**20, "--dim",
                     2**20)
        self.refuses(EXIT.STATE, ["'a'"], *create, "a", *normal, "--count", 2, "--dim", 2)
        for name in ("A", "1a", "a-", "a_b", "a" * 64, ""):
            self.refuses(EXIT.INVALID, ["id"], *create, name, *normal, "--count", 2, "--dim", 2)
        self.refuses(EXIT.INVALID, ["10000"], *create, "e", "--dataset", "fashion-mnist",
                     "--split", "test", "--count", 10001)
        self.refuses(EXIT.INVALID, ["split"], *create, "e", "--dataset", "fashion-mnist", "--split",
                     "dev")

    def test_data_set_names_do_not_leave_the_data_folder(self):
        for name in ("../../../etc", "/etc", "fashion-mnist/../../doc", "."):
            done = self.run_riesz("ensemble", "create", "e", "--dataset", name)
            self.assertIn(done.returncode, (EXIT.INVALID, EXIT.NOT_FOUND), done.stderr)

    def test_flows_name_the_field_and_the_range(self):
        flow = ("flow", "create", "g", "--from", "a", "--target", "a")
        self.refuses(EXIT.INVALID, ["step_size", "(0, 10]", "-1"], *flow, "--step-size", -1)
        self.refuses(EXIT.INVALID, ["step_size", "11"], *flow, "--step-size", 11)
        self.refuses(EXIT.INVALID, ["momentum", "[0, 1)", "1"], *flow, "--momentum", 1)
        self.refuses(EXIT.INVALID, ["momentum"], *flow, "--momentum", "nan")
        self.refuses(EXIT.INVALID, ["1048576"], *flow, "--slices", 0)
        self.refuses(EXIT.INVALID, ["1048576"], *flow, "--slices", 2**21)
        self.refuses(EXIT.STATE, ["'f'"], "flow", "create", "f", "--from", "a", "--target", "a")
        self.refuses(EXIT.INVALID, ["target_step", "0"], "flow", "advance", "f", "--to", 0)

    def test_broken_files_are_described(self):
        good = (self.folder / "a.npy").read_bytes()
        self.refuses_file([], "empty.npy", b"")
        self.refuses_file([], "short.npy", good[:-1])
        self.refuses_file([], "magic.npy", b"PK\x03\x04" + good[4:])
        self.refuses_file(["line 2"], "ragged.csv", b"1,2\n3\n")
        self.refuses_file(["word"], "word.csv", b"1,word\n")
        self.refuses_file([], "short-idx3-ubyte", struct.pack(">HBB3I", 0, 8, 3, 2, 2, 2) + b"1234567")
        self.refuses_file([], "cut-idx3-ubyte.gz", gzip.compress(bytes(1000))[:-9])
        numpy.save(self.folder / "scalar.npy", numpy.float32(1))
        self.refuses(EXIT.LOCAL_FILE, ["scalar.npy"], "ensemble", "put", "bad", "scalar.npy")
        numpy.save(self.folder / "text.npy", numpy.array([["a"]]))
        self.refuses(EXIT.LOCAL_FILE, ["text.npy"], "ensemble", "put", "bad", "text.npy")
        self.refuses(EXIT.LOCAL_FILE, ["absent.npy"], "ensemble", "put", "bad", "absent.npy")

    def test_non_finite_values_are_located(self):
        for value in (numpy.nan, numpy.inf, -numpy.inf):
            content = numpy.ones((10, 4), numpy.float32)
            content[3, 2] = value
            numpy.save(self.folder / "holes.npy", content)
            self.refuses(EXIT.LOCAL_FILE, ["3", "2"], "ensemble", "put", "holes", "holes.npy")
        numpy.save(self.folder / "large.npy", numpy.array([[1e300]]))
        self.refuses(EXIT.LOCAL_FILE, [], "ensemble", "put", "large", "large.npy")

    def test_pictures_need_a_shape_that_fits(self):
        grid = ("image", "grid", "a", "--count", 4, "--out", "o.png")
        self.refuses(EXIT.INVALID, ["4"], *grid, "--shape", "3x3")
        self.refuses(EXIT.INVALID, ["shape"], *grid, "--shape", "2by2")

    def test_wrong_words_are_usage_errors(self):
        self.refuses(EXIT.INVALID, [], "dance")
        self.refuses(EXIT.INVALID, [], "distance", "a")
        self.refuses(EXIT.INVALID, [], "distance", "a", "a", "--slices", "many")
        self.refuses(EXIT.INVALID, ["method"], "distance", "a", "a", "--method", "guess")

    def test_server_that_is_not_there_is_unavailable(self):
        address = f"127.0.0.1:{free_port()}"
        done = subprocess.run([RIESZ, "--server", address, "health"], capture_output=True,
                              text=True, env=environment(), timeout=60)
        self.assert_refused(done, EXIT.UNAVAILABLE, address)
