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


@pytest.fixture
def file(request, tmp_path):
    """(reader, good file, what it holds)."""
    path, reader = tmp_path / request.param, READERS[request.param]
    reader.write(path)
    return reader, path, reader.read(path)


def readers(*without: str, forged: bool = False):
    """The test is for all readers but some, or for those whose files have an inside that can be forged."""
    names = [name for name, reader in READERS.items() if name not in without and (reader.forged or not forged)]
    return pytest.mark.parametrize("file", names, indirect=True)


@readers()
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


@readers(forged=True)
@pytest.mark.filterwarnings("ignore")
def test_a_forged_file(file):
    """Its inside is damaged, and its checksums fit."""
    reader, path, expected = file
    good, rng, wrong = path.read_bytes(), random.Random(0), []
    for _ in range(reader.rounds):
        path.write_bytes(reader.forged(good, lambda inside: damaged(inside, rng), rng))
        try:
            found = reader.read(path)
        except InputError:
            continue
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
        else:
            if path.suffix in (".bb", ".codes") and not same(found, expected):
                wrong.append("other data")
    assert not wrong


@readers("cache.npz")  # which is the user's own
def test_what_is_no_regular_file(file):
    """A pipe would make its reader wait for ever, a device would never end."""
    reader, path, _ = file

    def stop(*_):
        pytest.fail("the reader waits")

    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir):
        path.unlink()
        make(path)
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(60)
        try:
            with pytest.raises(InputError, match=path.name if make is not os.mkdir else "."):
                reader.read(path)
        finally:
            signal.alarm(0)
            path.rmdir() if make is os.mkdir else path.unlink()
        path.touch()


@readers()
def test_a_link_to_a_regular_file(file, tmp_path):
    reader, path, expected = file
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert same(reader.read(path), expected)
