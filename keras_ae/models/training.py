"""How a model trains: Keras' own loop over packed batches, with the terms given to `add_loss`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_ae import backend, errors, schedules
from keras_ae.models import inputs, monitoring
from keras_ae.models.batch import Batch, pack
from keras_ae.optimizers import Adam
from keras_ae.pipeline import Batches

STEPS_PER_EXECUTION = 32


class Training(keras.Model):
    """The half of the contract that has nothing to do with what is learned.

    `train_step` and `test_step` pack what Keras hands them into a `Batch` and leave the rest to Keras. `call` gives a
    batch to the objective and each of its terms to `add_loss`; a plain tensor is only reconstructed.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        # Without autocast=False mixed precision would turn targets and weights into half precision.
        super().__init__(autocast=False, **kwargs)
        self.seed = int(np.random.randint(2**31)) if seed is None else errors.whole_number("seed", seed, least=0)
        self._seeds = iter(np.random.SeedSequence(self.seed).generate_state(64) >> 1)
        self._compiled_functions: dict[str, Any] = {}
        self._has_metrics = False

    def next_seed(self) -> int:
        """An integer seed for one more layer, a function of the model's seed."""
        return int(next(self._seeds))

    def finish_building(self) -> None:
        """Adds what every model has beside its networks."""
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        regularised = any(getattr(layer, "activity_regularizer", None) for layer in self._flatten_layers())
        self._extra = ("regularization",) if regularised or self.losses else ()
        self.term_means = monitoring.Terms((*self.terms, *self.companions, *self._extra))
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing: a model is built when it is constructed."""

    def compile(
        self,
        optimizer: Any = "adam",
        metrics: Any = None,
        steps_per_execution: int | None = None,
        jit_compile: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        """Configures the training; there is no loss to give.

        Args:
            optimizer: a name or a Keras optimizer; `"adam"` is Keras' Adam in one fused operation on TensorFlow.
            metrics: Keras metrics that compare the reconstruction with the target.
            steps_per_execution: batches per call of the compiled step, and so per call of batch callbacks. None: 32, or
                1 under a TensorFlow strategy, which cannot do more.
            jit_compile: whether XLA compiles the step. None: on JAX and on GPUs, not on a CPU under TensorFlow, where
                it costs more than it gains.
        """
        if kwargs.get("loss") is not None:
            raise errors.InputError(f"compile takes no loss: {type(self).__name__} has its own. Remove the argument.")
        self._unresolved = {"steps_per_execution": steps_per_execution, "jit_compile": jit_compile}
        if steps_per_execution is None:
            steps_per_execution = 1 if backend.replicas() > 1 else STEPS_PER_EXECUTION
        if jit_compile is None:
            jit_compile = backend.prefers_jit()
        self._has_metrics = bool(metrics or kwargs.get("weighted_metrics"))
        super().compile(
            optimizer=Adam() if optimizer == "adam" else optimizer,
            metrics=metrics,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            **kwargs,
        )
        self.optimizer.build(self.trainable_variables)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if isinstance(inputs, dict):  # predict({"x": x, "condition": y})
            inputs = self.pack((inputs["x"], {"condition": inputs.get("condition")}))
            return self.reconstruct_mean(inputs.x, inputs.condition)
        if not isinstance(inputs, Batch):
            return self.reconstruct_mean(inputs)
        terms = self.objective(inputs, training)
        names = (*self.terms, *self.companions)
        if set(terms) != set(names):
            raise ValueError(f"The objective must return the terms {names}. Received: {tuple(terms)}.")
        for name in names:
            self.add_loss(_average(terms[name], inputs.weight))
        if training:
            self.step.assign_add(1)
        return self.reconstruct_mean(inputs.x, inputs.condition) if self._has_metrics else inputs.x

    def now(self, weight: Any) -> Any:
        """The value of a weight, a number or a schedule, at the present training step."""
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

    def _make_function(self, step_function: Callable, **kwargs: Any) -> Callable:
        """Makes the loop over the batches of an execution. On an accelerator under JAX it is one call, since a call
        takes more time than a step of a small model."""
        if self.jit_compile and not self.run_eagerly and not kwargs and backend.on_accelerator():
            return backend.scanned(step_function, self)
        return super()._make_function(step_function, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The sum of the terms; updates their means. Companions add their gradient to it and nothing to its value."""
        values, end = list(self.losses), len(self.terms) + len(self.companions)
        named, companions, extra = values[:end], values[len(self.terms) : end], values[end:]
        if self._extra:
            named.append(sum(extra))
        self.term_means.update_state(ops.stack(named), ops.shape(x.x)[0])
        total = super().compute_loss(x, y, y_pred, sample_weight, training)
        if companions:
            total -= ops.stop_gradient(sum(companions)) / backend.replicas()  # Keras' total is divided by them, too
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Metrics compare the reconstruction with the target."""
        batch = x if isinstance(x, Batch) else self.pack((x, y, sample_weight))  # Keras builds metrics on raw data
        return super().compute_metrics(batch, batch.target, y_pred, batch.weight)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
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
            TrainingDivergedError: a term became infinite or not a number.
        """
        if class_weight is not None and inputs.is_arrays(x):
            inputs.check_class_weight(y)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = _split(x, y, sample_weight, validation_split)
        data, batches = self._prepare(x, y, sample_weight, batch_size, steps_per_epoch, shuffle, "x")
        watch: list[Any] = [monitoring.StopOnNonFinite()]
        if batches:
            watch.append(monitoring.SetEpoch(batches))
        watch += self.own_callbacks(batches or data["x"])
        if validation_data is not None:
            val_x, val_y, val_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            size = validation_batch_size or batch_size
            validation, validation_batches = self._prepare(
                val_x, val_y, val_weight, size, validation_steps, False, "validation_data"
            )
            if validation_batches:
                validation_data, validation_batch_size, validation_steps = validation["x"], None, None
        return super().fit(
            **data,
            epochs=errors.whole_number("epochs", epochs),
            verbose=verbose,
            callbacks=[
                *watch,
                *(callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []),
            ],
            validation_data=validation_data,
            validation_batch_size=validation_batch_size,
            validation_steps=validation_steps,
            steps_per_epoch=None if batches else steps_per_epoch,
            shuffle=False if batches else shuffle,
            class_weight=class_weight,
            **kwargs,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
        steps: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """The means of the loss and its terms; arguments and return value are those of `keras.Model.evaluate`."""
        if kwargs.get("_use_cached_eval_dataset"):  # called by fit, which has checked the data
            return super().evaluate(x, y, batch_size=batch_size, sample_weight=sample_weight, steps=steps, **kwargs)
        data, batches = self._prepare(x, y, sample_weight, batch_size, steps, False, "x")
        return super().evaluate(**data, steps=None if batches else steps, **kwargs)

    def _prepare(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int | None,
        steps: int | None,
        shuffle: bool,
        name: str,
    ) -> tuple[dict[str, Any], Batches | None]:
        """Checked data as Keras' arguments, and the `Batches` behind them if there are any."""
        if isinstance(x, Batches):
            x_array, y_array, weight = keras.utils.unpack_x_y_sample_weight(x.arrays)
            inputs.check_fit(self, x_array, y_array, weight, name)
        elif inputs.is_arrays(x):
            arrays = inputs.check_fit(self, x, y, sample_weight, name)
            size = errors.whole_number("batch_size", 32 if batch_size is None else batch_size)
            x = Batches(arrays, size, bool(shuffle), self.seed)
        if isinstance(x, Batches):
            x = x.limited(steps)
            return {"x": x.for_keras()}, x
        inputs.check_first_batch(self, x, name)
        return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size}, None

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
        """`backend.compiled(self, function, *signature)`, kept under `key` for the next time."""
        if key not in self._compiled_functions:
            self._compiled_functions[key] = backend.compiled(self, function, *signature)
        return self._compiled_functions[key]

    def export(self, filepath: Any, **kwargs: Any) -> Any:
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

    def load_own_variables(self, store: Any) -> None:
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


def _average(term: Any, weight: Any) -> Any:
    """The mean over the batch of a value per example; a statistic of the batch counts as much as its examples do."""
    return ops.mean(term if weight is None else term * weight)


def _split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[tuple, tuple]:
    """Training and validation arrays: the last `fraction` of the examples is for validation."""
    if not inputs.is_arrays(x) or not 0 < fraction < 1:
        raise errors.InputError(
            f"validation_split needs arrays and a fraction between 0 and 1. Received: {type(x).__name__}, {fraction!r}."
        )
    start = len(x) - int(len(x) * fraction)
    parts = (x, y, sample_weight)

    def rows(part: slice) -> tuple:
        return tree.map_structure(lambda a: None if a is None else np.asarray(a)[part], parts)

    return rows(slice(start)), rows(slice(start, None))
