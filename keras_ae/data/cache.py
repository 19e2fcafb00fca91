"""Decoded images kept on disk, because decoding them takes far longer than reading them."""

import hashlib
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_ae import reading, writing
from keras_ae.data.dataset import Raw
from keras_ae.errors import InputError

logger = logging.getLogger(__name__)


def cached(source: Path, split: str, read: Callable[[], Raw]) -> Raw:
    """What `read` returns, from the cache when it is there, else put there.

    The folder of the cache is the environment variable KERAS_AE_CACHE, by default ~/.cache/keras_ae. It may be deleted
    at any time; where it cannot be written, each call reads the source. A file holds the SHA-256 of its arrays; one
    that is damaged is made again.

    Args:
        source: folder of the data set; when one of its files changes, the cache is not used.
        split: which part of the data set.
        read: reads the part; called when it is not in the cache.
    """
    path = _path(source, split)
    raw = _load(path)
    if raw is None:
        raw = read()
        _save(path, raw)
    return raw


def _path(source: Path, split: str) -> Path:
    folder = Path(os.environ.get("KERAS_AE_CACHE") or os.path.expanduser("~/.cache/keras_ae"))
    contents = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(source.iterdir())]
    digest = hashlib.sha256(repr((str(source.resolve()), split, contents)).encode()).hexdigest()[:16]
    readable = re.sub(r"[^\w.+-]+", "_", f"{source.parent.name}-{source.name}-{split}")[:100]
    return folder / f"{readable}-{digest}.npz"


def _load(path: Path) -> Raw | None:
    if not path.exists():
        return None
    try:
        arrays = reading.arrays(path)
        if arrays.pop("sha256").item() != _sha256(path, arrays):
            raise ValueError("its arrays are not those that were written")
        return Raw(arrays["x"], arrays.get("y"), tuple(arrays["label_names"].tolist()), int(arrays["top"]))
    except (InputError, KeyError, ValueError) as error:
        logger.info("Reading the data set again: the cache file %s cannot be used (%s).", path, error)
        return None


def _sha256(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Of the arrays, with their names and types, and of what they are: the name of their file."""
    found = hashlib.sha256(path.name.encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _save(path: Path, raw: Raw) -> None:
    arrays = {"x": raw.x, "label_names": np.array(raw.label_names, dtype=np.str_), "top": np.array(raw.top)}
    if raw.y is not None:
        arrays["y"] = raw.y
    arrays["sha256"] = np.array(_sha256(path, arrays))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    try:
        writing.write(path, write)
    except OSError as error:
        logger.info("The data set is not cached: %s cannot be written (%s).", path, error)
