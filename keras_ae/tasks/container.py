"""What the files of compressed images have in common: a magic word and a header of JSON with a checksum."""

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

from keras_ae import errors

LENGTH = struct.Struct("<I")


def crc(data: bytes) -> bytes:
    """The CRC-32 of some bytes, as 4 bytes."""
    return LENGTH.pack(zlib.crc32(data))


def begin(magic: bytes, header: dict[str, Any]) -> bytes:
    """The bytes that a file begins with: the magic word, the length of the header, the header, its checksum."""
    text = json.dumps(header).encode()
    return magic + LENGTH.pack(len(text)) + text + crc(text)


def read_header(path: str | os.PathLike, magic: bytes, version: int, made_by: str) -> tuple[dict[str, Any], int]:
    """The header of a file, checked, and where what follows it starts.

    Args:
        path: of the file.
        magic: what it has to begin with.
        version: the newest one that can be read.
        made_by: what writes such files, for the message.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.InputError(f"There is no file {path}.")
    with open(path, "rb") as file:
        if file.read(len(magic)) != magic:
            raise errors.InputError(f"{path} is no file of {made_by}.")
        length = file.read(LENGTH.size)
        text = file.read(LENGTH.unpack(length)[0]) if len(length) == LENGTH.size else b""
        if not text or file.read(LENGTH.size) != crc(text):
            raise damaged(path)
        header, start = json.loads(text), file.tell()
    if header["version"] > version:
        raise errors.InputError(f"{path} has version {header['version']} of the format; this package reads {version}.")
    return header, start


def damaged(path: Path) -> errors.InputError:
    """The error of a file that is not as it was written."""
    return errors.InputError(f"{path} is damaged: it was cut off or altered. No images can be had of it.")
