"""The folder that a training run writes, and from which it goes on after an interruption."""

import csv
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_ae import errors
from keras_ae.checks import Count, Natural, NotNegative, checked
from keras_ae.models import Autoencoder, files

SNAPSHOT_EPOCHS = (1, 9)


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

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self._config_file.is_file()

    @property
    def config(self) -> dict[str, Any]:
        """What the run was started with.

        Raises:
            InputError: there is no such run, or its configuration is damaged.
        """
        if not self.exists():
            raise errors.InputError(
                f"{self.path} is no run folder: it has no config.json. Make one with keras-ae train."
            )
        try:
            return json.loads(self._config_file.read_text())
        except ValueError as error:
            raise errors.InputError(f"{self._config_file} is damaged: {error}.") from error

    @checked
    def start(self, config: dict[str, Any]) -> None:
        """Begins a run; refuses a folder that holds anything."""
        if self.path.exists() and (not self.path.is_dir() or any(p.name != "run.lock" for p in self.path.iterdir())):
            raise errors.InputError(
                f"{self.path} exists. Continue that run with --resume, or choose another folder with --out."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        files.write_text(self._config_file, json.dumps(config, indent=2) + "\n")

    @checked
    def check_resumable(
        self, recipe: dict[str, Any], fixed: Sequence[str] = (), defaults: dict[str, Any] | None = None
    ) -> None:
        """Raises InputError unless the run was started with the same recipe; only `epochs` may differ, if it is not
        among those that are `fixed`. Settings that were not known when the run was started had their `defaults`."""
        stored = (defaults or {}) | self.config.get("recipe", {})
        different = [
            f"{key}: {stored.get(key)!r} in the folder, {value!r} now"
            for key, value in recipe.items()
            if (key != "epochs" or key in fixed) and stored.get(key) != value
        ]
        if different:
            raise errors.InputError(f"{self.path} is a run with other settings ({'; '.join(different)}).")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process; the lock ends with the process, however that ends."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / "run.lock", "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise errors.InputError(
                    f"{self.path} is in use by process {file.read().strip() or 'unknown'}. Wait for it, or choose "
                    "another folder with --out."
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def checkpoints(self) -> dict[int, Path]:
        """Epochs done -> checkpoint file, in order."""
        found = {int(path.stem.split("-")[1]): path for path in self.path.glob("checkpoint-*.keras")}
        return dict(sorted(found.items()))

    @checked
    def save_checkpoint(self, model: Autoencoder, epochs_done: Natural) -> None:
        """Writes the checkpoint of an epoch, then removes the earlier ones."""
        earlier = self.checkpoints().values()
        files.save_model(model, self.path / f"checkpoint-{epochs_done:05d}.keras")
        for path in earlier:
            path.unlink(missing_ok=True)

    def load_checkpoint(self) -> tuple[Autoencoder | None, int]:
        """The last checkpoint's model and its number of epochs; (None, 0) where no epoch was finished."""
        if not self.checkpoints():
            return None, 0
        epochs_done, path = list(self.checkpoints().items())[-1]
        return files.load_model(path), epochs_done

    def load_model(self) -> Autoencoder:
        """The trained model, or the last checkpoint of an unfinished run."""
        self.config  # noqa: B018  (raises where this is no run folder)
        if self.model_file.exists():
            return files.load_model(self.model_file)
        model, _ = self.load_checkpoint()
        if model is None:
            raise errors.InputError(f"{self.path} holds no model yet: no epoch was finished. Train with --resume.")
        return model

    @checked
    def history(self, epochs: Natural | None = None) -> list[dict[str, float]]:
        """One dict an epoch, of the first `epochs` epochs."""
        if not self._history_file.exists():
            return []
        with open(self._history_file, newline="") as file:
            rows = [
                {key: int(value) if key == "epoch" else float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
        return [row for row in rows if epochs is None or row["epoch"] <= epochs]

    @checked
    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Replaces `history.csv`."""
        lines = [",".join(rows[0]), *(",".join(map(repr, row.values())) for row in rows)]
        files.write_text(self._history_file, "\n".join(lines) + "\n")

    @checked
    def add_seconds(self, seconds: NotNegative) -> None:
        """Notes how long one more epoch took."""
        with open(self._seconds_file, "a") as file:
            file.write(f"{seconds:.3f}\n")

    def seconds(self) -> float:
        """How long all epochs took, also those that an interruption made to be repeated."""
        return sum(map(float, self._seconds_file.read_text().split())) if self._seconds_file.exists() else 0.0

    def snapshots(self) -> dict[int, np.ndarray]:
        """Epoch -> reconstructions that were kept after it; 0 -> the originals."""
        found = {int(path.stem.split("-")[1]): np.load(path) for path in self.path.glob("snapshots/epoch-*.npy")}
        return dict(sorted(found.items()))

    @checked
    def save_snapshot(self, epoch: Natural, images: np.ndarray) -> None:
        """Keeps reconstructions for the picture of the training."""
        files.write(self.path / "snapshots" / f"epoch-{epoch:05d}.npy", lambda path: np.save(path, images))


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
        values = {name: float(value) for name, value in (logs or {}).items()}
        self.folder.write_history([*self.folder.history(epoch), {"epoch": epochs_done, **values}])
        if epochs_done in (*SNAPSHOT_EPOCHS, self.epochs):
            self.folder.save_snapshot(epochs_done, self.model.reconstruct(self.images, condition=self.condition))
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
            files.save_model(self.model, self.file)
        if self._is_over(losses):
            self.model.stop_training = True

    def is_over(self) -> bool:
        """Whether the run's history has reached its end."""
        return self._is_over([self.monitored(row) for row in self.folder.history()[self.pretraining :]])

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
