"""Presets: trained models by name, with their settings and the figures that they must reach."""

import fnmatch
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_ae import errors, models
from keras_ae.checks import checked
from keras_ae.models import files
from keras_ae.zoo.presets import folder as folders
from keras_ae.zoo.recipe import Recipe

SETTINGS = Path(__file__).parent / "settings"
HUB = "hf://"


@dataclass(frozen=True)
class Preset:
    """The settings of a preset, one file in `settings/`.

    Args:
        name: of the file and of the folder.
        purpose: what the model is for, in a sentence or two.
        recipe: the whole training.
        samples: K of the estimate of log p(x) among the figures.
        expected: figure -> its value on the test split, as `figures` gives them.
        tolerance: the relative difference that a figure may have.
    """

    name: str
    purpose: str
    recipe: Recipe
    samples: int = 100
    expected: dict[str, float] = field(default_factory=dict)
    tolerance: float = 0.005


@checked
def list_presets(pattern: str = "*") -> list[str]:
    """Names of the presets that match a shell pattern.

    >>> "vae_mnist" in list_presets("vae*")
    True
    """
    return sorted(fnmatch.filter((path.stem for path in SETTINGS.glob("*.json")), pattern))


@checked
def preset(name: str) -> Preset:
    """The settings of a preset.

    >>> preset("vae_mnist").recipe.model
    'vae'
    """
    if name not in list_presets():
        raise errors.unknown("preset", name, list_presets())
    settings = json.loads((SETTINGS / f"{name}.json").read_text())
    return Preset(**{**settings, "name": name, "recipe": Recipe(**settings["recipe"])})


@checked
def from_preset(
    name: str | os.PathLike,
    folder: str | os.PathLike | None = None,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
) -> models.Autoencoder:
    """A trained model by its name.

    Args:
        name: of a preset, looked for in the folder that the environment variable KERAS_AE_HOME names and in
            `saved_models/` of the repository; or the path of a preset's folder, such as "./mine"; or "hf://owner/name"
            of the Hugging Face hub (needs the extra `hub`).
        folder: the one place where the name is looked for; None for those above.
        custom_objects, safe_mode: see `keras_ae.load_model`; False only for presets that you trust as programs.

    Returns:
        The model, compiled with a new optimizer, after the SHA-256 of every file of the preset was verified.

    Raises:
        InputError: there is no such preset, or a file of it is missing, altered or not in its index.
    """
    return folders.load(find(name, folder), custom_objects=custom_objects, safe_mode=safe_mode)


@checked
def find(name: str | os.PathLike, folder: str | os.PathLike | None = None) -> Path:
    """The folder of a preset."""
    if not isinstance(name, (str, os.PathLike)) or not os.fspath(name):
        raise errors.InputError(f"name must be that of a preset, such as 'vae_mnist', or a path. Received: {name!r}.")
    is_path = isinstance(name, os.PathLike) or "/" in name or os.sep in name or name.startswith(".")
    if folder is not None:
        return _in_folder(name, Path(folder), is_path)
    if isinstance(name, os.PathLike):
        return Path(name)
    if name.startswith(HUB):
        repository = _repository(name)
        return Path(_with_hub(name, "loaded", lambda hub: hub.snapshot_download(repository)))
    if is_path:
        return Path(name)
    homes = files.homes()
    for home in homes:
        if (home / name / folders.INDEX).is_file():
            return home / name
    if name not in list_presets():
        found = f" For the folder of one that you saved, write './{name}'." if Path(name).is_dir() else ""
        raise errors.InputError(f"{errors.unknown('preset', name, list_presets())}{found}")
    raise errors.InputError(
        f"The preset {name!r} is in none of these folders: {', '.join(map(str, homes))}. Three ways to get it: clone "
        f"the repository of keras_ae, whose saved_models/ holds it, and set {files.HOME} to that folder; load it from "
        f"a hub, from_preset('{HUB}owner/{name}'); or train it, keras-ae zoo train {name}, and name the folder that it "
        f"wrote to, from_preset('{name}', 'saved_models')."
    )


def _in_folder(name: str | os.PathLike, folder: Path, is_path: bool) -> Path:
    """The folder of a preset in the one that its user named, and nowhere else."""
    if is_path:
        raise errors.InputError(
            f"With folder={str(folder)!r}, name must be that of a preset in it. Received: {str(name)!r}. Leave folder "
            "out to load from a path or a hub."
        )
    if not (folder / name / folders.INDEX).is_file():
        held = sorted(path.parent.name for path in folder.glob(f"*/{folders.INDEX}"))
        raise errors.InputError(
            f"The folder {str(folder)!r} holds no preset {name!r}"
            + (f", but {', '.join(held)}." if held else ", nor any other." if folder.is_dir() else ": it is none.")
        )
    return folder / name


@checked
def upload_preset(folder: str | os.PathLike, repository: str) -> str:
    """Puts the folder of a preset on the Hugging Face hub, for `from_preset` of everybody.

    Args:
        folder: of `save_to_preset`, or one of `saved_models/`; its files are verified first.
        repository: "hf://owner/name", made if there is none. You have to be logged in: `hf auth login`.

    Returns:
        The address of what was uploaded.

    Raises:
        InputError: no such repository name, a file is missing or altered, or the hub refused.

    Example:
        >>> keras_ae.upload_preset("mine", "hf://me/digits")  # doctest: +SKIP
        'https://huggingface.co/me/digits/commit/...'
    """
    name = _repository(repository)
    found = folders.verify(Path(folder))

    def upload(hub: Any) -> str:
        hub.create_repo(name, exist_ok=True)
        return str(hub.upload_folder(repo_id=name, folder_path=os.fspath(found)))

    return _with_hub(repository, "uploaded", upload)


def _repository(address: str) -> str:
    """owner/name of "hf://owner/name"."""
    name = str(address).removeprefix(HUB)
    if not str(address).startswith(HUB) or name.count("/") != 1:
        raise errors.InputError(f"A model of the hub is named {HUB}owner/name. Received: {address!r}.")
    return name


def _with_hub(address: str, done: str, action: Callable[[Any], str]) -> str:
    """What an action with the module huggingface_hub gives."""
    try:
        import huggingface_hub  # type: ignore[import-not-found]
    except ImportError as error:
        raise errors.InputError(f"{HUB} needs the package huggingface_hub: pip install 'keras-ae[hub]'.") from error
    try:
        return action(huggingface_hub)
    except Exception as error:  # the hub's, of the network, of the file system
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise errors.InputError(f"{address} could not be {done}: {reason}") from error
