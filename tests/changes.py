"""Changes below a folder, counted, and stopped at one of them as a killed process stops."""

import builtins
import contextlib
import functools
import io
import os
from pathlib import Path
from unittest import mock

MOVES = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "link", "symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Killed(BaseException):
    """Stands for the end of the process: no handler of errors catches it."""


@contextlib.contextmanager
def watched(folder, before):
    """Calls `before(n, name)` before the n-th change below a folder: before a file is opened to be written, renamed or
    removed, and the like."""
    folder, count = os.path.realpath(folder), 0

    def change(name, path, dir_fd=None):
        nonlocal count
        if isinstance(path, int):
            return
        path = os.fspath(path)
        if dir_fd is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)
        if os.path.realpath(os.path.dirname(path) or ".").startswith(folder) or os.path.realpath(path) == folder:
            count += 1
            before(count, f"{name} {os.path.basename(path)}")

    def moving(function):
        @functools.wraps(function)
        def call(path, *args, **kwargs):
            change(function.__name__, path, kwargs.get("dir_fd"))
            return function(path, *args, **kwargs)

        return call

    def opening(function):
        @functools.wraps(function)
        def call(path, mode="r", *args, **kwargs):
            writes = mode & WRITES if isinstance(mode, int) else set(mode) & set("wax+")
            if writes:
                change("open", path, kwargs.get("dir_fd"))
            return function(path, mode, *args, **kwargs)

        return call

    with contextlib.ExitStack() as stack:
        for name in MOVES:
            stack.enter_context(mock.patch.object(os, name, moving(getattr(os, name))))
        for module in (os, io, builtins):
            stack.enter_context(mock.patch.object(module, "open", opening(module.open)))
        yield


def killed_at(number, folder, work):
    """Does some work that is killed at the n-th change below a folder: nothing changes after it, whatever cleans up.

    Returns whether the work ended before.
    """

    def before(n, name):
        if n >= number:
            raise Killed(name)

    with watched(folder, before):
        try:
            work()
        except Killed:
            return False
    return True


def files(folder, *without):
    """Relative path -> content of every file below a folder."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and path.name not in without]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
