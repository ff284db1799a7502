#!/usr/bin/python3
"""Makes the .npy files beside it: one of every dtype, order and version that the reader takes.

Every file holds value(i, j) = 10 i + j - 15 (unsigned types: + 15) for i < 3, j < 4, unless its
name says otherwise. Run it in its own folder; the files are committed.
"""
import numpy as np
from numpy.lib import format as npy_format

grid = np.array([[10 * i + j - 15 for j in range(4)] for i in range(3)])
for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64"):
    np.save(f"{name}.npy", grid.astype(name))
for name in ("uint8", "uint16", "uint32", "uint64"):
    np.save(f"{name}.npy", (grid + 15).astype(name))
np.save("bool.npy", grid > 0)
np.save("big-endian-float32.npy", grid.astype(">f4"))
np.save("big-endian-float64.npy", grid.astype(">f8"))
np.save("big-endian-float16.npy", grid.astype(">f2"))
np.save("fortran-float32.npy", np.asfortranarray(grid.astype("float32")))
np.save("fortran-images.npy", np.asfortranarray(np.arange(24, dtype="float32").reshape(2, 3, 4)))
np.save("images.npy", np.arange(24, dtype="float32").reshape(2, 3, 4))
np.save("colour-images.npy", np.arange(2 * 3 * 2 * 2, dtype="uint8").reshape(2, 3, 2, 2))
np.save("vector.npy", np.arange(5, dtype="float32"))
np.save("scalar.npy", np.float32(1))
np.save("empty.npy", np.zeros((0, 4), dtype="float32"))
np.save("complex.npy", np.zeros((2, 2), dtype="complex64"))
np.save("record.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.save("beyond-float32.npy", np.array([[1.0, 2.0], [3.0, 1e300]]))
np.save("not-finite.npy", np.array([np.nan, np.inf, -np.inf]))
np.save("subnormal-float16.npy", np.array([2.0**-24, -(2.0**-14), 65504, 1 / 3], dtype="float16"))
with open("version2.npy", "wb") as file:
    npy_format.write_array(file, grid.astype("float32"), version=(2, 0))
