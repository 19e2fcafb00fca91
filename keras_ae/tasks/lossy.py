"""Images as a file of their codes: compression with loss.

A file is, in little-endian order: `MAGIC`; the length of the header, 4 bytes; the header as JSON; its CRC-32; the words
of 32 bits that the range coder gave; their CRC-32; the SHA-256 of what comes before the words and of the rounded codes.
"""

import hashlib
import math
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from keras_ae import errors, reading
from keras_ae.checks import checked
from keras_ae.models import Autoencoder, files, inputs
from keras_ae.tasks import container
from keras_ae.tasks.bits_back import entropy_coders
from keras_ae.tasks.compression import Compressed, identity

MAGIC = b"keras_ae codes\n"
VERSION = 2  # 1 had no checksum of the codes
MOST = 2**20  # intervals of one dimension
NUMBERS = (int, float)
STEPS = container.Range(1e-9, 1e9, NUMBERS)


@checked
def compress_codes(
    x: Any, model: Autoencoder, path: str | os.PathLike, step: Annotated[float, "[1e-9, 1e9]"] = 0.5
) -> Compressed:
    """Writes the codes of examples, rounded to multiples of `step` standard deviations and entropy-coded (transform
    coding with a learned transform; Balle et al., 2017, arXiv:1611.01704, with a fixed normal model of each dimension).

    Args:
        x: (n, *event), what the model encodes.
        model: any without a condition; it is needed to decompress.
        path: of the file, which is written whole or not at all.
        step: width of the intervals, in standard deviations of each dimension of the code over x: larger steps give
            smaller files and worse images.

    Returns:
        The number of bytes; `overhead` is that of header and checksums.

    Raises:
        InputError: the model is conditional, x does not fit it, or the step is not positive.

    Example:
        >>> import tempfile, keras_ae
        >>> x = keras_ae.data.load("digits", "test").x
        >>> model = keras_ae.create("ae", x.shape[1:], latent_dim=4, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = compress_codes(x, model, folder + "/digits.codes")
        ...     decompress_codes(folder + "/digits.codes", model).shape, found.bits_per_dimension < 0.4
        ((360, 8, 8, 1), True)
    """
    _check_model(model)
    codes = model.encode(inputs.check_x(model, x)).reshape(len(x), -1).astype("float64")
    mean, width = codes.mean(axis=0), step * np.maximum(codes.std(axis=0), 1e-6)
    symbols = np.round((codes - mean) / width)
    low, high = int(symbols.min()), int(symbols.max())
    if high - low >= MOST:
        raise errors.InputError(
            f"step={step} gives {high - low + 1:,} intervals, at most {MOST:,} can be coded. Raise it."
        )
    header = {
        "version": VERSION,
        "count": len(codes),
        "model": identity(model),
        "mean": mean.tolist(),
        "width": width.tolist(),
        "range": [low, high],
        "step": step,
    }
    coder = entropy_coders().queue.RangeEncoder()
    coder.encode(symbols.astype("int32").ravel(), _model(header))
    words = coder.get_compressed().astype("<u4").tobytes()
    begin = container.begin(MAGIC, header)
    file = begin + words + container.crc(words) + _sha256(begin, symbols)
    files.write(Path(path), lambda temporary: temporary.write_bytes(file))
    return Compressed(len(codes), len(file), 8 * len(file) / np.asarray(x).size, len(file) - len(words))


@checked
def decompress_codes(path: str | os.PathLike, model: Autoencoder) -> np.ndarray:
    """What the model decodes from the codes of a file of `compress_codes`: (n, *event).

    Args:
        path: of the file.
        model: the one that it was written with.

    Raises:
        InputError: the file is truncated, altered or no such file, or it belongs to another model.
    """
    _check_model(model)
    path = Path(path)
    ranges = {"count": container.Range(1), "step": STEPS}
    header, start = container.read_header(path, MAGIC, VERSION, "compress_codes", ranges)
    if header.get("model") != identity(model):
        raise errors.InputError(f"{path} was written with another model, with other weights or settings than this one.")
    dimensions, values = math.prod(model.latent_shape), math.prod(model.event_shape)
    for name, allowed, length in (
        ("mean", container.Range(-1e300, kinds=NUMBERS), dimensions),
        ("width", container.Range(0, kinds=NUMBERS), dimensions),
        ("range", container.Range(-MOST, MOST), 2),
    ):
        found = header.get(name)
        if not isinstance(found, list) or len(found) != length or not all(map(allowed.holds, found)):
            raise container.damaged(path)
    low, high = header["range"]
    if not 0 <= high - low < MOST:
        raise container.damaged(path)
    reading.check_memory(path, header["count"] * (20 * dimensions + 4 * values))
    content = path.read_bytes()
    words, check, digest = content[start:-36], content[-36:-32], content[-32:]
    if len(content) < start + 36 or len(words) % 4 or check != container.crc(words):
        raise container.damaged(path)
    coder = entropy_coders().queue.RangeDecoder(np.frombuffer(words, "<u4").astype("uint32"))
    try:
        symbols = coder.decode(_model(header), header["count"] * dimensions).reshape(-1, dimensions)
    except AssertionError as error:  # constriction's, of words that it does not write
        raise container.damaged(path) from error
    if digest != _sha256(content[:start], symbols):
        raise container.damaged(path)
    codes = (np.array(header["mean"]) + np.array(header["width"]) * symbols).astype("float32")
    return model.decode(codes.reshape(-1, *model.latent_shape))


def _sha256(begin: bytes, symbols: np.ndarray) -> bytes:
    return hashlib.sha256(begin + symbols.astype("<i4").tobytes()).digest()


def is_one(path: str | os.PathLike) -> bool:
    """Whether a file is one of `compress_codes`."""
    path = Path(path)
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _model(header: dict[str, Any]) -> Any:
    """The distribution of the rounded codes: a normal one, over whole numbers."""
    low, high = header["range"]
    return entropy_coders().model.QuantizedGaussian(low, max(high, low + 1), 0.0, 1 / header["step"])


def _check_model(model: Any) -> None:
    if not isinstance(model, Autoencoder) or model.conditional:
        what = "is conditional, and the file would have to hold the conditions"
        reason = what if isinstance(model, Autoencoder) else "is no model of keras_ae"
        raise errors.InputError(f"{type(model).__name__} cannot compress: it {reason}.")
