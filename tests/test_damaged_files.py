"""Whatever a file holds, its reader gives what was written, or an InputError that names the file."""

import os
import random
import signal

import pytest

from keras_ae import InputError
from tests.readers import READERS, damaged, same

ALTOGETHER = {
    "empty": lambda good: b"",
    "one byte": lambda good: good[:1],
    "half": lambda good: good[: len(good) // 2],
    "all but the last byte": lambda good: good[:-1],
    "zeros": lambda good: bytes(len(good)),
    "noise": lambda good: random.Random(0).randbytes(len(good)),
    "half a zip": lambda good: b"PK\x03\x04 half a zip",
    "a pickle": lambda good: b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
}


@pytest.fixture(params=READERS)
def file(request, tmp_path):
    """(reader, good file, what it holds)."""
    path, reader = tmp_path / request.param, READERS[request.param]
    reader.write(path)
    return reader, path, reader.read(path)


@pytest.mark.filterwarnings("ignore")  # of libraries, about what is damaged
def test_a_damaged_file(file):
    reader, path, expected = file
    good, rng, wrong = path.read_bytes(), random.Random(0), []
    cases = {name: change(good) for name, change in ALTOGETHER.items()}
    cases |= {f"random damage {n}": damaged(good, rng) for n in range(reader.rounds)}
    for name, bad in cases.items():
        path.write_bytes(bad)
        try:
            found = reader.read(path)
        except InputError as error:
            if path.name not in str(error) and str(path.parent) not in str(error):
                wrong.append(f"{name}: names no file: {error}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if reader.exact and not same(found, expected):
                wrong.append(f"{name}: other data")
    assert not wrong


def test_what_is_no_regular_file(file):
    """A pipe would make its reader wait for ever, a device would never end."""
    reader, path, _ = file
    if path.name == "cache.npz":
        pytest.skip("the cache is the user's own")

    def stop(*_):
        pytest.fail("the reader waits")

    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir):
        path.unlink()
        make(path)
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(20)
        try:
            with pytest.raises(InputError, match=path.name if make is not os.mkdir else "."):
                reader.read(path)
        finally:
            signal.alarm(0)
            path.rmdir() if make is os.mkdir else path.unlink()
        path.touch()


def test_a_link_to_a_regular_file(file, tmp_path):
    reader, path, expected = file
    if path.name == "index.json":
        pytest.skip("a preset's files lie in its folder")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert same(reader.read(path), expected)
