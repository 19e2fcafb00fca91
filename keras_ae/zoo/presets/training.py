"""From a preset's settings to its folder, and back to the figures that it must reach."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_ae import errors, evaluation, models
from keras_ae.checks import checked
from keras_ae.training import RunFolder
from keras_ae.zoo import presets, runs
from keras_ae.zoo.presets import card, folder

FIRST = 500


class Check(NamedTuple):
    """A figure beside what it has to be.

    Args:
        preset: whose.
        figure: its name.
        expected: what the settings hold.
        found: what the model of the folder gives.
        passed: whether they differ by less than the preset's tolerance.
    """

    preset: str
    figure: str
    expected: float
    found: float
    passed: bool

    def __str__(self) -> str:
        values = f"expected {self.expected:10.4f}  found {self.found:10.4f}  {'ok' if self.passed else 'DIFFERS'}"
        return f"{self.preset:26}{self.figure:16}{values}"


@checked
def train(name: str, run: str | os.PathLike, out: str | os.PathLike, verbose: int = 0) -> Path:
    """Repeats a preset's training in a run folder, measures the model, and writes the preset's folder.

    Args:
        name: of the preset.
        run: run folder; what it holds of this training is not repeated.
        out: folder that gets the preset's folder, `out/name`.
        verbose: of `fit`.

    Returns:
        The preset's folder.
    """
    chosen = presets.preset(name)
    target = Path(out) / name
    folder.check_target(target)
    run_folder = RunFolder(run)
    model = runs.train(chosen.recipe, run_folder, resume=True, verbose=verbose)
    metrics = measure(chosen, model)
    drawn = card.pictures(run_folder.path, chosen, model)
    return folder.save(model, target, card.text(chosen, model, run_folder, metrics, drawn), metrics, drawn)


@checked
def measure(chosen: presets.Preset, model: models.Autoencoder) -> dict[str, Any]:
    """What `metrics.json` holds: the report on the test split, and figures of its first images for a quick check."""
    settings = chosen.recipe
    test, train = settings.evaluation_data("test"), settings.evaluation_data("train")
    condition = settings.condition("test")
    report = evaluation.evaluate(model, test, train, chosen.samples, condition=condition)
    first = test[:FIRST]
    given = None if condition is None else condition[:FIRST]
    error = np.square(model.reconstruct(first, condition=given) - first).reshape(len(first), -1).sum(axis=1).mean()
    return {"first": {"examples": len(first), "squared_error": float(error)}, **report.as_dict()}


def figures(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of `metrics.json` that a preset must reach: those that do not depend on what noise is drawn."""
    named = {"squared_error": "squared_error", "log_prob": "bound", "rate": "rate"}
    return {figure: metrics[name] for figure, name in named.items() if metrics[name] is not None}


@checked
def check(name: str, home: str | os.PathLike | None = None) -> list[Check]:
    """Loads a preset, evaluates it on the test split and compares its figures with the expected ones.

    Raises:
        InputError: there is no such preset, it is damaged, or its settings expect nothing yet.
    """
    chosen = presets.preset(name)
    if not chosen.expected:
        raise errors.InputError(f"The preset {name!r} expects no figures yet. Train it: keras-ae zoo train {name}.")
    found = figures(measure(chosen, presets.from_preset(name, home)))
    return [
        Check(name, figure, value, found[figure], bool(abs(found[figure] - value) <= chosen.tolerance * abs(value)))
        for figure, value in chosen.expected.items()
    ]
