"""Whether the working tree is slower than a commit: both are measured in turn, on one machine, in one run."""

import io
import math
import statistics
import subprocess
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import environments

BOUND = 0.97  # of the commit's speed


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Bounds of the median that hold with a probability of 95 %, whatever the distribution: order statistics.

    >>> interval([1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    (1.0, 1.5)
    """
    outside, left_out = 0.0, 0
    while (outside := outside + math.comb(len(values), left_out) / 2 ** len(values)) <= 0.025:
        left_out += 1
    ordered = sorted(values)
    return (ordered[left_out - 1], ordered[-left_out]) if left_out else (0.0, math.inf)


def is_decided(values: Sequence[float]) -> bool:
    """Whether the median is known to be on one side of the bound."""
    low, high = interval(values)
    return low >= BOUND or high < BOUND


def compare(
    revision: str, turns: Sequence[tuple[str, str]], rounds: int, measure: Callable[..., list[dict]]
) -> dict[tuple[str, str], list[float]]:
    """(part of a case, contestant) -> speed of the working tree over that of the commit, in each round.

    A case is measured until all its medians are on one side of the bound, but not more than `rounds` times.

    Args:
        revision: of git.
        turns: (case, contestant), each of them a process.
        rounds: at most.
        measure: function (case, contestant, tree) -> rows.
    """
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        _check_out(revision, Path(folder))
        trees = {"before": Path(folder), "now": environments.ROOT}
        undecided = list(turns)
        for number in range(rounds):
            for case, who in list(undecided):
                order = sorted(trees, reverse=bool(number % 2))  # nobody always comes first
                rows = {which: measure(case, who, trees[which]) for which in order}
                pairs = [
                    ((now["case"], who), before["seconds"] / now["seconds"])
                    for before, now in zip(rows["before"], rows["now"], strict=True)
                ]
                for part, ratio in pairs:
                    found[part].append(ratio)
                if all(is_decided(found[part]) for part, _ in pairs):
                    undecided.remove((case, who))
    return found


def report(found: dict[tuple[str, str], list[float]], revision: str) -> int:
    """Prints the medians and their spread; 1 where one is under the bound."""
    slower = False
    for (case, who), ratios in found.items():
        median, (low, high) = statistics.median(ratios), interval(ratios)
        slower |= median < BOUND
        known = f"95 %: {low:.2f} to {high:.2f}; " if math.isfinite(high) else ""
        print(
            f"{case}: {who}: {median:.3f} of the speed of {revision} "
            f"({known}all: {min(ratios):.2f} to {max(ratios):.2f}; rounds: {len(ratios)})"
            f"{'  SLOWER' if median < BOUND else ''}{'' if is_decided(ratios) else '  undecided'}"
        )
    return int(slower)


def _check_out(revision: str, folder: Path) -> None:
    """Writes the package as a commit has it."""
    command = ["git", "-C", str(environments.ROOT), "archive", revision, "keras_ae"]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
