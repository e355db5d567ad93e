"""Images through a model of timm: its pooled features, or with `embed.outputs = "logits"` what it says of each class.

`embed.image_size` (such as 256) resizes to a square of so many pixels; without it the model's own size and crop are
used. Only safetensors are read.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from assay.contracts.spec import Spec
from assay.embedders.geometry import cut_strip
from assay.embedders.torch_model import TorchEmbedder, sized_batch
from assay.embedders.weights import LOCAL, decodes_on_gpu, first_line, offline, refuse
from assay.modalities.image.decode import decode_rgb


class TimmModel(TorchEmbedder):
    """`timm.create_model` of a folder in timm's format (`config.json`, `model.safetensors`)."""

    def __init__(self, spec: Spec, fingerprint: str, folder: Path, device: str, precision: str) -> None:
        super().__init__(device, precision)
        self.fingerprint = fingerprint
        self._spec, self._folder = spec, folder
        self.decodes = decodes_on_gpu(spec, device)
        self._model: torch.nn.Module | None = None

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return self._dimensions

    def load(self) -> None:
        """Bring the model into memory. Raises `EmbedderError` where its files are damaged, or do not fit."""
        if self._model is not None:
            return
        if not (self._folder / "model.safetensors").is_file():
            raise refuse(self._spec, f"{self._folder} holds no model.safetensors")
        size = self._spec.embed.image_size
        options: dict[str, Any] = {"num_classes": 0} if self._spec.embed.outputs == "features" else {}
        try:
            with offline():
                model = timm.create_model(f"{LOCAL}{self._folder}", pretrained=True, **options)
                seen: dict[str, Any] = timm.data.resolve_model_data_config(model)  # type: ignore[attr-defined,no-untyped-call]
                self._prepare_geometry(seen, size)
                model.eval().requires_grad_(False)
                side = self._shape(Image.new("RGB", (64, 48))).shape
                with torch.inference_mode():
                    self._dimensions = int(model(torch.zeros(1, 3, *side[:2])).flatten(1).shape[1])
        except Exception as error:  # timm raises anything
            raise refuse(self._spec, f"timm cannot load {self._folder}: {first_line(error)}") from error
        self.batch_size = sized_batch(self.device.type, self._spec.embed.batch_size, side[0] * side[1])
        self._mean, self._std = (
            torch.tensor(seen[name], device=self.device).view(1, 3, 1, 1) for name in ("mean", "std")
        )
        self._model = model.to(self.device, self.dtype).to(memory_format=torch.channels_last)
        self.decode_on_device(self._steps, self._spec)

    def _prepare_geometry(self, seen: dict[str, Any], size: int) -> None:
        mode = InterpolationMode(str(seen["interpolation"]))
        if size:
            self._steps = [Resize((size, size), mode)]
            return
        height, width = (int(side) for side in tuple(seen["input_size"])[1:])
        whole = max(1.0, 1.0 / float(str(seen["crop_pct"])))
        self._steps = [Resize(int(min(height, width) * whole), mode), CenterCrop((height, width))]

    def prepare(self, item: bytes) -> npt.NDArray[np.uint8]:
        """uint8 (height, width, 3) of an image's bytes. Raises `UnreadableSample`."""
        return self._shape(decode_rgb(item, self._spec.clean.max_pixels).image)

    def _shape(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        image = cut_strip(image) if len(self._steps) > 1 else image
        for step in self._steps:
            image = step(image)
        return np.asarray(image)

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        assert self._model is not None, "load first"
        pixels = batch.permute(0, 3, 1, 2).float().div_(255.0).sub_(self._mean).div_(self._std)
        found: torch.Tensor = self._model(pixels.to(self.dtype))
        return found.flatten(1)
