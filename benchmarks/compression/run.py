"""Lossless compression of the test images, beside general compressors and image formats.

    python benchmarks/compression/run.py [--rows binarized_mnist] [--images 10000]

Trains what is not a preset, in run folders below runs/compression, and goes on there when interrupted. Writes
results.csv and the tables of docs/compression.md; rows that are not measured this time stay. Exit code 1 where images
do not come back bit for bit.
"""

import argparse
import bz2
import csv
import gzip
import io
import lzma
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import keras_ae
from keras_ae import evaluation
from keras_ae.tasks import compress, decompress
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.csv", HERE.parents[1] / "docs" / "compression.md"
RUNS = Path("runs/compression")
START, END = "<!-- {what}: written by benchmarks/compression/run.py -->", "<!-- end of {what} -->"
LEVELS = {  # the VAE of grey levels
    "model": "vae",
    "levels": True,
    "likelihood": "discretized_logistic_mixture",
    "latent_dim": 50,
    "hidden": (400, 400),
    "network_options": {"activation": "gelu"},
    "batch_size": 128,
    "epochs": 40,
    "patience": 40,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "validation": 1 / 12,
}
ROWS: dict[str, dict[str, Any]] = {  # data -> the preset, or the recipe; published figures in bits a pixel
    "binarized_mnist": {"preset": "vae_binarized_mnist", "published": "BB-ANS 0.19"},
    "mnist": {"recipe": {**LEVELS, "data": "mnist"}, "published": "BB-ANS 1.41, Bit-Swap 1.29"},
    "fashion_mnist": {"recipe": {**LEVELS, "data": "fashion_mnist"}, "published": "BB-ANS 3.66"},
}
RATES = ("keras_ae", "gzip", "bz2", "lzma", "png", "webp")
PARTS = ("elbo", "quantisation", "overhead")
COLUMNS = ("data", "images", "model", *RATES, *PARTS, "compressed_per_s", "decompressed_per_s", "published")


def model_of(data: str) -> tuple[Any, str]:
    """The trained model of a row, and its name."""
    row = ROWS[data]
    if "preset" in row:
        return keras_ae.from_preset(row["preset"]), row["preset"]
    folder = RunFolder(RUNS / data)
    recipe = Recipe(**row["recipe"])
    return runs.train(recipe, folder, resume=folder.exists(), verbose=2), f"{recipe.likelihood}, {data}"


def measure(data: str, images: int) -> dict[str, Any]:
    """A row of results, in bits a pixel."""
    model, name = model_of(data)
    x = keras_ae.data.load(data, "test", levels=hasattr(model.likelihood, "levels")).x[:images]
    path = RUNS / f"{data}.bb"
    compress(x[:64], model, path)  # compiles
    begin = time.perf_counter()
    found = compress(x, model, path)
    middle = time.perf_counter()
    back = decompress(path, model)
    end = time.perf_counter()
    if not np.array_equal(back, x):
        sys.exit(f"{data}: the images that came back are others")
    elbo = -float(evaluation.elbo(model, x, samples=16).elbo.mean()) * len(x) / np.log(2) / x.size
    overhead = 8 * found.overhead / x.size
    rates = {"keras_ae": found.bits_per_dimension, **others(x.astype("uint8"))}
    parts = {"elbo": elbo, "quantisation": found.bits_per_dimension - elbo - overhead, "overhead": overhead}
    return {
        "data": data,
        "images": len(x),
        "model": name,
        **{key: round(float(value), 5) for key, value in (rates | parts).items()},
        "compressed_per_s": round(len(x) / (middle - begin)),
        "decompressed_per_s": round(len(x) / (end - middle)),
        "published": ROWS[data]["published"],
    }


def others(x: np.ndarray) -> dict[str, float]:
    """General compressors on all images at once, one bit or one byte a pixel; image formats on each image."""
    binary = x.max() <= 1
    raw = np.packbits(x).tobytes() if binary else x.tobytes()
    found = {
        "gzip": len(gzip.compress(raw, 9)),
        "bz2": len(bz2.compress(raw, 9)),
        "lzma": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)),
    }
    if not binary:
        for name, options in (("png", {"optimize": True}), ("webp", {"lossless": True, "quality": 100})):
            found[name] = sum(_size(image, name, options) for image in x[..., 0])
    return {name: 8 * size / x.size for name, size in found.items()}


def _size(image: np.ndarray, name: str, options: dict[str, Any]) -> int:
    file = io.BytesIO()
    Image.fromarray(image).save(file, name, **options)
    return len(file.getvalue())


def read() -> list[dict[str, str]]:
    """The rows of results.csv."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def write(rows: list[dict[str, Any]]) -> None:
    """results.csv, and the page that shows it."""
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: list(ROWS).index(row["data"])))
    text = PAGE.read_text()
    for what, columns in (("rates", RATES), ("parts", ("keras_ae", *PARTS, "compressed_per_s", "decompressed_per_s"))):
        last = ("published",) if what == "rates" else ()
        lines = [
            f"| data | {' | '.join(columns + last)} |".replace("_per_s", "/s"),
            "|---|" + "--:|" * len(columns + last),
        ]
        for row in read():
            lines.append(f"| {row['data']} | " + " | ".join(_cell(row[name]) for name in columns + last) + " |")
        start, end = START.format(what=what), END.format(what=what)
        block = "\n".join(lines)
        text = f"{text[: text.index(start)]}{start}\n{block}\n{text[text.index(end) :]}"
    PAGE.write_text(text)


def _cell(value: str) -> str:
    try:
        return f"{int(value):,}" if value.isdigit() else f"{float(value):.4f}"
    except ValueError:
        return value or "-"


def main() -> None:
    """Measures the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="DATA", help="(all)")
    parser.add_argument("--images", type=int, default=10_000, help="test images (%(default)s)")
    arguments = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    for data in arguments.rows:
        found = measure(data, arguments.images)
        print(found, flush=True)
        write([*(row for row in read() if row["data"] != data), found])


if __name__ == "__main__":
    main()
