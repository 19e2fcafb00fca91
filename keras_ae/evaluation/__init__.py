"""How good a model is: log-likelihood, the terms of its loss, and baselines on the same data."""

from keras_ae.evaluation.baselines import baselines
from keras_ae.evaluation.likelihood import LogLikelihood, log_likelihood
from keras_ae.evaluation.report import Report, evaluate

__all__ = ["LogLikelihood", "Report", "baselines", "evaluate", "log_likelihood"]
