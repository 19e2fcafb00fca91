"""Images as a compressed file, without loss.

A file is, in little-endian order: `MAGIC`; the length of the header, 4 bytes; the header as JSON; its CRC-32; frames of
at most `FRAME` images, each with the number of its words, the reserve of its stack, the CRC-32 of the words (with the
two before them), and the words of 32 bits; the SHA-256 of all values of all images.
"""

import hashlib
import json
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import keras
import numpy as np

from keras_ae import errors, reading
from keras_ae.backend import in_parallel
from keras_ae.checks import Count, checked, numbers
from keras_ae.models import Autoencoder, files
from keras_ae.tasks import container
from keras_ae.tasks.bits_back import RESERVES, BitsBack, check_model, levels_of

MAGIC = b"keras_ae bits-back\n"
VERSION = 2  # 1 had one table for all levels of a value
FRAME = 2048  # images of a stack of their own: memory does not grow with their number, and cores share the work
CORES = os.cpu_count() or 1
HEAD = struct.Struct("<IBI")
MOST_BITS = 16  # of a dimension of a code


class Compressed(NamedTuple):
    """What a compression gave.

    Args:
        images: how many.
        size: of the file, in bytes.
        bits_per_dimension: of the file, header and all, over the values of the images.
        overhead: bytes of the file that are no coded images: header, checksums, and the bits that a stack starts with.
    """

    images: int
    size: int
    bits_per_dimension: float
    overhead: int


@checked
def compress(
    x: Any,
    model: Autoencoder,
    path: str | os.PathLike,
    latent_bits: Annotated[int, "[1, 16]"] = 8,
    batch_size: Count = 16,
    progress: Callable[[int], None] | None = None,
) -> Compressed:
    """Writes images as a file whose size is about the model's negative ELBO (Townsend et al., 2019, arXiv:1901.04866).

    Every frame is decoded again before it is written, so that a file that exists can be read on such a machine.

    Args:
        x: (n, *event) whole numbers that the likelihood explains: 0 and 1, or levels; a memory map stays one.
        model: variational, unconditional, with a diagonal posterior, p(z) = N(0, I) and a discrete likelihood. It is
            needed to decompress, and so is a machine whose floating point gives the same probabilities.
        path: of the file, which is written whole or not at all.
        latent_bits: each dimension of a code is one of 2^latent_bits intervals, from 1 to 16.
        batch_size: images that go through the networks together, at most 2,048.
        progress: called with the number of images after each frame.

    Returns:
        The number of bytes, and what they are made of.

    Raises:
        InputError: the model cannot compress, or x is not what it explains.

    Example:
        >>> import tempfile, keras_ae
        >>> data = keras_ae.data.load("digits", "test", binarize="threshold")
        >>> model = keras_ae.create("vae", data.shape, latent_dim=4, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = compress(data.x[:32], model, folder + "/digits.bb")
        ...     bool((decompress(folder + "/digits.bb", model) == data.x[:32]).all())
        True
    """
    coder = BitsBack(model, latent_bits, batch_size)
    x = numbers("x", x)
    if x.shape[1:] != model.event_shape:
        raise errors.InputError(f"x must have the shape (n, {model.event_shape}). Received: {x.shape}.")
    header = {
        "version": VERSION,
        "count": len(x),
        "shape": model.event_shape,
        "model": identity(model),
        "numerics": coder.numerics(),
        "backend": keras.backend.backend(),
        "latent_bits": latent_bits,
        "batch_size": batch_size,
        "frame": FRAME,
    }
    pixels, coded = hashlib.sha256(), 0

    def frame(start: int) -> tuple[np.ndarray, bytes, int]:
        part = _whole_numbers(x[start : start + FRAME], coder)
        stack, reserve = coder.encode(part)
        again = coder.decode(stack, len(part), reserve)
        if again is None or not np.array_equal(again, part):
            raise errors.InputError(
                "Decoding gave other images than were coded, so nothing was written: the networks do not give the same "
                "results twice on this machine. Use another backend, or a CPU."
            )
        payload = stack.astype("<u4").tobytes()
        check = zlib.crc32(payload, zlib.crc32(struct.pack("<IB", len(stack), reserve)))
        return part, HEAD.pack(len(stack), reserve, check) + payload, 4 * (len(stack) - len(coder.start(reserve)))

    def write(temporary: Path) -> None:
        nonlocal coded
        with open(temporary, "wb") as file:
            file.write(container.begin(MAGIC, header))
            for part, found, net in in_parallel(frame, range(0, len(x), FRAME), CORES):
                pixels.update(part.tobytes())
                file.write(found)
                coded += net
                if progress:
                    progress(len(part))
            file.write(pixels.digest())

    files.write(Path(path), write)
    size = Path(path).stat().st_size
    return Compressed(len(x), size, 8 * size / max(x.size, 1), size - coded)


@checked
def decompress(
    path: str | os.PathLike,
    model: Autoencoder,
    out: np.ndarray | None = None,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The images of a file of `compress`, bit for bit.

    Args:
        path: of the file.
        model: the one that it was written with.
        out: array of shape (n, *event) that takes the images, such as a memory map; None for a new one.
        progress: called with the number of images after each frame.

    Returns:
        (n, *event), uint8, or uint16 for more than 256 levels.

    Raises:
        InputError: the file is truncated, altered or no such file; it belongs to another model; or this machine's
            floating point gives other probabilities. There is no result then: wrong images are never returned.
    """
    path = Path(path)
    header, frames = _header(path)
    _check(path, header, model, out)
    coder = BitsBack(model, header["latent_bits"], header["batch_size"])
    if coder.numerics() != header.get("numerics"):
        raise errors.InputError(
            f"{path} was written where the floating point of {header.get('backend')} gives other probabilities than "
            f"here ({keras.backend.backend()}), so it cannot be decoded. Use the machine and the backend of the writer."
        )
    if out is None:
        out = np.empty((header["count"], *model.event_shape), dtype(model))
    pixels, done = hashlib.sha256(), 0

    def decoded(frame: tuple[int, np.ndarray, int]) -> np.ndarray:
        count, words, reserve = frame
        found = coder.decode(words, count, reserve)
        if found is None:
            raise container.damaged(path)
        return found

    with open(path, "rb") as file:
        file.seek(frames)
        for part in in_parallel(decoded, _frames(file, path, header), CORES):
            pixels.update(part.tobytes())
            out[done : done + len(part)] = part
            done += len(part)
            if progress:
                progress(len(part))
        if file.read(32) != pixels.digest() or file.read(1):
            raise container.damaged(path)
    return out


@checked
def dtype(model: Autoencoder) -> str:
    """The type of a model's decompressed images."""
    return "uint8" if levels_of(model) <= 256 else "uint16"


@checked
def identity(model: Autoencoder) -> str:
    """A hash of a model's settings and weights."""
    config = {key: value for key, value in model.get_config().items() if key != "name"}
    found = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for variable in model.weights:
        found.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes())
    return found.hexdigest()


@checked
def read_header(path: str | os.PathLike, model: Autoencoder) -> dict[str, Any]:
    """The header of a compressed file, checked: `count`, `shape`, `model`, `numerics`, and the settings.

    Raises:
        InputError: it is damaged, belongs to another model, or its images would take more memory than they may.
    """
    header = _header(path)[0]
    _check(Path(path), header, model)
    return header


def _header(path: str | os.PathLike) -> tuple[dict[str, Any], int]:
    ranges = {
        "count": container.Range(0),
        "latent_bits": container.Range(1, MOST_BITS),
        "batch_size": container.Range(1, FRAME),
        "frame": container.Range(1, FRAME),
    }
    header, start = container.read_header(path, MAGIC, VERSION, "keras-ae compress", ranges)
    frames = (os.path.getsize(path) - start) // HEAD.size
    container.check(Path(path), {"count": header["count"]}, {"count": container.Range(0, frames * header["frame"])})
    return header, start


def _frames(file: BinaryIO, path: Path, header: dict[str, Any]) -> Iterator[tuple[int, np.ndarray, int]]:
    """(images, words, reserve) of the frames of a file, which is at the first one."""
    for start in range(0, header["count"], header["frame"]):
        head = container.take(file, HEAD.size, path)
        count, reserve, check = HEAD.unpack(head)
        payload = container.take(file, 4 * count, path)
        if reserve >= RESERVES or zlib.crc32(payload, zlib.crc32(head[:5])) != check:
            raise container.damaged(path)
        yield min(header["frame"], header["count"] - start), np.frombuffer(payload, "<u4").astype("uint32"), reserve


def _check(path: Path, header: dict[str, Any], model: Autoencoder, out: np.ndarray | None = None) -> None:
    check_model(model)
    if header.get("shape") != [*model.event_shape]:
        shown = tuple(header["shape"]) if isinstance(header.get("shape"), list) else header.get("shape")
        raise errors.InputError(f"{path} holds images of shape {shown}, the model's are {model.event_shape}.")
    if header.get("model") != identity(model):
        raise errors.InputError(f"{path} was written with another model, with other weights or settings than this one.")
    shape = (header["count"], *model.event_shape)
    if out is not None and out.shape != shape:
        raise errors.InputError(f"out must have the shape {shape} of the images of {path}. Received: {out.shape}.")
    reading.check_memory(path, math.prod(shape) * np.dtype(dtype(model)).itemsize)


def _whole_numbers(x: np.ndarray, coder: BitsBack) -> np.ndarray:
    """x as the whole numbers that it holds."""
    if coder.levels == 2 and not ((x == 0) | (x == 1)).all():
        raise errors.InputError(
            f"x must hold 0 and 1 for a Bernoulli likelihood: it has values from {np.min(x):g} to {np.max(x):g}. "
            "Binarise it (binarize='threshold'), or train a model with a likelihood of levels."
        )
    coder.model.likelihood.check(x, "x")
    if np.isnan(x).any():
        raise errors.InputError("x has missing values (NaN), which cannot be compressed.")
    return x.astype("uint16")
