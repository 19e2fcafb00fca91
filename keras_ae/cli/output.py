"""What the commands print and write."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_ae import errors
from keras_ae.evaluation import Report
from keras_ae.models import files

ENDINGS = (".npz", ".png")


def check_target(path: Path) -> None:
    """Raises InputError for an ending that says nothing, before anything is computed."""
    if path.suffix not in ENDINGS:
        raise errors.InputError(f"{path} must end in .npz (arrays) or .png (a picture).")


def write(path: Path, **arrays: Any) -> None:
    """Writes arrays as .npz, or the first of them as a grid of images."""
    if path.suffix == ".npz":
        files.write(path, lambda temporary: np.savez_compressed(temporary, **arrays))
    else:
        from keras_ae import plots

        plots.save(plots.image_grid(next(iter(arrays.values()))), path)
    print(path)


def write_pairs(path: Path, originals: np.ndarray, reconstructions: np.ndarray) -> None:
    """Writes originals and reconstructions."""
    if path.suffix == ".npz":
        write(path, x=originals, reconstruction=reconstructions)
        return
    from keras_ae import plots

    plots.save(plots.side_by_side(originals, reconstructions), path)
    print(path)


def write_codes(path: Path, codes: np.ndarray, labels: np.ndarray | None) -> None:
    """Writes codes, with labels where there are any."""
    if path.suffix == ".npz":
        write(path, code=codes, **({} if labels is None else {"label": labels}))
        return
    from keras_ae import plots

    plots.save(plots.codes(codes, labels), path)
    print(path)


def print_report(report: Report, model: str, data: str) -> None:
    """The evaluation as a table."""
    from rich.console import Console
    from rich.table import Table

    units = "nats" if report.quantity != "cross-entropy" else "nats; grey levels: no log-probability"
    bound = f" (bound, K={report.samples})" if report.samples else ""
    table = Table(title=f"{model} on {data}, {report.examples} examples; means per example", title_justify="left")
    table.add_column("model")
    table.add_column("squared error", justify="right")
    table.add_column(f"{report.quantity} ({units})", justify="right")
    table.add_column("bits/dim", justify="right")
    rows: list[dict[str, Any]] = [
        {"name": f"{model}{bound}", "squared_error": report.squared_error, "log_prob": report.bound},
        *report.baselines,
    ]
    for row in rows:
        bits = report.bits(row["log_prob"])
        table.add_row(row["name"], f"{row['squared_error']:.3f}", _number(row["log_prob"], 2), _number(bits, 3))
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table)
    if report.bound_standard_error is not None:
        console.print(f"standard error of the bound over examples: {report.bound_standard_error:.2f} nats")
    console.print("terms: " + ", ".join(f"{name} {value:.3f}" for name, value in report.terms.items()))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
