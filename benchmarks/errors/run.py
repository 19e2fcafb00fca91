"""How mistakes are answered: every public callable with every kind of malformed argument.

    python benchmarks/errors/run.py                    # all of it: results.csv, failures.csv and a table
    python benchmarks/errors/run.py networks plots     # only the rows whose name contains one of these

The callables are found by inspection: what the public modules export, the public methods of built objects (a small
instance of each registered model, layers, distributions, schedules, data sets, estimators, run folders), and every
command of the command line with every argument and option. Each is called once with valid arguments (`VALUES`, by the
name of the argument), which must work, and then with one of them replaced by each malformed value of its role.

    named      refused with a text that has the name of the argument and what was received: by an InputError, or by an
               error of Keras, scikit-learn or Python that says as much
    unnamed    an InputError without the name, or without what was received
    internal   any other error from inside, or no end within `SECONDS`
    silent     accepted

A value is malformed for a role only where it cannot mean anything there: 0 for a number of units, not for a seed; NaN in
the examples of a model without missing values, not in a tensor. What may mean something is in `ROLES`, and is not tried.
A command must end with exit code 2 and one line.
"""

import collections
import contextlib
import csv
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
SECONDS, GIGABYTES = 20, 12  # of a call; of addresses, beyond those of the libraries
APART = ("backend", "checks", "cli", "errors")  # modules that are no part of what users call, and the command line
OWN = ("fit", "evaluate", "predict", "compile", "export")  # methods of Keras that users call; the others are its protocol


def exported(module, found):
    """Adds name -> what a public module exports, modules among it included."""
    home = module.__package__ if module.__package__.count(".") else module.__name__
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if str(getattr(value, "__module__", "")).startswith(home)
    ]
    for name in sorted(names):
        value = getattr(module, name)
        if inspect.ismodule(value):
            exported(value, found)
        elif callable(value) and not name.startswith("_") and value not in found.values():
            found[f"{module.__name__.removeprefix('keras_ae').strip('.') or 'top'}.{name}"] = value
    return found


def modules():
    """The public modules: those at the top, and those of the zoo."""
    yield keras_ae
    for info in [*pkgutil.iter_modules(keras_ae.__path__, ""), *pkgutil.iter_modules(keras_ae.zoo.__path__, "zoo.")]:
        if info.name not in APART and not info.name.endswith("card"):
            yield importlib.import_module(f"keras_ae.{info.name}")


def callables(wanted=()):
    """Name -> function, constructor, or method of an object that the constructor makes."""
    found = functools.reduce(lambda found, module: exported(module, found), modules(), {})
    for name, value in found.items():
        if not inspect.isclass(value):
            yield from [(name, value)] * is_wanted(name, wanted)
            continue
        if is_wanted(name, wanted) and not is_record(value):
            # scikit-learn's estimators check their arguments when they are fitted
            yield name, fitted(value) if issubclass(value, BaseEstimator) else value
        if not any(inspect.isclass(other) and value in other.__mro__[1:] for other in found.values()):
            for method in sorted(dir(value)):
                if is_wanted(f"{name}.{method}", wanted) and is_method(value, method):
                    instance = values.prepared(value(**values.valid(name, parameters(value))()))
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
    return issubclass(kind, tuple | Exception) or plain


@functools.cache
def documented():
    """Names of the methods that README, pages and examples call."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.py")]
    return {name for page in pages for name in re.findall(r"\.(\w+)\(", page.read_text())}


def is_method(kind, name):
    """Whether users call a method: one of our own; of Keras' objects, what is documented and gives no tensors, or a
    method of Keras itself that they call. The others are hooks, which Keras' loop and our base classes call."""
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    if not owner.__module__.startswith("keras_ae") or not callable(getattr(kind, name)):
        return False
    if not issubclass(kind, keras.layers.Layer | keras.callbacks.Callback | keras.optimizers.Optimizer):
        return name == "__call__" or not name.startswith("_") and name not in ("get_config", "from_config")
    signature = inspect.signature(getattr(kind, name))
    tensors = signature.return_annotation in (typing.Any, "Any") or "training" in signature.parameters
    return name in OWN or (name in documented() and not tensors and name not in dir(keras.Model))


def parameters(function):
    """Name -> parameter; of a class with **kwargs those of the classes that they go to, too."""
    if not inspect.isclass(function) or function.__init__ is object.__init__:
        return named(inspect.signature(function).parameters)
    found, positional = {}, True
    for base in inspect.getmro(function):
        if "__init__" in vars(base) and base.__module__.startswith("keras_ae"):
            signature = inspect.signature(base.__init__).parameters
            found |= {n: p for n, p in named(signature).items() if n not in found and (positional or p.default is not p.empty)}
            kinds = [p.kind for p in signature.values()]
            positional = inspect.Parameter.VAR_POSITIONAL in kinds
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return found


def named(signature):
    return {n: p for n, p in signature.items() if n != "self" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


@contextlib.contextmanager
def limited():
    """No output, no warnings, no more than `SECONDS`."""

    def stop(*_):
        raise TimeoutError("no end")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def shown(value):
    """Texts of which one must be in a message that says what was received."""
    found = {repr(value)[:40], str(value)[:40] or "''", type(value).__name__}
    found |= {str(getattr(value, name)) for name in ("shape", "dtype", "__name__") if hasattr(value, name)}
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
        found |= {"(nan)", "(inf)"}
    if isinstance(value, list | tuple | dict):
        found |= {str(tuple(value))[:40]} | {repr(item)[:40] for item in value} | {type(item).__name__ for item in value} | {str(len(value))}
    return found | {str(getattr(np.asarray(value, dtype=object), "shape", "")) if isinstance(value, list) else "Received"}


def is_named(text, name, value):
    words = {name, name.replace("_", " "), name.replace("_", "-"), *values.ALSO_CALLED.get(name, ())}
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
        text = f"{type(error).__name__}: {error}"
        good = isinstance(error, TypeError | ValueError) and is_named(str(error), name, value)
        return ("named" if good else "internal"), text
    return "silent", ""


def tries(name, function):
    """(argument, kind, outcome, text) of every malformed value of every argument; a valid call must work."""
    known = parameters(function)
    valid = values.valid(name, known)
    try:
        with limited():
            function(**valid())
    except InputError as error:
        if "needs" not in str(error):  # a package, or the network; else it is a method that this model does not have
            return
    except Exception as error:
        yield "", "valid", "broken", f"{type(error).__name__}: {error}"
        return
    for argument, parameter in known.items():
        for kind, make in values.malformed(name, argument, parameter).items():
            arguments = {**valid(), argument: make()}
            yield argument, kind, *outcome(functools.partial(function, **arguments), argument, arguments[argument])


def commands():
    """(command, option, kind, outcome, text) of every malformed value of every option of every command."""
    def leaves(command, path=()):
        for name, inner in getattr(command, "commands", {}).items():
            yield from leaves(inner, (*path, name))
        if not hasattr(command, "commands"):
            yield path, command

    for path, command in leaves(typer.main.get_command(cli.app)):
        valid = values.command(path)
        code, text = typed(cli.main, [*path, *valid])
        if code:
            yield ".".join(path), "", "valid", "broken", text
        for option in command.params:
            for kind, arguments in values.malformed_options(command, option, valid).items():
                code, text = typed(cli.main, [*path, *arguments])
                label = option.opts[0].strip("-") if option.param_type_name == "option" else option.name
                good = code == 2 and len(text.strip().splitlines()) == 1 and is_named(text, label, kind)
                how = "silent" if code == 0 else "internal" if code != 2 else "named" if good else "unnamed"
                yield ".".join(path), option.name, kind, how, text


def typed(main, arguments):
    """Exit code of a command line, and what it wrote to stderr."""
    before, sys.argv = sys.argv, ["keras-ae", *map(str, arguments)]
    errors = io.StringIO()
    try:
        with limited(), contextlib.redirect_stderr(errors):
            main()
    except SystemExit as end:
        return end.code or 0, errors.getvalue()
    except BaseException as error:  # the clock's
        return 1, f"{type(error).__name__}: {error}"
    finally:
        sys.argv = before
    return 0, errors.getvalue()


def rows(wanted=()):
    """(row, callable, argument, kind, outcome, text) of everything, or of the rows whose name has one of `wanted`."""
    for name, function in callables(wanted):
        for found in tries(name, function):
            yield name.rsplit(".", 1)[0], name, *found
    if not wanted or "cli" in wanted:
        for name, *found in commands():
            yield "cli", f"cli {name}", *found


def main():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + GIGABYTES * 2**30,) * 2)
    table, failures = collections.defaultdict(collections.Counter), []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for row, name, argument, kind, how, text in rows(sys.argv[1:]):
            table[row][how] += 1
            if how != "named":
                failures.append((row, name, argument, kind, how, " ".join(text.split())[:300]))
        os.chdir(HERE)
    kinds = ("named", "unnamed", "internal", "silent", "broken")
    table["all"] = sum(table.values(), collections.Counter())
    lines = [(row, sum(counts.values()), *(counts[kind] for kind in kinds)) for row, counts in table.items()]
    for path, head, body in (
        ("results.csv", ("row", "calls", *kinds), lines),
        ("failures.csv", ("row", "callable", "argument", "kind", "outcome", "text"), failures),
    ):
        if path == "failures.csv" or not sys.argv[1:]:
            with open(HERE / path, "w", newline="") as file:
                csv.writer(file).writerows([head, *body])
    for line in [("row", "calls", *kinds), *lines]:
        print(f"{line[0]:36}", *(f"{value!s:>9}" for value in line[1:]))


if __name__ == "__main__":
    main()
