"""Makes the presets of saved_models/, and checks them.

    python benchmarks/presets.py train NAME ...   # trains, and records the figures in the settings
    python benchmarks/presets.py check NAME ...   # evaluates, writes benchmarks/presets.txt; exit code 1 on failure

Without names, all. A training that was interrupted goes on from its run folder, runs/zoo/NAME.
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


def check(names: list[str]) -> bool:
    """Whether every figure of the presets is within its tolerance; the lines of others stay as they are."""
    results = [result for name in names for result in training.check(name)]
    before = CHECKED.read_text().splitlines() if CHECKED.exists() else []
    lines = [line for line in before if line.split()[0] not in names]
    CHECKED.write_text("".join(f"{line}\n" for line in sorted([*lines, *map(str, results)])))
    print(*results, sep="\n")
    return all(result.passed for result in results)


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "check"])
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    names = arguments.names or presets.list_presets()
    if arguments.what == "check":
        sys.exit(not check(names))
    for name in names:
        train(name)


if __name__ == "__main__":
    main()
