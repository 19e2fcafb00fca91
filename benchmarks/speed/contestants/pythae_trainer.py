"""Pythae's models with the same networks, trained by its own trainer."""

import logging
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.samplers import NormalSampler
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

from contestants.plain_torch import networks, tensor


class Encoder(BaseEncoder):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> ModelOutput:
        mean, log_var = self.network(x)
        return ModelOutput(embedding=mean, log_covariance=log_var)


class Decoder(BaseDecoder):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: torch.Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=torch.sigmoid(self.network(z)))


class InTrainer(TrainingCallback):
    """Tells a `measure.Clock` what happens."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock

    def on_epoch_begin(self, training_config: Any, **kwargs: Any) -> None:
        self.clock.epoch_begins()

    def on_train_step_end(self, training_config: Any, **kwargs: Any) -> None:
        self.clock.call_ends()

    def on_log(self, training_config: Any, logs: Any, **kwargs: Any) -> None:
        self.clock.epoch_ends(float(logs["train_epoch_loss"]))


def _model(images: np.ndarray, case: Any) -> VAE:
    logging.getLogger("pythae").setLevel(logging.ERROR)
    height, width, channels = images.shape[1:]
    encoder, decoder = networks(case, images.shape[1:])
    common = {"input_dim": (channels, height, width), "latent_dim": case.latent_dim, "reconstruction_loss": "bce"}
    if case.model == "iwae":
        return IWAE(IWAEConfig(number_samples=case.options["samples"], **common), Encoder(encoder), Decoder(decoder))
    return VAE(VAEConfig(**common), Encoder(encoder), Decoder(decoder))


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    data = tensor(images)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=case.batch_size,
            no_cuda=True,
        )
        model = _model(images, case)
        BaseTrainer(
            model,
            BaseDataset(data, torch.zeros(len(data))),
            training_config=config,
            callbacks=[InTrainer(clock)],
        ).train()
    return sum(p.numel() for p in model.parameters())


def uses(images: np.ndarray, case: Any) -> dict[str, Callable]:
    model, data = _model(images, case), tensor(images)
    model.eval()

    def batches(method: Callable) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([method(part) for part in data.split(case.batch_size)]).numpy()

    return {
        "encode": lambda: batches(model.embed),
        "reconstruct": lambda: batches(model.reconstruct),
        "sample": lambda: NormalSampler(model).sample(len(images), batch_size=case.batch_size),
    }
