#!/usr/bin/python3
"""Writes a fuzzer's first inputs: small valid ones. Usage: seeds.py TARGET DIRECTORY"""

import gzip
import io
import pathlib
import struct
import sys

import numpy


def npy(content):
    file = io.BytesIO()
    numpy.save(file, content)
    return file.getvalue()


def data_files():
    """A first byte that picks the file's name (fuzz_data_files.cc), then the file."""
    matrix = numpy.arange(6).reshape(2, 3)
    for kind in ("float16", "float32", "float64", "int32", "uint8"):
        yield b"\0" + npy(matrix.astype(kind))
    yield b"\0" + npy(numpy.asfortranarray(matrix.astype("float32")))
    yield b"\1" + b"1,2.5\n-3e2,nan\n"
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 2, 2) + bytes(range(8))
    labels = struct.pack(">HBBI", 0, 8, 1, 3) + b"\1\2\3"
    yield b"\2" + images
    yield b"\3" + images
    yield b"\4" + gzip.compress(labels, mtime=0)
    yield b"\5" + bytes(3073)


def upload_frame():
    """A first byte that says how to cut, then an UploadChunksRequest."""
    data = bytes(range(16))
    message = (b"\x0a\x03u-1" + b"\x10\x80\x20" + b"\x1d" + struct.pack("<I", 7) +
               b"\x22" + bytes([len(data)]) + data)
    for cut in (0, 1, 7, 255):
        yield bytes([cut]) + message
    yield b"\3" + message[:5] + b"\x28\x01" + message[5:]  # an unknown field between
    yield b"\3" + message + message


def main(target, directory):
    for i, seed in enumerate({"data_files": data_files, "upload_frame": upload_frame}[target]()):
        (pathlib.Path(directory) / f"seed-{i}").write_bytes(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
