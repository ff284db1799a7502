"""rieszd as a process: configuration, health, metrics, signals."""

import json
import signal
import subprocess

import numpy

from service import RIESZ, RIESZD, Server, ServiceTest, environment, free_port, wait_until


def rieszd(*arguments, **env):
    """A rieszd that is expected to end by itself."""
    return subprocess.run([RIESZD, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=environment(**env), timeout=60)


class Configuration(ServiceTest):
    def test_print_config_shows_flags_before_environment_before_defaults(self):
        default = rieszd("--print-config")
        self.assertEqual(default.returncode, 0, default.stderr)
        self.assertIn("127.0.0.1:7443", default.stdout)
        by_environment = rieszd("--print-config", RIESZ_LISTEN="127.0.0.1:7001")
        self.assertIn("127.0.0.1:7001", by_environment.stdout)
        by_flag = rieszd("--print-config", "--listen", "127.0.0.1:7002",
                         RIESZ_LISTEN="127.0.0.1:7001")
        self.assertIn("127.0.0.1:7002", by_flag.stdout)
        self.assertNotIn("127.0.0.1:7001", by_flag.stdout)

    def test_plain_text_beyond_loopback_needs_a_flag(self):
        refused = rieszd("--listen", "0.0.0.0:0")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("--", refused.stderr)
        self.assertIn("loopback", refused.stderr)

    def test_bad_flags_are_refused_with_their_name(self):
        for flags, word in [(("--listen", "nonsense"), "listen"), (("--threads", "-1"), "threads"),
                            (("--device", "abacus"), "abacus"), (("--no-such-flag",), "no-such-flag")]:
            done = rieszd(*flags)
            self.assertNotEqual(done.returncode, 0, flags)
            self.assertIn(word, done.stderr)

    def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(self):
        done = rieszd("--listen", "127.0.0.1:0", "--device", "cuda:999")
        self.assertEqual(done.returncode, 1)
        self.assertIn("CUDA", done.stderr)

    def test_without_a_gpu_auto_computes_on_the_cpu_and_says_why(self):
        # There may be a GPU here, but not through this library. The taken port ends the process.
        done = rieszd("--listen", self.server.address, "--metrics-listen", "127.0.0.1:0",
                      "--device", "auto", RIESZ_CUDA_LIBRARY="/nowhere.so")
        self.assertEqual(done.stderr.count("computing on the cpu, no GPU can be used"), 1)
        self.assertRegex(done.stderr, "no CUDA (driver|backend)")

    def test_taken_port_is_an_error_that_names_it(self):
        done = rieszd("--listen", self.server.address, "--metrics-listen", "127.0.0.1:0")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.server.address, done.stderr)

    def test_client_reads_the_server_from_the_environment(self):
        done = subprocess.run([RIESZ, "server", "info", "-o", "json"], capture_output=True,
                              text=True, env=environment(RIESZ_SERVER=self.server.address),
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        info = json.loads(done.stdout)
        self.assertEqual(info["durability"], "DURABILITY_EPHEMERAL")
        self.assertIn("fashion-mnist", info["data_sets"])
        self.assertEqual(info["devices"][0]["threads"], 2)

    def test_server_warns_that_state_is_not_durable(self):
        wait_until(lambda: "level=warning" in self.server.log, "a warning in the log")
        self.assertIn("state-dir", self.server.log.replace("state_dir", "state-dir"))


class Health(ServiceTest):
    def test_health_answers_for_the_server(self):
        self.assertIn("SERVING", self.riesz("health"))

    def test_metrics_begin_at_zero_and_count(self):
        with_started = Server()
        self.addCleanup(with_started.stop)
        before = with_started.metrics()
        distances = [series for series in before if series.startswith("grpc_server_started_total")
                     and 'grpc_method="ComputeEnergyDistance"' in series]
        self.assertEqual([before[series] for series in distances], [0])
        self.assertTrue(any(series.startswith("riesz_") for series in before))
        numpy.save(self.folder / "m.npy", numpy.ones((4, 2), numpy.float32))
        self.riesz("ensemble", "put", "m", "m.npy", server=with_started)
        self.riesz("distance", "m", "m", server=with_started)
        self.run_riesz("distance", "m", "absent", server=with_started)
        after = with_started.metrics()
        self.assertEqual(after[distances[0]], 2)
        handled = {series: value for series, value in after.items()
                   if series.startswith("grpc_server_handled_total") and value
                   and 'grpc_method="ComputeEnergyDistance"' in series}
        self.assertEqual(sorted(handled.values()), [1, 1])
        self.assertTrue(any('grpc_code="NotFound"' in series for series in handled), handled)


class Signals(ServiceTest):
    def test_sigterm_with_a_running_flow_drains_and_exits_zero(self):
        server = Server()
        self.addCleanup(server.stop)
        self.riesz("ensemble", "create", "x", "--generator", "uniform", "--count", 1000, "--dim",
                   784, "--seed", 1, server=server)
        self.riesz("flow", "create", "f", "--from", "x", "--target", "x", server=server)
        self.riesz("flow", "advance", "f", "--to", 100000000, server=server)
        self.assertEqual(server.terminate(), 0, server.log)
        self.assertIn("drain", server.log)

    def test_sigterm_ends_an_open_watch(self):
        server = Server()
        self.addCleanup(server.stop)
        self.riesz("ensemble", "create", "x", "--generator", "uniform", "--count", 10, "--dim", 4,
                   "--seed", 1, server=server)
        self.riesz("flow", "create", "f", "--from", "x", "--target", "x", server=server)
        self.riesz("flow", "advance", "f", "--to", 100000000, server=server)
        watcher = subprocess.Popen([RIESZ, "--server", server.address, "flow", "watch", "f"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, env=environment())
        self.addCleanup(watcher.communicate)
        self.addCleanup(watcher.kill)
        self.assertTrue(watcher.stdout.readline())
        self.assertEqual(server.terminate(), 0, server.log)
        self.assertNotEqual(watcher.wait(60), 0)

    def test_interrupt_key_stops_an_idle_server(self):
        server = Server()
        self.addCleanup(server.stop)
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.wait(60), 0, server.log)

    def test_port_is_free_again_after_a_stop(self):
        port = free_port()
        for _ in range(2):
            server = Server(listen=f"127.0.0.1:{port}")
            self.assertEqual(server.address, f"127.0.0.1:{port}")
            server.stop()
