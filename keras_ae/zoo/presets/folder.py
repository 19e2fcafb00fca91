"""The folder of a preset on disk: a model with all that is needed to trust and to serve it.

NAME/model.keras     the model, without the state of its optimizer
NAME/1/              its SavedModel, in TensorFlow Serving's layout
NAME/pairs.npz       inputs and the codes and reconstructions that they must give
NAME/metrics.json    what was measured
NAME/README.md       the model card
NAME/index.json      format and the SHA-256 of every other file

A folder that is there keeps what is not in its index. Its new files lie whole in NAME/.new before the first of the old
ones is replaced, and are what is loaded until the last one is: whenever the process dies, the folder is the old preset
or the new one.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from keras_ae import errors, models, reading, serving, writing
from keras_ae.checks import checked
from keras_ae.models import files

FORMAT = 1
NEW = ".new"
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
    """Writes a preset's folder; of one that is there the files of its index are replaced, and all others stay.

    Args:
        model: any model of the zoo.
        folder: where to; its last part is the preset's name.
        card: text of README.md; None for a short one.
        metrics: what was measured, as JSON.
        pictures: files that the card shows, copied beside it.

    Returns:
        The folder.

    Raises:
        InputError: the folder holds something and is no preset's; it has a file of its own where one of the preset
            belongs; or a weight is not finite.

    Example:
        >>> import tempfile, keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> sorted(p.name for p in save(model, tempfile.mkdtemp() + "/mine").iterdir())
        ['1', 'README.md', 'index.json', 'model.keras', 'pairs.npz']
    """
    folder = Path(folder)
    with writing.staged(folder / NEW if check_target(folder) else folder) as temporary:
        temporary.mkdir()
        bare = without_optimizer(model)
        bare.save(temporary / MODEL)
        serving.export(bare, temporary / "served").rename(temporary / SAVED_MODEL)
        (temporary / "served").rmdir()
        np.savez_compressed(temporary / PAIRS, **pairs(bare))
        (temporary / CARD).write_text(card or f"# {folder.name}\n\nA {type(model).__name__} of keras_ae.\n")
        if metrics is not None:
            (temporary / METRICS).write_text(json.dumps(metrics, indent=2) + "\n")
        for picture in pictures:
            shutil.copyfile(picture, temporary / picture.name)
        hashes = {name: sha256(temporary / name) for name in _files(temporary)}
        index = {"format": FORMAT, "name": folder.name, "files": hashes}
        (temporary / INDEX).write_text(json.dumps(index, indent=2) + "\n")
        if not check_target(folder):
            try:
                writing.move_folder(temporary, folder)
                return folder
            except OSError:
                if not check_target(folder):
                    raise  # else another process saved it meanwhile
        with writing.locked(folder / NEW):
            _finish(folder)  # what a killed process began
            _check_places(folder, hashes)
            writing.move_folder(temporary, folder / NEW)
            _finish(folder)
    return folder


@checked
def check_target(folder: Path) -> bool:
    """Whether a preset's folder is there; raises InputError where something else is."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        _index(folder)
    except errors.InputError as error:
        raise errors.InputError(f"{folder} exists and is no preset's folder. Choose a new one. ({error})") from error
    return True


def _check_places(folder: Path, names: Iterable[str]) -> None:
    """Raises InputError where a preset's folder has files of its user in the places of new ones."""
    there = {f"{SAVED_MODEL}/{name}" for name in _files(folder / SAVED_MODEL)}
    there |= {name for name in names if (folder / name).exists()}
    if others := sorted(there - set(_index(folder))):
        raise errors.InputError(
            f"{folder} holds files that its preset did not write, in the place of new ones: {', '.join(others)}. Move "
            "them away, or choose a new folder."
        )


def _finish(folder: Path) -> None:
    """Puts new files in their places, the index last; can be interrupted at any moment, and be done again."""
    new = folder / NEW
    if not new.is_dir():
        return
    names = _index(new)
    for name in set(_index(folder)) - set(names):
        (folder / name).unlink(missing_ok=True)
        for parent in PurePosixPath(name).parents[:-1]:
            with contextlib.suppress(OSError):  # others are in it, or it is gone already
                (folder / parent).rmdir()
    for name in (*names, INDEX):
        files.write(folder / name, functools.partial(shutil.copyfile, new / name))
    writing.remove_folder(new)


def _current(folder: Path) -> Path:
    """Where the files of a preset are: in its folder, or in that of new ones as long as not all are in their places."""
    new = folder / NEW
    return new if (new / INDEX).is_file() and not new.is_symlink() else folder


@checked
def load(folder: Path, **loading: Any) -> models.Autoencoder:
    """Loads the model of a preset's folder, compiled with a new optimizer, after its files were verified.

    Args:
        folder: of the preset.
        **loading: arguments of `keras_ae.load_model`.
    """
    while True:
        before = _state(folder)
        try:
            model = files.load_model(verify(folder) / MODEL, **loading)
        except (errors.InputError, FileNotFoundError):
            if _state(folder) == before:
                raise  # else it was replaced while it was read
        else:
            model.compile("adam")
            return model


def _state(folder: Path) -> tuple[Path, bytes]:
    """What differs after a preset was replaced."""
    file = _current(folder) / INDEX
    try:
        return file, file.read_bytes()
    except OSError:
        return file, b""


@checked
def verify(folder: Path) -> Path:
    """Raises InputError unless every file is there and is what it was when the preset was saved.

    The index lists the model's file and all of the SavedModel. Other files that are not in it are ignored: hubs add
    their own.

    Returns:
        The folder that holds the files.
    """
    found = _current(folder)
    _verify(found, _index(found))
    return found


def _verify(folder: Path, listed: dict[str, str]) -> None:
    missing = [name for name in listed if not (folder / name).is_file()]
    altered = [name for name in listed if name not in missing and sha256(folder / name) != listed[name]]
    unlisted = sorted({name for name in _files(folder) if name.startswith(f"{SAVED_MODEL}/")} - listed.keys())
    found = {"missing": missing, "altered": altered, f"not in {INDEX}": unlisted}
    complaints = [f"{', '.join(names)} {what}" for what, names in found.items() if names]
    if complaints:
        raise errors.InputError(f"The preset in {folder} is not what was saved: {'; '.join(complaints)}. Get it again.")


def _index(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of the files that a preset's index lists.

    Raises:
        InputError: there is no such folder, or its index is none of a preset.
    """
    if not (folder / INDEX).is_file():
        why = f"it has no {INDEX}" if folder.is_dir() else "there is no such folder"
        raise errors.InputError(f"{folder} is no preset's folder: {why}.")
    index = reading.json_object(folder / INDEX)
    version, listed = index.get("format"), index.get("files")
    if not isinstance(listed, dict):
        raise errors.InputError(f"{folder / INDEX} is damaged: it lists no files. Get the folder again.")
    if version != FORMAT:
        raise errors.InputError(
            f"{folder} has format {version!r} of presets; this version of keras_ae knows format {FORMAT}. "
            "Install a newer keras_ae."
        )
    outside = [name for name in listed if not _is_inside(folder, name)]
    if outside or MODEL not in listed:
        why = f"{outside[0]!r} lies outside of the folder" if outside else f"it does not list {MODEL}"
        raise errors.InputError(f"{folder / INDEX} is damaged: {why}. Get the folder again.")
    return listed


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


def _is_inside(folder: Path, name: str) -> bool:
    """Whether a name is that of a file in the folder. In the hub's cache, files are links to its `blobs`."""
    path, here = PurePosixPath(name), folder.resolve()
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        return False
    real = (folder / path).resolve()
    return real.is_relative_to(here) or (
        here.parent.name == "snapshots" and real.is_relative_to(here.parents[1] / "blobs")
    )


def _files(folder: Path) -> list[str]:
    """Every file below a folder, by its path in it; none of another writer's temporary ones."""
    found = [path for path in folder.rglob("*") if path.is_file() and not writing.TEMPORARY.fullmatch(path.name)]
    return sorted(path.relative_to(folder).as_posix() for path in found)
