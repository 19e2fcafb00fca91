"""One's own data: arrays, tables and folders of images."""

import csv
import io
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_ae import reading
from keras_ae.data import images
from keras_ae.data.dataset import Raw
from keras_ae.data.tokenizer import Tokenizer
from keras_ae.errors import InputError, unknown

SUFFIXES = (".npy", ".npz", ".csv", ".txt")


def read(
    path: Path,
    split: str,
    image_size: Sequence[int] | None = None,
    tokens: str = "character",
    vocabulary_size: int | None = None,
) -> Raw:
    """Examples of a split of the data at `path`.

    Args:
        path: an `.npy`, `.npz`, `.csv` or `.txt` file, or a folder of images.
        split: "train", "test" or "all"; for an `.npz` file with arrays x_train, x_test, ..., one of those.
        image_size: (height, width) for a folder of images, else None.
        tokens, vocabulary_size: of text, `level` and `vocabulary_size` of `Tokenizer.adapt`.

    Raises:
        InputError: there is no such file; it is damaged, no regular file, or would take more memory than it may
            (`keras_ae.reading`); or it holds no examples.
    """
    if not os.path.exists(path):
        raise InputError(f"There is no file or folder {str(path)!r}. Check the path.")
    if path.is_dir():
        return _part(_checked(images.read(path, image_size), path), split, path)
    if path.suffix == ".csv":
        return _part(_checked(Raw(_read_csv(path)), path), split, path)
    if path.suffix == ".txt":
        return _part(_read_text(path, tokens, vocabulary_size), split, path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"Files of type {path.suffix!r} cannot be read: {str(path)!r}. Expected: {', '.join(SUFFIXES)}, or a "
            "folder of images."
        )
    names = reading.array_names(path)
    part = "" if "x" in names else f"_{split}"
    splits = [name[2:] for name in names if name.startswith("x_")]
    if part and not splits:
        raise InputError(
            f"{str(path)!r} must hold an array 'x' (and perhaps 'y'), or 'x_train' and 'x_test' (and perhaps "
            f"'y_train' and 'y_test'). Received: {', '.join(names) or 'no arrays'}. Save it with np.savez(path, x=x)."
        )
    if part and split not in splits:
        raise unknown(f"split of {str(path)!r}", split, splits)
    x, y = f"x{part}", f"y{part}"
    arrays = reading.arrays(path, [x, y] if y in names else [x])
    raw = _checked(Raw(arrays[x], arrays.get(y)), path)
    return raw if part else _part(raw, split, path)


def _part(raw: Raw, split: str, path: Path) -> Raw:
    """The rows of a split of data that has none of its own: a random tenth is the test set; "all" are all in order."""
    if split not in ("train", "test", "all"):
        raise unknown(f"split of {str(path)!r}", split, ("train", "test", "all"))
    if split == "all":
        return raw
    order = np.random.default_rng(0).permutation(len(raw.x))
    train = round(0.9 * len(order))
    rows = order[:train] if split == "train" else order[train:]
    if len(rows) == 0:
        raise InputError(f"{str(path)!r} has {len(order)} example(s), too few for a split {split!r}. Add examples.")
    return raw._replace(x=raw.x[rows], y=None if raw.y is None else raw.y[rows])


def _checked(raw: Raw, path: Path) -> Raw:
    """`raw` with images and labels in the usual form."""
    x, y, label_names = raw.x, raw.y, raw.label_names
    if x.dtype.kind not in "biuf":
        raise InputError(f"{str(path)!r} must hold real numbers in x. Received: values of type {x.dtype}.")
    if x.ndim < 2 or x.size == 0:
        raise InputError(
            f"{str(path)!r} must hold examples along the first axis of x and their values along the others, "
            f"(n, values) or (n, height, width, channels). Received: x of shape {x.shape}."
        )
    is_image = x.dtype in (np.uint8, np.bool_) and x.ndim in (3, 4)
    if is_image and x.ndim == 3:
        x = x[..., None]
    if y is not None:
        if y.shape == (len(x), 1):
            y = y[:, 0]
        if y.shape[:1] != x.shape[:1]:
            raise InputError(f"{str(path)!r} must hold one label per example. Received: x {x.shape}, y {y.shape}.")
        if y.dtype.kind in "US":
            names, y = np.unique(y.astype(np.str_), return_inverse=True)
            label_names = tuple(names.tolist())
        if y.dtype.kind in "biu":
            y = y.astype(np.int64)
    return Raw(x, y, label_names, top=255 if is_image else None)


def _read_csv(path: Path) -> np.ndarray:
    values, columns = array("f"), 0
    with reading.opened(path, "a table of comma-separated numbers") as file:
        reader = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        for cells in reader:
            if not cells or (columns == 0 and _is_header(cells)):
                columns = columns or len(cells)
                continue
            columns = columns or len(cells)
            if len(cells) != columns:
                raise InputError(
                    f"{str(path)!r}, row {reader.line_num}: expected {columns} columns as in the first row. "
                    f"Received: {len(cells)}."
                )
            try:
                values.extend(list(map(float, cells)))
            except ValueError:  # an empty cell, or text
                values.extend(_numbers(cells, path, reader.line_num))
    if not values:
        raise InputError(f"{str(path)!r} has no rows of numbers. Expected: one row per example, commas between values.")
    return np.frombuffer(values, np.float32).reshape(-1, columns)


def _read_text(path: Path, level: str, vocabulary_size: int | None) -> Raw:
    """Each line that is not blank, as tokens; the vocabulary is that of the whole file."""
    lines = reading.text(path, "UTF-8 text, one example a line", "utf-8-sig").splitlines()
    texts = [text for text in map(str.strip, lines) if text]
    if not texts:
        raise InputError(f"{str(path)!r} has no text. Expected: one example a line.")
    tokenizer = Tokenizer.adapt(texts, level, vocabulary_size=vocabulary_size)
    reading.check_memory(path, 4 * len(texts) * tokenizer.steps)  # as float32; all rows are as long as the longest
    return Raw(tokenizer(texts), tokenizer=tokenizer)


def _is_header(cells: list[str]) -> bool:
    """Whether no cell is a number or empty."""
    return not any(_parses(cell) for cell in cells)


def _parses(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _numbers(cells: list[str], path: Path, row: int) -> Iterator[float]:
    for column, cell in enumerate(cells, 1):
        if not _parses(cell.strip()):
            raise InputError(
                f"{str(path)!r}, row {row}, column {column}: expected a number or an empty cell. Received: {cell!r}. "
                "Encode text as numbers, or leave the column out."
            )
        yield float(cell.strip() or "nan")
