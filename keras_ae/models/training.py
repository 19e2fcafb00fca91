"""How a model trains: Keras' own loop over packed batches, with the terms given to `add_loss`."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops, tree

from keras_ae import backend, errors, schedules, writing
from keras_ae.checks import Count, Dropout, checked, one_of
from keras_ae.models import datasets, inputs, monitoring, steps
from keras_ae.models.batch import Batch, pack, unpacked
from keras_ae.optimizers import Adam
from keras_ae.pipeline import Batches, as_it_is

STEPS_PER_EXECUTION = 32
STEPS_OF: dict[str, Callable] = {"tensorflow": steps.on_tensorflow, "jax": steps.on_jax}
BY_CALLS = ("_called", "_parent_path")  # attributes of a layer that its first call sets
FIXED = ("encoder", "decoder", "latent_dim", "likelihood", "output_layer", "code_activation", "seed")


def _optimizer(name: str, value: Any) -> Any:
    """`value`, or an error where Keras makes no optimizer of it."""
    try:
        if value is not None and keras.optimizers.get(value):
            return value
    except Exception as error:  # whatever a value of some type makes Keras raise
        raise errors.wrong(name, "a Keras optimizer or its name", value) from error
    raise errors.wrong(name, "a Keras optimizer or its name", value)


Optimizer = Annotated[Any, _optimizer]


class Training(keras.Model):
    """The half of the contract that has nothing to do with what is learned.

    `train_step` and `test_step` pack what Keras hands them into a `Batch` and leave the rest to Keras. `call` gives a
    batch to the objective and each of its terms to `add_loss`; a plain tensor is only reconstructed.
    """

    settings: tuple[str, ...] = ()  # the variant's own constructor arguments, each kept as an attribute
    schedulable: tuple[str, ...] = ()  # those of them that may be schedules, and may be assigned later
    accepts_noise: bool = False  # whether codes are asked for of x that the likelihood cannot explain
    steps_per_execution: int

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        # Without autocast=False mixed precision would turn targets and weights into half precision.
        super().__init__(autocast=False, **kwargs)
        self.seed = backend.seed_of(seed)
        self._seeds_drawn = 0
        self._compiled_functions: dict[str, Any] = {}
        self._called_layers, self._compiled_layers = _Layers(self), _Layers(self)
        self._has_metrics = False
        self._unresolved: dict[str, Any] = {}

    def next_seed(self) -> int:
        """An integer seed for one more layer, a function of the model's seed."""
        self._seeds_drawn += 1
        return int(np.random.SeedSequence(self.seed).generate_state(self._seeds_drawn)[-1] >> 1)

    def finish_building(self) -> None:
        """Adds what every model has beside its networks."""
        inputs.check_nothing_shared(self.saved_parts())
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        self.term_means = monitoring.Terms((*self.terms, *self.companions))
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing: a model is built when it is constructed."""

    @checked
    def compile(
        self,
        optimizer: Optimizer = "adam",
        metrics: Any = None,
        steps_per_execution: Count | None = None,
        jit_compile: bool | Annotated[str, one_of("auto")] | None = None,
        **kwargs: Any,
    ) -> None:
        """Configures the training; there is no loss to give.

        Args:
            optimizer: a name or a Keras optimizer; `"adam"` is Keras' Adam in one fused operation on TensorFlow.
            metrics: Keras metrics that compare the reconstruction with the target.
            steps_per_execution: batches per call of the compiled step, and so per call of batch callbacks, which get
                the number of the last one. None: 32, but 1 where a callback looks at single batches, where the number
                of batches is unknown, and under a TensorFlow strategy. An epoch has all its steps and no more.
            jit_compile: whether XLA compiles the step. None: on JAX and on GPUs, not on a CPU under TensorFlow, where
                it costs more than it gains.
        """
        if kwargs.get("loss") is not None:
            raise errors.InputError(
                f"compile takes no loss: {type(self).__name__} has its own, with -log p(x|z) of its likelihood "
                "('normal': squared error; 'bernoulli': binary cross-entropy). Remove the argument."
            )
        self._unresolved = {"steps_per_execution": steps_per_execution, "jit_compile": jit_compile}
        if jit_compile is None:
            jit_compile = backend.prefers_jit()
        self._has_metrics = bool(metrics or kwargs.get("weighted_metrics"))
        super().compile(
            optimizer=Adam() if optimizer == "adam" else optimizer,
            metrics=metrics,
            steps_per_execution=steps_per_execution or 1,
            jit_compile=jit_compile,
            **kwargs,
        )
        self.optimizer.build(self.trainable_variables)
        self._compiled_for = {id(variable) for variable in self.trainable_variables}

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(x if isinstance(x, Batch) else inputs.check_call(self, x), *args, **kwargs)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not isinstance(inputs, Batch):
            batch = self.pack((inputs,))
            return self.reconstruct_mean(batch.x, batch.condition)
        # First, so that what its layers add to the losses can be forgotten: they add it in the objective, too.
        reconstruction = self.reconstruct_mean(inputs.x, inputs.condition) if self._has_metrics else inputs.x
        if self._has_metrics:
            self._clear_losses()
        terms = self.objective(inputs, training)
        names = (*self.terms, *self.companions)
        if set(terms) != set(names):
            raise ValueError(f"The objective must return the terms {names}. Received: {tuple(terms)}.")
        for name in names:
            self.add_loss(_average(terms[name], inputs.weight))
        if training:
            self.step.assign_add(1)
        return reconstruction

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name)
        if before is not None and name in (*FIXED, *self.settings):
            if name not in self.schedulable or value is None:
                raise errors.InputError(
                    f"{name} is fixed when the model is made. Make a new model with {name}=..., and take the weights "
                    f"along: new.set_weights(model.get_weights()). What may be assigned: {', '.join(self.schedulable)}."
                    if self.schedulable
                    else f"{name} is fixed when the model is made. Make a new model with {name}=..."
                )
            value = schedules.check(name, value)
        super().__setattr__(name, value)
        if before is not None and name in self.schedulable:
            self._compile_again()

    def _compile_again(self) -> None:
        """Makes the compiled steps anew, which have numbers and layers compiled in."""
        for kind in ("train", "test", "predict"):
            if getattr(self, f"{kind}_function", None) is not None:
                getattr(self, f"make_{kind}_function")(force=True)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of a reconstruction: that of x."""
        return tuple(input_shape)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """What Keras finds by calling the model on tensors without values: a batch has no single shape."""
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` gives, in its order."""
        others = [metric for metric in self.metrics if metric is not self.term_means]
        names = [each.name for metric in others for each in getattr(metric, "metrics", [metric])]
        return [*names, *sorted(self.term_means.shown)]

    def now(self, weight: Any) -> Any:
        """The value of a weight, a number or a schedule, at the present training step. To assign another number takes
        effect at the next step, which is compiled for it; a schedule costs nothing."""
        return schedules.at(weight, self.step)

    def own_callbacks(self, data: Any) -> list[keras.callbacks.Callback]:
        """What the variant itself does between epochs of `fit` on some data."""
        return []

    def pack(self, data: Any) -> Batch:
        """What Keras hands to a step as a `Batch`."""
        return pack(data, self.bare_y, self.accepts_missing)

    def train_step(self, *args: Any) -> Any:
        return super().train_step(*args[:-1], (self.pack(args[-1]),))

    def test_step(self, *args: Any) -> Any:
        return super().test_step(*args[:-1], (self.pack(args[-1]),))

    def predict_step(self, *args: Any) -> Any:
        x, y, _ = unpacked(args[-1])
        known = y.get("condition") if isinstance(y, dict) else y if self.conditional else None
        return super().predict_step(*args[:-1], (x if known is None else {"x": x, "condition": known},))

    def _make_function(self, step_function: Callable, **kwargs: Any) -> Callable:
        if backend.is_under_strategy(self):
            return super()._make_function(step_function, **kwargs)
        return STEPS_OF[keras.backend.backend()](self, step_function, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The sum of the terms; updates their means. Companions add their gradient to it and nothing to its value."""
        values, end = list(self.losses), len(self.terms) + len(self.companions)
        companions, extra = values[len(self.terms) : end], values[end:]
        self.term_means.regularized = bool(extra)
        values = [*values[:end], sum(map(ops.sum, extra), 0.0)]
        self.term_means.update_state(ops.stack(values), ops.shape(x.x)[0])
        total = super().compute_loss(x, y, y_pred, sample_weight, training)
        if companions:
            total -= ops.stop_gradient(sum(companions)) / backend.replicas()  # Keras' total is divided by them, too
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Metrics compare the reconstruction with the target."""
        batch = x if isinstance(x, Batch) else self.pack((x, y, sample_weight))  # Keras builds metrics on raw data
        return super().compute_metrics(batch, batch.target, y_pred, batch.weight)

    @checked
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: Count | None = None,
        epochs: Count = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: Dropout = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[Any, Any] | None = None,
        sample_weight: Any = None,
        steps_per_epoch: Count | None = None,
        validation_steps: Count | None = None,
        validation_batch_size: Count | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the model; arguments and return value are those of `keras.Model.fit`.

        Args:
            x: an array (n, *event), `Batches`, or anything else that Keras takes (`tf.data.Dataset`, `PyDataset`, ...).
            y: None; a target of x's shape; class labels, which are ignored by models that have no use for them; or a
                dict with some of the keys target, condition and label.
            class_weight: class -> weight of its examples; y holds the classes.
            sample_weight: (n,) weight of each example's terms; the mean is still over the number of examples.

        Raises:
            InputError: an array does not fit the model or its likelihood; nothing has been trained then.
            TrainingDivergedError: a term or a weight became infinite or not a number.
        """
        if class_weight is not None and inputs.is_arrays(x):
            inputs.check_class_weight(y)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = _split(x, y, sample_weight, validation_split)
        data, batches, door = self._prepare(x, y, sample_weight, batch_size, steps_per_epoch, shuffle, "x")
        if batches:
            steps_per_epoch = None
        watch: list[Any] = [monitoring.StopOnNonFinite()]
        if batches:
            watch.append(monitoring.SetEpoch(batches))
        watch += self.own_callbacks(batches or x)
        parts, doors = {"train": (data["x"], steps_per_epoch)}, [door]
        if validation_data is not None:
            val_x, val_y, val_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            size = validation_batch_size or batch_size
            validation, validation_batches, door = self._prepare(
                val_x, val_y, val_weight, size, validation_steps, False, "validation_data"
            )
            validation_data, doors = validation["x"], [*doors, door]
            if validation_batches:
                validation_batch_size, validation_steps = None, None
            parts["test"] = (validation_data, validation_steps)
        options = {"verbose": verbose, "epochs": epochs, "add_history": True}
        with self._counted(parts, [*watch, *steps.flat(callbacks)], doors, **options) as counted:
            return super().fit(
                **data,
                epochs=epochs,
                verbose=verbose,
                callbacks=counted,
                validation_data=validation_data,
                validation_batch_size=validation_batch_size,
                validation_steps=validation_steps,
                steps_per_epoch=steps_per_epoch,
                shuffle=shuffle and isinstance(data["x"], keras.utils.PyDataset) and not batches,
                class_weight=class_weight,
                **kwargs,
            )

    @checked
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: Count | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: Count | None = None,
        callbacks: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The means of the loss and its terms; arguments and return value are those of `keras.Model.evaluate`."""
        if kwargs.get("_use_cached_eval_dataset"):  # called by fit, which has checked the data
            return super().evaluate(x, y, batch_size, verbose, sample_weight, steps, callbacks, **kwargs)
        data, batches, door = self._prepare(x, y, sample_weight, batch_size, steps, False, "x")
        steps = None if batches else steps
        with self._counted({"test": (data["x"], steps)}, callbacks, [door], verbose=verbose) as counted:
            return super().evaluate(**data, verbose=verbose, steps=steps, callbacks=counted, **kwargs)

    @checked
    def predict(
        self,
        x: Any,
        batch_size: Count | None = None,
        verbose: Any = "auto",
        steps: Count | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Reconstructions of x, as `reconstruct` gives them; arguments and return value are those of
        `keras.Model.predict`. A conditional model takes {"x": x, "condition": y}, [x, y], or a data set of (x, y)."""
        if inputs.is_arrays(x) or isinstance(x, dict):
            x, y = inputs.apart(self, x, None, "x")
            known = None if y is None else y.get("condition")
            x, known = inputs.check_given(self, x, known)
            if steps is None and callbacks is None and not backend.is_under_strategy(self):
                return self.over_batches("reconstruct_mean", x, batch_size, known)
            x = x if known is None else {"x": x, "condition": known}

        def check(x: Any, y: Any, _: Any, name: str) -> None:
            inputs.check_given(self, *datasets.given(self, x, y), name=name)

        door = datasets.Door(check, "x")
        x = door.through(x)
        with self._counted({"predict": (x, steps)}, callbacks, [door], verbose=verbose) as counted:
            return super().predict(x, batch_size, verbose, steps, counted)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any) -> Any:
        data = self._one_batch(x, y, sample_weight)
        return super().train_on_batch(*data, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any) -> Any:
        data = self._one_batch(x, y, sample_weight)
        return super().test_on_batch(*data, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        return self.predict(x, verbose=0)

    def _one_batch(self, x: Any, y: Any, sample_weight: Any) -> tuple:
        self._follow()
        data = inputs.check_fit(self, x, y, sample_weight)
        return keras.utils.unpack_x_y_sample_weight(data)

    def _prepare(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        steps: int | None,
        shuffle: bool,
        name: str,
    ) -> tuple[dict[str, Any], Batches | None, datasets.Door]:
        """Checked data as Keras' arguments, the `Batches` behind them if there are any, and the door of other data."""
        if x is None:
            raise errors.InputError(f"{name} must be the examples: an array or a data set. Received: None.")
        door = datasets.Door(lambda *batch: inputs.check_fit(self, *batch), name)
        if isinstance(x, Batches):
            x_array, y_array, weight = keras.utils.unpack_x_y_sample_weight(x.arrays)
            inputs.check_fit(self, x_array, y_array, weight, name)
        elif inputs.is_arrays(x) or isinstance(x, dict):
            arrays = inputs.check_fit(self, x, y, sample_weight, name)
            size = 32 if batch_size is None else batch_size
            x = Batches(arrays, size, bool(shuffle), self.seed)
        if isinstance(x, Batches):
            x = x.limited(steps)
            return {"x": x.for_keras()}, x, door
        data = {"x": door.through(x), "y": y, "sample_weight": sample_weight, "batch_size": batch_size}
        return data, None, door

    @contextlib.contextmanager
    def _counted(
        self,
        parts: dict[str, tuple[Any, int | None]],
        callbacks: Any,
        doors: Sequence[datasets.Door],
        **options: Any,
    ) -> Iterator[steps.Counted]:
        """The callbacks of a run over data of which every step is counted. In it, an error of a batch is raised as
        what it is.

        Args:
            parts: kind of step -> its data, and how many steps were asked for.
        """
        self._follow()
        many = self._unresolved.get("steps_per_execution")
        if not many:
            counted = all(steps.are_counted(*part) for part in parts.values())
            single = not counted or any(map(steps.sees_batches, steps.flat(callbacks)))
            many = 1 if single or backend.is_under_strategy(self) else STEPS_PER_EXECUTION
        before: int = self.steps_per_execution
        self.steps_per_execution = many
        try:
            with datasets.opened(doors):
                limits = {kind: steps.limit(*part) for kind, part in parts.items()}
                yield steps.Counted(callbacks, self, limits, **options)
        except BaseException:
            if keras.backend.backend() == "jax":
                self.jax_state_sync()  # an error in a callback must not leave the variables empty
            raise
        finally:
            self.steps_per_execution = before

    def _follow(self) -> None:
        """Compiles the steps anew if the model's layers are no longer what was compiled."""
        unknown = [v.path for v in self.trainable_variables if id(v) not in getattr(self, "_compiled_for", {id(v)})]
        if unknown:
            raise errors.InputError(
                f"{', '.join(unknown)} became trainable after `compile`, whose optimizer knows nothing of them. Call "
                "model.compile(...) again."
            )
        if self._compiled_layers.changed():
            self._compile_again()

    def over_batches(self, method: str, x: Any, batch_size: int | None = None, condition: Any = None) -> Any:
        """A method of one tensor (and a condition) applied to arrays, compiled, in batches; an array, or whatever
        structure of arrays the method gives."""
        key, function, arrays = method, getattr(self, method), [x]
        if condition is not None:
            key = f"{method} given the condition"
            function, arrays = lambda x, condition: getattr(self, method)(x, condition=condition), [x, condition]
        signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in arrays]
        compiled = self.compiled_once(key, function, *signature)
        return backend.over_rows(compiled, arrays, self.rows_at_once(batch_size))

    def compiled_once(self, key: str, function: Callable, *signature: keras.KerasTensor) -> Callable:
        """`backend.compiled(self, function, *signature)`, kept under `key` until the model's layers change."""
        if self._called_layers.changed():
            self._compiled_functions.clear()
        if key not in self._compiled_functions:
            self._compiled_functions[key] = backend.compiled(self, function, *signature)
        return self._compiled_functions[key]

    def saved_parts(self) -> dict[str, keras.layers.Layer]:
        """The layers and networks among the constructor's arguments: `get_config` has each of them."""
        return {}

    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Writes the model with optimizer and random state, as `keras.Model.save` does; a file whole or not at all.

        Args:
            filepath: ends in `.keras`; with `zipped=False` the name of a folder.
            overwrite, zipped: see `keras.Model.save`.

        Raises:
            InputError: another ending, of which nothing could be loaded; or a weight is not finite.
        """
        monitoring.check_weights(self)
        name = str(filepath)
        if zipped is not False and not name.endswith(".keras") and not name.startswith("hf://"):
            raise errors.InputError(
                f"A model is saved as a .keras file: other formats, such as .h5, cannot be loaded. Received: {name!r}. "
                "save_weights writes weights alone, as .weights.h5; export writes a model for serving."
            )
        write = functools.partial(super().save, overwrite=overwrite, zipped=zipped, **kwargs)
        if zipped is False or "://" in name or (not overwrite and Path(name).exists()):  # where Keras asks first
            return write(filepath)
        writing.write(Path(filepath), write)

    @checked
    def export(self, filepath: str | os.PathLike, **kwargs: Any) -> Any:
        """Writes a SavedModel for serving; see `keras_ae.export`."""
        from keras_ae import serving

        return serving.export(self, filepath, **kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        config = super().get_compile_config()
        return {**config, **self._unresolved} if config else None  # None: not compiled

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": keras.saving.serialize_keras_object(self.dtype_policy), "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        nested = {name: value for name, value in config.items() if isinstance(value, dict) and "class_name" in value}
        built = {name: keras.saving.deserialize_keras_object(value, custom_objects) for name, value in nested.items()}
        return cls(**{**config, **built})

    def save_own_variables(self, store: Any) -> None:
        """Saves the model's own weights and, beyond what Keras does, the state of every random generator, so that a
        resumed training draws the noise that an uninterrupted one would have drawn."""
        for name, variable in self._own_state().items():
            store[name] = variable
        if self.accepts_noise:
            store["accepts_noise"] = np.ones(1)

    def load_own_variables(self, store: Any) -> None:
        if "accepts_noise" in store:
            self.accepts_noise = True
        for name, variable in self._own_state().items():
            variable.assign(store[name])

    def _own_state(self) -> dict[str, Any]:
        weights = {id(weight) for weight in self.weights}
        own = self._trainable_variables + self._non_trainable_variables
        seeds = [variable for variable in self.variables if id(variable) not in weights]
        return {
            **{f"weight_{i}": weight for i, weight in enumerate(own)},
            **{f"seed_{i}": seed for i, seed in enumerate(seeds)},
        }


class _Layers:
    """What a model's layers are made of, and its settings, as they were when that was last looked at."""

    def __init__(self, model: Training) -> None:
        self.model = model
        self.seen: list[Any] = []

    def changed(self) -> bool:
        """Whether an attribute of a layer or a setting is another object than the last time; not so the first time."""
        layers = self.model._flatten_layers(include_self=False)
        present = [value for layer in layers for name, value in vars(layer).items() if name not in BY_CALLS]
        present += [getattr(self.model, name, None) for name in ("prior", *FIXED, *self.model.settings)]
        before, self.seen = self.seen, present
        same = len(before) == len(present) and all(a is b for a, b in zip(before, present, strict=True))
        return bool(before) and not same


def _average(term: Any, weight: Any) -> Any:
    """The mean over the batch of a value per example; a statistic of the batch counts as much as its examples do."""
    return ops.mean(term if weight is None else term * weight)


def _split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[tuple, tuple]:
    """Training and validation arrays: the last `fraction` of the examples is for validation."""
    if not inputs.is_arrays(x) or not 0 < fraction < 1:
        raise errors.InputError(
            f"validation_split needs arrays and a fraction between 0 and 1. Received: {type(x).__name__}, {fraction!r}."
        )
    start = len(x) - errors.part("validation_split", fraction, len(x))
    parts = (x, y, sample_weight)

    def rows(part: slice) -> tuple:
        return tree.map_structure(lambda a: None if a is None else as_it_is(a)[part], parts)

    return rows(slice(start)), rows(slice(start, None))
