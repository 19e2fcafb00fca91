"""How good a model is: its density, its bound and what that is made of, its inference and its codes; and baselines."""

from keras_ae.evaluation.ais import Bidirectional, bidirectional
from keras_ae.evaluation.baselines import baselines
from keras_ae.evaluation.bound import Elbo, elbo
from keras_ae.evaluation.clustering import Clustering, clustering
from keras_ae.evaluation.codes import ActiveUnits, CollapseMonitor, active_units
from keras_ae.evaluation.inference import InferenceGap, Posterior, inference_gap, optimise_posterior
from keras_ae.evaluation.knee import find_knee
from keras_ae.evaluation.latent_dim import LatentDimChoice, SizeResult, choose_latent_dim
from keras_ae.evaluation.likelihood import LogLikelihood, log_likelihood
from keras_ae.evaluation.perplexity import Perplexity, perplexity
from keras_ae.evaluation.probes import ProbeResult, probe, probe_codes
from keras_ae.evaluation.quality import SampleQuality, digit_features, frechet_distance, sample_quality
from keras_ae.evaluation.report import Report, evaluate

__all__ = [
    "ActiveUnits",
    "Bidirectional",
    "Clustering",
    "CollapseMonitor",
    "Elbo",
    "InferenceGap",
    "LatentDimChoice",
    "LogLikelihood",
    "Perplexity",
    "Posterior",
    "ProbeResult",
    "Report",
    "SampleQuality",
    "SizeResult",
    "active_units",
    "baselines",
    "bidirectional",
    "choose_latent_dim",
    "clustering",
    "digit_features",
    "elbo",
    "evaluate",
    "find_knee",
    "frechet_distance",
    "inference_gap",
    "log_likelihood",
    "optimise_posterior",
    "perplexity",
    "probe",
    "probe_codes",
    "sample_quality",
]
