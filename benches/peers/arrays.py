"""Arrays in files: raw little-endian numbers, and what says how to read them."""

import numpy as np


def save(folder, name, array):
    """Writes an array; what it returns goes into a task or an answer."""
    array = np.ascontiguousarray(array)
    path = folder / f"{name}.bin"
    array.tofile(path)
    return {"path": str(path), "shape": list(array.shape), "dtype": array.dtype.str[1:]}


def load(spec):
    """Reads the rows that the shape names; the file may hold more."""
    count = int(np.prod(spec["shape"]))
    flat = np.fromfile(spec["path"], dtype="<" + spec["dtype"], count=count)
    return flat.reshape(spec["shape"])
