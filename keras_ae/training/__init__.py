"""Training runs that can be interrupted, repeated and looked at."""

from keras_ae.training.run_folder import Best, Recorder, RunFolder

__all__ = ["Best", "Recorder", "RunFolder"]
