"""README.md and the picture of the results; or the comparison with earlier ones.

python benchmarks/speed/report.py
"""

import csv
import statistics
from pathlib import Path
from typing import Any

from cases import CONTESTANTS, GROWN, GROWTH

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "images" / "speed.png"
REFERENCE = "torch"
BOUND = "products"
TEXT = """# Speed

`python benchmarks/speed/run.py` writes this file from `results.csv`, where every process has a row. Contestants:

{contestants}

All have the same networks, parameters, batches and arithmetic (float32), and the threads that they take by default on
the {cores} cores of the machine. `mlp` is 784-512-256-16 and its mirror; `conv` has 32 and 64 channels with stride 2
and a dense layer of 256; `dcgan` is DCGAN's, for 64x64x3 images of noise; the other images are MNIST, black or white.
Each run is a process of its own; the contestants take turns. Medians over the rounds, of the ratio to `torch` and to
the bound with its range, or to `handwritten` where these take no part. In use, keras_ae takes the batches of its
default (`model.rows_at_once()`). Other work on the same machine moves the speed by a factor of two, and the ratios
less.

On a CPU, TensorFlow is the backend for convolutional networks, whose kernels in XLA are several times slower.
On a GPU, JAX is the backend: [GPU.md](GPU.md).

![images a second, relative to PyTorch](../../docs/images/speed.png)

{tables}
- first call: from the start of the process to the end of the first call of the compiled step, imports and compilation
  included (32 steps for keras_ae, one for the others);
- CPU: seconds of all cores in one epoch, or in one call;
- peak: resident memory of the whole process;
- loss: mean of the last epoch, in nats, to show that all train the same thing.
"""
COLUMNS = {
    "images/s": ("images_per_s", "{:,.0f}"),
    "CPU, s": ("cpu_s", "{:.2f}"),
    "first call, s": ("first_call_s", "{:.1f}"),
    "peak, MiB": ("peak_mib", "{:,.0f}"),
    "loss": ("loss", "{:.1f}"),
}


def values(rows: list[dict[str, Any]], case: str, contestant: str, column: str) -> dict[int, float]:
    """round -> value of one contestant."""
    return {
        int(row["round"]): float(row[column])
        for row in rows
        if (row["case"], row["contestant"]) == (case, contestant) and row.get(column) not in ("", None)
    }


def ratios(rows: list[dict[str, Any]], case: str, contestant: str, reference: str = REFERENCE) -> list[float]:
    """Speed of a contestant over that of the reference, in every round that both have."""
    ours, theirs = (values(rows, case, name, "seconds") for name in (contestant, reference))
    return [theirs[number] / ours[number] for number in ours if number in theirs]


def write(rows: list[dict[str, Any]], results: Path) -> None:
    """README.md and the picture; those of the repository where the results are its own, otherwise beside them."""
    results.with_name("README.md").write_text(
        TEXT.format(
            contestants="\n".join(f"- **{name}**: {of.note};" for name, of in CONTESTANTS.items())[:-1] + ".",
            cores=rows[0]["cores"],
            tables="\n".join(table(rows, case) for case in cases(rows))
            + "".join(growth(rows, name) for name in GROWTH if any(row["case"].startswith(name) for row in rows)),
        )
    )
    if any(ratios(rows, case, "keras_ae") for case in cases(rows)):
        draw(rows, PICTURE if results.parent == HERE else results.with_name(PICTURE.name))


def cases(rows: list[dict[str, Any]]) -> list[str]:
    """What was measured, in the order of the rows; growth apart."""
    return [case for case in dict.fromkeys(row["case"] for row in rows) if case not in GROWN]


def table(rows: list[dict[str, Any]], case: str) -> str:
    """The medians of one case."""
    of_case = [row for row in rows if row["case"] == case]
    columns = {
        title: (name, form)
        for title, (name, form) in COLUMNS.items()
        if any(row[name] not in ("", "nan") for row in of_case)
    }
    first, rounds = of_case[0], len({row["round"] for row in of_case})
    taking_part = dict.fromkeys(row["contestant"] for row in of_case)
    compared = [name for name in (REFERENCE, BOUND) if name in taking_part] or (taking_part.keys() & {"handwritten"})
    lines = [
        f"## {case}\n",
        f"{int(first['rows']):,} images, batches of {first['batch_size']}, {first['date']}, rounds: {rounds}.\n",
        "| | " + " | ".join([*(f"/ {name}" for name in compared), *columns]) + " |",
        "|---" + "|--:" * (len(compared) + len(columns)) + "|",
    ]
    for name in taking_part:
        cells = []
        for reference in compared:
            ratio = ratios(rows, case, name, reference)
            cells.append(f"**{statistics.median(ratio):.2f}** ({min(ratio):.2f} to {max(ratio):.2f})" if ratio else "-")
        for column, form in columns.values():
            found = values(rows, case, name, column)
            cells.append(form.format(statistics.median(found.values())) if found else "-")
        lines.append(f"| {name} | " + " | ".join(cells).replace("nan", "-") + " |")
    return "\n".join(lines) + "\n"


def growth(rows: list[dict[str, Any]], name: str) -> str:
    """How the speed changes with one property: images a second."""
    contestants = next(iter(GROWTH[name].values())).contestants
    lines = [f"## Images a second over {name}\n", f"| {name} | " + " | ".join(contestants) + " |", "|--:|--:|--:|"]
    for value in GROWTH[name]:
        found = [values(rows, f"{name}: {value}", who, "images_per_s").values() for who in contestants]
        lines.append(f"| {value} | " + " | ".join(f"{statistics.median(f):,.0f}" if f else "-" for f in found) + " |")
    return "\n".join(lines) + "\n\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Median ratios to PyTorch as bars."""
    from matplotlib.figure import Figure

    shown = [case for case in cases(rows) if ratios(rows, case, "keras_ae")]
    names = [name for name in CONTESTANTS if any(ratios(rows, case, name) for case in shown)]
    figure = Figure(figsize=(8, 1 + 0.9 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for i, name in enumerate(names):
        places, lengths = [], []
        for j, case in enumerate(shown):
            if found := ratios(rows, case, name):
                places.append(j + 0.8 * (i / len(names) - 0.5))
                lengths.append(statistics.median(found))
        axes.barh(places, lengths, 0.8 / len(names), label=name)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), shown)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel("images a second, relative to PyTorch")
    figure.legend(fontsize="small", loc="outside upper center", ncols=5)
    figure.savefig(path, dpi=100)


def compare(before: list[dict[str, Any]], now: list[dict[str, Any]], worse: float) -> int:
    """1 where keras_ae's ratio to the others is worse than it was; says which."""
    found = 0
    for case, name in dict.fromkeys((row["case"], row["contestant"]) for row in now):
        old, new = (ratios(rows, case, "keras_ae", name) for rows in (before, now))
        if name != "keras_ae" and old and new:
            was, is_now = statistics.median(old), statistics.median(new)
            slower = is_now < worse * was
            found |= slower
            print(f"{case}: keras_ae / {name}: {is_now:.2f}, stored {was:.2f}{'  SLOWER' if slower else ''}")
    return int(found)


if __name__ == "__main__":
    with (HERE / "results.csv").open(newline="") as file:
        write(list(csv.DictReader(file)), HERE / "results.csv")
