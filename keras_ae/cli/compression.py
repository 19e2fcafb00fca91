"""The commands that compress images with a model, and decompress them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_ae.cli.common import import_keras

app = typer.Typer(rich_markup_mode=None)
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Run folder, .keras file, or the name of a preset.")
]


@app.command()
def compress(
    images: Annotated[str, typer.Argument(help="A .npy or .npz file, a folder of images, or a data set's name.")],
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="The compressed file.")],
    split: Annotated[str | None, typer.Option(help="Of the data; all of a path, test of a data set.")] = None,
    binarize: Annotated[str | None, typer.Option(help="threshold or fixed, for a model of black and white.")] = None,
    latent_bits: Annotated[int, typer.Option(help="Each dimension of a code is one of 2^BITS intervals.")] = 8,
    step: Annotated[
        float | None,
        typer.Option(help="Keep the codes alone, rounded to so many standard deviations: with loss, and far smaller."),
    ] = None,
) -> None:
    """Compress images without loss, to about the model's negative ELBO; with --step, with loss.

    Example: keras-ae compress binarized_mnist vae_binarized_mnist mnist.bb
    """
    import_keras()
    import keras_ae
    from keras_ae.tasks.bits_back import check_model
    from keras_ae.tasks.compression import compress
    from keras_ae.tasks.lossy import compress_codes
    from keras_ae.zoo.runs import trained

    chosen = trained(model)
    if step is None:
        check_model(chosen)
    levels = hasattr(chosen.likelihood, "levels")
    default = "all" if Path(images).exists() else "test"
    data = keras_ae.data.load(images, split or default, binarize=binarize, levels=levels)
    if step is not None:
        found = compress_codes(data.x, chosen, out, step)
    else:
        with _bar(len(data), "compressing") as bar:
            found = compress(data.x, chosen, out, latent_bits, progress=bar.update)
    print(f"{out}: {found.images:,} images in {found.size:,} bytes, {found.bits_per_dimension:.4f} bits a value")


@app.command()
def decompress(
    file: Annotated[Path, typer.Argument(help="A file of `keras-ae compress`.")],
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="A .npy file, or a folder for PNG files.")],
) -> None:
    """Give back the images of a compressed file, bit for bit; of one with --step, their reconstructions.

    Example: keras-ae decompress mnist.bb vae_binarized_mnist mnist.npy
    """
    import_keras()
    import numpy as np

    from keras_ae import errors, writing
    from keras_ae.data import images
    from keras_ae.models import files
    from keras_ae.tasks import compression as coding
    from keras_ae.tasks import lossy
    from keras_ae.tasks.bits_back import levels_of
    from keras_ae.zoo.runs import trained

    if out.suffix not in (".npy", ""):
        raise errors.InputError(f"{out} must end in .npy (an array), or be a folder (for PNG files).")
    if out.suffix == "" and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise errors.InputError(f"{out} exists. Choose a new folder.")
    chosen = trained(model)
    if lossy.is_one(file):
        found = lossy.decompress_codes(file, chosen)
        if out.suffix == ".npy":
            files.write(out, lambda temporary: np.save(temporary, found))
        else:
            levels = getattr(chosen.likelihood, "levels", 2)
            images.write(out, np.clip(found, 0, levels - 1), levels)
        print(f"{out}: {len(found):,} reconstructions")
        return
    header = coding.read_header(file, chosen)
    shape, kind = (header["count"], *header["shape"]), coding.dtype(chosen)

    def write(temporary: Path) -> None:
        array = np.lib.format.open_memmap(temporary, "w+", kind, shape)
        writing.reserve(temporary)
        with _bar(len(array), "decompressing") as bar:
            coding.decompress(file, chosen, array, bar.update)
        array.flush()

    if out.suffix == ".npy":
        files.write(out, write)
    else:
        images.write(out, coding.decompress(file, chosen), levels_of(chosen))
    print(f"{out}: {header['count']:,} images")


def _bar(length: int, label: str) -> Any:
    """A progress bar on a terminal, nothing elsewhere."""
    return typer.progressbar(length=length, label=label, hidden=not sys.stderr.isatty(), file=sys.stderr)
