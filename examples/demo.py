"""The whole job on real data: train, judge, picture, export, and serve with TensorFlow alone.

python examples/demo.py                 # scikit-learn's digits, about a minute
python examples/demo.py --data mnist    # MNIST, some minutes
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = {
    "digits": "--latent-dim 8 --hidden 256,128 --epochs 60 --batch-size 64 --binarize threshold",
    "mnist": "--latent-dim 16 --hidden 512,256 --epochs 20 --batch-size 128 --binarize threshold",
}
EPOCHS_HELP = "epochs of training, if not the data set's usual number"


def free_folder(name: str) -> Path:
    """runs/NAME, or the first of runs/NAME-2, runs/NAME-3, ... that does not exist."""
    candidates = [Path("runs") / name, *(Path("runs") / f"{name}-{i}" for i in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


def command(*arguments: str) -> None:
    """Shows a command and runs it, in this process: TensorFlow takes seconds to start. Ends where it fails."""
    from keras_ae.cli import main as keras_ae

    sys.argv = ["keras-ae", *arguments]
    print(f"\n$ {shlex.join(sys.argv)}", flush=True)
    try:
        keras_ae()
    except SystemExit as end:
        if end.code:
            raise


def serve(*arguments: str) -> None:
    """Shows and runs the example that has TensorFlow alone, in a process of its own."""
    script = os.path.relpath(Path(__file__).with_name("serve_with_tensorflow.py"))
    print(f"\n$ {shlex.join(['python', script, *arguments])}", flush=True)
    result = subprocess.run([sys.executable, script, *arguments])
    if result.returncode:
        sys.exit(result.returncode)


def main() -> None:
    """Runs the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, mnist, or any other image data set of keras-ae train")
    parser.add_argument("--epochs", type=int, help=EPOCHS_HELP)
    arguments = parser.parse_args()
    start = time.monotonic()
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    folder = free_folder(f"demo-{arguments.data}")
    settings = SETTINGS.get(arguments.data, SETTINGS["mnist"]).split()
    epochs = ["--epochs", str(arguments.epochs)] if arguments.epochs else []

    command("train", "vae", "--data", arguments.data, *settings, *epochs, "--out", str(folder))
    command("evaluate", str(folder))
    command("reconstruct", str(folder), str(folder / "reconstructions.npz"), "-n", "500")
    command("export", str(folder), str(folder / "exported"))
    serve(str(folder / "exported" / "1"), str(folder / "reconstructions.npz"))

    print(f"\nDone in {time.monotonic() - start:.0f} s. What there is now:")
    print(f"  {folder}/pictures/      reconstructions, samples, codes, learning curves")
    print(f"  {folder}/model.keras    the trained model, with optimizer and random state")
    print(f"  {folder}/exported/1/    a SavedModel for TensorFlow Serving")
    print("\nTry next (after `source .venv/bin/activate`):")
    print(f"  keras-ae sample {folder} samples.png -n 100")
    print(f"  keras-ae train vae --data {arguments.data} --binarize threshold --latent-dim 2 --out runs/vae-2d")
    print("  keras-ae describe vae")


if __name__ == "__main__":
    main()
