"""Every reader of the package, what it reads, and ways to damage a file."""

import io
import json
import os
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import keras_ae
from keras_ae.data import cache as data_cache
from keras_ae.data.dataset import Raw
from keras_ae.evaluation import latent_dim
from keras_ae.tasks import compress, compress_codes, compression, container, decompress, decompress_codes, lossy
from keras_ae.training import RunFolder
from keras_ae.zoo.presets import folder as presets

X = np.random.default_rng(0).integers(2, size=(12, 4)).astype("float32")
PICTURE = np.random.default_rng(0).integers(256, size=(9, 7, 3)).astype("uint8")


@dataclass(frozen=True)
class Reader:
    """One of them.

    Args:
        write: makes a good file.
        read: gives what is in the file, as something that can be compared.
        exact: whether damage is found, or else changes nothing; without a checksum it may change values.
        rounds: how many random damages a quick test tries.
        forged: (content, a function that damages bytes, random numbers) -> content whose inside is damaged and whose
            checksums fit.
    """

    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    exact: bool = True
    rounds: int = 30
    forged: Callable[[bytes, Callable[[bytes], bytes], random.Random], bytes] | None = None


@cache
def model():
    return keras_ae.create("vae", (4,), 2, network_options={"hidden": (3,)}, seed=0)


def loaded(path: Path) -> list[Any]:
    found = keras_ae.data.load(path, "all")
    return [found.x, found.y]


def picture_of(path: Path) -> np.ndarray:
    return keras_ae.data.load(path.parent, "all").x


def cached(path: Path) -> list[Any]:
    os.environ["KERAS_AE_CACHE"] = str(path.parent)
    try:
        source = path.parent / "source"
        source.mkdir(exist_ok=True)
        target = data_cache._path(source, "train")
        if path.exists():
            path.rename(target)
        found = data_cache.cached(source, "train", lambda: Raw(PICTURE[None], np.arange(1), ("a",), 255))
        target.rename(path)
        return [found.x, found.y, *found.label_names, found.top]
    finally:
        del os.environ["KERAS_AE_CACHE"]


def preset(path: Path) -> str:
    """Only its files are verified here: a model is built by the reader of its file."""
    presets.verify(path.parent)
    return "verified"


def write_preset(path: Path) -> None:
    (path.parent / presets.MODEL).write_text("a model")
    hashes = {presets.MODEL: presets.sha256(path.parent / presets.MODEL)}
    path.write_text(json.dumps({"format": presets.FORMAT, "name": "mine", "files": hashes}))


def forged_zip(content: bytes, damage: Callable[[bytes], bytes], rng: random.Random) -> bytes:
    """One of the files in it."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(found, "w") as bad:
        members = {name: good.read(name) for name in good.namelist()}
        chosen = rng.choice(list(members))
        for name, inside in members.items():
            bad.writestr(name, damage(inside) if name == chosen else inside)
    return found.getvalue()


def forged_png(content: bytes, damage: Callable[[bytes], bytes], rng: random.Random) -> bytes:
    """The numbers of its header: width, height, and what a pixel is."""
    header = b"IHDR" + (damage(content[16:29]) + bytes(13))[:13]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def forged_compressed(content: bytes, damage: Callable[[bytes], bytes], rng: random.Random) -> bytes:
    """Its header, or the words after it."""
    magic = content[: content.index(b"\n") + 1]
    start = len(magic) + container.LENGTH.size
    end = start + container.LENGTH.unpack(content[len(magic) : start])[0]
    text, rest = content[start:end], content[end + container.LENGTH.size :]
    if rng.random() < 0.5:
        text = damage(text)
    elif magic == lossy.MAGIC:
        words = damage(rest[:-36])
        rest = words + container.crc(words) + rest[-32:]
    else:
        size, *_ = compression.HEAD.unpack(rest[:9])
        head, words = damage(rest[:5])[:5].ljust(5, b"\0"), damage(rest[9 : 9 + 4 * size])
        rest = head + struct.pack("<I", zlib.crc32(words, zlib.crc32(head))) + words + rest[9 + 4 * size :]
    return magic + container.LENGTH.pack(len(text)) + text + container.crc(text) + rest


def images(*endings: str) -> dict[str, Reader]:
    def write(path: Path) -> None:
        Image.fromarray(PICTURE).save(path)

    forged = {"png": forged_png}
    return {f"a.{e}": Reader(write, picture_of, exact=False, forged=forged.get(e)) for e in endings}


def figures() -> dict[str, np.ndarray]:
    return {name: X[:, 0] for name in ("score", "squared_error", "reconstruction")}


READERS = {
    "x.npy": Reader(lambda path: np.save(path, X), loaded, exact=False),
    "x.npz": Reader(lambda path: np.savez_compressed(path, x=X, y=X[:, 0]), loaded, forged=forged_zip),
    "x.csv": Reader(lambda path: np.savetxt(path, X, delimiter=","), loaded, exact=False),
    "x.txt": Reader(lambda path: path.write_text("one\nand two\n"), loaded, exact=False),
    **images("bmp", "gif", "jpg", "png", "ppm", "tif", "webp"),
    "cache.npz": Reader(cached, cached),
    "figures.npz": Reader(
        lambda path: np.savez(path, **figures()), lambda path: [*latent_dim._stored(path, len(X)).values()]
    ),
    "index.json": Reader(write_preset, preset),
    "config.json": Reader(
        lambda path: RunFolder(path.parent).start({"recipe": {"model": "vae"}}),
        lambda path: json.dumps(RunFolder(path.parent).config),
        exact=False,
    ),
    "history.csv": Reader(
        lambda path: RunFolder(path.parent).write_history([{"epoch": n, "loss": 1 / n} for n in (1, 2, 3)]),
        lambda path: [[*row.values()] for row in RunFolder(path.parent).history()],
        exact=False,
    ),
    "seconds.txt": Reader(
        lambda path: RunFolder(path.parent).add_seconds(1.5), lambda path: RunFolder(path.parent).seconds(), exact=False
    ),
    "snapshots/epoch-00001.npy": Reader(
        lambda path: RunFolder(path.parents[1]).save_snapshot(1, X),
        lambda path: [*RunFolder(path.parents[1]).snapshots().values()],
        exact=False,
    ),
    "x.bb": Reader(
        lambda path: compress(X, model(), path),
        lambda path: decompress(path, model()),
        forged=forged_compressed,
    ),
    "x.codes": Reader(
        lambda path: compress_codes(X, model(), path),
        lambda path: decompress_codes(path, model()),
        forged=forged_compressed,
    ),
    "model.keras": Reader(
        lambda path: model().save(path),
        lambda path: keras_ae.load_model(path).get_weights(),
        rounds=6,
        forged=forged_zip,
    ),
}


WORDS = b'0 -1 7 99999 999999999 999999999999 1e308 1.5 NaN true null [] "'.split()


def damaged(good: bytes, rng: random.Random) -> bytes:
    """A file with a few of its bytes changed, cut out, repeated or added, or with numbers that are large."""
    bad = bytearray(good)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at, length = rng.randrange(len(bad) + 1), rng.choice((1, 2, 4, 8, 30))
        kind = rng.randrange(8)
        if kind == 0 and at < len(bad):
            bad[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            bad[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            bad[at : at + length] = rng.choice((b"\xff", b"\x00", b"\x7f")) * length
        elif kind == 3:
            del bad[at : at + length]
        elif kind == 4:
            bad[at:at] = bad[at : at + length]
        elif kind == 5:
            del bad[at:]
        elif kind == 6:
            bad[at : at + 1] = rng.choice(WORDS)
        elif numbers := list(re.finditer(rb"-?\d[\d.e-]*", bad)):
            place = rng.choice(numbers)
            bad[place.start() : place.end()] = rng.choice(WORDS)
    return bytes(bad)


def same(found: Any, expected: Any) -> bool:
    """Whether two results are equal, arrays and all."""
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(same, found, expected))
    return np.array_equal(found, expected)
