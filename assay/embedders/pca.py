"""Principal components of small images, fitted on the dataset: no weights, no torch, seconds.

An image is squeezed to 32 × 32 luminance and 16 × 16 of each chroma channel (1,536 numbers). Its own mean luminance
is taken off, so that the cosine of two vectors is nearly the correlation of two pictures whatever their light, and
the rest is projected on the leading eigenvectors of the second moments of the dataset's own images. The mean of the
dataset is not taken off: what is unlike all of it would point to wherever its few relatives do.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from assay.contracts.spec import Spec
from assay.embedders.base import Collect, FittedEmbedder
from assay.embedders.basis import Basis
from assay.knn.principal import principal
from assay.modalities.image.decode import decode_rgb

DIMENSIONS = 128
FLAT = 128.0  # a last, constant dimension: where a picture without contrast points; 2 grey levels of 64 × 64
_FAINTEST = 1e-7  # components with less than this share of the first one's variance are noise of the arithmetic


class Components(FittedEmbedder):
    """Base of embedders whose vectors are `something @ components` and one constant dimension more."""

    _components: np.ndarray | None = None

    @property
    def dimensions(self) -> int:
        """Components and the constant one."""
        assert self._components is not None, "load first"
        return self._components.shape[1] + 1

    def load(self) -> None:
        """Read the stored basis. Raises `EmbedderError` where it is damaged."""
        if self._components is None:
            self._components = self.basis.load()["components"]


class ImagePca(Components):
    """`contrast(features) @ components`, then `FLAT`; float32."""

    def __init__(self, spec: Spec, basis: Basis) -> None:
        super().__init__(basis)
        self._max_pixels = spec.clean.max_pixels
        self._wanted = spec.embed.dimensions or DIMENSIONS
        self.batch_size = spec.embed.batch_size or 256

    def prepare(self, item: bytes) -> np.ndarray:
        """1,536 uint8 features of an image's bytes. Raises `UnreadableSample`."""
        return image_features(decode_rgb(item, self._max_pixels).image)

    def collate(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """A batch of the full shape, so that a row does not depend on how many others there are."""
        batch = np.zeros((max(self.batch_size, len(prepared)), len(prepared[0])), dtype=np.uint8)
        batch[: len(prepared)] = prepared
        return batch

    def launch(self, batch: np.ndarray, n: int) -> Collect:
        projected = contrast(batch) @ self._components
        vectors = np.hstack([projected, np.full((len(batch), 1), FLAT, dtype=np.float32)])
        return lambda: vectors[:n]

    def fit(self, prepared: list[np.ndarray]) -> None:
        """Eigenvectors of the second moments of the prepared features' contrast."""
        self.basis.save(components=leading_axes(contrast(np.stack(prepared)), max(1, self._wanted - 1)))


def image_features(image: Image.Image) -> np.ndarray:
    """uint8 (1536,): luminance at 32 × 32, then blue and red difference at 16 × 16 each."""
    luminance, blue, red = image.resize((32, 32), Image.Resampling.BOX, reducing_gap=3.0).convert("YCbCr").split()
    small = [channel.resize((16, 16), Image.Resampling.BOX) for channel in (blue, red)]
    return np.concatenate([np.asarray(channel).reshape(-1) for channel in (luminance, *small)])


def contrast(features: np.ndarray) -> np.ndarray:
    """float32 of `image_features` rows (n, 1536): luminance about each image's own mean, chroma about grey."""
    values = features.astype(np.float32)
    values[:, :1024] -= values[:, :1024].mean(axis=1, keepdims=True)
    values[:, 1024:] -= 128.0
    return values


def leading_axes(rows: np.ndarray, wanted: int) -> np.ndarray:
    """(d, k) float32: the leading axes of rows (n, d) about zero, k ≤ `wanted`; without any, a column of zeros."""
    found = principal(rows, centre=False)
    least = max(found.variance[0] * _FAINTEST, 1e-6 / len(rows)) if len(found.variance) else 0.0
    kept = found.axes[:, :wanted][:, found.variance[:wanted] > least]
    return np.ascontiguousarray(kept if kept.shape[1] else np.zeros((rows.shape[1], 1)), dtype=np.float32)
