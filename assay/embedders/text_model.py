"""Texts through a torch model with a tokenizer: what is read of each, windows, and batches that halve."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from assay.contracts.spec import Spec
from assay.embedders.base import Collect, Embedder
from assay.embedders.torch_model import autocast, is_out_of_memory, out_of_memory
from assay.embedders.windows import Windows, mean_of_windows, read_windows

MOST_TOKENS = 1_000_000  # a tokenizer without a limit has a far greater one


class TextModel(Embedder):
    """Base: `_encode` maps texts to vectors; `_tokenizer`, `_limit` and `_room` are set by `load`.

    `_limit` is how many tokens the model reads, `_room` how many of a text; both None where it reads any number.
    """

    one_driver = True  # tokenizers refuse two threads at once; torch uses all cores within a batch
    _tokenizer: Any = None
    _limit: int | None = None
    _room: int | None = None

    def __init__(self, spec: Spec, fingerprint: str, device: str, precision: str) -> None:
        self.fingerprint = fingerprint
        self._spec, self._device, self._precision = spec, device, precision
        self._inner = spec.embed.batch_size or (32 if device == "cpu" else 256)
        self.batch_size = max(256, self._inner)  # sorted by length inside, so that little is padded
        self._tokenizing = threading.Lock()

    def _encode(self, texts: list[str], batch_size: int) -> npt.NDArray[np.float32]:
        raise NotImplementedError

    def _count(self, text: str) -> int:
        with self._tokenizing:
            return len(self._tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    def prepare(self, item: str) -> Windows:
        """The text as it is, which the model cuts at its own length, or its windows. Lone surrogates become
        replacement characters."""
        text = item.encode("utf-8", "replace").decode("utf-8")
        return read_windows(text, self._count, self._room, self._spec.embed.long_texts == "windows")

    def cut(self, prepared: Windows) -> tuple[int, int] | None:
        """In tokens."""
        if prepared.n_read == prepared.n_whole:
            return None
        assert self._limit is not None and self._room is not None, "what has no limit cuts nothing"
        added = self._limit - self._room
        return prepared.n_read + added, prepared.n_whole + added

    def collate(self, prepared: Sequence[Windows]) -> list[Windows]:
        """Texts of any length."""
        return list(prepared)

    def launch(self, batch: list[Windows], n: int) -> Collect:
        """Vectors of a batch, in halves when memory runs out. Raises `EmbedderError` as `TorchEmbedder.launch`."""
        pieces = [piece for text in batch for piece in text.pieces]
        counts = [len(text.pieces) for text in batch]
        while True:
            try:
                vectors = mean_of_windows(self._run(pieces), counts)
                return lambda: vectors
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self._inner == 1:
                    raise out_of_memory(error) from error
                self._inner //= 2

    def _run(self, texts: list[str]) -> npt.NDArray[np.float32]:
        with torch.inference_mode(), autocast(self._device, self._precision):
            return self._encode(texts, self._inner)
