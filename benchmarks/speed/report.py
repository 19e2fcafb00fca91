"""README.md and the picture of the results.

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

**Ratios depend on the processor**, so each table says which one it comes from, and compares only what ran on it.
TensorFlow has its oneDNN operations on by itself only where there are instructions for neural networks (VNNI, bfloat16,
AMX); keras_ae turns them on elsewhere, too, unless `TF_ENABLE_ONEDNN_OPTS` says otherwise. "Imitated" is a processor
with later instructions whose libraries were told to use the named ones alone (`--imitate`); TensorFlow's own choice is
imitated, too, for the contestants other than keras_ae and for what is served.

On a CPU, TensorFlow is the backend for convolutional networks, whose kernels in XLA are several times slower.
On a GPU, JAX is the backend: [GPU.md](GPU.md).

## keras_ae / torch

{summary}
![images a second, relative to PyTorch](../../docs/images/speed.png)

The picture is of {pictured}.

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
    kinds = by_kind(rows)
    pictured = next(iter(kinds))
    results.with_name("README.md").write_text(
        TEXT.format(
            contestants="\n".join(f"- **{name}**: {of.note};" for name, of in CONTESTANTS.items())[:-1] + ".",
            cores=rows[0]["cores"],
            summary=summary(kinds),
            pictured=pictured,
            tables="\n".join(tables(kind, of_kind) for kind, of_kind in kinds.items()),
        )
    )
    if any(ratios(kinds[pictured], case, "keras_ae") for case in cases(rows)):
        draw(kinds[pictured], PICTURE if results.parent == HERE else results.with_name(PICTURE.name))


def by_kind(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Processor -> its rows; what was measured on a known one comes first, then what was imitated."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (not row["instructions"], "imitated" in row["instructions"])):
        name = f"{row['processor']}: {row['instructions']}" if row["instructions"] else "a processor not written down"
        found.setdefault(name, []).append(row)
    return found


def summary(kinds: dict[str, list[dict[str, Any]]]) -> str:
    """keras_ae's median ratio to the reference, of each case on each processor."""
    lines = ["| | " + " | ".join(kinds) + " |", "|---" + "|--:" * len(kinds) + "|"]
    for case in dict.fromkeys(case for rows in kinds.values() for case in cases(rows)):
        found = [ratios(rows, case, "keras_ae") for rows in kinds.values()]
        if any(found):
            lines.append(f"| {case} | " + " | ".join(f"{statistics.median(f):.2f}" if f else "" for f in found) + " |")
    return "\n".join(lines) + "\n"


def tables(kind: str, rows: list[dict[str, Any]]) -> str:
    """All that was measured on a processor."""
    settings = dict.fromkeys(row["settings"] for row in rows if row["contestant"] == "keras_ae" and row["settings"])
    found = [f"## On {kind}\n", *(f"keras_ae had `{given}`.\n" for given in settings)]
    found += [table(rows, case) for case in cases(rows)]
    found += [growth(rows, name) for name in GROWTH if any(row["case"].startswith(name) for row in rows)]
    return "\n".join(found)


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
        f"### {case}\n",
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
    lines = [f"### Images a second over {name}\n", f"| {name} | " + " | ".join(contestants) + " |", "|--:|--:|--:|"]
    for value in GROWTH[name]:
        found = [values(rows, f"{name}: {value}", who, "images_per_s").values() for who in contestants]
        lines.append(f"| {value} | " + " | ".join(f"{statistics.median(f):,.0f}" if f else "-" for f in found) + " |")
    return "\n".join(lines) + "\n"


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


if __name__ == "__main__":
    with (HERE / "results.csv").open(newline="") as file:
        write(list(csv.DictReader(file)), HERE / "results.csv")
