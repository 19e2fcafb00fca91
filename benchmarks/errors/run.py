"""How mistakes are answered: every public callable with every kind of malformed argument.

    python benchmarks/errors/run.py                   # all of it: a table, results.csv, and failures.csv with the texts
    python benchmarks/errors/run.py networks plots    # only what has one of these words in its name

The callables are found by inspection: what the public modules export, the public methods of the objects that exported
classes make (each registered model, layers, distributions, schedules, estimators, run folders), and every command with
every argument and option. Each is called once with valid arguments, which must work, and then with one of them replaced
by each malformed value of its role; `values.py` has both.

    named      refused with a text that has the name of the argument and what was received: by an InputError, or by an
               error of Keras, scikit-learn or Python that says as much
    unnamed    an InputError without the name, or without what was received
    internal   any other error from inside, or no end within `SECONDS`
    silent     accepted
    broken     the valid call failed

A value is malformed only where it cannot mean anything: 0 as a number of units, not as a seed; NaN in the examples of a
model without missing values, not in a tensor. A command must end with exit code 2 and one line.
"""

import collections
import contextlib
import csv
import faulthandler
import functools
import importlib
import inspect
import io
import os
import pkgutil
import re
import resource
import signal
import sys
import tempfile
import typing
import warnings
from dataclasses import is_dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import typer
import values
from sklearn.base import BaseEstimator

import keras_ae
from keras_ae.cli import app as cli
from keras_ae.errors import InputError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS, GIGABYTES = 20, 12  # of a call; of memory, beyond what the libraries take
APART = ("backend", "checks", "cli", "errors", "zoo.presets")  # what users do not call, and what is reached elsewhere
OWN = ("fit", "evaluate", "predict", "compile", "export")  # Keras' methods that users call; the others are its protocol
KINDS = ("named", "unnamed", "internal", "silent", "broken")


def exported(module, found):
    """Adds name -> what a public module exports, modules among it included."""
    home = module.__package__ if module.__package__.count(".") else module.__name__
    own = [name for name, value in vars(module).items() if str(getattr(value, "__module__", "")).startswith(home)]
    for name in sorted(getattr(module, "__all__", own)):
        value = getattr(module, name)
        if inspect.ismodule(value):
            exported(value, found)
        elif callable(value) and not name.startswith("_") and value not in found.values():
            found[f"{module.__name__.removeprefix('keras_ae').strip('.') or 'top'}.{name}"] = value
    return found


def modules():
    """The public modules: those at the top, and those of the zoo."""
    yield keras_ae
    for info in [*pkgutil.iter_modules(keras_ae.__path__), *pkgutil.iter_modules(keras_ae.zoo.__path__, "zoo.")]:
        if info.name not in APART:
            yield importlib.import_module(f"keras_ae.{info.name}")


def callables(wanted=()):
    """Name -> function, constructor, or method of an object that the constructor makes."""
    found = functools.reduce(lambda found, module: exported(module, found), modules(), {})
    for name, value in found.items():
        if inspect.isclass(value) and getattr(value.__init__, "__module__", "").startswith("keras."):
            continue  # a constructor of Keras
        if is_wanted(name, wanted) and not is_record(value):
            # scikit-learn's estimators check their arguments when they are fitted
            is_estimator = inspect.isclass(value) and issubclass(value, BaseEstimator)
            yield name, fitted(value) if is_estimator else value
        if inspect.isclass(value) and not any(inspect.isclass(o) and value in o.__mro__[1:] for o in found.values()):
            for method in sorted(dir(value)):
                if is_wanted(f"{name}.{method}", wanted) and is_method(value, method):
                    instance = values.prepared(value(**values.valid(name, parameters(value))))
                    yield f"{name}.{method}", getattr(instance, method)


def is_wanted(name, wanted):
    return not wanted or any(part in name for part in wanted)


def fitted(kind):
    """A function with the arguments of an estimator, that fits it."""

    @functools.wraps(kind.__init__)
    def fit(**arguments):
        return kind(**arguments).fit(values.MANY)

    return fit


def is_record(kind):
    """Whether a class only holds what a function returns."""
    plain = is_dataclass(kind) and not hasattr(kind, "__post_init__")
    return inspect.isclass(kind) and (issubclass(kind, tuple | Exception) or plain)


@functools.cache
def documented():
    """Names of the methods that README, pages and examples call."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.py")]
    return {name for page in pages for name in re.findall(r"\.(\w+)\(", page.read_text())}


def is_method(kind, name):
    """Whether users call a method: one of our own; of Keras' objects, what is documented and gives no tensors, or a
    method of Keras itself that they call. The others are hooks, which Keras' loop and our base classes call."""
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    if not owner.__module__.startswith("keras_ae") or not callable(getattr(kind, name)) or name.endswith("_request"):
        return False
    if not issubclass(kind, keras.layers.Layer | keras.callbacks.Callback | keras.optimizers.Optimizer):
        return name == "__call__" or not (name.startswith("_") or name in ("get_config", "from_config"))
    signature = inspect.signature(getattr(kind, name))
    gives_tensors = signature.return_annotation is typing.Any or "training" in signature.parameters
    return name in OWN or (name in documented() and not gives_tensors and name not in dir(keras.Model))


def parameters(function):
    """Name -> parameter; of a class with **kwargs those of the classes that they go to, too."""
    if not inspect.isclass(function) or function.__init__ is object.__init__:
        return named(inspect.signature(function))
    found, positional = {}, True
    for base in inspect.getmro(function):
        if "__init__" in vars(base) and base.__module__.startswith("keras_ae"):
            signature = inspect.signature(base.__init__)
            for name, parameter in named(signature).items():
                if positional or parameter.default is not parameter.empty:
                    found.setdefault(name, parameter)
            kinds = [parameter.kind for parameter in signature.parameters.values()]
            positional = inspect.Parameter.VAR_POSITIONAL in kinds
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return found


def named(signature):
    return {name: p for name, p in signature.parameters.items() if name != "self" and "VAR" not in p.kind.name}


@contextlib.contextmanager
def limited():
    """No output, no warnings, and not more than `SECONDS`."""

    def stop(*_):
        raise TimeoutError("no end")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    silence = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    try:
        with warnings.catch_warnings(action="ignore"), silence[0], silence[1] as errors:
            yield errors
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def shown(value):
    """Texts of which one must be in a message that says what was received."""
    found = {repr(value)[:40], str(value)[:40] or "''", type(value).__name__}
    found |= {str(getattr(value, name)) for name in ("shape", "dtype", "__name__") if hasattr(value, name)}
    found |= {"()"} if isinstance(value, float | int | str) else set()  # their shape
    found |= {"masked values", " nan", "(nan)"} if np.ma.is_masked(value) else set()
    if isinstance(value, list | tuple | dict):
        found |= {str(tuple(value))[:40], str(len(value))}
        found |= {text for item in value for text in (repr(item)[:40], type(item).__name__, str(np.shape(item)))}
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        found |= {" nan", " inf", "(nan)", "(inf)"} if not np.isfinite(value).all() else set()
    found |= {"Received:", "the keys"} if inspect.isgenerator(value) or hasattr(value, "element_spec") else set()
    found |= {"the keys"} if isinstance(value, keras.utils.PyDataset) else set()
    return found | {text for column in getattr(value, "columns", ()) for text in (repr(column), "(nan)", " nan")}


def is_named(text, name, value):
    words = {name, name.replace("_", " "), *values.ALSO_CALLED.get(name, ())}
    has_name = any(re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text, re.IGNORECASE) for word in words)
    return has_name and any(form in text for form in shown(value))


def outcome(call, name, value):
    """How a call is answered, and the text of the answer."""
    try:
        with limited():
            call()
    except InputError as error:
        return ("named" if is_named(str(error), name, value) else "unnamed"), str(error)
    except Exception as error:
        good = isinstance(error, TypeError | ValueError) and is_named(str(error), name, value)
        return ("named" if good else "internal"), f"{type(error).__name__}: {error}"
    return "silent", ""


def tries(name, function):
    """(argument, kind, outcome, text) of every malformed value of every argument."""
    known = parameters(function)
    try:
        with limited():
            function(**values.valid(name, known))
    except InputError as error:
        if "needs" not in str(error):  # a package, or the network; else it is a method that this model does not have
            return
    except Exception as error:
        yield "", "valid", "broken", f"{type(error).__name__}: {error}"
        return
    for argument, parameter in known.items():
        for kind, make in values.malformed(name, argument, parameter).items():
            arguments = {**values.valid(name, known), argument: make()}
            yield argument, kind, *outcome(functools.partial(function, **arguments), argument, arguments[argument])


def commands(command, path=()):
    """(command, argument or option, text, outcome, answer) of every malformed text for every command."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))
    if hasattr(command, "commands"):
        return
    arguments = values.command(path)
    code, text = (0, "") if arguments is None else typed([*path, *arguments])
    if code:
        yield " ".join(path), "", "valid", "broken", text
    for option in command.params:
        for given in values.malformed_texts(option):
            arguments = values.with_text(command, option, values.command(path) or ["vae_mnist"], given)
            code, text = typed([*path, *arguments])
            words = (option.opts[0], option.name) if option.param_type_name == "option" else (repr(given), given)
            good = len(text.strip().splitlines()) == 1 and any(word in text for word in words)
            how = {0: "silent", 2: "named" if good else "unnamed"}.get(code, "internal")
            yield " ".join(path), option.name, given, how, text


def typed(arguments):
    """Exit code of a command line in an empty folder, and what it wrote to stderr."""
    before, sys.argv = sys.argv, ["keras-ae", *map(str, arguments)]
    os.chdir(tempfile.mkdtemp())
    try:
        with limited() as errors:
            cli.main()
    except SystemExit as end:
        return end.code or 0, errors.getvalue()
    except BaseException as error:  # the clock's
        return 1, f"{type(error).__name__}: {error}"
    finally:
        sys.argv = before
    return 0, errors.getvalue()


def rows(wanted=()):
    """(row of the table, callable, argument, kind, outcome, text) of everything, or of what is wanted."""
    for name, function in callables(wanted):
        for found in tries(name, function):
            yield name.rsplit(".", 1)[0], name, *found
    if not wanted or "cli" in wanted:
        for name, *found in commands(typer.main.get_command(cli.app)):
            yield "cli", f"keras-ae {name}", *found


def main():
    import tensorflow as tf

    faulthandler.enable()  # a crash of a library says where
    tf.config.run_functions_eagerly(True)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + GIGABYTES * 2**30,) * 2)
    table = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as tempfile.tempdir, open(HERE / "failures.csv", "w", newline="") as file:
        failures = csv.writer(file)
        failures.writerow(("row", "callable", "argument", "kind", "outcome", "text"))
        for row, name, argument, kind, how, text in rows(sys.argv[1:]):
            table[row][how] += 1
            if how != "named":
                failures.writerow((row, name, argument, kind, how, " ".join(text.split())[:300]))
        os.chdir(HERE)
    table["all"] = sum(table.values(), collections.Counter())
    lines = [("row", "calls", *KINDS)]
    lines += [(row, sum(counts.values()), *(counts[kind] for kind in KINDS)) for row, counts in table.items()]
    if not sys.argv[1:]:
        with open(HERE / "results.csv", "w", newline="") as file:
            csv.writer(file).writerows(lines)
    for row, *counts in lines:
        print(f"{row:32}", *(f"{count!s:>8}" for count in counts))


if __name__ == "__main__":
    main()
