"""sentence-transformers models for texts: a folder, an installed package that carries one, or a name on the hub."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from sentence_transformers import SentenceTransformer

from assay.contracts.spec import Spec
from assay.embedders.base import Collect, Embedder
from assay.embedders.torch_model import autocast, is_out_of_memory, out_of_memory
from assay.embedders.weights import first_line, offline, refuse


def fetch(spec: Spec, name: str) -> Path:
    """The folder of a model on the hub: from the usual cache, else fetched once.

    Raises:
        EmbedderError: there is no such model, or it cannot be fetched.
    """
    from huggingface_hub import snapshot_download

    repository = name if "/" in name else f"sentence-transformers/{name}"
    wanted = ("*.json", "*.txt", "*.model", "*.safetensors")
    try:
        with contextlib.suppress(FileNotFoundError):
            return Path(snapshot_download(repository, allow_patterns=wanted, local_files_only=True))
        return Path(snapshot_download(repository, allow_patterns=wanted))
    except Exception as error:
        raise refuse(spec, f'embed.model = "{name}" cannot be fetched: {first_line(error)}') from error


class Sentences(Embedder):
    """`SentenceTransformer.encode`; no code from the model's folder is run, and only safetensors are read."""

    one_driver = True  # its tokenizer refuses two threads at once; torch uses all cores within a batch

    def __init__(self, spec: Spec, fingerprint: str, folder: Path, device: str, precision: str):
        self.fingerprint = fingerprint
        self._spec, self._folder, self._device, self._precision = spec, folder, device, precision
        self._model: SentenceTransformer | None = None
        self._inner = spec.embed.batch_size or (32 if device == "cpu" else 256)
        self.batch_size = max(256, self._inner)  # sorted by length inside, so that little is padded

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension())

    def load(self) -> None:
        """Bring the model into memory. Raises `EmbedderError` where its files are damaged or not safetensors."""
        if self._model is not None:
            return
        transformers.utils.logging.disable_progress_bar()
        try:
            with offline():
                self._model = SentenceTransformer(
                    str(self._folder), device=self._device, local_files_only=True, trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )  # fmt: skip
        except Exception as error:
            raise refuse(
                self._spec, f"sentence-transformers cannot load {self._folder}: {first_line(error)}"
            ) from error
        self._model.eval().requires_grad_(False)

    def prepare(self, item: str) -> str:
        """The text as it is; the model cuts it at its own length. Lone surrogates become replacement characters."""
        return item.encode("utf-8", "replace").decode("utf-8")

    def collate(self, prepared: Sequence[str]) -> list[str]:
        return list(prepared)

    def launch(self, batch: list[str], n: int) -> Collect:
        """Vectors of a batch, in halves when memory runs out. Raises `EmbedderError` as `TorchEmbedder.launch`."""
        while True:
            try:
                vectors = self._run(batch)
                return lambda: vectors
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self._inner == 1:
                    raise out_of_memory(error) from error
                self._inner //= 2

    @torch.inference_mode()
    def _run(self, batch: list[str]) -> np.ndarray:
        with autocast(self._device, self._precision):
            found = self._model.encode(batch, batch_size=self._inner, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, dtype=np.float32)
