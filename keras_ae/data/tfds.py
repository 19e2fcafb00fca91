"""Image sets of TensorFlow Datasets, which are imported only when a set is not in the cache."""

import contextlib
import difflib
import json
import math
import os
import re
from pathlib import Path

import numpy as np

from keras_ae import reading, writing
from keras_ae.data.cache import cached
from keras_ae.data.dataset import Raw
from keras_ae.errors import InputError, unknown

NAMES = ("binarized_mnist", "cifar10", "fashion_mnist", "mnist")

BATCH = 1000  # images decoded at a time
OWN = "tensorflow_datasets."


def read(name: str, split: str, data_dir: str | os.PathLike[str] | None) -> Raw:
    """Images and labels of a set, downloaded if it is not in the folder.

    Args:
        name: "set", "set/config", "set:version" or "set/config:version".
        split: name or slice, such as "train" or "train[:10%]".
        data_dir: folder with the sets; default: TFDS_DATA_DIR, else ~/tensorflow_datasets.
    """
    chosen = os.fspath(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    if "://" in chosen:
        raise InputError(f"data_dir (or TFDS_DATA_DIR) must be a folder of this computer. Received: {chosen!r}.")
    root = Path(chosen).expanduser()
    folder = prepared(name, root) or _prepare(name, root)
    with reading.readable(folder, f"the data set {name!r} of TensorFlow Datasets"):
        return cached(folder, split, lambda: _decode(name, folder, split))


def prepared(name: str, root: Path) -> Path | None:
    """The folder of a set (its newest version, unless `name` has one) under `root`; None if it is not there."""
    path, _, version = name.partition(":")
    folders = {
        tuple(map(int, info.parent.name.split("."))): info.parent
        for info in (root / path).glob(f"{version or '*'}/dataset_info.json")
        if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
    }
    return folders[max(folders)] if folders else None


def _prepare(name: str, root: Path) -> Path:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import downloader

    known = tfds.list_builders(with_community_datasets=False)
    if re.split("[/:]", name)[0] not in known:  # TFDS would look for it on the network, for minutes without one
        close = difflib.get_close_matches(name, known, n=2)
        raise unknown("data set (and no such path)", name, {"digits", *NAMES, *close})
    downloader.MAX_RETRIES = 4  # with its 10 retries, TFDS takes minutes to notice that there is no connection
    plain = re.sub(r"\W+", "_", name)
    try:
        with writing.locked(root / plain):
            if found := prepared(name, root):
                return found  # by another process meanwhile
            builder = tfds.builder(name, data_dir=root)
            # A folder for each set: the files of MNIST and Fashion-MNIST have the same names.
            builder.download_and_prepare(download_dir=root / "downloads" / plain)
    except Exception as error:  # of the network, the disk, TFDS, or the set's own code
        raise InputError(
            f"The data set {name!r} is not in {str(root)!r} and could not be prepared there. "
            f"Set TFDS_DATA_DIR (or data_dir) to a folder where it is prepared, or connect to the network, or use "
            f"'digits', which needs no download. The reason: {type(error).__name__}: {str(error)[:500]}"
        ) from error
    return Path(builder.data_path)


def _decode(name: str, folder: Path, split: str) -> Raw:
    import keras
    import tensorflow as tf
    import tensorflow_datasets as tfds

    if keras.backend.backend() != "tensorflow":
        with contextlib.suppress(RuntimeError):  # TensorFlow runs already
            tf.config.set_visible_devices([], "GPU")  # it would take the memory that the backend needs

    _check_classes(folder)
    builder = tfds.builder_from_directory(folder)
    features = dict(builder.info.features.items())
    image = features.get("image")
    if not isinstance(image, tfds.features.Image) or None in image.shape or image.np_dtype != np.uint8:
        raise InputError(
            f"The data set {name!r} must have a feature 'image' of 8-bit pixels and a fixed size. "
            f"Received the features: {features}. Save its images as a folder or an .npz file and load that."
        )
    try:
        size = builder.info.splits[split].num_examples
    except (ValueError, KeyError) as error:
        raise InputError(
            f"The data set {name!r} has no split {split!r}. It has: {', '.join(sorted(builder.info.splits))}; "
            "parts of one are written as 'train[:10%]' or 'train[1000:]'."
        ) from error
    if size == 0:
        raise InputError(f"The split {split!r} of {name!r} has no examples. Ask for a larger part.")

    stored = sum(path.stat().st_size for path in folder.iterdir())
    reading.check_memory(folder, 4 * size * math.prod(image.shape), stored)
    wanted = {"image": True}
    if isinstance(features.get("label"), tfds.features.ClassLabel):
        wanted["label"] = True
    x = np.empty((size, *image.shape), np.uint8)
    y = np.empty(size, np.int64)
    stream = builder.as_dataset(split=split, batch_size=BATCH, decoders=tfds.decode.PartialDecoding(wanted))
    for number, batch in enumerate(stream.as_numpy_iterator()):
        rows = slice(number * BATCH, (number + 1) * BATCH)
        x[rows] = batch["image"]
        if "label" in wanted:
            y[rows] = batch["label"]
    if "label" not in wanted:
        return Raw(x, top=255)
    return Raw(x, y, tuple(features["label"].names), top=255)


def _check_classes(folder: Path) -> None:
    """Raises InputError where a set names classes of others than TensorFlow Datasets, which would import them."""

    def check(found: dict) -> dict:
        for key in ("pythonClassName", "python_class_name", "type"):
            if not str(found.get(key, OWN)).startswith(OWN):
                raise InputError(
                    f"The data set in {str(folder)!r} has the class {found[key]!r}, whose module would be imported. "
                    "If you trust it, load it with tensorflow_datasets and save its images as an .npz file."
                )
        return found

    json.loads((folder / "features.json").read_text(), object_hook=check)
