"""What a `.keras` file claims, bounded before it is built: a few kilobytes can describe a model of gigabytes."""

import math
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import keras

from keras_ae import errors, reading

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
CONFIG_SHARE, WEIGHTS_SHARE = 64, 64  # of the limit of memory: 16 MiB of settings, 16 million weights
LOCK = threading.RLock()  # one at a time: what Keras calls to make a weight is replaced meanwhile


@contextmanager
def bounded(path: str | os.PathLike) -> Iterator[None]:
    """Within it, Keras may load a `.keras` file: layers that make more weights than the file can hold are stopped.

    A weight takes a byte or more of a file. So a model may have as many as its file has bytes, or 2^24 (and more where
    `KERAS_AE_MAX_GB` allows more memory).

    Raises:
        InputError: the file is no archive of Keras', would take more memory than it may, or claims more weights.
    """
    most = max(os.path.getsize(path), reading.limit() // WEIGHTS_SHARE)
    _check_archive(path, most)
    made, thread = 0, threading.get_ident()

    def counted(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        nonlocal made
        shape = args[0] if args else kwargs.get("shape")
        if threading.get_ident() == thread:
            made += math.prod(length or 1 for length in shape or ())
            _check_weights(path, made, most, "its layers claim")
        return add_weight(layer, *args, **kwargs)

    with LOCK:
        add_weight, keras.Layer.add_weight = keras.Layer.add_weight, counted
        try:
            yield
        finally:
            keras.Layer.add_weight = add_weight
            _check_weights(path, made, most, "its layers claim")  # Keras hides what was raised within


def _check_archive(path: str | os.PathLike, most: int) -> None:
    with reading.opened(path, "a model file") as file, zipfile.ZipFile(file) as archive:
        reading.check_memory(path, sum(member.file_size for member in archive.infolist()))
        settings = archive.getinfo(CONFIG).file_size
        if settings > reading.limit() // CONFIG_SHARE:
            raise ValueError(f"its {CONFIG} has {settings:,} bytes")
        with archive.open(WEIGHTS) as stored, h5py.File(stored) as weights:
            _check_weights(path, _stored(weights), most, f"{WEIGHTS} claims")


def _stored(weights: h5py.File) -> int:
    """How many numbers the arrays of a file of weights have."""
    found: list[Any] = []
    weights.visititems(lambda _, item: found.append(item))
    return sum(math.prod(item.shape) for item in found if isinstance(item, h5py.Dataset))


def _check_weights(path: str | os.PathLike, claimed: int, most: int, who: str) -> None:
    if claimed > most:
        raise errors.InputError(
            f"{path} is not built: {who} {claimed:,} weights, and a file of its size may have {most:,}. If you trust "
            f"it, raise the environment variable {reading.LIMIT} (now {reading.limit() / 2**30:g})."
        )
