"""How a picture gets the size that a model wants: resized, then its middle cut out. In Pillow in a worker process,
which need not load torch, or in torch on a GPU. Both resize with antialiasing and round to 8 bits in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    import torch

LONGEST_ASPECT = 20  # longer strips are cut around their centre, which is all that a centre crop keeps of them
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Geometry:
    """A resize and a crop.

    Attributes:
        resize: pixels of the shorter side, or (height, width).
        filter: `bicubic` or `bilinear`.
        crop: (height, width) of what is cut out of the middle, at most the resized picture; None: all of it.
    """

    resize: int | tuple[int, int]
    filter: str
    crop: tuple[int, int] | None = None

    @classmethod
    def of(cls, steps: Sequence[Any]) -> "Geometry | None":
        """What the steps of a preprocessing of torchvision do to an RGB picture's size; None where they do more than a
        resize and a crop."""
        named = {type(step).__name__: step for step in steps}
        named.pop("MaybeConvertMode", None)  # open_clip's, to RGB
        resize, crop = named.pop("Resize", None), named.pop("CenterCrop", None)
        if resize is None or named or resize.interpolation.value not in _FILTERS or resize.max_size is not None:
            return None
        sides = resize.size if isinstance(resize.size, int) else tuple(resize.size)
        if isinstance(sides, tuple) and len(sides) == 1:
            sides = sides[0]
        cut = None if crop is None else (int(crop.size[0]), int(crop.size[1]))
        least = (sides, sides) if isinstance(sides, int) else sides
        if cut is None and isinstance(sides, int):  # each picture would have a size of its own
            return None
        if cut and (cut[0] > least[0] or cut[1] > least[1]):  # it would have to be padded
            return None
        return cls(sides, resize.interpolation.value, cut)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        size = self.crop or self.resize
        assert isinstance(size, tuple)
        return size

    def in_pillow(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """An RGB picture as uint8 (height, width, 3)."""
        image = cut_strip(image) if self.crop else image
        height, width = self._resized(image.height, image.width)
        image = image.resize((width, height), _FILTERS[self.filter])
        if self.crop:
            top, left = self._corner(height, width)
            image = image.crop((left, top, left + self.crop[1], top + self.crop[0]))
        return np.asarray(image)

    def in_torch(self, pictures: "torch.Tensor") -> "torch.Tensor":
        """uint8 (n, 3, H, W) pictures of one size as uint8 (n, 3, height, width), on their device."""
        from torch.nn.functional import interpolate

        height, width = self._resized(*pictures.shape[2:])
        wide = interpolate(pictures.float(), (height, width), mode=self.filter, antialias=True)
        if self.crop:
            top, left = self._corner(height, width)
            wide = wide[:, :, top : top + self.crop[0], left : left + self.crop[1]]
        return wide.round_().clamp_(0, 255).byte()

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def _corner(self, height: int, width: int) -> tuple[int, int]:
        assert self.crop
        return round((height - self.crop[0]) / 2.0), round((width - self.crop[1]) / 2.0)


def cut_strip(image: Image.Image) -> Image.Image:
    """The middle of an image more than 20 times as long as wide; others as they are.

    Resizing such a strip's short side to the model's size would take any amount of memory, for a centre crop.
    """
    width, height = image.size
    longest = LONGEST_ASPECT * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(width - longest, 0) // 2, max(height - longest, 0) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
