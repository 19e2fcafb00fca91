"""Files and folders that are written whole or not at all.

What is new is written under a temporary name beside its place, flushed to the disk, and renamed. The name says which
process writes, so that threads, processes and machines do not meet, and what a killed process left is removed by the
next one that writes there.
"""

import contextlib
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import psutil

DAY = 24 * 60 * 60  # seconds
LONGEST_STEM = 100  # characters of a name that its temporary name keeps
TEMPORARY = re.compile(r"\..*\.keras_ae-(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}(\.[^.]*)?")
_own: set[str] = set()  # temporary names in use by the threads of this process


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Lets `writer` write a temporary file with the ending of `path`, then renames it to `path`.

    Raises:
        OSError: the disk is full, or the like; it names `path`, and what was there is there still.
    """
    with staged(path) as temporary:
        writer(temporary)
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replaces a text file."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_folder(path: Path, writer: Callable[[Path], object]) -> None:
    """Lets `writer` make a temporary folder, then renames it to `path`, which must be new or empty.

    Raises:
        OSError: as in `write`; or `path` holds something.
    """
    with staged(path) as temporary:
        writer(temporary)
        move_folder(temporary, path)


def move_folder(source: Path, target: Path) -> None:
    """Renames a folder after all that is in it was flushed to the disk; an empty target is replaced."""
    for folder, _, names in os.walk(source):
        for name in names:
            _flush(Path(folder, name))
        _flush(Path(folder))
    if os.name == "nt" and target.is_dir():
        target.rmdir()  # elsewhere renaming replaces an empty folder
    os.rename(source, target)
    _flush(target.parent)


def remove_folder(path: Path) -> None:
    """Removes a folder at once: whenever the process dies, all of it is there or nothing."""
    with staged(path) as temporary:
        os.rename(path, temporary)
        _flush(path.parent)


def reserve(path: Path) -> None:
    """Takes the room on the disk for a file of holes, as a new memory map is: where there is none, this is an error,
    while writing to the map would end the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`, with the same ending; what has that name in the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    token = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.stem[:LONGEST_STEM]}.keras_ae-{token}{path.suffix}")
    _own.add(temporary.name)
    try:
        yield temporary
    except OSError as error:
        if error.errno is None:  # a library's own words
            raise OSError(f"{path} cannot be written: {error}") from error
        if error.filename is None or str(error.filename).startswith(str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        _own.discard(temporary.name)
        _remove(temporary)


def sweep(folder: Path, everything: bool = False) -> None:
    """Removes the temporary files and folders that killed processes left in a folder.

    Args:
        folder: where to look, not below.
        everything: whether nobody else can be writing there, since the caller holds its lock.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            found = TEMPORARY.fullmatch(entry.name)
            if found and (everything or _is_left(found, entry)):
                _remove(Path(entry.path))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other thread or process holds `path`, and holds it; the lock ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.lock")
    with filelock.FileLock(file):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps an open file; the next one to hold the lock removes it
                file.unlink()


def _is_left(name: re.Match, entry: os.DirEntry) -> bool:
    """Whether a temporary file is in nobody's use; of another machine's it is known after a day without a change."""
    if name["machine"] != _machine():
        with contextlib.suppress(FileNotFoundError):
            return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY
        return False
    if int(name["process"]) == os.getpid():
        return entry.name not in _own
    return not psutil.pid_exists(int(name["process"]))


def _machine() -> str:
    """What tells apart the machines, and the containers, whose processes are numbered each for itself."""
    try:
        numbers = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        numbers = 0
    return f"{zlib.crc32(f'{platform.node()} {numbers}'.encode()):08x}"


def _remove(path: Path) -> None:
    """Removes a file or a folder, if it is there; never fails."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _flush(path: Path) -> None:
    """Has the system write a file or the names in a folder to the disk."""
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":
        return  # Windows has no such call
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not is_folder:  # for which some network file systems have no such call, either
            raise
    finally:
        os.close(descriptor)
