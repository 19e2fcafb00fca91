"""Puts the results of a run into the README: its table and two of its pictures.

    make demo DATA=mnist
    python benchmarks/readme.py runs/demo-mnist

Writes docs/mnist.json (what `keras-ae evaluate --json` says), docs/images/, and the block between the markers in
README.md.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "mnist.json"
IMAGES = ROOT / "docs" / "images"
PICTURES = ("reconstructions", "samples")
START, END = "<!-- results: written by benchmarks/readme.py -->", "<!-- end of results -->"


def render(results: dict) -> str:
    """The block of the README."""
    settings, report = results["recipe"], results["report"]
    units = " and ".join(map(str, settings["hidden"]))
    rows = [
        {"name": f"VAE (bound, K = {report['samples']})", **report, "log_prob": report["bound"]},
        *report["baselines"],
    ]
    lines = [
        f"A VAE of {settings['latent_dim']} dimensions, dense networks of {units} units, "
        f"{settings['epochs']} epochs on MNIST binarised at 1/2, seed {settings['seed']}; means over the "
        f"{report['examples']:,} test images, from `make demo DATA=mnist`:",
        "",
        f"| model | squared error | {report['quantity']} (nats) | bits per dimension |",
        "|---|---|---|---|",
    ]
    for row in rows:
        bits = None if row["log_prob"] is None else -row["log_prob"] / report["dimensions"] / 0.6931471805599453
        cells = (f"{row['squared_error']:.2f}", _number(row["log_prob"], 2), _number(bits, 3))
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    error = f"{report['bound_standard_error']:.2f}"
    terms = ", ".join(f"{name} {value:.2f}" for name, value in report["terms"].items())
    lines += ["", f"Standard error of the bound over images: {error} nats. Terms: {terms}.", ""]
    lines += [f"![{name}](docs/images/{name}.png)" for name in PICTURES]
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main() -> None:
    """Evaluates the run and writes everything."""
    run = Path(sys.argv[1])
    keras_ae = Path(sys.executable).with_name("keras-ae")
    command = [str(keras_ae), "evaluate", str(run), "--json"]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    config = json.loads((run / "config.json").read_text())
    results = {"recipe": config["recipe"], "versions": config["versions"], "report": report}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    IMAGES.mkdir(exist_ok=True)
    for name in PICTURES:
        shutil.copy(run / "pictures" / f"{name}.png", IMAGES)
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, after = text[: text.index(START)], text[text.index(END) :]
    readme.write_text(f"{before}{START}\n{render(results)}\n{after}")


if __name__ == "__main__":
    main()
