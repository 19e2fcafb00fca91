"""Rate and distortion of coded codes, beside JPEG and WebP.

    python benchmarks/compression/lossy.py [--images 10000]

Writes lossy.csv, bits a pixel of whole files and the peak signal-to-noise ratio in dB, and docs/images/lossy.png.
"""

import argparse
import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import keras_ae
from keras_ae import plots
from keras_ae.tasks import compress_codes, decompress_codes

HERE = Path(__file__).parent
RESULTS, PICTURE = HERE / "lossy.csv", HERE.parents[1] / "docs" / "images" / "lossy.png"
PRESETS = ("ae_mnist_2", "ae_mnist_32")
STEPS = (4.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.25, 0.1)
QUALITIES = (1, 3, 5, 10, 20, 30, 50, 70, 90)


def psnr(x: np.ndarray, y: np.ndarray) -> float:
    """10 log10(1 / mean squared error), of grey levels in [0, 1]."""
    return float(-10 * np.log10(np.mean(np.square(x - y.reshape(x.shape)))))


def of_model(name: str, x: np.ndarray) -> list[dict[str, Any]]:
    """A line for each step."""
    model, lines = keras_ae.from_preset(name), []
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            found = compress_codes(x, model, Path(folder) / "x", step)
            back = decompress_codes(Path(folder) / "x", model)
            lines.append(line(f"keras_ae, {name}", step, found.size, x, back))
    return lines


def of_format(kind: str, x: np.ndarray, together: bool) -> list[dict[str, Any]]:
    """A line for each quality, on each image or on all of them side by side."""
    pixels, lines = np.round(x[..., 0] * 255).astype("uint8"), []
    if together:
        columns = next(n for n in range(int(len(x) ** 0.5), 0, -1) if len(x) % n == 0)
        pixels = pixels.reshape(-1, columns, *x.shape[1:3]).swapaxes(1, 2).reshape(1, -1, columns * x.shape[2])
    for quality in QUALITIES:
        size, back = 0, []
        for image in pixels:
            file = io.BytesIO()
            Image.fromarray(image).save(file, kind, quality=quality)
            size += len(file.getvalue())
            back.append(np.asarray(Image.open(file).convert("L"), "float32") / 255)
        name = f"{kind.upper()}, {'all images as one' if together else 'each image'}"
        lines.append(line(name, quality, size, pixels / 255, np.array(back)))
    return lines


def line(name: str, setting: float, size: int, x: np.ndarray, back: np.ndarray) -> dict[str, Any]:
    """A line of the results."""
    bits = round(8 * size / x.size, 5)
    return {"method": name, "setting": setting, "bits_per_pixel": bits, "psnr": round(psnr(x, back), 3)}


def draw(lines: list[dict[str, Any]]) -> Figure:
    """A curve for each method."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="bits a pixel", ylabel="peak signal-to-noise ratio, dB", xscale="log")
    for name in dict.fromkeys(found["method"] for found in lines):
        points = [(found["bits_per_pixel"], found["psnr"]) for found in lines if found["method"] == name]
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return figure


def main() -> None:
    """Measures, and writes the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    x = keras_ae.data.load("mnist", "test").x[: parser.parse_args().images]
    lines = [found for name in PRESETS for found in of_model(name, x)]
    for kind in ("jpeg", "webp"):
        lines += of_format(kind, x, together=False) + of_format(kind, x, together=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    plots.save(draw(lines), PICTURE)
    for found in lines:
        print(*found.values(), sep="\t")


if __name__ == "__main__":
    main()
