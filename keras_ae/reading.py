"""Files of others: only regular ones are opened, and none takes more memory than it may.

A file may take `KERAS_AE_MAX_GB` GiB (environment variable; 1 where it is not set), or a hundred times its size on
disk: large data are read, and a small file that claims to be large is not.
"""

import json
import math
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from keras_ae.errors import InputError, reason

LIMIT = "KERAS_AE_MAX_GB"
TIMES = 100  # as in Keras' own check of model files
ARRAYS = "NumPy arrays of numbers"
ENDING = 22  # bytes after a zip's directory; two of them say how many files it lists
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}  # 3.0 is for tables with named columns


def limit() -> int:
    """How many bytes of memory a small file may take."""
    text = os.environ.get(LIMIT) or "1"
    try:
        found = float(text) * 2**30
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise InputError(f"The environment variable {LIMIT} must be a positive number of GiB. Received: {text!r}.")
    return int(found)


def check_memory(path: str | os.PathLike, needed: int, size: int | None = None) -> None:
    """Raises InputError where a file would take more memory than it may.

    Args:
        path: of the file, or of a folder.
        needed: bytes of memory.
        size: bytes on disk; None for those of the file.
    """
    most = max(limit(), TIMES * (os.path.getsize(path) if size is None else size))
    if needed > most:
        raise InputError(
            f"{str(path)!r} would take {needed / 2**30:,.1f} GiB of memory; with its size on disk it may take "
            f"{most / 2**30:,.1f}. If you trust it, set the environment variable {LIMIT} to the GiB that it may take."
        )


@contextmanager
def opened(path: str | os.PathLike, what: str) -> Iterator[BinaryIO]:
    """A regular file, open for reading; whatever goes wrong with it is an InputError that names it.

    Args:
        path: of the file, or of a link to it. Pipes, devices and sockets are refused: some make a reader wait for ever.
        what: what the file should hold, for the message.
    """
    with readable(path, what), open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file, but a pipe, a device or a socket")
        yield file


@contextmanager
def readable(path: str | os.PathLike, what: str) -> Iterator[None]:
    """Within it, every error of a library is an InputError: a file or folder cannot be read as what it should be."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # libraries raise whatever the damaged part makes them raise
        raise InputError(f"{str(path)!r} cannot be read as {what}: {reason(error)}. Replace or remove it.") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def text(path: str | os.PathLike, what: str, encoding: str = "utf-8") -> str:
    """The text of a file."""
    with opened(path, what) as file:
        return file.read().decode(encoding)


def json_object(path: str | os.PathLike) -> dict[str, Any]:
    """The object that a JSON file holds."""
    with opened(path, "JSON") as file:
        found = json.loads(file.read())
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__} in place of an object")
        return found


def array_names(path: str | os.PathLike) -> list[str]:
    """Names of the arrays of an `.npz` file; "x" of an `.npy` file."""
    with _members(path) as members:
        return list(members)


def arrays(path: str | os.PathLike, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an `.npz` or `.npy` file, by their names; nothing else of the file is read. Pickles never are.

    Args:
        path: of the file.
        names: of the arrays, which are there; None for all.

    Raises:
        InputError: the file is damaged, or would take more memory than it may.
    """
    found: dict[str, np.ndarray] = {}
    needed = 0
    with _members(path) as members:
        for name in members if names is None else names:
            size, open_it = members[name]
            with open_it() as file:
                shape, dtype = _header(file, size, name)
                needed += math.prod(shape) * max(dtype.itemsize, 4)  # most become float32
                check_memory(path, needed)
                file.seek(0)
                found[name] = np.lib.format.read_array(file, allow_pickle=False)
    return found


@contextmanager
def _members(path: str | os.PathLike) -> Iterator[dict[str, tuple[int, Callable[[], Any]]]]:
    """Name -> (size in bytes, function that opens it) of the arrays of a file."""
    with opened(path, ARRAYS) as file:
        magic = file.read(2)
        file.seek(0)
        if magic != b"PK":
            yield {"x": (os.fstat(file.fileno()).st_size, lambda: file)}
            return
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            file.seek(-ENDING - len(archive.comment), os.SEEK_END)
            if int.from_bytes(file.read(ENDING)[10:12], "little") != len(members):
                raise ValueError("its directory was altered")
            for member in members:
                _open(archive, member).close()  # the name in the directory is that beside the array
            yield {
                member.filename.removesuffix(".npy"): (member.file_size, partial(_open, archive, member))
                for member in members
            }


def _open(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("NumPy does not compress in this way")  # and the others are not bounded while they are read
    return archive.open(member)


def _header(file: BinaryIO, size: int, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that a file begins with, which must be all that the file holds."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"the array {name!r} has version {version} of the format")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError(f"the array {name!r} holds Python objects, which are never read")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"the array {name!r} has the shape {shape}")
    if file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"the array {name!r} claims {dtype} {shape}, which is not what the file holds")
    return shape, dtype
