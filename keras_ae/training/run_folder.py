"""The folder that a training run writes, and from which it goes on after an interruption."""

import contextlib
import csv
import json
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
import keras
import numpy as np

from keras_ae import errors, reading, writing
from keras_ae.checks import Count, Natural, NotNegative, checked
from keras_ae.models import Autoencoder, files, monitoring

SNAPSHOT_EPOCHS = (1, 9)
LOCK = "run.lock"


class RunFolder:
    """A folder with `config.json`, `history.csv`, checkpoints, `model.keras` at the end, and pictures.

    Every file is written whole or not at all, and the name of a checkpoint says after which epoch it was taken, so that
    the folder is consistent whenever the process dies.

    Args:
        path: the folder; it need not exist.
    """

    @checked
    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.pictures = self.path / "pictures"
        self.model_file = self.path / "model.keras"
        self._config_file = self.path / "config.json"
        self._history_file = self.path / "history.csv"
        self._seconds_file = self.path / "seconds.txt"
        self._snapshots = self.path / "snapshots"

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self._config_file.is_file()

    @property
    def config(self) -> dict[str, Any]:
        """What the run was started with; its "recipe" is a dict, too.

        Raises:
            InputError: there is no such run, or its configuration is damaged.
        """
        if not self.exists():
            raise errors.InputError(
                f"{self.path} is no run folder: it has no config.json. Make one with keras-ae train."
            )
        try:
            config = json.loads(self._config_file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise self._damaged(self._config_file, error) from error
        if not isinstance(config, dict) or not isinstance(config.get("recipe"), dict):
            raise self._damaged(self._config_file, "it holds no recipe")
        return config

    @property
    def data_sha256(self) -> str:
        """SHA-256 of the training data's values.

        Raises:
            InputError: the configuration is damaged.
        """
        data = self.config.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("sha256"), str):
            raise self._damaged(self._config_file, "it holds no SHA-256 of the data")
        return data["sha256"]

    @checked
    def start(self, config: dict[str, Any]) -> None:
        """Begins a run; refuses a folder that holds anything but what an unfinished start left."""
        self.path.mkdir(parents=True, exist_ok=True)
        if kept := sorted(entry.name for entry in self.path.iterdir() if not self._is_of_a_start(entry)):
            raise errors.InputError(
                f"{self.path} exists and holds {', '.join(kept[:3])}, but no config.json of a run. Choose another "
                "folder with --out."
            )
        files.write_text(self._config_file, json.dumps(config, indent=2) + "\n")

    def _is_of_a_start(self, entry: Path) -> bool:
        return entry.name == LOCK or writing.TEMPORARY.fullmatch(entry.name) is not None

    @checked
    def check_resumable(
        self, recipe: dict[str, Any], fixed: Sequence[str] = (), defaults: dict[str, Any] | None = None
    ) -> None:
        """Raises InputError unless the run was started with the same recipe; only `epochs` may differ, if it is not
        among those that are `fixed`. Settings that were not known when the run was started had their `defaults`."""
        stored = (defaults or {}) | self.config["recipe"]
        different = [
            f"{key}: {stored.get(key)!r} in the folder, {value!r} now"
            for key, value in recipe.items()
            if (key != "epochs" or key in fixed) and stored.get(key) != value
        ]
        if different:
            raise errors.InputError(
                f"{self.path} is a run with other settings ({'; '.join(different)}). Choose another folder with --out, "
                "or repeat its settings. With --resume a run whose learning rate is constant goes on for more epochs."
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this thread; the lock ends with the process, however that ends. What killed processes
        left is removed first."""
        if self.path.exists() and not self.path.is_dir():
            raise errors.InputError(f"{self.path} is a file. Choose another folder with --out.")
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / LOCK
        try:
            lock = filelock.FileLock(file, blocking=False, on_acquired=_write_process).acquire()
        except filelock.Timeout as error:
            holder = ""
            with contextlib.suppress(OSError):  # Windows: the file of a lock is closed to others
                holder = file.read_text()
            raise errors.InputError(
                f"{self.path} is in use by process {holder or 'unknown'}. Wait for it, or choose another folder with "
                "--out."
            ) from error
        with lock:
            for folder in (self.path, self._snapshots):
                writing.sweep(folder, everything=True)
            yield

    def checkpoints(self) -> dict[int, Path]:
        """Epochs done -> checkpoint file, in order. Files with other names, such as copies, are left out."""
        return _numbered(self.path, r"checkpoint-(\d{5,})\.keras")

    @checked
    def save_checkpoint(self, model: Autoencoder, epochs_done: Natural) -> None:
        """Writes the checkpoint of an epoch, then removes the earlier ones."""
        model.save(self.path / f"checkpoint-{epochs_done:05d}.keras")
        self.remove_checkpoints_before(epochs_done)

    @checked
    def remove_checkpoints_before(self, epochs_done: Natural) -> None:
        """Leaves the checkpoint of an epoch alone, and later ones."""
        for epochs, path in self.checkpoints().items():
            if epochs < epochs_done:
                path.unlink(missing_ok=True)

    def load_checkpoint(self, **loading: Any) -> tuple[Autoencoder | None, int]:
        """Loads the last checkpoint's model and its number of epochs; (None, 0) where no epoch was finished.

        Args:
            **loading: arguments of `keras_ae.load_model`.

        Raises:
            InputError: the checkpoint is damaged.
        """
        while checkpoints := self.checkpoints():
            epochs_done, path = list(checkpoints.items())[-1]
            try:
                return files.load_model(path, **loading), epochs_done
            except errors.InputError as error:
                if path.exists():
                    raise errors.InputError(
                        f"{error} If the file cannot be had again, remove it: the training then goes on after the "
                        "checkpoint before it, or begins again where there is none."
                    ) from error
            # Gone since it was listed: the run goes on, and has a newer one.
        return None, 0

    def load_model(self, **loading: Any) -> Autoencoder:
        """Loads the trained model, or the last checkpoint of an unfinished run, also while it trains.

        Args:
            **loading: arguments of `keras_ae.load_model`.

        Raises:
            InputError: this is no run folder, or has no model yet, or the model is damaged.
        """
        self.config  # noqa: B018  (raises where this is no run folder)
        if self.model_file.exists():
            return files.load_model(self.model_file, **loading)
        model, _ = self.load_checkpoint(**loading)
        if model is None:
            raise errors.InputError(f"{self.path} holds no model yet: no epoch was finished. Train with --resume.")
        return model

    @checked
    def check(self, epochs_done: Natural) -> None:
        """Raises InputError where a file of a run is missing or was altered, before the run goes on.

        Args:
            epochs_done: of the last checkpoint.
        """
        if len(self.history()) < epochs_done:
            raise self._damaged(self._history_file, f"it has no row for epoch {epochs_done}")
        self.seconds()
        self.snapshots()

    @checked
    def history(self, epochs: Natural | None = None) -> list[dict[str, float]]:
        """One dict an epoch, of the first `epochs` epochs.

        Raises:
            InputError: the file was altered.
        """
        if not self._history_file.exists():
            return []
        try:
            lines = csv.DictReader(reading.text(self._history_file, "a history").splitlines(), strict=True)
            rows = [{key: int(text) if key == "epoch" else float(text) for key, text in row.items()} for row in lines]
        except (ValueError, TypeError, csv.Error) as error:  # TypeError: a row is too long or too short
            raise self._damaged(self._history_file, error) from error
        if [row.get("epoch") for row in rows] != list(range(1, len(rows) + 1)):
            raise self._damaged(self._history_file, "its column epoch must hold 1, 2, 3, ...")
        return rows[:epochs]

    @checked
    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Replaces `history.csv`."""
        if not rows:
            raise errors.wrong("rows", "one dict an epoch, at least one", rows)
        lines = [",".join(rows[0]), *(",".join(map(repr, row.values())) for row in rows)]
        files.write_text(self._history_file, "\n".join(lines) + "\n")

    @checked
    def add_seconds(self, seconds: NotNegative) -> None:
        """Notes how long one more epoch took."""
        files.write_text(self._seconds_file, f"{self.seconds() + seconds:.3f}\n")

    def seconds(self) -> float:
        """How long all epochs took, also those that an interruption made to be repeated.

        Raises:
            InputError: the file was altered.
        """
        try:
            if not self._seconds_file.exists():
                return 0.0
            return sum(map(float, reading.text(self._seconds_file, "seconds").split()))
        except ValueError as error:
            raise self._damaged(self._seconds_file, error) from error

    def snapshots(self) -> dict[int, np.ndarray]:
        """Epoch -> reconstructions that were kept after it; 0 -> the originals.

        Raises:
            InputError: a file was altered.
        """
        found = {}
        for epoch, path in _numbered(self._snapshots, r"epoch-(\d{5,})\.npy").items():
            try:
                found[epoch] = reading.arrays(path)["x"]
            except (errors.InputError, KeyError) as error:
                raise self._damaged(path, error) from error
        return found

    @checked
    def save_snapshot(self, epoch: Natural, images: np.ndarray) -> None:
        """Keeps reconstructions for the picture of the training."""
        files.write(self._snapshots / f"epoch-{epoch:05d}.npy", lambda path: np.save(path, images))

    def _damaged(self, file: Path, why: object) -> errors.InputError:
        return errors.InputError(
            f"{file} is damaged: {why}. Only the training itself writes this file: bring it back as it was, or choose "
            "another folder."
        )


def _numbered(folder: Path, pattern: str) -> dict[int, Path]:
    """Number in the name -> file, in order, of the files in a folder whose whole name fits the pattern."""
    found = {int(match[1]): path for path in folder.glob("*") if (match := re.fullmatch(pattern, path.name))}
    return dict(sorted(found.items()))


def _write_process(descriptor: int) -> None:
    """Writes who holds a lock into its file."""
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, str(os.getpid()).encode())


class Recorder(keras.callbacks.Callback):
    """Writes history, seconds, checkpoint and snapshots of reconstructions after each epoch.

    Args:
        folder: where to.
        images: a few examples whose reconstructions are kept after the first, the ninth and the last epoch.
        epochs: number of the last epoch.
        condition: of the examples, for a conditional model.
    """

    @checked
    def __init__(
        self, folder: RunFolder, images: np.ndarray, epochs: Count, condition: np.ndarray | None = None
    ) -> None:
        super().__init__()
        self.folder, self.images, self.epochs, self.condition = folder, images, epochs, condition
        self.epochs_done = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.folder.save_snapshot(0, self.images)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.folder.add_seconds(time.perf_counter() - self.start)
        epochs_done = epoch + 1
        values = {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}
        self.folder.write_history([*self.folder.history(epoch), {"epoch": epochs_done, **values}])
        if epochs_done in (*SNAPSHOT_EPOCHS, self.epochs):
            reconstructions = self.model.reconstruct(self.images, condition=self.condition)
            if not np.isfinite(reconstructions).all():  # finite weights, too, can be far too large
                raise monitoring.diverged(epochs_done, "the reconstruction of an example")
            self.folder.save_snapshot(epochs_done, reconstructions)
        self.folder.save_checkpoint(self.model, epochs_done)
        self.epochs_done = epochs_done


class Best(keras.callbacks.Callback):
    """Keeps the model of the epoch that was best on validation data, and ends the training when that is long ago.

    It goes before the `Recorder`: an epoch that is in the history has left its model, if it was the best.

    Args:
        folder: of the run; the model is its `best.keras`.
        patience: epochs without a better one after which the training ends.
        monitor: what is to be low on validation data: the sum of these terms.
        pretraining: how many epochs come before those that are compared; the last of them is kept.
    """

    @checked
    def __init__(
        self, folder: RunFolder, patience: Count, monitor: Sequence[str] = ("loss",), pretraining: Natural = 0
    ) -> None:
        super().__init__()
        self.folder, self.patience, self.monitor, self.pretraining = folder, patience, monitor, pretraining
        self.file = folder.path / "best.keras"

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        losses = [self.monitored(values) for values in (*self.folder.history(epoch), logs or {})][self.pretraining :]
        if not losses or losses[-1] < min(losses[:-1], default=math.inf):
            self.model.save(self.file)
        if self._is_over(losses):
            self.model.stop_training = True

    def is_over(self, epochs_done: int) -> bool:
        """Whether the run's history has reached its end after some epochs."""
        return self._is_over([self.monitored(row) for row in self.folder.history(epochs_done)[self.pretraining :]])

    def monitored(self, values: dict[str, float]) -> float:
        """What is to be low, of an epoch's values."""
        missing = [name for name in self.monitor if f"val_{name}" not in values]
        if missing:
            raise errors.unknown("term to monitor", missing[0], [n[4:] for n in values if n.startswith("val_")])
        return float(sum(values[f"val_{name}"] for name in self.monitor))

    def _is_over(self, losses: list[float]) -> bool:
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= self.patience

    def model_of_best_epoch(self) -> Autoencoder:
        """The model that was kept."""
        return files.load_model(self.file)
