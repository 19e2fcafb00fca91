"""How the values that a source stores become targets of a model."""

import numpy as np

from keras_ae.data.dataset import Dataset, Pixels, Raw, draw, limits
from keras_ae.errors import InputError, unknown

BINARIZATIONS: dict[str, Pixels] = {"threshold": "threshold", "fixed": "fixed", "dynamic": "dynamic"}


def check_options(binarize: str | None, levels: bool) -> None:
    """Raises an `InputError` when the two options of `load` cannot work, before any data is read."""
    if binarize is not None and binarize not in BINARIZATIONS:
        raise unknown("binarize", binarize, BINARIZATIONS)
    if binarize is not None and levels:
        raise InputError(
            f"binarize and levels exclude each other: pixels are {{0, 1}} or integer levels. "
            f"Received: binarize={binarize!r}, levels={levels}. Leave one of them out."
        )


def to_dataset(raw: Raw, name: str, split: str, binarize: str | None, levels: bool) -> Dataset:
    """Grey levels, binary pixels or integer levels from the values that a source stores."""
    if raw.tokenizer is not None:
        if binarize or levels:
            raise InputError(f"binarize and levels are for images. Received: text in {name!r}. Leave them out.")
        x = raw.x.astype(np.float32)
        return Dataset(x, raw.y, name, split, "tokens", raw.tokenizer.size, tokenizer=raw.tokenizer)
    top = raw.top
    if top is not None and raw.x.max() <= 1:
        top = 1  # binary images stored as integers
    x = raw.x.astype(np.float32)

    if levels:
        if top is None:
            raise InputError(
                f"levels=True needs images of 8-bit pixels. Received: {name!r} with values of type {raw.x.dtype} and "
                f"shape {raw.x.shape}. Save the images as uint8 of shape (n, height, width, channels), or leave "
                "levels out."
            )
        return Dataset(x, raw.y, name, split, "levels", top + 1, raw.label_names)

    if top is not None:
        x /= top
    pixels = _kind(raw.x, top)
    if binarize is not None and pixels != "binary":
        x, pixels = _binarize(x, name, split, BINARIZATIONS[binarize])
    return Dataset(x, raw.y, name, split, pixels, None, raw.label_names)


def _kind(x: np.ndarray, top: int | None) -> Pixels:
    """What stored values are, leaving out missing ones (NaN); `top` is the integer that means white, None if x is not
    images of integers."""
    if ((x == 0) | (x == (top or 1)) | (x != x)).all() and (x == x).any():
        return "binary"
    if top is not None:
        return "grey"
    low, high = limits(x)
    return "grey" if x.ndim > 2 and low >= 0 and high <= 1 else "values"


def _binarize(x: np.ndarray, name: str, split: str, how: Pixels) -> tuple[np.ndarray, Pixels]:
    low, high = limits(x)
    missing = int(np.isnan(x).sum())
    if missing or low < 0 or high > 1:
        raise InputError(
            f"binarize={how!r} needs values in [0, 1]. Received: {name!r} with values in [{low:g}, {high:g}] and "
            f"{missing} missing (NaN). Rescale and complete the data, or leave binarize out."
        )
    if how == "threshold":
        x = (x > 0.5).astype(np.float32)
    elif how == "fixed":
        # One stream of random numbers per split: 'train[:100]' is the beginning of 'train'.
        x = draw(x, seed=list(split.split("[")[0].encode()))
    return x, how
