"""The folder of a preset on disk: a model with all that is needed to trust and to serve it.

NAME/model.keras     the model, without the state of its optimizer
NAME/1/              its SavedModel, in TensorFlow Serving's layout
NAME/pairs.npz       inputs and the codes and reconstructions that they must give
NAME/metrics.json    what was measured
NAME/README.md       the model card
NAME/index.json      format and the SHA-256 of every other file
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae import errors, models, serving
from keras_ae.checks import checked
from keras_ae.models import files

FORMAT = 1
INDEX, MODEL, SAVED_MODEL = "index.json", "model.keras", "1"
PAIRS, METRICS, CARD = "pairs.npz", "metrics.json", "README.md"
PAIRS_STORED = 4


@checked
def save(
    model: models.Autoencoder,
    folder: str | os.PathLike,
    card: str | None = None,
    metrics: dict[str, Any] | None = None,
    pictures: Iterable[Path] = (),
) -> Path:
    """Writes a preset's folder; one that is there is replaced as a whole, and only if it is a preset's.

    Args:
        model: any model of the zoo.
        folder: where to; its last part is the preset's name.
        card: text of README.md; None for a short one.
        metrics: what was measured, as JSON.
        pictures: files that the card shows, copied beside it.

    Returns:
        The folder.

    Raises:
        InputError: the folder exists and is no preset's.

    Example:
        >>> import tempfile, keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> sorted(p.name for p in save(model, tempfile.mkdtemp() + "/mine").iterdir())
        ['1', 'README.md', 'index.json', 'model.keras', 'pairs.npz']
    """
    folder = Path(folder)
    if folder.exists() and not (folder / INDEX).is_file():
        raise errors.InputError(f"{folder} exists and is no preset's folder. Choose a new one.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        bare = without_optimizer(model)
        bare.save(staging / MODEL)
        serving.export(bare, staging / "served").rename(staging / SAVED_MODEL)
        (staging / "served").rmdir()
        np.savez_compressed(staging / PAIRS, **pairs(bare))
        (staging / CARD).write_text(card or f"# {folder.name}\n\nA {type(model).__name__} of keras_ae.\n")
        if metrics is not None:
            (staging / METRICS).write_text(json.dumps(metrics, indent=2) + "\n")
        for picture in pictures:
            shutil.copy(picture, staging)
        hashes = {name: sha256(staging / name) for name in _files(staging)}
        index = {"format": FORMAT, "name": folder.name, "files": hashes}
        (staging / INDEX).write_text(json.dumps(index, indent=2) + "\n")
        staging.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


@checked
def load(folder: Path) -> models.Autoencoder:
    """The model of a preset's folder, compiled anew, after its files were verified."""
    verify(folder)
    model = files.load_model(folder / MODEL)
    model.compile("adam")
    return model


@checked
def verify(folder: Path) -> None:
    """Raises InputError unless every file is there and is what it was when the preset was saved.

    Files that are not in the index are ignored: hubs add their own.
    """
    if not (folder / INDEX).is_file():
        why = f"it has no {INDEX}" if folder.is_dir() else "there is no such folder"
        raise errors.InputError(f"{folder} is no preset's folder: {why}.")
    try:
        index = json.loads((folder / INDEX).read_text())
        version, listed = index["format"], dict(index["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise errors.InputError(f"{folder / INDEX} is damaged: {error!r}. Get the folder again.") from error
    if version != FORMAT:
        raise errors.InputError(
            f"{folder} has format {version!r} of presets; this version of keras_ae knows format {FORMAT}. "
            "Install a newer keras_ae."
        )
    missing = [name for name in listed if not (folder / name).is_file()]
    altered = [name for name in listed if name not in missing and sha256(folder / name) != listed[name]]
    if missing or altered:
        found = [f"{', '.join(names)} {what}" for names, what in ((missing, "missing"), (altered, "altered")) if names]
        raise errors.InputError(f"The preset in {folder} is not what was saved: {'; '.join(found)}. Get it again.")


@checked
def without_optimizer(model: models.Autoencoder) -> models.Autoencoder:
    """A copy that was not compiled: of its training it has the weights alone."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


@checked
def pairs(model: models.Autoencoder) -> dict[str, Any]:
    """A few inputs that the likelihood can explain, made of random codes, with their codes and reconstructions."""
    generator = np.random.default_rng(0)
    codes = generator.normal(size=(PAIRS_STORED, *model.latent_shape)).astype("float32")
    condition = None
    if model.conditional:
        classes = generator.integers(model.condition_dim, size=PAIRS_STORED)
        condition = np.eye(model.condition_dim, dtype="float32")[classes]
    x = model.decode(codes, condition=condition)
    found = {
        "x": x,
        "code": model.encode(x, condition=condition),
        "reconstruction": model.reconstruct(x, condition=condition),
    }
    return found if condition is None else {**found, "condition": condition}


@checked
def sha256(path: Path) -> str:
    """Of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[str]:
    """Every file below a folder, by its path in it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
