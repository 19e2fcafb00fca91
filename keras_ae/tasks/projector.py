"""Codes for TensorBoard's embedding projector."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_ae import errors, plots, writing
from keras_ae.checks import Examples, checked, of_each
from keras_ae.models import files

LARGEST = 8192  # pixels: the largest texture that every browser takes, by TensorBoard's guide

CONFIG = """\
embeddings {{
  tensor_name: "codes"
  tensor_path: "tensors.tsv"
{more}}}
"""
METADATA = """\
  metadata_path: "metadata.tsv"
"""
SPRITE = """\
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {width}
    single_image_dim: {height}
  }}
"""


@checked
def write_projector(
    folder: str | Path, codes: Examples, labels: Any = None, images: plots.Images | None = None
) -> Path:
    """Writes codes for TensorBoard's embedding projector, which turns them about in three dimensions of PCA, t-SNE or
    UMAP (Smilkov et al., 2016, arXiv:1611.05469): `tensorboard --logdir FOLDER`, tab "Projector".

    The files: `tensors.tsv`, one code a line; `metadata.tsv`, its label; `sprite.png`, its picture; and
    `projector_config.pbtxt`, which names them. The first two can also be loaded at projector.tensorflow.org.

    Args:
        folder: where to; made if it is not there.
        codes: (n, *latent); further axes are flattened.
        labels: of each code, numbers or names; None for none.
        images: (n, height, width, 1 or 3), one for each code; made smaller where the sprite would be larger than 8192
            pixels. None for none.

    Returns:
        The folder.

    Raises:
        InputError: codes are no finite numbers, or there are not as many labels or images as codes.

    Example:
        >>> import tempfile
        >>> folder = write_projector(tempfile.mkdtemp(), [[0.0, 1.0], [2.0, 3.0]], labels=["cat", "dog"])
        >>> (folder / "metadata.tsv").read_text().split()
        ['cat', 'dog']
    """
    if codes.ndim < 2:
        raise errors.wrong("codes", "an array (n, *latent)", codes)
    folder, more, points = Path(folder), "", codes.reshape(len(codes), -1).astype("float32")
    if images is not None and len(images) != len(codes):
        raise errors.wrong("images", f"as many as codes, {len(codes)}", images)
    labels = None if labels is None else of_each("labels", labels, len(codes))
    with writing.locked(folder):  # the files belong together
        if images is not None:
            sprite, (width, height) = _sprite(images)
            files.write(folder / "sprite.png", sprite.save)
            more = SPRITE.format(width=width, height=height)
        if labels is not None:
            lines = (" ".join(str(label).split()) for label in labels)  # a tab or a line break would end the label
            files.write_text(folder / "metadata.tsv", "".join(f"{line}\n" for line in lines))
            more = METADATA + more
        files.write(folder / "tensors.tsv", lambda path: np.savetxt(path, points, fmt="%.7g", delimiter="\t"))
        files.write_text(folder / "projector_config.pbtxt", CONFIG.format(more=more))
    return folder


def _sprite(images: Any) -> tuple[Image.Image, tuple[int, int]]:
    """All images in rows of one picture, and the (width, height) of each."""
    grid = plots.tiled(images, gap=0)
    height, width = np.shape(images)[1:3]
    rows, columns = grid.shape[0] // height, grid.shape[1] // width
    factor = min(1, LARGEST / max(grid.shape[:2]))
    size = math.floor(width * factor), math.floor(height * factor)
    picture = Image.fromarray((255 * grid).round().astype("uint8").squeeze())
    return picture.resize((columns * size[0], rows * size[1])), size
