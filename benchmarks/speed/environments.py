"""The processor, the pinned virtual environments, made once below runs/speed, and what a process in them is given."""

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

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")  # by which libraries choose their code
RELEVANT = ("ATEN_", "DNNL_", "GLIBC_", "MALLOC_", "MKL_", "OMP_", "ONEDNN_", "OPENBLAS_", "TF_ENABLE_", "XLA_")
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# What makes the libraries compute as on a processor without the later instructions, on one that has them.
IMITATED = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    }
}


def processor(imitated: str | None) -> dict[str, str]:
    """Name of this machine's processor, and its instructions, or those that are imitated."""
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    found = {name.strip(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    own = " ".join(name for name in INSTRUCTIONS if name in found["flags"].split())
    name = f"{found['model name']} (family {found['cpu family']}, model {found['model']})"
    return {"processor": name, "instructions": f"{imitated} (imitated)" if imitated else own}


def variables(environment: str, imitated: str | None, chooses_onednn: bool) -> dict[str, str]:
    """The environment variables of a process, which the caller's own go before.

    Args:
        environment: file in requirements/.
        imitated: key of IMITATED.
        chooses_onednn: whether the process decides on TensorFlow's oneDNN operations. Where it does not, they are off,
            as TensorFlow has them by itself on the processor that is imitated.
    """
    found = VARIABLES[environment] | IMITATED.get(imitated or "", {})
    return found | ({ONEDNN: "0"} if imitated and not chooses_onednn else {}) | os.environ


def relevant(variables: dict[str, str]) -> str:
    """What of them changes how fast a library computes."""
    return " ".join(f"{name}={value}" for name, value in sorted(variables.items()) if name.startswith(RELEVANT))


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


def run(python: Path, variables: dict[str, str], *command: str, tree: Path = ROOT) -> str:
    """What a process prints in the end, with the package of a tree; ends this one with its error where it fails."""
    variables = variables | {"PYTHONPATH": str(tree)}
    done = subprocess.run([python, *command], env=variables, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
