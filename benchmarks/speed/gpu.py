"""Speed on a GPU, side by side with PyTorch: `python benchmarks/speed/gpu.py`; writes gpu.csv and GPU.md.

Each contestant is a process of its own that measures all cases; rows of those that are not measured this time stay.
`--python-keras` and `--python-torch` name interpreters with JAX, Keras and keras_ae, and with PyTorch, for CUDA; by
default this one. The images are those of run.py: `python benchmarks/speed/images.py runs/speed/mnist.npy` makes them.
"""

import argparse
import csv
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cases import Case, Contestant

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "gpu.csv", HERE / "GPU.md"
CONTESTANTS = {
    "keras_ae_jax": Contestant("keras_ae_fit", "keras", "jax", "`fit` after `compile('adam')`, on JAX"),
    "torch": Contestant("torch_loop", "torch", "", "a PyTorch loop over batches gathered on the GPU"),
    "torch_graph": Contestant(
        "torch_loop",
        "torch",
        "",
        "a whole step with `Adam(fused=True)` captured once as a CUDA graph",
        {"fused": True, "capturable": True},
    ),
    "torch_compiled": Contestant(
        "torch_loop",
        "torch",
        "",
        "the loop with `Adam(fused=True)` and its loss under `torch.compile`",
        {"fused": True, "compiled": True},
    ),
}
ALL = tuple(CONTESTANTS)
QUICK = ("keras_ae_jax", "torch", "torch_graph")  # torch.compile takes a while
CASES = {  # epochs of whole executions of 32 steps
    "mlp 128": Case("train", ALL, rows=65_536, epochs=5),
    "mlp 512": Case("train", QUICK, batch_size=512, rows=65_536, epochs=5),
    "mlp 4096": Case("train", QUICK, batch_size=4096, rows=65_536, epochs=10),
    "conv 128": Case("train", ALL, network="conv", rows=65_536, epochs=3),
    "iwae, K = 50": Case("train", QUICK, model="iwae", options={"samples": 50}, rows=16_384, epochs=3),
    "use mlp": Case("use", QUICK[:2], batch_size=8192, rows=65_536),
    "use conv": Case("use", QUICK[:2], network="conv", batch_size=8192, rows=65_536),
}
TEXT = """# Speed on a GPU

{device}, {date}: {versions}.

`python benchmarks/speed/gpu.py` writes this file from `gpu.csv`, where every process has a row. Images a second,
medians of up to {rounds} processes; in brackets the ratio to `torch`. Networks and images are those of
[the speed on CPUs](README.md), in float32 with matrix units in TF32, as JAX has it by default and PyTorch by
`torch.set_float32_matmul_precision("high")`. In a training the images lie in the card's memory; in use they come from
the memory of the machine, and results go there. The first epoch, which compiles, is left out.

{contestants}

{table}
"""


def measure(name: str, cases: list[str]) -> None:
    """Measures the cases of one contestant in this process; prints a line of JSON a part."""
    from measure import IMAGES, PARTS, training, using

    os.chdir(HERE)
    if not IMAGES.exists():
        sys.exit(f"There is no {IMAGES.resolve()}: see --help.")
    of = CONTESTANTS[name]
    module = importlib.import_module(f"contestants.{of.module}")
    for label in cases:
        case = CASES[label]._replace(settings=of.settings)
        found = (training if case.what == "train" else using)(module, case)
        parts = [f"{label}, {part}" for part in PARTS[case.what]] if case.what in PARTS else [label]
        for part, row in zip(parts, found, strict=True):
            kept = {key: round(row[key], 4) for key in ("seconds", "images_per_s", "loss") if key in row}
            print(json.dumps({"case": part, "contestant": name, **kept, **described()}), flush=True)


def described() -> dict[str, str]:
    """The card, and the versions of what computes on it."""
    if "jax" in sys.modules:
        import jax
        import keras

        return {"device": jax.devices()[0].device_kind, "versions": f"JAX {jax.__version__}, Keras {keras.__version__}"}
    import torch

    return {"device": torch.cuda.get_device_name(), "versions": f"PyTorch {torch.__version__}"}


def process(options: argparse.Namespace, name: str, cases: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a process, one by one; fewer where it fails."""
    of = CONTESTANTS[name]
    environment = {**os.environ, "KERAS_BACKEND": of.keras_backend or "jax"}
    command = [getattr(options, f"python_{of.environment}"), __file__, "--contestants", name, "--cases", *cases]
    with subprocess.Popen([*command, "--here"], env=environment, stdout=subprocess.PIPE, text=True) as running:
        yield from (json.loads(line) for line in running.stdout or () if line.startswith("{"))


def read() -> list[dict[str, Any]]:
    """The rows of the CSV."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def write(rows: list[dict[str, Any]]) -> None:
    """The CSV and the page."""
    columns = ["case", "contestant", "round", "seconds", "images_per_s", "loss", "device", "versions", "date"]
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page(rows)


def page(rows: list[dict[str, Any]]) -> None:
    """GPU.md."""
    names = [name for name in CONTESTANTS if any(row["contestant"] == name for row in rows)]
    lines = ["| | " + " | ".join(names) + " |", "|---" + "|--:" * len(names) + "|"]
    for case in dict.fromkeys(row["case"] for row in rows):
        speeds = {name: speed for name in names if (speed := median(rows, case, name))}
        reference = speeds.get("torch")
        cells = [
            f"{speeds[name]:,.0f}" + (f" ({speeds[name] / reference:.2f})" if reference else "")
            if name in speeds
            else "-"
            for name in names
        ]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    PAGE.write_text(
        TEXT.format(
            device=", ".join(sorted({row["device"] for row in rows})),
            versions=", ".join(sorted({row["versions"] for row in rows})),
            date=rows[0]["date"],
            rounds=max(int(row["round"]) for row in rows),
            contestants="\n".join(f"- **{name}**: {CONTESTANTS[name].note};" for name in names)[:-1] + ".",
            table="\n".join(lines),
        )
    )


def median(rows: list[dict[str, Any]], case: str, name: str) -> float | None:
    """Images a second of a contestant; None where it did not take part."""
    found = [float(row["images_per_s"]) for row in rows if (row["case"], row["contestant"]) == (case, name)]
    return statistics.median(found) if found else None


def main() -> None:
    """Measures, and writes after every process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument("--python-keras", default=sys.executable)
    parser.add_argument("--python-torch", default=sys.executable)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measure(options.contestants[0], options.cases)
        return
    rows = [row for row in read() if row["contestant"] not in options.contestants]
    for number, name in itertools.product(range(1, 1 + options.rounds), options.contestants):
        chosen = [label for label in options.cases if name in CASES[label].contestants]
        for row in process(options, name, chosen) if chosen else ():
            rows.append({**row, "round": number, "date": time.strftime("%Y-%m-%d")})
            write(rows)
            print(f"round {number}: {row['case']}: {name}: {row['images_per_s']:,.0f}", flush=True)


if __name__ == "__main__":
    main()
