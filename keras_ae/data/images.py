"""A folder of image files as one array."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae import reading, writing
from keras_ae.data.dataset import Raw
from keras_ae.errors import InputError, whole_number

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's other ones start programs (EPS), among others
PIXEL = 12  # bytes: three channels in float32
LOCK = threading.Lock()


def read(folder: Path, image_size: Sequence[int] | None) -> Raw:
    """All images below a folder, in the order of their paths.

    Images are grey (one channel) if all files are, else RGB; transparency is dropped. Hidden and other files are left
    out. What a file holds decides how it is read, among the formats of these endings, not its name.

    Args:
        folder: with images; or with subfolders, one per class, with images.
        image_size: (height, width) in pixels to which images are stretched; may be None if all have the same size.

    Returns:
        x: uint8 (n, height, width, channels); y: (n,), the number of the subfolder in alphabetical order, or None.
    """
    size = _checked_size(image_size)
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )
    if not paths:
        raise InputError(f"The folder {str(folder)!r} has no images. Expected files: {', '.join(SUFFIXES)}.")
    labels, names = _labels(folder, paths)

    pictures: list[np.ndarray] = []
    needed = stored = 0
    for path in paths:
        picture = _decode(path, size)
        needed, stored = needed + 4 * picture.size, stored + path.stat().st_size
        reading.check_memory(folder, needed, stored)
        if pictures and picture.shape[:2] != pictures[0].shape[:2]:
            raise InputError(
                f"The images in {str(folder)!r} have different sizes (height, width): {paths[0].name} "
                f"{pictures[0].shape[:2]}, {path.name} {picture.shape[:2]}. Pass image_size=(height, width)."
            )
        pictures.append(picture)
    channels = max(picture.shape[2] for picture in pictures)
    reading.check_memory(folder, 4 * channels * sum(picture[..., 0].size for picture in pictures), stored)
    x = np.stack([np.broadcast_to(picture, (*picture.shape[:2], channels)) for picture in pictures])
    return Raw(x, labels, names)


def write(folder: Path, x: np.ndarray, levels: int) -> None:
    """Writes images of whole numbers 0..levels - 1, (n, height, width, 1 or 3), as PNG files in a new folder.

    Fewer than 256 levels are stretched to 0..255, which can be undone.
    """
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or levels > 256:
        raise InputError(
            f"PNG files hold grey or RGB images of at most 256 levels. Received: {x.shape}, {levels} levels."
        )
    from PIL import Image

    def write_all(temporary: Path) -> None:
        temporary.mkdir()
        for number, image in enumerate(x):
            pixels = np.round(image * (255 / (levels - 1))).astype("uint8")
            Image.fromarray(pixels[..., 0] if x.shape[-1] == 1 else pixels).save(temporary / f"{number:06}.png")

    writing.write_folder(folder, write_all)


def _checked_size(image_size: Any) -> tuple[int, int] | None:
    if image_size is None:
        return None
    if not isinstance(image_size, (tuple, list)) or len(image_size) != 2:
        raise InputError(f"image_size must be (height, width). Received: image_size={image_size!r}.")
    height, width = (whole_number("image_size", side) for side in image_size)
    return height, width


def _labels(folder: Path, paths: list[Path]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    parts = [path.relative_to(folder).parts for path in paths]
    direct = [part[0] for part in parts if len(part) == 1]
    if len(direct) == len(parts):
        return None, ()
    if direct:
        raise InputError(
            f"The images in {str(folder)!r} must lie either all in subfolders, one per class, or all in the folder "
            f"itself. Received: {direct[0]!r} in the folder, and {'/'.join(next(p for p in parts if len(p) > 1))!r}."
        )
    names, labels = np.unique([part[0] for part in parts], return_inverse=True)
    return labels.astype(np.int64), tuple(names.tolist())


def _decode(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    """One image as uint8 (height, width, 1 or 3)."""
    from PIL import Image, ImageOps

    with reading.opened(path, "an image") as file, _opened(file) as image:
        if image.mode.startswith(("I", "F")):
            raise InputError(
                f"The image {str(path)!r} must have 8 bits per channel. Received: mode {image.mode!r}. "
                "Convert it, or save the images as an array in an .npy file."
            )
        _check_pixels(path, image, size)
        upright = ImageOps.exif_transpose(image)
        picture = upright.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
        if size is not None:
            picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        array = np.asarray(picture)
        return array[..., None] if array.ndim == 2 else array


def _opened(file: Any) -> Any:
    """An image of which the header alone was read; Pillow's own limit of pixels, which cannot be given to it for one
    file, is off, since ours follows."""
    from PIL import Image, UnidentifiedImageError

    with LOCK:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ValueError(f"its format is none of {', '.join(FORMATS)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _check_pixels(path: Path, image: Any, size: tuple[int, int] | None) -> None:
    """Raises InputError where an image is too large to be decoded; a large photograph is decoded smaller, if it will
    be made smaller anyway."""
    try:
        reading.check_memory(path, PIXEL * image.width * image.height)
    except InputError:
        if size is None or image.format != "JPEG" or image.info.get("progressive"):  # those are decoded whole
            raise
        image.draft(image.mode, (max(size), max(size)))
        reading.check_memory(path, PIXEL * image.width * image.height)
