"""What the files of compressed images have in common: a magic word and a header of JSON with a checksum."""

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from keras_ae import errors, reading

LENGTH = struct.Struct("<I")


class Range(NamedTuple):
    """Which numbers a header may hold under a name.

    Args:
        least: the smallest.
        most: the largest.
        kinds: their types.
    """

    least: float
    most: float = 1e300
    kinds: tuple[type, ...] = (int,)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        is_number = isinstance(value, self.kinds) and not isinstance(value, bool)
        return is_number and self.least <= value <= self.most


def crc(data: bytes) -> bytes:
    """The CRC-32 of some bytes, as 4 bytes."""
    return LENGTH.pack(zlib.crc32(data))


def begin(magic: bytes, header: dict[str, Any]) -> bytes:
    """The bytes that a file begins with: the magic word, the length of the header, the header, its checksum."""
    text = json.dumps(header).encode()
    return magic + LENGTH.pack(len(text)) + text + crc(text)


def read_header(
    path: str | os.PathLike, magic: bytes, version: int, made_by: str, ranges: dict[str, Range]
) -> tuple[dict[str, Any], int]:
    """The header of a file, checked, and where what follows it starts.

    Args:
        path: of the file.
        magic: what it has to begin with.
        version: the one that can be read.
        made_by: what writes such files, for the message.
        ranges: of its numbers: what is computed and allocated depends on them.
    """
    path = Path(path)
    if not path.exists():
        raise errors.InputError(f"There is no file {path}.")
    with reading.opened(path, f"a file of {made_by}") as file:
        if file.read(len(magic)) != magic:
            raise errors.InputError(f"{path} is no file of {made_by}.")
        (length,) = LENGTH.unpack(take(file, LENGTH.size, path))
        text = take(file, length, path)
        if take(file, LENGTH.size, path) != crc(text):
            raise damaged(path)
        header, start = json.loads(text), file.tell()
        if header["version"] != version:
            raise errors.InputError(
                f"{path} has version {header['version']} of the format; this package reads {version}."
            )
        check(path, {name: header[name] for name in ranges}, ranges)
    return header, start


def check(path: Path, values: dict[str, Any], ranges: dict[str, Range]) -> None:
    """Raises InputError where a number of a file is not in its range."""
    for name, value in values.items():
        if not ranges[name].holds(value):
            low, high = ranges[name][:2]
            raise errors.InputError(
                f"{path} is damaged: it has {name}={value!r:.50}, which must be from {low:,} to {high:,}."
            )


def take(file: BinaryIO, length: int, path: Path) -> bytes:
    """The next bytes of a file; all of them must be there before memory is taken for them."""
    if length > os.fstat(file.fileno()).st_size - file.tell():
        raise damaged(path)
    return file.read(length)


def damaged(path: Path) -> errors.InputError:
    """The error of a file that is not as it was written."""
    return errors.InputError(f"{path} is damaged: it was cut off or altered. No images can be had of it.")
