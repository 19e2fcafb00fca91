"""`load`: from the name of a data set, or a path, to a `Dataset`."""

import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from keras_ae.checks import Count, ImageSize, checked, one_of
from keras_ae.data import files, tfds
from keras_ae.data.dataset import Dataset, Raw
from keras_ae.data.pixels import check_options, to_dataset
from keras_ae.data.tokenizer import SPLIT
from keras_ae.errors import InputError, unknown


def list_datasets() -> list[str]:
    """The names that `load` is tried with; further image sets of TensorFlow Datasets work by their names, too.

    Example:
        >>> list_datasets()
        ['binarized_mnist', 'cifar10', 'digits', 'fashion_mnist', 'mnist']
    """
    return sorted(("digits", *tfds.NAMES))


def _name(name: str, value: Any) -> str | os.PathLike:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise InputError(f"{name} must be a data set, such as 'digits', or a path. Received: {name}={value!r}.")
    return value


@checked
def load(
    name: Annotated[str | os.PathLike, _name],
    split: str = "train",
    *,
    binarize: str | None = None,
    levels: bool = False,
    image_size: ImageSize | None = None,
    tokens: Annotated[str, one_of(*SPLIT)] = "character",
    vocabulary_size: Count | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Loads a data set into memory.

    Images are grey levels in [0, 1] unless `binarize` or `levels` says otherwise; floats in files stay as they are.

    Args:
        name: one of:

            - "digits": 1,797 images (8, 8, 1) with 17 levels, part of scikit-learn, nothing to download;
            - an image set of TensorFlow Datasets: "mnist", "fashion_mnist", "binarized_mnist", "cifar10", ...;
            - a path: `.npy` (x), `.npz` (x and perhaps y, or x_train, y_train, x_test, ...), `.csv` (numbers, each row
              one example, empty cells NaN), `.txt` (a text a line, see `Tokenizer`; its vocabulary is that of the whole
              file), or a folder of images (names of subfolders become labels). uint8 arrays of 3 or 4 axes are images.
              A plain name is a path when such a file is here; write "./mnist" for a folder
              called as a known set.
        split: "train", "test"; for TensorFlow Datasets also "validation", "train[:10%]", "train+test", ...
            Of a path without splits of its own, "test" is a random tenth, always the same, "train" the rest, and "all"
            is all in order.
        binarize: "threshold" (1 above 0.5), "fixed" (one random draw, grey levels being probabilities) or "dynamic"
            (drawn anew for every batch, see `Dataset.transform`). Binary data stays as it is.
        levels: whether pixels stay integers 0..255 (digits: 0..16), for a Categorical likelihood.
        image_size: (height, width) in pixels to which the images of a folder are stretched; needed when they differ.
        tokens: what the tokens of text are, each a `"character"` or a `"word"`.
        vocabulary_size: how many tokens to keep, the most frequent ones; None for all.
        data_dir: folder of TensorFlow Datasets; default: the environment variable TFDS_DATA_DIR, else
            ~/tensorflow_datasets. A set that is not there is downloaded.

    Raises:
        InputError: an unknown name, split or option, a set that cannot be downloaded, or a file that cannot be read or
            would take too much memory: more than a hundred times its size on disk and more than 1 GiB, or as many GiB
            as the environment variable KERAS_AE_MAX_GB says.

    Example:
        >>> digits = load("digits", "train", binarize="threshold")
        >>> digits.x.shape, digits.y.shape, digits.pixels
        ((1437, 8, 8, 1), (1437,), 'threshold')
    """
    check_options(binarize, levels)
    is_path = _is_path(name)
    path = Path(name).expanduser()
    if image_size is not None and not (is_path and path.is_dir()):
        raise InputError(
            f"image_size is for a folder of images. Received: image_size={image_size!r} with {os.fspath(name)!r}. "
            "Leave it out."
        )
    if (tokens != "character" or vocabulary_size is not None) and not (is_path and path.suffix == ".txt"):
        raise InputError(
            f"tokens and vocabulary_size are for text, a .txt file. Received: tokens={tokens!r}, vocabulary_size="
            f"{vocabulary_size!r} with {os.fspath(name)!r}. Leave them out."
        )
    if is_path:
        raw = files.read(path, split, image_size, tokens, vocabulary_size)
    elif name == "digits":
        raw = _digits(split)
    else:
        raw = tfds.read(str(name), split, data_dir)
    return to_dataset(raw, os.fspath(name), split, binarize, levels)


def _is_path(name: str | os.PathLike[str]) -> bool:
    if not isinstance(name, str):
        return True
    if name in list_datasets():
        return False
    return name.startswith((".", "/", "~")) or Path(name).suffix in files.SUFFIXES or os.path.exists(name)


def _digits(split: str) -> Raw:
    from sklearn.datasets import load_digits

    if split not in ("train", "test"):
        raise unknown("split of 'digits'", split, ("train", "test"))
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    rows = order[:1437] if split == "train" else order[1437:]
    names = tuple(str(name) for name in digits.target_names)
    return Raw(digits.images[rows, ..., None].astype(np.uint8), digits.target[rows], names, top=16)
