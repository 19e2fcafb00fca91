"""The commands. Each is thin: it reads its arguments, calls what is below, and says what was made."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from keras_ae.cli import compression, latent, trained, zoo
from keras_ae.cli.common import RunArgument, SplitOption, import_keras
from keras_ae.errors import InputError, TrainingDivergedError

app = typer.Typer(
    help="Train, judge, picture and serve autoencoders.",
    epilog="--debug, with any command, shows the traceback of an error.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(zoo.app, name="zoo")
app.add_typer(trained.app)
app.add_typer(latent.app)
app.add_typer(compression.app)


def main() -> None:
    """Runs the command line; exit code 0, or 2 and a line for what the user can mend, or 1 for our own failures."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages are not about the user's task
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    if "" in arguments:
        before = " ".join(["keras-ae", *arguments[: arguments.index("")]])
        _fail(f"The argument after {before!r} is empty: ''. Perhaps a variable of the shell is not set.", 2)
    try:
        sys.exit(app(arguments or ["--help"], standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("stopped", 130)
    except Exception as error:
        if debug:
            raise
        if hasattr(error, "format_message"):  # typer's errors in the arguments
            _fail(f"{error.format_message()} (keras-ae COMMAND --help shows how)", 2)
        if isinstance(error, InputError | TrainingDivergedError | OSError):
            _fail(str(error), 2)
        _fail(f"internal error: {type(error).__name__}: {str(error)[:500]} (--debug shows where)", 1)


def _fail(message: str, code: int) -> NoReturn:
    print(f"keras-ae: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


@app.command("list")
def list_command(pattern: Annotated[str, typer.Argument(help="Shell pattern, such as '*vae*'.")] = "*") -> None:
    """List the models.

    Example: keras-ae list '*vae*'
    """
    import_keras()
    import keras_ae

    for name in keras_ae.list_models(pattern):
        summary = keras_ae.describe(name).split("\n\n", 1)[1].splitlines()[0]
        print(f"{name:16} {summary}")


@app.command()
def describe(name: Annotated[str, typer.Argument(help="A name that `keras-ae list` prints.")]) -> None:
    """Say what a model is: equation, arguments, terms, reference.

    Example: keras-ae describe vae
    """
    import_keras()
    import keras_ae

    print(keras_ae.describe(name))


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="A name that `keras-ae list` prints.")],
    data: Annotated[
        str, typer.Option(help="Data set, or a .npy, .npz, .csv, .txt (a text a line) or a folder of images.")
    ] = "digits",
    latent_dim: Annotated[int, typer.Option(help="Dimensions of the code.")] = 16,
    epochs: Annotated[int, typer.Option(help="Passes over the training split.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/MODEL-DATA if not given.")] = None,
    network: Annotated[
        str | None,
        typer.Option(help="dense (default), conv, resnet or dcgan; for sequences recurrent (default) or transformer."),
    ] = None,
    hidden: Annotated[str | None, typer.Option(help="Units of dense hidden layers, such as 512,256.")] = None,
    likelihood: Annotated[
        str,
        typer.Option(
            help="auto, bernoulli, normal (variance 1), normal-0.05 (variance 0.05), normal-learned, normal-per-value; "
            "with --levels categorical, discretized_logistic, discretized_logistic_mixture, quantized_normal or "
            "beta_binomial."
        ),
    ] = "auto",
    binarize: Annotated[str | None, typer.Option(help="threshold, fixed or dynamic (anew each epoch).")] = None,
    levels: Annotated[bool, typer.Option("--levels", help="Keep pixels as whole numbers.")] = False,
    image_size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH for a folder of images.")] = None,
    tokens: Annotated[str, typer.Option(help="Of text: character or word.")] = "character",
    vocabulary_size: Annotated[int | None, typer.Option(help="Most frequent tokens of text to keep.")] = None,
    labels: Annotated[int | None, typer.Option(help="How many labels a semi-supervised model is given.")] = None,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 1e-3,
    schedule: Annotated[str, typer.Option(help="Of the learning rate: constant or cosine (to zero).")] = "constant",
    validation: Annotated[
        str, typer.Option(help="Fraction held out and evaluated after each epoch, or the name of a split.")
    ] = "0",
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a lower validation loss that end it; keeps the best epoch.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32 or mixed_bfloat16: faster convolutions where the hardware has it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, noise and order.")] = 0,
    pretrained: Annotated[
        str | None, typer.Option(help="Run folder, .keras file or preset whose weights the training starts from.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="Argument of the model, such as posterior=full; repeatable.")
    ] = None,
    network_option: Annotated[
        list[str] | None, typer.Option("--net", help="Argument of the network, such as activation=tanh; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Let a run in --out go on for more epochs, too.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard logs to RUN/logs.")] = False,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw pictures at the end.")] = True,
) -> None:
    """Train a model into a run folder.

    The same command once more goes on where it was interrupted, with --resume or without.

    Example: keras-ae train vae --data mnist --latent-dim 16 --epochs 20 --out runs/vae
    """
    out = out or Path("runs") / f"{model}-{Path(data).stem}"
    import_keras(out)
    import keras

    from keras_ae.cli import arguments
    from keras_ae.training import RunFolder
    from keras_ae.zoo import runs
    from keras_ae.zoo.recipe import Recipe

    recipe = Recipe(
        model=model,
        data=data,
        latent_dim=latent_dim,
        epochs=epochs,
        network=network,
        hidden=arguments.integers("hidden", hidden, ","),
        likelihood=likelihood,
        binarize=binarize,
        levels=levels,
        image_size=arguments.integers("image-size", image_size, "x"),
        tokens=tokens,
        vocabulary_size=vocabulary_size,
        labels=labels,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        validation=arguments.number_or_name(validation),
        patience=patience,
        precision=precision,
        seed=seed,
        pretrained=pretrained,
        options=arguments.assignments(option or []),
        network_options=arguments.assignments(network_option or []),
    )
    if tensorboard and not importlib.util.find_spec("tensorboard"):
        raise InputError("--tensorboard needs the package tensorboard: pip install 'keras-ae[tensorboard]'.")
    folder = RunFolder(out)
    callbacks = [keras.callbacks.TensorBoard(str(folder.path / "logs"))] if tensorboard else []
    done_before = max(folder.checkpoints(), default=0)
    try:
        runs.train(recipe, folder, resume, verbose=1 if sys.stdout.isatty() else 0, callbacks=callbacks)
    except KeyboardInterrupt:
        done = max(folder.checkpoints(), default=0)
        _fail(f"stopped after {done} of {epochs} epochs. Continue with: {_resume_command()}", 130)
    if pictures:
        from keras_ae.cli.pictures import draw

        draw(folder)
    last = ", ".join(f"{name} {value:.4g}" for name, value in folder.history()[-1].items() if name != "epoch")
    already = f" ({done_before} of them done before)" if done_before else ""
    print(f"{folder.path}: {len(folder.history())} epochs{already}, {last}")


def _resume_command() -> str:
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return " ".join(["keras-ae", *arguments, "--resume"])


@app.command()
def evaluate(
    run: RunArgument,
    split: SplitOption = "test",
    samples: Annotated[int, typer.Option(min=1, help="K of the estimate of log p(x).")] = 100,
    method: Annotated[str, typer.Option(help="importance, prior or ais.")] = "importance",
    steps: Annotated[int, typer.Option(min=1, help="Temperatures of ais.")] = 500,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many examples.")] = None,
    gap: Annotated[int, typer.Option(min=0, help="Of how many examples to find the inference gap.")] = 0,
    probe: Annotated[bool, typer.Option("--probe", help="Predict the labels from the codes.")] = False,
    quality: Annotated[bool, typer.Option("--quality", help="Compare samples with the split (digits).")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a model's figures on a split, beside baselines fitted on the training split.

    Example: keras-ae evaluate runs/vae --samples 1000
    """
    import_keras()
    from keras_ae.cli import arguments, output
    from keras_ae.evaluation import evaluate as judge
    from keras_ae.training import RunFolder

    folder = RunFolder(run)
    recipe = arguments.recipe(folder)
    test, train = recipe.evaluation_data(split)[:limit], recipe.evaluation_data("train")
    labels = None
    if probe:
        train_y, test_y = recipe.load("train").y, recipe.load(split).y
        if train_y is None or test_y is None:
            raise InputError(f"--probe needs labels, which {recipe.data!r} does not have.")
        labels = train_y, test_y[:limit]
    condition = recipe.condition(split)
    report = judge(
        folder.load_model(),
        test,
        train,
        samples=samples,
        seed=seed,
        condition=None if condition is None else condition[:limit],
        method=method,
        steps=steps,
        gap_examples=gap,
        labels=labels,
        with_samples=quality,
    )
    if as_json:
        print(json.dumps({"model": recipe.model, "data": recipe.data, "split": split, **report.as_dict()}, indent=2))
    else:
        output.print_report(report, recipe.model, f"{recipe.data} {split}")


@app.command()
def latent_dim(
    model: Annotated[str, typer.Argument(help="A name that `keras-ae list` prints.")],
    data: Annotated[str, typer.Option(help="Data set, or a .npy, .npz, .csv or a folder of images.")] = "digits",
    sizes: Annotated[str, typer.Option(help="Dimensions of the code, such as 2,4,8.")] = "1,2,4,8,16,32",
    epochs: Annotated[int, typer.Option(help="Passes over the training split, for each model.")] = 20,
    seeds: Annotated[int, typer.Option(help="Trainings for each size.")] = 1,
    binarize: Annotated[str | None, typer.Option(help="threshold or fixed.")] = None,
    samples: Annotated[int, typer.Option(help="K of the importance-weighted bound.")] = 100,
    validation: Annotated[float, typer.Option(help="Fraction of the training split that judges.")] = 0.2,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/latent-dim-MODEL-DATA if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many dimensions a code needs: train models of several sizes, draw the curve, find its knee.

    The same command once more goes on where it was interrupted.

    Example: keras-ae latent-dim vae --data digits --sizes 1,2,4,8,16 --seeds 3
    """
    import_keras()
    from dataclasses import replace

    from keras_ae import plots
    from keras_ae.cli import arguments
    from keras_ae.errors import whole_number
    from keras_ae.evaluation import choose_latent_dim
    from keras_ae.models import files
    from keras_ae.zoo.recipe import Recipe

    recipe = Recipe(model=model, data=data, epochs=epochs, binarize=binarize, validation=validation)
    dataset, x = recipe.load("train"), recipe.evaluation_data("train")
    start = len(x) - recipe.held_out(dataset)
    folder = out or Path("runs") / f"latent-dim-{model}-{Path(data).stem}"
    choice = choose_latent_dim(
        lambda size, seed: replace(recipe, latent_dim=size, seed=seed).build(dataset),
        x[:start],
        x[start:],
        arguments.integers("sizes", sizes, ",") or (),
        epochs,
        recipe.batch_size,
        range(whole_number("seeds", seeds)),
        samples,
        folder,
        verbose=1 if sys.stdout.isatty() else 0,
    )
    files.write_text(folder / "choice.json", json.dumps(choice.as_dict(), indent=2) + "\n")
    plots.save(choice.plot(), folder / "choice.png")
    print(json.dumps(choice.as_dict(), indent=2) if as_json else f"{choice}\n{folder / 'choice.png'}")
