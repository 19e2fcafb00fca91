"""The commands of `keras-ae zoo`: trained models by name."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from keras_ae.cli.common import import_keras

app = typer.Typer(help="Trained models by name: list, show, train and check.", rich_markup_mode=None)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A name that `keras-ae zoo list` prints.")]


@app.command("list")
def list_command(pattern: Annotated[str, typer.Argument(help="Shell pattern, such as '*mnist*'.")] = "*") -> None:
    """List the presets.

    Example: keras-ae zoo list 'vae*'
    """
    import_keras()
    from keras_ae.zoo import presets

    for name in presets.list_presets(pattern):
        print(f"{name:26}{presets.preset(name).purpose.split('. ')[0].rstrip('.')}")


@app.command()
def show(name: NameArgument) -> None:
    """Print the settings of a preset and the figures that it must reach, as JSON.

    Example: keras-ae zoo show vae_mnist
    """
    import_keras()
    from keras_ae.zoo import presets

    print(json.dumps(asdict(presets.preset(name)), indent=2))


@app.command()
def train(
    name: NameArgument,
    run: Annotated[Path | None, typer.Option(help="Run folder; runs/zoo/NAME if not given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that gets the folder NAME.")] = Path("saved_models"),
) -> None:
    """Repeat the training of a preset and write its folder: model, SavedModel, figures, card.

    The same command goes on where it was interrupted.

    Example: keras-ae zoo train vae_mnist --out mine
    """
    run = run or Path("runs/zoo") / name
    import_keras(run)
    from keras_ae.zoo.presets import training

    folder = training.train(name, run, out, verbose=1 if sys.stdout.isatty() else 0)
    print(f"{folder}: model.keras, SavedModel 1, metrics.json, README.md")


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Presets; all if none is given.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the presets are, if elsewhere.")] = None,
) -> None:
    """Evaluate presets on the test split; exit code 1 unless every figure is within its tolerance.

    Example: keras-ae zoo check vae_mnist
    """
    import_keras()
    from keras_ae.zoo.presets import list_presets, training

    passed = True
    for name in names or list_presets():
        for result in training.check(name, folder):
            print(result)
            passed = passed and result.passed
    raise typer.Exit(0 if passed else 1)
