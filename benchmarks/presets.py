"""Makes the presets of saved_models/, and checks them.

    python benchmarks/presets.py train NAME ...   # or none for all: trains, and records the figures in the settings
    python benchmarks/presets.py check            # evaluates all, writes benchmarks/presets.txt; exit code 1 on failure

A training that was interrupted goes on from its run folder, runs/zoo/NAME.
"""

import argparse
import json
import sys
from pathlib import Path

from keras_ae.models import files
from keras_ae.zoo import presets
from keras_ae.zoo.presets import folder, training

CHECKED = Path(__file__).with_suffix(".txt")


def train(name: str) -> None:
    """Writes saved_models/NAME and the figures in NAME.json."""
    record(name, training.train(name, Path("runs/zoo") / name, files.REPOSITORY))


def record(name: str, saved: Path) -> None:
    """Makes the figures of a preset's folder those that it must reach."""
    file = presets.SETTINGS / f"{name}.json"
    figures = training.figures(json.loads((saved / folder.METRICS).read_text()))
    settings = json.loads(file.read_text()) | {"expected": {key: round(value, 6) for key, value in figures.items()}}
    file.write_text(json.dumps(settings, indent=2) + "\n")
    print(name, figures, flush=True)


def check() -> bool:
    """Whether every figure of every preset is within its tolerance."""
    results = [result for name in presets.list_presets() for result in training.check(name)]
    report = "".join(f"{result}\n" for result in results)
    CHECKED.write_text(report)
    print(report, end="")
    return all(result.passed for result in results)


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "check"])
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.what == "check":
        sys.exit(not check())
    for name in arguments.names or presets.list_presets():
        train(name)


if __name__ == "__main__":
    main()
