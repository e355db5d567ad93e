"""sentence-transformers models for texts: a folder, an installed package that carries one, or a name on the hub."""

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import transformers
from sentence_transformers import SentenceTransformer

from assay.contracts.spec import Spec
from assay.embedders.text_model import MOST_TOKENS, TextModel
from assay.embedders.weights import first_line, offline, refuse


class Sentences(TextModel):
    """`SentenceTransformer.encode`; no code from the model's folder is run, and only safetensors are read."""

    def __init__(self, spec: Spec, fingerprint: str, folder: Path, device: str, precision: str) -> None:
        super().__init__(spec, fingerprint, device, precision)
        self._folder = folder
        self._model: SentenceTransformer | None = None

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        assert self._model is not None, "load first"
        return int(self._model.get_embedding_dimension() or 0)

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
        limit = self._model.get_max_seq_length()
        if limit and limit <= MOST_TOKENS and self._tokenizer is not None:
            self._limit = int(limit)
            self._room = self._tokens_read(self._model, self._limit)

    def _tokens_read(self, model: SentenceTransformer, limit: int) -> int:
        """How many tokens of a text the model reads, beside those that it adds."""
        prompt = (model.prompts or {}).get(model.default_prompt_name or "", "")
        added = self._tokenizer.num_special_tokens_to_add() if hasattr(self._tokenizer, "vocab_size") else 0
        return max(limit - added - (self._count(prompt) if prompt else 0), 1)

    def _encode(self, texts: list[str], batch_size: int) -> npt.NDArray[np.float32]:
        assert self._model is not None, "load first"
        found = self._model.encode(texts, batch_size=batch_size, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, dtype=np.float32)
