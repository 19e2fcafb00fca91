"""The bound: the matrix products of a step, forward and backward, in NumPy, and nothing else.

A convolution is the product of its patches with its kernel; gathering the patches is free here.
"""

from typing import Any

import numpy as np


def _layers(case: Any, size: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """(rows per example, inputs, outputs) of each layer; the first one's inputs need no gradient."""
    height, width, channels = size
    values, heads = height * width * channels, [(1, 256, case.latent_dim)] * 2
    if case.network == "mlp":
        return [(1, values, 512), (1, 512, 256), *heads, (1, case.latent_dim, 256), (1, 256, 512), (1, 512, values)]
    half, quarter = height * width // 4, height * width // 16
    return [
        (half, 9 * channels, 32), (quarter, 9 * 32, 64), (1, quarter * 64, 256), *heads, (1, case.latent_dim, 256),
        (1, 256, quarter * 64), (quarter, 64, 9 * 32), (half, 32, 9 * 32), (4 * half, 32, channels),
    ]  # fmt: skip


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    layers, random = _layers(case, images.shape[1:]), np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype("float32")

    work = []
    for number, (rows, inputs, outputs) in enumerate(layers):
        x, kernel, gradient = array(rows * case.batch_size, inputs), array(inputs, outputs), array(1, 1)
        gradient = array(rows * case.batch_size, outputs)
        work += [(x, kernel), (x.T, gradient), *([(gradient, kernel.T)] if number else [])]
    results = [np.empty((a.shape[0], b.shape[1]), "float32") for a, b in work]
    for _ in range(epochs):
        clock.epoch_begins()
        for _ in range(0, len(images), case.batch_size):
            for (a, b), result in zip(work, results, strict=True):
                np.matmul(a, b, out=result)
            clock.call_ends()
        clock.epoch_ends(float("nan"))
    return sum(inputs * outputs for _, inputs, outputs in layers)
