"""Damages the files of every reader for some minutes: `python -m tests.fuzz_files --minutes 5 --only x.npz`.

Each reader has to give what was written or an InputError, within 20 seconds and a GiB; files may take an eighth. What
does not is counted and kept in the folder; so is a file that ends the process.
"""

import argparse
import collections
import faulthandler
import os
import random
import resource
import signal
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

from keras_ae import InputError
from tests.readers import READERS, damaged, same

MEMORY, SECONDS = 2**30, 20


class Waiting(BaseException):
    """A reader takes too long."""


def stop(*_: object) -> None:
    raise Waiting


def outcome(reader, path: Path, expected) -> str:
    """What a reader makes of a file."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(SECONDS)
    try:
        found = "good" if same(reader.read(path), expected) else "other data" if reader.exact else "other values"
    except InputError as error:
        found = "no memory" if "Unable to allocate" in str(error) else "InputError"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        found = f"{type(error).__name__}: {str(error)[:100]}"
    finally:
        signal.alarm(0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return found if grown < 500_000 else f"{grown // 1000} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="For all readers together.")
    parser.add_argument("--only", nargs="*", choices=READERS, default=list(READERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir(), "fuzz_files"))
    arguments = parser.parse_args()
    faulthandler.enable()
    os.environ["KERAS_AE_MAX_GB"] = "0.125"
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, stop)
    bad = 0
    for name in arguments.only:
        reader, folder = READERS[name], arguments.out / name.replace(".", "_")
        folder.mkdir(parents=True, exist_ok=True)
        path, rng, counts = folder / name, random.Random(arguments.seed), collections.Counter()
        path.unlink(missing_ok=True)
        reader.write(path)
        good, expected = path.read_bytes(), reader.read(path)
        status = Path("/proc/self/status").read_text().splitlines()
        used = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (used * 1024 + MEMORY, resource.RLIM_INFINITY))
        end = time.time() + 60 * arguments.minutes / len(arguments.only)
        while time.time() < end:
            damage = partial(damaged, rng=rng)
            content = reader.forged(good, damage, rng) if reader.forged and counts.total() % 2 else damage(good)
            path.write_bytes(content)
            found = outcome(reader, path, expected)
            counts[found] += 1
            forged = found == "other data" and name in ("x.npz", "model.keras")  # which say nothing of their values
            if found not in ("good", "InputError", "other values") and not forged:
                bad += 1
                (folder / f"{bad}.bad").write_bytes(content)
        path.write_bytes(good)
        shown = ", ".join(f"{n:,} {what}" for what, n in counts.most_common())
        print(f"{name:12} {counts.total():7,}  {shown}", flush=True)
    raise SystemExit(f"{bad} wrong, kept in {arguments.out}" if bad else 0)


if __name__ == "__main__":
    main()
