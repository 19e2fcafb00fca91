"""Kills processes that train, save, export and compress, and looks whether the same command goes on.

    nice python benchmarks/interruptions/run.py [--kinds train export] [--every 1] [--random 10]

Each command runs once undisturbed. Then it is killed (SIGKILL) at every change of its folder, a new run for each
change, and at random times. After each kill what must be whole is looked at, the same command runs once more, and its
files are compared with those of the undisturbed run: arrays bit for bit. Writes the counts to results.csv and README.md
when all kinds were killed.
"""

import argparse
import csv
import functools
import io
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
sys.path.insert(0, str(ROOT))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import keras_ae  # noqa: E402
import keras_ae.evaluation  # noqa: E402  (so that no process imports it again)
from keras_ae.cli import main as command_line  # noqa: E402
from keras_ae.data import cache  # noqa: E402
from keras_ae.data.dataset import Raw  # noqa: E402
from keras_ae.serving import versions  # noqa: E402, F401
from keras_ae.tasks import compression  # noqa: E402, F401
from keras_ae.zoo import presets  # noqa: E402
from keras_ae.zoo.presets import training  # noqa: E402, F401
from tests import changes  # noqa: E402
from tests.helpers import trace_quickly  # noqa: E402

PATIENCE = 600  # seconds after which a process is taken to hang
LEFT_OUT = ("run.lock", "seconds.txt")  # files that tell of the process
START, END = "<!-- results: written by run.py -->\n", "<!-- end of results -->"
NETWORK = {"hidden": (8,)}
PRESET = {
    "purpose": "A tiny one.",
    "samples": 2,
    "recipe": {
        "model": "vae",
        "data": "digits",
        "latent_dim": 2,
        "epochs": 2,
        "hidden": [8],
        "binarize": "threshold",
        "validation": 0.1,
        "patience": 2,
    },
}


@dataclass(frozen=True)
class Kind:
    """Something that is killed.

    Args:
        work: what runs, given its folder.
        prepare: what is in the folder before.
        check: raises AssertionError unless what must be whole after a kill is whole.
        versions: whether each run adds a version, in place of making the same files.
    """

    work: Callable[[Path], object]
    prepare: Callable[[Path], object] = lambda place: None
    check: Callable[[Path], object] = lambda place: None
    versions: bool = False


def command(*arguments: object) -> None:
    sys.argv = ["keras-ae", *map(str, arguments)]
    command_line()


def train(*more: object) -> Callable[[Path], object]:
    small = ("--hidden", 8, "--latent-dim", 2, "--binarize", "threshold", "--no-pictures", "--epochs", 3)
    return lambda place: command("train", "vae", *small, "--out", place / "run", *more)


def model(seed: int) -> keras_ae.Autoencoder:
    return keras_ae.create("vae", (8, 8, 1), 2, likelihood="bernoulli", seed=seed, network_options=NETWORK)


def save_old_preset(place: Path) -> None:
    model(1).save_to_preset(place / "mine")
    (place / "mine" / ".git").mkdir()
    (place / "mine" / ".git" / "HEAD").write_text("ref")
    (place / "mine" / "thesis.tex").write_text("years of work")


def check_preset(place: Path) -> None:
    assert (place / "mine" / "thesis.tex").read_text() == "years of work"
    assert (place / "mine" / ".git" / "HEAD").read_text() == "ref"
    seed = keras_ae.from_preset(place / "mine").seed
    assert seed in (1, 2), seed


def check_exports(place: Path) -> None:
    import tensorflow as tf

    x = np.zeros((1, 8, 8, 1), "float32")
    for version in (place / "served").glob("[0-9]*"):
        served = tf.saved_model.load(str(version))
        np.testing.assert_allclose(served.signatures["encode"](x=x)["code"], model(1).encode(x), atol=1e-6)


def read_cache(place: Path) -> None:
    os.environ["KERAS_AE_CACHE"] = str(place / "cache")
    source = place / "toys" / "1.0.0"
    x = np.arange(12, dtype="uint8").reshape(3, 2, 2, 1)
    assert (cache.cached(source, "train", lambda: Raw(x, top=255)).x == x).all()


def prepare_source(place: Path) -> None:
    (place / "toys" / "1.0.0").mkdir(parents=True)
    (place / "toys" / "1.0.0" / "dataset_info.json").write_text("{}")


KINDS = {
    "train": Kind(train()),
    "train --resume": Kind(train("--resume")),
    "train, best epoch": Kind(train("--validation", 0.2, "--patience", 1, "--learning-rate", 0.3)),
    "zoo train": Kind(lambda place: command("zoo", "train", "tiny", "--run", place / "run", "--out", place)),
    "latent-dim": Kind(lambda place: command("latent-dim", "vae", "--sizes", "1,2", "--epochs", 1, "--out", place)),
    "save_to_preset": Kind(lambda place: model(2).save_to_preset(place / "mine")),
    "save_to_preset, replacing": Kind(
        lambda place: model(2).save_to_preset(place / "mine"), save_old_preset, check_preset
    ),
    "export": Kind(lambda place: model(1).export(place / "served"), check=check_exports, versions=True),
    "compress": Kind(
        lambda place: command("compress", "digits", place / "vae.keras", place / "x.bb", "--binarize", "threshold"),
        lambda place: model(1).save(place / "vae.keras"),
    ),
    "cache": Kind(read_cache, prepare_source),
}


def forked(work: Callable[[], object], log: Path, kill_after: float | None = None) -> int:
    """Runs work in a process of its own; returns its exit code, negative for a signal."""
    pid = os.fork()
    if not pid:
        with open(log, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            code = 70
            try:
                trace_quickly()
                work()
                code = 0
            except SystemExit as ending:
                code = int(ending.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    end = time.monotonic() + (PATIENCE if kill_after is None else kill_after)
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            end += PATIENCE
        time.sleep(0.005)


def killed_at(number: int, place: Path, work: Callable) -> None:
    def before(n: int, name: str) -> None:
        if n == number:
            print("killed before:", name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    with changes.watched(place, before):
        work(place)


def count_changes(place: Path, work: Callable, out: Path) -> None:
    names: list[str] = []
    with changes.watched(place, lambda n, name: names.append(name)):
        try:
            work(place)
        except SystemExit as ending:
            assert not ending.code
    out.write_text(json.dumps(names))


def contents(place: Path) -> dict[str, object]:
    """Relative path -> what is compared of every file: arrays of models and archives, else the bytes."""
    found = changes.files(place, *LEFT_OUT)
    return {re.sub("-[0-9a-f]{16}.npz", ".npz", name): comparable(name, data) for name, data in found.items()}


def comparable(name: str, data: bytes) -> object:
    if name.endswith(".keras"):
        with zipfile.ZipFile(io.BytesIO(data)) as parts, h5py.File(io.BytesIO(parts.read("model.weights.h5"))) as file:
            arrays: dict[str, bytes] = {}
            file.visititems(
                lambda key, item: arrays.update({key: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
            )
            return arrays
    if name.endswith(".npz"):
        with np.load(io.BytesIO(data)) as stored:
            return {key: stored[key].tobytes() for key in stored.files}
    if name.endswith("index.json"):  # the hashes are of archives that hold the time
        return sorted(json.loads(data)["files"])
    if name.endswith((".pb", ".png", ".index", "README.md")):  # with random names, drawn, or with the time it took
        return None
    return len(data) if "variables.data" in name else data  # their order in the file is random


def trials(kind: Kind, work_folder: Path, every: int, at_random: int) -> Iterator[tuple[str, str]]:
    """(way, outcome) of every kill of a kind; the outcome of a good one is empty."""

    def prepared(name: str) -> Path:
        place = work_folder / name
        place.mkdir(parents=True)
        assert forked(lambda: kind.prepare(place), work_folder / "log") == 0, (work_folder / "log").read_text()
        return place

    straight, names_file = prepared("straight"), work_folder / "names.json"
    began = time.monotonic()
    code = forked(lambda: count_changes(straight, kind.work, names_file), work_folder / "log")
    assert code == 0, (work_folder / "log").read_text()
    seconds, names = time.monotonic() - began, json.loads(names_file.read_text())
    expected = contents(straight)
    print(f"   {len(names)} changes, {seconds:.1f} s")

    kills: list[tuple[str, int | float]] = [("change", n) for n in range(1, len(names) + 1, every)]
    generator = random.Random(0)
    kills += [("random time", generator.uniform(0, 0.95 * seconds)) for _ in range(at_random)]
    for way, moment in kills:
        place, log = prepared("killed"), work_folder / "log"
        if way == "change":
            code = forked(functools.partial(killed_at, int(moment), place, kind.work), log)
            what = names[int(moment) - 1]
        else:
            code = forked(functools.partial(kind.work, place), log, kill_after=moment)
            what = f"{moment:.2f} s"
        if code == -signal.SIGKILL:
            outcome = after(kind, place, log, expected)
            if outcome:
                print(f"   {way} {moment} ({what}): {outcome}", flush=True)
            yield way, outcome
        shutil.rmtree(place)


def after(kind: Kind, place: Path, log: Path, expected: dict[str, object]) -> str:
    """What is wrong after a kill and the same command once more."""
    if forked(lambda: kind.check(place), log):
        return f"not whole: {log.read_text()[-1500:]}"
    whole = len(list((place / "served").glob("[0-9]*"))) if kind.versions else 0
    if code := forked(lambda: kind.work(place), log):
        return f"stuck (exit code {code}): {log.read_text()[-1500:]}"
    found = contents(place)
    if kind.versions:
        found = {
            name.replace(f"/{whole + 1}/", "/1/"): value for name, value in found.items() if f"/{whole + 1}/" in name
        }
    if left := sorted(set(found) - set(expected)):
        return f"left over: {left}"
    if other := sorted(name for name in expected if name not in found or found[name] != expected[name]):
        return f"other files: {other}"
    return ""


def render(rows: list[dict[str, str]]) -> str:
    lines = ["| killed | kills at a change | kills at random times | stuck | other files | left over | not whole |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    total = {key: sum(int(row[key]) for row in rows) for key in rows[0] if key != "kind"}
    for row in [*rows, {"kind": "all", **total}]:
        lines.append("| " + " | ".join(str(value) for value in row.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help="(all)")
    parser.add_argument("--every", type=int, default=1, help="kill at every so many changes (%(default)s)")
    parser.add_argument("--random", type=int, default=10, help="kills of each kind at random times (%(default)s)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # of TensorFlow's own files, which killed processes leave
        settings = Path(folder) / "settings"
        settings.mkdir()
        (settings / "tiny.json").write_text(json.dumps(PRESET))
        presets.SETTINGS = settings
        rows = []
        for number, name in enumerate(options.kinds):
            print(name, flush=True)
            found = list(trials(KINDS[name], Path(folder) / str(number), options.every, options.random))
            outcomes = [outcome for _, outcome in found]
            row = {"kind": name}
            row |= {f"{way} kills": str(sum(w == way for w, _ in found)) for way in ("change", "random time")}
            for failure in ("stuck", "other files", "left over", "not whole"):
                row[failure] = str(sum(outcome.startswith(failure) for outcome in outcomes))
            rows.append(row)
    print(render(rows))
    if options.kinds == list(KINDS):
        with open(HERE / "results.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        page = HERE / "README.md"
        head, rest = page.read_text().split(START)
        page.write_text(f"{head}{START}{render(rows)}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
