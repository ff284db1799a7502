#!/usr/bin/env python3
"""Rules of the protocol, checked on descriptors rather than on text.

lint     every declaration has a comment, names follow buf's STANDARD rules, bulk bytes come last.
compare  wire and JSON compatibility of one descriptor set with an older one: what buf calls
         WIRE_JSON, and calls that may neither vanish nor change their types.

Usage: check_proto.py lint DIRECTORY
       check_proto.py compare OLD_DIRECTORY NEW_DIRECTORY
Prints one line a finding; exits 1 if there was any.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

FIELD = descriptor_pb2.FieldDescriptorProto
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
PASCAL = re.compile(r"([A-Z][a-z0-9]*)+")


def load(directory):
    """The descriptors of every proto under `directory`, with comments."""
    root = pathlib.Path(directory)
    protos = sorted(str(path.relative_to(root)) for path in root.rglob("*.proto"))
    if not protos:
        raise SystemExit(f"no .proto files under {directory}")
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        subprocess.run(
            ["protoc", f"--proto_path={root}", "--include_source_info",
             f"--descriptor_set_out={out.name}", *protos], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())


def upper_snake(pascal):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", pascal).upper()


def short(type_name):
    return type_name.rsplit(".", 1)[-1]


class Linter:
    """Collects findings of one file."""

    def __init__(self, file):
        self.file = file
        self.findings = []
        self.comments = {
            tuple(place.path): place.leading_comments or place.trailing_comments
            for place in file.source_code_info.location
        }

    def say(self, name, rule):
        self.findings.append(f"{self.file.name}: {name}: {rule}")

    def want(self, condition, name, rule):
        if not condition:
            self.say(name, rule)

    def want_comment(self, path, name):
        self.want(self.comments.get(path, "").strip(), name, "has no comment")

    def lint(self):
        file = self.file
        package = file.package
        self.want(re.fullmatch(r"[a-z]+(\.[a-z]+)*\.v[1-9]\d*", package), package,
                  "package must end in a version, e.g. riesz.v1")
        self.want(str(pathlib.PurePath(file.name).parent) == package.replace(".", "/"), package,
                  "file must lie in the package's folder")
        self.want(SNAKE.fullmatch(pathlib.PurePath(file.name).stem), file.name,
                  "file name must be lower_snake_case")
        self.want(file.syntax == "proto3", file.name, "syntax must be proto3")
        for imported in file.dependency:
            self.want(not imported.startswith("google/rpc/"), imported,
                      "google.rpc must not be imported: it clashes with users who link it")
        for i, message in enumerate(file.message_type):
            self.lint_message(message, (4, i))
        for i, enum in enumerate(file.enum_type):
            self.lint_enum(enum, (5, i))
        for i, service in enumerate(file.service):
            self.lint_service(service, (6, i))
        return self.findings

    def lint_message(self, message, path):
        if message.options.map_entry:
            return
        name = message.name
        self.want_comment(path, name)
        self.want(PASCAL.fullmatch(name), name, "message must be PascalCase")
        for i, oneof in enumerate(message.oneof_decl):
            self.want(SNAKE.fullmatch(oneof.name.lstrip("_")), f"{name}.{oneof.name}",
                      "oneof must be lower_snake_case")
        for i, field in enumerate(message.field):
            full = f"{name}.{field.name}"
            self.want_comment((*path, 2, i), full)
            self.want(SNAKE.fullmatch(field.name), full, "field must be lower_snake_case")
            self.want(field.type != FIELD.TYPE_GROUP, full, "groups are not allowed")
            if field.type == FIELD.TYPE_BYTES:
                self.want(field.name == "data" and i == len(message.field) - 1
                          and field.number == max(f.number for f in message.field), full,
                          "bulk bytes must be the last field, called data")
            self.want(not (field.label == FIELD.LABEL_REPEATED
                           and field.type in (FIELD.TYPE_FLOAT, FIELD.TYPE_DOUBLE)), full,
                      "numbers in bulk travel as bytes, never as repeated float")
        for i, nested in enumerate(message.nested_type):
            self.lint_message(nested, (*path, 3, i))
        for i, enum in enumerate(message.enum_type):
            self.lint_enum(enum, (*path, 4, i))

    def lint_enum(self, enum, path):
        name = enum.name
        self.want_comment(path, name)
        self.want(PASCAL.fullmatch(name), name, "enum must be PascalCase")
        prefix = upper_snake(name) + "_"
        self.want(not enum.options.allow_alias, name, "aliases are not allowed")
        self.want(enum.value[0].number == 0 and enum.value[0].name == prefix + "UNSPECIFIED", name,
                  f"value 0 must come first and be {prefix}UNSPECIFIED")
        for i, value in enumerate(enum.value):
            self.want_comment((*path, 2, i), value.name)
            self.want(UPPER_SNAKE.fullmatch(value.name) and value.name.startswith(prefix),
                      value.name, f"enum value must be UPPER_SNAKE_CASE and begin with {prefix}")

    def lint_service(self, service, path):
        name = service.name
        self.want_comment(path, name)
        self.want(PASCAL.fullmatch(name) and name.endswith("Service"), name,
                  "service must be PascalCase and end in Service")
        for i, method in enumerate(service.method):
            full = f"{name}.{method.name}"
            self.want_comment((*path, 2, i), full)
            self.want(PASCAL.fullmatch(method.name), full, "rpc must be PascalCase")
            self.want(short(method.input_type) == method.name + "Request", full,
                      f"request must be {method.name}Request")
            self.want(short(method.output_type) == method.name + "Response", full,
                      f"response must be {method.name}Response")


def lint(files):
    """Findings over a FileDescriptorSet."""
    return [finding for file in files.file for finding in Linter(file).lint()]


def walk(files):
    """{full name: descriptor} of messages, enums and services."""
    messages, enums, services = {}, {}, {}

    def add(prefix, message):
        name = f"{prefix}.{message.name}"
        messages[name] = message
        for nested in message.nested_type:
            add(name, nested)
        for enum in message.enum_type:
            enums[f"{name}.{enum.name}"] = enum

    for file in files.file:
        for message in file.message_type:
            add(file.package, message)
        for enum in file.enum_type:
            enums[f"{file.package}.{enum.name}"] = enum
        for service in file.service:
            services[f"{file.package}.{service.name}"] = service
    return messages, enums, services


def is_reserved(declaration, number, name, end_inclusive):
    last = 1 if end_inclusive else 0
    return (name in declaration.reserved_name and
            any(r.start <= number < r.end + last for r in declaration.reserved_range))


def real_oneof(message, field):
    """The oneof's name; None outside one. `optional` makes a synthetic oneof, which does not count."""
    if field.proto3_optional or not field.HasField("oneof_index"):
        return None
    return message.oneof_decl[field.oneof_index].name


def compare_message(name, old, new):
    fields = {field.number: field for field in new.field}
    for before in old.field:
        full = f"{name}.{before.name}"
        after = fields.get(before.number)
        if after is None:
            if not is_reserved(new, before.number, before.name, end_inclusive=False):
                yield f"{full}: removed without reserving {before.number} and its name"
            continue
        if after.name != before.name or after.json_name != before.json_name:
            yield f"{full}: number {before.number} is now called {after.name}"
        if (after.type, after.type_name) != (before.type, before.type_name):
            yield f"{full}: type changed"
        if after.label != before.label:
            yield f"{full}: repeated or singular changed"
        if real_oneof(old, before) != real_oneof(new, after):
            yield f"{full}: moved into or out of a oneof"


def compare_enum(name, old, new):
    values = {value.number: value.name for value in new.value}
    for value in old.value:
        if value.number not in values:
            if not is_reserved(new, value.number, value.name, end_inclusive=True):
                yield f"{name}.{value.name}: removed without reserving {value.number} and its name"
        elif values[value.number] != value.name:
            yield f"{name}.{value.name}: number {value.number} is now called {values[value.number]}"


def compare_service(name, old, new):
    methods = {method.name: method for method in new.method}
    for before in old.method:
        full = f"{name}.{before.name}"
        after = methods.get(before.name)
        if after is None:
            yield f"{full}: removed"
            continue
        if (after.input_type, after.output_type) != (before.input_type, before.output_type):
            yield f"{full}: request or response type changed"
        if ((after.client_streaming, after.server_streaming) !=
                (before.client_streaming, before.server_streaming)):
            yield f"{full}: streaming changed"


def compare(old_files, new_files):
    """What a client built from `old_files` would trip over."""
    findings = []
    comparisons = (compare_message, compare_enum, compare_service)
    for old, new, differences in zip(walk(old_files), walk(new_files), comparisons):
        for name, before in old.items():
            if name in new:
                findings += differences(name, before, new[name])
            else:
                findings.append(f"{name}: removed")
    return findings


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "lint":
        findings = lint(load(arguments[1]))
    elif len(arguments) == 3 and arguments[0] == "compare":
        findings = compare(load(arguments[1]), load(arguments[2]))
    else:
        raise SystemExit(__doc__)
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
