"""Probability distributions: posteriors, priors and likelihoods."""

from keras_ae.distributions import likelihoods
from keras_ae.distributions.normal import DiagonalNormal, FullNormal, bound
from keras_ae.distributions.priors import NormalMixture, StandardNormal

__all__ = ["DiagonalNormal", "FullNormal", "NormalMixture", "StandardNormal", "bound", "likelihoods"]
