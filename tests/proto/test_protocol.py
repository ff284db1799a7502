"""The protocol keeps its rules and its promise to clients of the last release."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import check_proto

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"


def git(*arguments, **options):
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, *arguments], capture_output=True, check=True,
                          **options).stdout


class Protocol(unittest.TestCase):
    def test_follows_the_rules(self):
        self.assertEqual(check_proto.lint(check_proto.load(PROTO)), [])

    def test_is_compatible_with_the_last_release(self):
        tags = git("tag", "--list", "v*", "--merged", "HEAD", "--sort=-v:refname", text=True).split()
        if not tags:
            print("no release yet (no tag v*): the protocol may still change freely")
            return
        with tempfile.TemporaryDirectory() as released:
            archive = git("archive", tags[0], "proto")
            subprocess.run(["tar", "-x", "-C", released], input=archive, check=True)
            old = check_proto.load(pathlib.Path(released) / "proto")
        self.assertEqual(check_proto.compare(old, check_proto.load(PROTO)), [],
                         f"incompatible with {tags[0]}")


class Checker(unittest.TestCase):
    """Each rule finds the fault that it is there for, planted in a copy of the real protocol."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = pathlib.Path(folder.name) / "proto"
        shutil.copytree(PROTO, self.copy)

    def plant(self, file, pattern, replacement):
        path = self.copy / "riesz/v1" / file
        text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
        self.assertEqual(count, 1, f"{pattern} is not in {file}: this test needs a new example")
        path.write_text(text)

    def assert_lint_says(self, sentence):
        findings = check_proto.lint(check_proto.load(self.copy))
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(sentence, findings[0])

    def assert_compare_says(self, *sentences):
        findings = check_proto.compare(check_proto.load(PROTO), check_proto.load(self.copy))
        self.assertEqual(len(findings), len(sentences), findings)
        for finding, sentence in zip(findings, sentences):
            self.assertIn(sentence, finding)

    def test_finds_a_field_without_a_comment(self):
        self.plant("particles.proto", r"^  // Number of rows.*\n", "")
        self.assert_lint_says("Tensor.rows: has no comment")

    def test_finds_an_enum_value_without_a_comment(self):
        self.plant("discrepancy_service.proto", r"^  // All pairs; any exponent\.\n", "")
        self.assert_lint_says("METHOD_EXACT: has no comment")

    def test_finds_a_call_without_a_comment(self):
        self.plant("server_service.proto", r"^  // Does nothing: .*\n", "")
        self.assert_lint_says("ServerService.Ping: has no comment")

    def test_finds_an_enum_without_a_zero_called_unspecified(self):
        self.plant("particles.proto", "DIRECTION_KIND_UNSPECIFIED", "DIRECTION_KIND_ANY")
        self.assert_lint_says("must come first and be DIRECTION_KIND_UNSPECIFIED")

    def test_finds_an_enum_value_without_its_prefix(self):
        self.plant("discrepancy_service.proto", "METHOD_SLICED = 2", "SLICED = 2")
        self.assert_lint_says("begin with METHOD_")

    def test_finds_a_field_in_camel_case(self):
        self.plant("particles.proto", "int64 columns = 2", "int64 columnCount = 2")
        self.assert_lint_says("field must be lower_snake_case")

    def test_finds_a_response_with_another_name(self):
        self.plant("server_service.proto", r"returns \(PingResponse\)",
                   "returns (GetServerInfoResponse)")
        self.assert_lint_says("response must be PingResponse")

    def test_finds_bulk_bytes_that_are_not_last(self):
        self.plant("particles.proto", r"^  bytes data = 3;",
                   "  bytes data = 3;\n  // More.\n  int64 more = 4;")
        self.assert_lint_says("bulk bytes must be the last field")

    def test_finds_repeated_floats(self):
        self.plant("particles.proto", r"^  bytes data = 3;", "  repeated float values = 3;")
        self.assert_lint_says("never as repeated float")

    def test_finds_a_package_without_a_version(self):
        for path in sorted((self.copy / "riesz/v1").glob("*.proto")):
            path.write_text(path.read_text().replace("package riesz.v1;", "package riesz.next;"))
        findings = check_proto.lint(check_proto.load(self.copy))
        self.assertTrue(any("must end in a version" in finding for finding in findings), findings)

    def test_allows_a_new_field_and_a_new_call(self):
        self.plant("server_service.proto", r"^message PingRequest \{\}",
                   "message PingRequest {\n  // New.\n  string text = 1;\n}")
        self.assert_compare_says()

    def test_finds_a_removed_field(self):
        self.plant("particles.proto", r"^  int64 columns = 2;\n", "")
        self.assert_compare_says("riesz.v1.Tensor.columns: removed without reserving 2")

    def test_allows_a_removed_field_that_is_reserved(self):
        self.plant("particles.proto", r"^  int64 columns = 2;",
                   '  reserved 2;\n  reserved "columns";')
        self.assert_compare_says()

    def test_finds_a_renumbered_field(self):
        self.plant("particles.proto", r"^  int64 columns = 2;", "  int64 columns = 7;")
        self.assert_compare_says("riesz.v1.Tensor.columns: removed")

    def test_finds_a_renamed_field(self):
        self.plant("particles.proto", r"^  int64 columns = 2;", "  int64 width = 2;")
        self.assert_compare_says("number 2 is now called width")

    def test_finds_a_retyped_field(self):
        self.plant("particles.proto", r"^  int64 columns = 2;", "  int32 columns = 2;")
        self.assert_compare_says("riesz.v1.Tensor.columns: type changed")

    def test_finds_a_field_that_became_repeated(self):
        self.plant("particles.proto", r"^  int64 columns = 2;", "  repeated int64 columns = 2;")
        self.assert_compare_says("repeated or singular changed")

    def test_finds_a_field_that_left_its_oneof(self):
        self.plant("particles.proto", r"^    Tensor inline_tensor = 3;\n  \}",
                   "  }\n  Tensor inline_tensor = 3;")
        self.assert_compare_says("moved into or out of a oneof")

    def test_finds_a_renumbered_enum_value(self):
        self.plant("discrepancy_service.proto", "METHOD_SLICED = 2", "METHOD_SLICED = 9")
        self.assert_compare_says("METHOD_SLICED: removed without reserving 2")

    def test_finds_a_removed_call(self):
        self.plant("server_service.proto", r"^  rpc Ping.*\n", "")
        self.assert_compare_says("riesz.v1.ServerService.Ping: removed")

    def test_finds_a_call_that_began_to_stream(self):
        self.plant("server_service.proto", r"returns \(PingResponse\)",
                   "returns (stream PingResponse)")
        self.assert_compare_says("streaming changed")


if __name__ == "__main__":
    unittest.main()
