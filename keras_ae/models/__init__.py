"""The contract of a model and one file per variant."""

from keras_ae.models.ae import AE
from keras_ae.models.base import Autoencoder, Variational
from keras_ae.models.batch import Batch
from keras_ae.models.beta_vae import BetaVAE
from keras_ae.models.conditional_vae import ConditionalVAE
from keras_ae.models.contractive_ae import ContractiveAE
from keras_ae.models.denoising_ae import DenoisingAE
from keras_ae.models.dropout_ae import DropoutAE
from keras_ae.models.gaussian_mixture_vae import GaussianMixtureVAE
from keras_ae.models.iwae import IWAE
from keras_ae.models.kl_sparse_ae import KLSparseAE
from keras_ae.models.linear_ae import LinearAE
from keras_ae.models.semi_supervised_vae import SemiSupervisedVAE
from keras_ae.models.sequence_ae import SequenceAE
from keras_ae.models.sequence_vae import SequenceVAE
from keras_ae.models.sequences import Sequences
from keras_ae.models.sparse_ae import SparseAE
from keras_ae.models.vae import VAE
from keras_ae.models.wae_gan import WAEGAN
from keras_ae.models.wae_mmd import WAEMMD
from keras_ae.models.wae_w2 import WAEW2

__all__ = [
    "AE",
    "IWAE",
    "VAE",
    "WAEGAN",
    "WAEMMD",
    "WAEW2",
    "Autoencoder",
    "Batch",
    "BetaVAE",
    "ConditionalVAE",
    "ContractiveAE",
    "DenoisingAE",
    "DropoutAE",
    "GaussianMixtureVAE",
    "KLSparseAE",
    "LinearAE",
    "SemiSupervisedVAE",
    "SequenceAE",
    "SequenceVAE",
    "Sequences",
    "SparseAE",
    "Variational",
]
