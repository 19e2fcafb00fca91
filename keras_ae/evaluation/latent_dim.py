"""How many dimensions a code needs: models of several sizes, and the knee of their curve."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from keras_ae import errors, reading
from keras_ae.backend import KeyedSeed
from keras_ae.checks import Count, checked
from keras_ae.evaluation.codes import THRESHOLD
from keras_ae.evaluation.knee import find_knee
from keras_ae.evaluation.likelihood import log_likelihood
from keras_ae.models import Autoencoder, Variational, files, inputs
from keras_ae.training import RunFolder


@dataclass(frozen=True)
class SizeResult:
    """Means over the validation examples and the seeds for one size of the code.

    Args:
        size: dimensions of the code.
        score: what the choice is made on, in nats, higher is better: `bound`, or minus `reconstruction`.
        standard_error: of `score`, over examples.
        squared_error: of the reconstruction, summed over the values of an example.
        reconstruction: -log p(x|z), in nats, with z ~ q(z|x), or z the code (linear model: the squared error).
        bound: the importance-weighted bound on log p(x), in nats; None for a deterministic model.
        active_units: dimensions whose posterior mean has a variance over x above 0.01 (Burda et al., 2016,
            arXiv:1509.00519, sec. 4.2); None for a deterministic model.
        deviations: the standard deviation of each of these over the seeds; empty for one seed.
    """

    size: int
    score: float
    standard_error: float
    squared_error: float
    reconstruction: float
    bound: float | None
    active_units: float | None
    deviations: dict[str, float]


@dataclass(frozen=True)
class LatentDimChoice:
    """How well codes of several sizes do, and which to choose.

    Args:
        rows: one per size, in ascending order.
        knee, confidence, shares, advice: see `Knee`.
    """

    rows: list[SizeResult]
    knee: int | None
    confidence: float | None
    shares: dict[int, float]
    advice: str

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        heads = ("size", "score (nats)", "+-", "over seeds", "squared error", "reconstruction", "active", "share")
        table: list[tuple[str, ...]] = [heads]
        for row in self.rows:
            values = (row.deviations.get("score"), row.squared_error, row.reconstruction)
            table.append(
                (
                    f"{row.size}{'*' if row.size == self.knee else ' '}",
                    *(f"{row.score:.3f}", f"{row.standard_error:.3f}"),
                    *("-" if value is None else f"{value:.3f}" for value in values),
                    "-" if row.active_units is None else f"{row.active_units:.1f}",
                    f"{self.shares[row.size]:.0%}" if self.shares else "-",
                )
            )
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in table]
        return "\n".join([*lines, self.advice])

    def plot(self) -> Figure:
        """The score over the size, with its standard error over examples as bars and its standard deviation over
        seeds as a band; below it the active units of variational models."""
        from keras_ae.plots import TRAINING, VALIDATION

        sizes, scores = [row.size for row in self.rows], np.array([row.score for row in self.rows])
        active = [row.active_units for row in self.rows if row.active_units is not None]
        figure = Figure(figsize=(5.5, 5.4 if active else 3.4))
        axes = figure.subplots(2 if active else 1, 1, sharex=True, squeeze=False)[:, 0]
        axes[0].errorbar(
            sizes, scores, [row.standard_error for row in self.rows], color=TRAINING, marker="o", capsize=3
        )
        if deviations := [row.deviations["score"] for row in self.rows if row.deviations]:
            axes[0].fill_between(
                sizes, scores - deviations, scores + deviations, color=TRAINING, alpha=0.2, linewidth=0
            )
        axes[0].set_ylabel("bound on log p(x), nats" if active else "minus reconstruction loss")
        if active:
            axes[1].plot(sizes, sizes, "--", color="0.7", label="all")
            axes[1].plot(sizes, active, color=TRAINING, marker="o", label="active")
            axes[1].set_ylabel("active units")
            axes[1].legend(frameon=False, fontsize=9)
        for panel in axes:
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(FixedLocator(sizes))
            panel.xaxis.set_minor_locator(NullLocator())
            panel.xaxis.set_major_formatter("{x:g}")
            panel.spines[["top", "right"]].set_visible(False)
            if self.knee:
                panel.axvline(self.knee, color=VALIDATION, linestyle=":")
        knee = f"knee {self.knee}, confidence {self.confidence:.0%}" if self.knee else "no knee"
        axes[0].set_title(knee, fontsize=10, color=VALIDATION)
        axes[-1].set_xlabel("dimensions of the code")
        figure.tight_layout()
        return figure


@checked
def choose_latent_dim(
    make: Callable[[int, int], Autoencoder],
    x: Any,
    validation: Any,
    sizes: Iterable[int],
    epochs: Count = 20,
    batch_size: Count = 128,
    seeds: Iterable[int] = (0,),
    samples: Count = 100,
    folder: str | os.PathLike | None = None,
    verbose: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> LatentDimChoice:
    """Trains a model for each size of the code and each seed, and finds the size after which more hardly helps.

    The score of a variational model is the importance-weighted bound on log p(x) of the validation examples
    (`log_likelihood`), of a deterministic one minus its reconstruction loss; `find_knee` makes the choice.

    With `folder`, the call can be interrupted and repeated, and ends with the same result: what is finished is read
    from there, and an unfinished training goes on after its last epoch. A repeated call may add sizes and seeds. The
    trained models stay in it as checkpoints.

    Args:
        make: (latent_dim, seed) to a new, compiled model; not a conditional one. To resume it must be the same: its
            networks are not compared with those of the folder.
        x: (n, *event), for training.
        validation: (m, *event), for the figures; at least 2 examples.
        sizes: numbers of dimensions.
        epochs: passes over x of each training.
        batch_size: examples per step.
        seeds: one training each per size.
        samples: K of the bound.
        folder: where to keep what is finished; None for nowhere.
        verbose: as in `fit`.
        callbacks: for every training.

    Raises:
        InputError: an argument does not fit, or the folder is in use or was made with other settings or other data.
        TrainingDivergedError: a training diverged.

    Example:
        >>> import keras_ae
        >>> def make(latent_dim, seed):
        ...     model = keras_ae.create("linear_ae", (4,), latent_dim, seed=seed)
        ...     model.compile("adam")
        ...     return model
        >>> x = np.random.default_rng(0).normal(size=(20, 4))
        >>> choose_latent_dim(make, x, x, sizes=[1, 2], epochs=1).advice
        'No knee: it takes at least 3 sizes, and there are 2.'
    """
    sizes, seeds = _distinct("sizes", sizes, least=1), _distinct("seeds", seeds, least=0)
    model = _made(make, sizes[0], seeds[0])  # before anything is written: its mistakes leave nothing behind
    x, validation = inputs.check_x(model, x), inputs.check_x(model, validation, "validation")
    if len(validation) < 2:
        raise errors.InputError(f"validation must hold at least 2 examples. Received: {len(validation)}.")

    def figures(size: int, seed: int) -> dict[str, Any]:
        """What `_measure` gives for a size and a seed: read from the folder, or of a model that is trained now."""
        run = None if folder is None else RunFolder(Path(folder) / f"size-{size}-seed-{seed}")
        if run and (run.path / "figures.npz").exists():
            return _stored(run.path / "figures.npz", len(validation))
        if verbose:
            print(f"latent_dim={size}, seed={seed}")
        model, epochs_done = run.load_checkpoint() if run else (None, 0)
        model = model or _made(make, size, seed)
        watch = [*callbacks]
        if run:
            save = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: run.save_checkpoint(model, epoch + 1))
            watch = [save, *callbacks]
        model.fit(x, None, batch_size, epochs, verbose, watch, initial_epoch=epochs_done)
        found = _measure(model, validation, samples)
        if run:
            files.write(run.path / "figures.npz", lambda path: np.savez(path, **found))
        return found

    with nullcontext() if folder is None else RunFolder(folder).locked():
        if folder is not None:
            settings = {"epochs_each": epochs, "batch_size": batch_size, "samples": samples}
            _start_or_check(RunFolder(folder), {**settings, **_model_settings(model), **_sha256(x, validation)})
        found = [[figures(size, seed) for seed in seeds] for size in sizes]
    rows = [_row(size, of_size) for size, of_size in zip(sizes, found, strict=True)]
    if (validation == validation[0]).all():
        return LatentDimChoice(rows, None, None, {}, "No knee: all validation examples are equal.")
    return LatentDimChoice(rows, *find_knee(sizes, np.array([[one["score"] for one in of_size] for of_size in found])))


def _distinct(name: str, values: Any, least: int) -> list[int]:
    """Whole numbers in ascending order; raises InputError where there is none or one comes twice."""
    if not isinstance(values, Iterable):
        raise errors.InputError(f"{name} must be several whole numbers, such as [2, 4, 8]. Received: {values!r}.")
    numbers = [errors.whole_number(f"{name}[{i}]", value, least) for i, value in enumerate(values)]
    if not numbers or len(set(numbers)) < len(numbers):
        raise errors.InputError(f"{name} must hold at least one number, and none twice. Received: {numbers}.")
    return sorted(numbers)


def _made(make: Callable[[int, int], Autoencoder], size: int, seed: int) -> Autoencoder:
    """`make(size, seed)`, or an error that says what is wrong with it."""
    model, call = make(size, seed), f"make({size}, {seed})"
    if not isinstance(model, Autoencoder):
        raise errors.InputError(f"{call} must return a model of keras_ae. Received: {type(model).__name__}.")
    if model.latent_shape != (size,):
        raise errors.InputError(
            f"{call} must return a model with codes of shape ({size},). Received: {model.latent_shape}."
        )
    if model.conditional:
        raise errors.InputError(
            f"{call} returned the conditional {type(model).__name__}: use a model without condition."
        )
    if not model.compiled:
        raise errors.InputError(f"{call} returned a model that is not compiled: call model.compile('adam') in it.")
    return model


def _measure(model: Autoencoder, validation: np.ndarray, samples: int) -> dict[str, Any]:
    """Score, squared error and reconstruction term of each example, and of a variational model its active units."""
    variational = isinstance(model, Variational)
    parts: list[tuple] = []
    rows = model.rows_at_once()
    for start in range(0, len(validation), rows):
        batch = model.pack((ops.cast(validation[start : start + rows], "float32"),))
        code = model.code(batch.x)
        z = model.propose(batch, 1, KeyedSeed(start))[0][0] if variational else code
        found = model.reconstruct_mean(batch.x), model.reconstruction(batch, z, training=False), code
        parts.append(tuple(map(ops.convert_to_numpy, found)))
    means, reconstruction, codes = map(np.concatenate, zip(*parts, strict=True))
    error = np.square(means - validation, dtype="float64").reshape(len(validation), -1)
    figures = {"squared_error": np.nansum(error, axis=1), "reconstruction": reconstruction}
    if not variational:
        return {"score": -reconstruction, **figures}
    figures["active_units"] = (np.var(codes, axis=0) > THRESHOLD).sum()
    return {"score": log_likelihood(model, validation, samples=samples).log_prob, **figures}


def _stored(path: Path, examples: int) -> dict[str, np.ndarray]:
    """The figures of a finished run."""
    found = reading.arrays(path)
    names = found.keys() - {"active_units"}
    if names != {"score", "squared_error", "reconstruction"} or any(found[name].shape != (examples,) for name in names):
        raise errors.InputError(f"{path} does not hold the figures of a run. Remove it: they are measured again.")
    return found


def _row(size: int, of_size: list[dict[str, np.ndarray]]) -> SizeResult:
    """The figures of all seeds of one size, summed up."""
    by_seed = {name: np.array([one[name].mean() for one in of_size], "float64") for name in of_size[0]}
    if "active_units" in by_seed:
        by_seed["bound"] = by_seed["score"]
    means: dict[str, Any] = {name: float(values.mean()) for name, values in by_seed.items()}
    deviations = {name: float(values.std(ddof=1)) for name, values in by_seed.items() if len(values) > 1}
    score = np.mean([one["score"] for one in of_size], axis=0, dtype="float64")
    error = float(score.std(ddof=1) / np.sqrt(len(score)))
    return SizeResult(
        size, **{"bound": None, "active_units": None, **means}, standard_error=error, deviations=deviations
    )


def _start_or_check(folder: RunFolder, settings: dict[str, Any]) -> None:
    """Begins a folder, or raises InputError where it was made with other settings."""
    settings = json.loads(json.dumps(settings))  # as the folder gives them back
    if (folder.path / "config.json").exists():
        folder.check_resumable(settings)
    else:
        folder.start({"recipe": settings})


def _model_settings(model: Autoencoder) -> dict[str, Any]:
    """Dotted name -> value of what all models of a folder share: all but networks, size, seed and layers' names."""
    config = {
        name: value
        for name, value in model.get_config().items()
        if name not in ("name", "seed", "latent_dim") and not isinstance(getattr(model, name, None), keras.Model)
    }
    config["optimizer"] = keras.saving.serialize_keras_object(model.optimizer)
    leaves = dict(_leaves(config, "model"))
    return {"model": type(model).__name__, **{name: leaves[name] for name in leaves if not _of_one_model(name)}}


def _of_one_model(name: str) -> bool:
    """Whether a setting is a layer's seed, or its name, which Keras numbers; the name of a dtype is neither."""
    return name.endswith(("config.seed", "config.name")) and not name.endswith("dtype.config.name")


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}")
    else:
        yield name, value


def _sha256(x: np.ndarray, validation: np.ndarray) -> dict[str, str]:
    """The fingerprints of the data."""
    arrays = {"x": x, "validation": validation}
    return {name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for name, array in arrays.items()}
