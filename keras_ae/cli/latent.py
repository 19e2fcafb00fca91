"""The commands that look around in the space of codes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_ae.cli.common import OutputArgument, RunArgument, SplitOption, import_keras
from keras_ae.errors import InputError

app = typer.Typer(rich_markup_mode=None)
CountOption = Annotated[int, typer.Option("-n", min=1, help="Rows.")]


@app.command()
def interpolate(
    run: RunArgument,
    out: OutputArgument,
    method: Annotated[str, typer.Option(help="linear, spherical or geodesic.")] = "linear",
    steps: Annotated[int, typer.Option(help="Points of a path, at least 2.")] = 10,
    n: CountOption = 8,
    split: SplitOption = "test",
    prior: Annotated[bool, typer.Option("--prior", help="From sample to sample, not from example to example.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of pairs.")] = 0,
) -> None:
    """Write paths between random pairs of examples; of a conditional model, pairs of one class.

    Example: keras-ae interpolate runs/vae paths.png --method spherical
    """
    model, recipe = _open(run, out, text=True)
    import numpy as np

    from keras_ae import tasks
    from keras_ae.cli import output

    x, condition = recipe.evaluation_data(split), recipe.condition(split)
    start, end = _pairs(len(x), n, seed, condition)
    given = _rows(condition, start)
    if prior:
        a, b = np.split(tasks.prior_codes(model, 2 * n, seed, None if given is None else np.tile(given, 2)), 2)
    else:
        a, b = x[start], x[end]
    found = tasks.interpolate(model, a, b, steps, method, "code" if prior else "example", given)
    if out.suffix == ".txt":
        return output.write_text(out, model, *np.swapaxes(found.images, 0, 1))
    arrays = {} if prior else {"start": start, "end": end}
    _write(out, found.plot, images=found.images, code=found.codes, length=found.lengths, **arrays)


@app.command()
def traverse(
    run: RunArgument,
    out: OutputArgument,
    example: Annotated[int, typer.Option(help="Index of the example whose code is changed.")] = 0,
    dimensions: Annotated[int, typer.Option(help="How many, those with most KL or variance.")] = 10,
    steps: Annotated[int, typer.Option(help="Values of each dimension, at least 2.")] = 9,
    span: Annotated[float, typer.Option(help="Standard deviations to either side.")] = 3.0,
    split: SplitOption = "test",
) -> None:
    """Write what each dimension of the code does, those that carry most first.

    Example: keras-ae traverse runs/vae dimensions.png --dimensions 5
    """
    model, recipe = _open(run, out)
    from keras_ae import tasks

    x, condition = recipe.evaluation_data(split), recipe.condition(split)
    found = tasks.traverse(model, x, example, dimensions, steps, span, condition)
    arrays = {"dimension": found.dimensions, found.score: found.scores, "offset": found.offsets}
    _write(out, found.plot, images=found.images, **arrays)


@app.command()
def neighbours(
    run: RunArgument,
    out: OutputArgument,
    n: CountOption = 8,
    k: Annotated[int, typer.Option("-k", help="Neighbours of each.")] = 8,
    metric: Annotated[str, typer.Option(help="euclidean or cosine.")] = "euclidean",
    split: SplitOption = "test",
) -> None:
    """Write the first examples of a split, and the training examples with the nearest codes.

    Example: keras-ae neighbours runs/vae neighbours.png -n 5
    """
    model, recipe = _open(run, out)
    from keras_ae import tasks

    x, examples = recipe.evaluation_data(split)[:n], recipe.evaluation_data("train")
    conditions = _rows(recipe.condition(split), slice(n)), recipe.condition("train")
    found = tasks.nearest_neighbours(model, x, examples, k, metric, *conditions)
    _write(out, lambda: found.plot(x, examples), index=found.indices, distance=found.distances)


@app.command()
def prototypes(run: RunArgument, out: OutputArgument, split: SplitOption = "train") -> None:
    """Write what is typical of each class: its decoded mean code, and the example in the middle of its codes.

    Example: keras-ae prototypes runs/vae prototypes.png
    """
    model, recipe = _open(run, out)
    from keras_ae import tasks

    labels, names = _labels(recipe, split), recipe.load(split).label_names
    found = tasks.prototypes(model, recipe.evaluation_data(split), labels, recipe.condition(split))
    titles = [names[label] for label in found.classes] if names else []
    arrays = {"label": found.classes, "code": found.codes, "medoid": found.medoids}
    _write(out, lambda: found.plot(titles), images=found.images, **arrays)


@app.command()
def attribute(
    run: RunArgument,
    out: OutputArgument,
    label: Annotated[int, typer.Option(help="Label of the examples that have the attribute.")],
    versus: Annotated[int | None, typer.Option(help="Label of those that have not; all others if not given.")] = None,
    steps: Annotated[int, typer.Option(min=2, help="Strengths of it, from none.")] = 7,
    strength: Annotated[float, typer.Option(help="How much of it is added at most.")] = 1.5,
    n: CountOption = 8,
    split: SplitOption = "test",
) -> None:
    """Write examples without an attribute, and the same with more and more of it.

    The attribute is a label; it is added along the direction from the mean code of the training examples without it to
    the mean code of those with it.

    Example: keras-ae attribute runs/vae from-3-to-8.png --label 8 --versus 3
    """
    model, recipe = _open(run, out)
    import numpy as np

    from keras_ae import plots, tasks

    y = _labels(recipe, "train", label, versus)
    judged = np.isin(y, [label, versus]) if versus is not None else np.full(len(y), True)
    given = _rows(recipe.condition("train"), judged)
    vector = tasks.attribute_vector(model, recipe.evaluation_data("train")[judged], y[judged] == label, given)
    labels = _labels(recipe, split)
    chosen = np.flatnonzero(labels != label if versus is None else labels == versus)[:n]
    x, given = recipe.evaluation_data(split)[chosen], _rows(recipe.condition(split), chosen)
    strengths = np.linspace(0, strength, steps)
    images = np.stack([x, *(tasks.shift(model, x, vector, value, given) for value in strengths)], axis=1)
    titles = ["original", *(f"{value:+.3g}" for value in strengths)]
    arrays = {"strength": strengths, "vector": vector, "index": chosen}
    _write(out, lambda: plots.image_table(images, columns=titles), images=images, **arrays)


@app.command()
def project(
    run: RunArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Gets the files.")],
    split: SplitOption = "test",
    n: Annotated[int, typer.Option("-n", min=1, help="The first n examples, at most.")] = 5000,
) -> None:
    """Write codes, labels and pictures for TensorBoard's embedding projector.

    Example: keras-ae project runs/vae runs/vae/projector
    """
    model, recipe = _open(run)
    from keras_ae.tasks import write_projector

    x, dataset, condition = recipe.evaluation_data(split)[:n], recipe.load(split), recipe.condition(split)
    labels = None if dataset.y is None else dataset.y[:n]
    if labels is not None and dataset.label_names:
        labels = [dataset.label_names[label] for label in labels]
    images = x if len(model.event_shape) == 3 and model.event_shape[-1] in (1, 3) else None
    write_projector(folder, model.encode(x, condition=_rows(condition, slice(n))), labels, images)
    print(f"{folder}: tensorboard --logdir {folder}, tab Projector")


def _open(run: Path, out: Path | None = None, text: bool = False) -> tuple[Any, Any]:
    """The model and the recipe of a run, after the check of the file that is to be written."""
    import_keras()
    from keras_ae.cli import arguments, output
    from keras_ae.training import RunFolder

    if out is not None:
        output.check_target(out, text)
    folder = RunFolder(run)
    return folder.load_model(), arguments.recipe(folder)


def _labels(recipe: Any, split: str, *needed: int | None) -> Any:
    """The labels of a split, among which must be those that are needed."""
    labels = recipe.load(split).y
    if labels is None or labels.dtype.kind not in "iu":
        raise InputError(f"{recipe.data!r} has no classes as labels.")
    present = sorted(set(labels.tolist()))
    for label in needed:
        if label is not None and label not in present:
            raise InputError(
                f"No example of {recipe.data!r} {split} has the label {label}. Labels: {', '.join(map(str, present))}."
            )
    return labels


def _pairs(examples: int, n: int, seed: int, condition: Any) -> tuple[Any, Any]:
    """Indices of the first and of the second example of n random pairs; pairs of each class in turn, if there is a
    condition."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(examples)
    groups = [order] if condition is None else [order[condition[order] == label] for label in np.unique(condition)]
    pairs = [groups[i % len(groups)][2 * (i // len(groups)) :][:2] for i in range(n)]
    if any(len(pair) < 2 for pair in pairs):
        raise InputError(f"There are not enough examples for {n} pairs: give a smaller -n.")
    start, end = np.array(pairs).T
    return start, end


def _rows(condition: Any, rows: Any) -> Any:
    """The conditions of some examples; None for a model without condition."""
    return None if condition is None else condition[rows]


def _write(out: Path, draw: Callable[[], Any], **arrays: Any) -> None:
    """Writes arrays as .npz, or a figure as .png."""
    from keras_ae import plots
    from keras_ae.cli import output

    if out.suffix == ".npz":
        output.write(out, **arrays)
    else:
        plots.save(draw(), out)
        print(out)
