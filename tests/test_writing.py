"""Files are whole, whoever else writes, and what killed processes left is removed."""

import errno
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from keras_ae import writing


def temporary(folder, process, machine=None, suffix=".txt"):
    """A temporary file of some process."""
    path = folder / f".a.keras_ae-{machine or writing._machine()}-{process}-0123abcd{suffix}"
    path.write_text("half")
    return path


@pytest.fixture
def ended():
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_threads_that_write_one_file(tmp_path):
    barrier, texts = threading.Barrier(8), [str(i) * 10_000 for i in range(8)]

    def write(text):
        barrier.wait()
        for _ in range(20):
            writing.write_text(tmp_path / "a.txt", text)
            assert (tmp_path / "a.txt").read_text() in texts

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, texts))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_written_is_flushed_before_it_gets_its_name(tmp_path, monkeypatch):
    calls, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(os.readlink(f"/proc/self/fd/{fd}")))
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("replace") or replace(a, b))
    monkeypatch.setattr(os, "rename", lambda a, b: calls.append("rename") or replace(a, b))
    writing.write_text(tmp_path / "a.txt", "new")
    assert len(calls) == 3 and ".a.keras_ae-" in calls[0] and calls[1:] == ["replace", str(tmp_path)]
    calls.clear()

    def two_files(folder):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "x").write_text("x")
        (folder / "y").write_text("y")

    writing.write_folder(tmp_path / "folder", two_files)
    flushed = [call.partition("-0123")[0].rpartition("/")[2] for call in calls[:-2]]
    assert sorted(flushed)[1:] == ["inner", "x", "y"] and calls[-2:] == ["rename", str(tmp_path)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"No space left on device: '.*a\.txt'"),
        (OSError("7 requested and 3 written"), r"a\.txt cannot be written: 7 requested and 3 written"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "source"), "directory: 'source'"),
    ],
)
def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, error, words):
    def fill(path):
        path.write_text("half")
        raise error

    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OSError, match=words):
        writing.write(tmp_path / "a.txt", fill)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_what_ended_processes_left_is_removed(tmp_path, ended):
    left = [temporary(tmp_path, ended), temporary(tmp_path, os.getpid())]  # the second by a process of the same number
    (tmp_path / ".a.keras_ae-folder").mkdir()
    living = [temporary(tmp_path, os.getppid()), temporary(tmp_path, ended, machine="0" * 8), tmp_path / ".b.txt"]
    living[-1].touch()
    old = temporary(tmp_path, os.getppid(), machine="1" * 8)
    os.utime(old, (time.time() - 2 * writing.DAY,) * 2)
    folder = temporary(tmp_path, ended, suffix="")
    folder.unlink()
    (folder / "inner").mkdir(parents=True)
    writing.write_text(tmp_path / "c.txt", "")
    assert not any(path.exists() for path in (*left, old, folder))
    assert all(path.exists() for path in living) and (tmp_path / ".a.keras_ae-folder").exists()
    writing.sweep(tmp_path, everything=True)
    assert [path.exists() for path in living] == [False, False, True]


def test_a_file_in_use_is_not_removed_by_another_thread(tmp_path):
    def write(path):
        path.write_text("new")
        writing.write_text(tmp_path / "b.txt", "")  # sweeps

    writing.write(tmp_path / "a.txt", write)
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    with pytest.raises(OSError, match="folder"):
        writing.write_folder(tmp_path / "folder", lambda path: path.mkdir())
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "mine"]


def test_a_long_name(tmp_path):
    writing.write_text(tmp_path / f"{'a' * 250}.txt", "new")
    assert next(tmp_path.iterdir()).read_text() == "new"


def test_who_comes_second_waits(tmp_path):
    order, inside = [], threading.Event()

    def first():
        with writing.locked(tmp_path / "a"):
            inside.set()
            time.sleep(0.1)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with writing.locked(tmp_path / "a"):
        order.append("second")
    thread.join()
    assert order == ["first", "second"] and not list(tmp_path.iterdir())


def test_a_file_of_holes_gets_its_room(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    os.truncate(path, 10_000_000)
    writing.reserve(path)
    assert path.stat().st_blocks * 512 >= 10_000_000
