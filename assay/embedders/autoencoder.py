"""A small convolutional autoencoder of 32 × 32 images, trained on the dataset itself: no weights needed.

A few thousand steps at most, seeded and in a fixed order, so that two homes learn the same. Its code is the vector.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import nn

from assay.contracts.spec import Spec
from assay.embedders.base import FittedEmbedder
from assay.embedders.basis import Basis
from assay.embedders.torch_model import TorchEmbedder, sized_batch
from assay.modalities.image.decode import decode_rgb

DIMENSIONS = 64
_SIDE = 32
_STEPS, _EPOCHS, _ROWS = 1_500, 40, 64  # training stops at whichever of steps and epochs comes first


class Autoencoder(TorchEmbedder, FittedEmbedder):
    """The encoder half of the trained network."""

    def __init__(self, spec: Spec, basis: Basis, device: str) -> None:
        TorchEmbedder.__init__(self, device, "fp32")
        FittedEmbedder.__init__(self, basis)
        self._spec = spec
        self._wanted = spec.embed.dimensions or DIMENSIONS
        self.batch_size = sized_batch(device, spec.embed.batch_size, _SIDE * _SIDE)
        self._encoder: nn.Module | None = None

    @property
    def dimensions(self) -> int:
        return self._wanted

    def load(self) -> None:
        """Read the trained encoder. Raises `EmbedderError` where it is damaged."""
        if self._encoder is not None:
            return
        stored = self.basis.load()
        encoder, _ = _networks(self._wanted)
        encoder.load_state_dict({name: torch.from_numpy(stored[name]) for name in encoder.state_dict()})
        self._centre = torch.from_numpy(stored["centre"]).to(self.device)
        self._encoder = encoder.eval().requires_grad_(False).to(self.device)

    def prepare(self, item: bytes) -> np.ndarray:
        """uint8 (3, 32, 32) of an image's bytes. Raises `UnreadableSample`."""
        image = decode_rgb(item, self._spec.clean.max_pixels).image
        small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=3.0)
        return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        assert self._encoder is not None, "load first"
        codes: torch.Tensor = self._encoder(batch.float() / 255.0)
        return codes - self._centre

    def fit(self, prepared: list[np.ndarray]) -> None:
        """Train on the prepared images and store the encoder and the mean of its codes."""
        images = torch.from_numpy(np.stack(prepared))
        with _repeatable(self._spec.embed.seed, self.device):
            encoder, decoder = (network.to(self.device) for network in _networks(self._wanted))
            _train(encoder, decoder, images, self.device, self._spec.embed.seed)
        encoder.eval()
        with torch.inference_mode():
            codes = [encoder(part.to(self.device).float() / 255.0).cpu() for part in images.split(256)]
        centre = torch.cat(codes).double().mean(dim=0).float()
        weights = {name: value.cpu().numpy() for name, value in encoder.state_dict().items()}
        self.basis.save(centre=centre.numpy(), **weights)


def _networks(dimensions: int) -> tuple[nn.Module, nn.Module]:
    """Encoder (n, 3, 32, 32) → (n, d) and decoder back."""
    encoder = nn.Sequential(
        nn.Conv2d(3, 16, 4, 2, 1), nn.GELU(), nn.Conv2d(16, 32, 4, 2, 1), nn.GELU(),
        nn.Conv2d(32, 64, 4, 2, 1), nn.GELU(), nn.Flatten(), nn.Linear(64 * 16, dimensions),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(dimensions, 64 * 16), nn.GELU(), nn.Unflatten(1, (64, 4, 4)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.GELU(), nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.GELU(),
        nn.ConvTranspose2d(16, 3, 4, 2, 1),
    )  # fmt: skip
    return encoder, decoder


def _train(encoder: nn.Module, decoder: nn.Module, images: torch.Tensor, device: torch.device, seed: int) -> None:
    """Adam on the mean squared error of the reconstruction, one-cycle learning rate."""
    per_epoch = max((len(images) + _ROWS - 1) // _ROWS, 1)
    steps = max(min(_STEPS, _EPOCHS * per_epoch), 1)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=max(steps, 2))
    shuffle = torch.Generator().manual_seed(seed)
    done = 0
    while done < steps:
        for rows in torch.randperm(len(images), generator=shuffle).split(_ROWS)[: steps - done]:
            batch = images[rows].to(device).float() / 255.0
            loss = nn.functional.mse_loss(decoder(encoder(batch)), batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            done += 1


@contextlib.contextmanager
def _repeatable(seed: int, device: torch.device) -> Iterator[None]:
    """Seeded, with deterministic kernels; the global random state is as before afterwards."""
    devices = [device] if device.type == "cuda" else []
    before = torch.backends.cudnn.deterministic
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        torch.backends.cudnn.deterministic = True
        try:
            yield
        finally:
            torch.backends.cudnn.deterministic = before
