"""Pinned virtual environments, made once below runs/speed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOME = ROOT / "runs" / "speed"
# glibc gives freed memory back to the system at once, and PyTorch pays for it in page faults; so it may keep it.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_TOP_PAD_": str(2**26)}
VARIABLES = {"keras": {"TF_CPP_MIN_LOG_LEVEL": "3"}, "torch": ALLOCATOR}


def interpreter(name: str) -> Path:
    """The Python of an environment, which is made where its requirements are new."""
    requirements = HERE / "requirements" / f"{name}.txt"
    folder = HOME / f"{name}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:8]}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        print(f"making {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        project = ["-e", ROOT] if name == "keras" else []
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements, *project], check=True)
        complete.touch()
    return python


def run(python: Path, environment: str, keras_backend: str, *command: str) -> str:
    """What a process prints in the end; ends this one with its error where it fails."""
    variables = {**os.environ, **VARIABLES[environment], "KERAS_BACKEND": keras_backend or "tensorflow"}
    done = subprocess.run([python, *command], env=variables, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
