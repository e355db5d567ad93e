"""sentence-transformers models for texts: a folder, an installed package that carries one, or a name on the hub."""

import contextlib
import copy
import threading
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
from assay.embedders.windows import Windows, mean_of_windows, read_windows

MOST_TOKENS = 1_000_000  # a tokenizer without a limit has a far greater one


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
        self._tokenizing = threading.Lock()

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
        self._tokenizer = copy.deepcopy(getattr(self._model, "tokenizer", None))  # the model's is in use meanwhile
        self._room = self._tokens_read()

    def _tokens_read(self) -> int | None:
        """How many tokens of a text the model reads, beside those that it adds; None where it reads any number."""
        limit = self._model.get_max_seq_length()
        if not limit or limit > MOST_TOKENS or self._tokenizer is None:
            return None
        prompt = (self._model.prompts or {}).get(self._model.default_prompt_name or "", "")
        added = self._tokenizer.num_special_tokens_to_add() if hasattr(self._tokenizer, "vocab_size") else 0
        return max(int(limit) - added - (self._count(prompt) if prompt else 0), 1)

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
        added = int(self._model.get_max_seq_length()) - self._room
        return prepared.n_read + added, prepared.n_whole + added

    def collate(self, prepared: Sequence[Windows]) -> list[Windows]:
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

    @torch.inference_mode()
    def _run(self, batch: list[str]) -> np.ndarray:
        with autocast(self._device, self._precision):
            found = self._model.encode(batch, batch_size=self._inner, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, dtype=np.float32)
