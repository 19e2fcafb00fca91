"""The commands that use a trained model: samples, reconstructions, codes, exports, pictures."""

from pathlib import Path
from typing import Annotated

import typer

from keras_ae.cli.common import OutputArgument, RunArgument, SplitOption, import_keras

app = typer.Typer(rich_markup_mode=None)


@app.command()
def sample(
    run: RunArgument,
    out: OutputArgument,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same samples.")] = 0,
    condition: Annotated[
        int | None, typer.Option(help="Class of a conditional model; all in turn if not given.")
    ] = None,
) -> None:
    """Draw new examples from the prior: the means of p(x|z).

    Example: keras-ae sample runs/vae samples.png -n 100
    """
    import_keras()
    from keras_ae.cli import output
    from keras_ae.training import RunFolder

    output.check_target(out, text=True)
    model = RunFolder(run).load_model()
    classes = [i % model.condition_dim for i in range(n)] if model.conditional and condition is None else condition
    if out.suffix == ".txt":
        return output.write_text(out, model, model.sample(n, seed=seed))
    output.write(out, x=model.sample(n, seed=seed, condition=classes))


@app.command()
def reconstruct(
    run: RunArgument,
    out: OutputArgument,
    split: SplitOption = "test",
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="The first n examples; all if not given (10 in a PNG).")
    ] = None,
) -> None:
    """Write reconstructions beside the originals.

    Example: keras-ae reconstruct runs/vae reconstructions.png -n 16
    """
    import_keras()
    from keras_ae.cli import arguments, output
    from keras_ae.training import RunFolder

    output.check_target(out, text=True)
    folder = RunFolder(run)
    limit = n or (10 if out.suffix == ".png" else None)
    recipe = arguments.recipe(folder)
    x, condition = recipe.evaluation_data(split)[:limit], recipe.condition(split)
    condition = None if condition is None else condition[:limit]
    model = folder.load_model()
    if out.suffix == ".txt":
        return output.write_text(out, model, x, model.reconstruct(x))
    output.write_pairs(out, x, model.reconstruct(x, condition=condition))


@app.command()
def encode(run: RunArgument, out: OutputArgument, split: SplitOption = "test") -> None:
    """Write the codes of a split, with its labels where it has them.

    Example: keras-ae encode runs/vae codes.npz --split train
    """
    import_keras()
    from keras_ae.cli import arguments, output
    from keras_ae.training import RunFolder

    output.check_target(out)
    folder = RunFolder(run)
    recipe = arguments.recipe(folder)
    labels = recipe.load(split).y
    codes = folder.load_model().encode(recipe.evaluation_data(split), condition=recipe.condition(split))
    output.write_codes(out, codes, labels)


@app.command()
def export(
    run: RunArgument,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Gets a new version: DIR/1, DIR/2, ...")],
    format: Annotated[str, typer.Option(help="saved_model, onnx or litert.")] = "saved_model",
    warmup: Annotated[
        bool, typer.Option("--warmup", help="Add requests that TensorFlow Serving answers before it takes others.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most rows of one request to a SavedModel; by memory if not given.")
    ] = None,
) -> None:
    """Write a model for serving: for TensorFlow Serving, ONNX Runtime or LiteRT.

    Example: keras-ae export runs/vae exported/vae
    """
    import_keras()
    import keras_ae
    from keras_ae.training import RunFolder

    print(keras_ae.export(RunFolder(run).load_model(), target, format, warmup, limit))


@app.command()
def plot(run: RunArgument) -> None:
    """Draw the pictures of a run anew, into RUN/pictures.

    Example: keras-ae plot runs/vae
    """
    import_keras()
    from keras_ae.cli import pictures
    from keras_ae.training import RunFolder

    for path in pictures.draw(RunFolder(run)):
        print(path)
