"""Any open_clip model for images or texts: a name and pretrained tag, `hf-hub:ORG/REPO` or `local-dir:PATH`.

The vectors are those of open_clip's own preprocessing and `encode_image` or `encode_text`; only the order of work
differs: resizing and cropping in Pillow on the worker (open_clip's own transforms), scaling and normalizing a whole
batch on the device. Weights are read as safetensors or with `weights_only`, never as free pickles.
"""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torchvision.transforms import Normalize

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.base import Collect
from assay.embedders.geometry import cut_strip
from assay.embedders.torch_model import TorchEmbedder, sized_batch
from assay.embedders.weights import LOCAL, decodes_on_gpu, first_line, offline, refuse
from assay.embedders.windows import mean_of_windows, read_windows
from assay.modalities.image.decode import decode_rgb

MARKS = 2  # tokens at a text's start and end


@dataclass(frozen=True)
class TokenWindows:
    """A text's windows as token ids (w, context), with how many tokens the model reads and how many there are."""

    ids: np.ndarray
    n_read: int
    n_whole: int


class OpenClip(TorchEmbedder):
    """One tower of an open_clip model. `name` and `pretrained` are as open_clip takes them; `tower` image or text."""

    def __init__(
        self, spec: Spec, fingerprint: str, tower: str, name: str, pretrained: str | None, device: str, precision: str
    ) -> None:
        super().__init__(device, precision)
        self.fingerprint = fingerprint
        self._spec, self._tower, self._name, self._pretrained = spec, tower, name, pretrained
        self.decodes = tower == "image" and decodes_on_gpu(spec, device)
        self._model: Any = None
        self._tokenizing = threading.Lock()  # Hugging Face's fast tokenizers refuse to be used by two threads at once

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def load(self) -> None:
        """Bring the tower into memory.

        Raises:
            EmbedderError: the weights do not fit the model, are damaged or cannot be had.
        """
        if self._model is not None:
            return
        local = self._name.startswith(LOCAL)
        with offline() if local else contextlib.nullcontext():
            try:
                model, _, transform = open_clip.create_model_and_transforms(
                    self._name, pretrained=self._pretrained, weights_only=True, require_pretrained=True
                )
                self._tokenizer: Any = open_clip.get_tokenizer(self._name) if self._tower == "text" else None
            except Exception as error:  # open_clip, timm and the hub raise anything
                raise refuse(self._spec, f"open_clip cannot load {self._name!r}: {first_line(error)}") from error
        self._room = self._tokens_read() if self._tower == "text" else 0
        self._dimensions = int(open_clip.get_model_config(self._name)["embed_dim"])
        if self._tower == "image":
            self._set_preprocessing(transform)
            self.decode_on_device(self._steps, self._spec)
        self.batch_size = sized_batch(self.device.type, self._spec.embed.batch_size, self._pixels)
        self._keep_tower(model)

    def _keep_tower(self, model: Any) -> None:
        """Hold on to the tower that is used and let go of the other."""
        others = ("transformer", "token_embedding", "text", "text_decoder") if self._tower == "image" else ("visual",)
        for name in others:
            if name in model._modules:
                setattr(model, name, None)
        model.eval().requires_grad_(False)
        if self._tower == "image":
            model = model.to(memory_format=torch.channels_last)
        torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32
        self._model = model.to(self.device, self.dtype)

    def _set_preprocessing(self, transform: Any) -> None:
        """Split open_clip's transform into its geometry (on the worker) and its scaling (on the device)."""
        *self._steps, to_tensor, normalize = transform.transforms
        if not isinstance(normalize, Normalize) or type(to_tensor).__name__ not in ("MaybeToTensor", "ToTensor"):
            raise EmbedderError(f"open_clip's preprocessing has changed: {transform}; use open_clip_torch 3.x")
        self._mean = torch.tensor(normalize.mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(normalize.std, device=self.device).view(1, 3, 1, 1)
        self._cuts_strips = any(type(step).__name__ == "CenterCrop" for step in self._steps)
        self._pixels = int(np.prod(self._shape(Image.new("RGB", (32, 32))).shape[:2]))

    _pixels = 77 * 77  # of a text: a small input

    def prepare(self, item: Any) -> "np.ndarray | TokenWindows":
        """An image's bytes as uint8 (height, width, 3) of the model's size, or a text as token ids of its windows.

        Raises:
            UnreadableSample: the bytes are no image that can be read.
        """
        if self._tower == "text":
            windows = self._spec.embed.long_texts == "windows"
            found = read_windows(item, self._count, self._room, windows)
            with self._tokenizing:
                return TokenWindows(self._tokenizer(list(found.pieces)).numpy(), found.n_read, found.n_whole)
        return self._shape(decode_rgb(item, self._spec.clean.max_pixels).image)

    def _tokens_read(self) -> int:
        """How many tokens of a text the model reads, beside those that mark its start and end."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        return self._tokenizer.context_length - (inner.num_special_tokens_to_add() if inner is not None else MARKS)

    def _count(self, text: str) -> int:
        """The tokens of a text, however many, without its start and end."""
        tokenizer = self._tokenizer
        with self._tokenizing:
            if hasattr(tokenizer, "encode"):
                return len(tokenizer.encode(text))
            return len(tokenizer.tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"])

    def cut(self, prepared: "np.ndarray | TokenWindows") -> tuple[int, int] | None:
        """Of a text, in tokens."""
        if isinstance(prepared, np.ndarray) or prepared.n_read == prepared.n_whole:
            return None
        added = self._tokenizer.context_length - self._room
        return prepared.n_read + added, prepared.n_whole + added

    def collate(self, prepared: Sequence[Any]) -> Any:
        """A batch of images; of texts all windows, and how many each text has."""
        if self._tower == "image":
            return super().collate(prepared)
        return super().collate([row for text in prepared for row in text.ids]), [len(text.ids) for text in prepared]

    def launch(self, batch: Any, n: int) -> Collect:
        """As `TorchEmbedder.launch`; a text's vector is the mean of its windows'."""
        if self._tower == "image":
            return super().launch(batch, n)
        ids, counts = batch
        collect = super().launch(ids, sum(counts))
        return lambda: mean_of_windows(collect(), counts)

    def _shape(self, image: Image.Image) -> np.ndarray:
        if self._cuts_strips:
            image = cut_strip(image)
        for step in self._steps:
            image = step(image)
        return np.asarray(image)

    def _forward(self, batch: torch.Tensor) -> Any:
        """Vectors of a batch of pixels (uint8, channels last) or of token ids."""
        if self._tower == "text":
            return self._model.encode_text(batch)
        pixels = batch.permute(0, 3, 1, 2).float().div_(255.0).sub_(self._mean).div_(self._std)
        return self._model.encode_image(pixels.to(self.dtype))
