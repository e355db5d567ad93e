"""Texts through an encoder of plain transformers (BERT, RoBERTa, MPNet, …): the mean of its last layer, or its first
token (CLS), by `embed.pooling`. The words of CLAP, by which its sounds are searched and their captions judged."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import transformers

from assay.contracts.spec import Spec
from assay.embedders.text_model import MOST_TOKENS, TextModel
from assay.embedders.transformers_folder import LOCALLY, folder_is_loadable, load_model

FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet", "clap_text_model")


class TextTower(TextModel):
    """`AutoModel` and `AutoTokenizer` of a folder; no code from the folder is run, and only safetensors are read."""

    def __init__(self, spec: Spec, fingerprint: str, folder: Path, device: str, precision: str) -> None:
        super().__init__(spec, fingerprint, device, precision)
        self._folder = folder
        self._model: torch.nn.Module | None = None

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return self._dimensions

    def load(self) -> None:
        """Bring the model into memory. Raises `EmbedderError` where its files are damaged or those of another kind."""
        if self._model is not None:
            return
        with folder_is_loadable(self._spec, self._folder):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(self._folder), **LOCALLY)
            self._padding = transformers.AutoTokenizer.from_pretrained(str(self._folder), **LOCALLY)
            config = transformers.AutoConfig.from_pretrained(str(self._folder), **LOCALLY)
            model = load_model(self._spec, self._folder)
        if getattr(config, "is_encoder_decoder", False):
            model = model.get_encoder()
        self._model = model.eval().requires_grad_(False).to(self._device)
        self._dimensions = self._width(config)
        if self._padding.pad_token is None:
            self._padding.pad_token = self._padding.eos_token
        self._limit = _tokens(self._tokenizer, getattr(config, "text_config", config))
        if self._limit:
            self._room = max(self._limit - self._tokenizer.num_special_tokens_to_add(), 1)

    def _width(self, config: transformers.PretrainedConfig) -> int:
        return int(getattr(config, "hidden_size", 0) or config.d_model)

    def _encode(self, texts: list[str], batch_size: int) -> npt.NDArray[np.float32]:
        order = np.argsort([len(text) for text in texts], kind="stable")
        found = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            found[rows] = self._pooled([texts[row] for row in rows])
        return found

    def _padded(self, texts: list[str]) -> transformers.BatchEncoding:
        return self._padding(
            texts, padding=True, truncation=self._limit is not None, max_length=self._limit, return_tensors="pt"
        ).to(self._device)

    def _pooled(self, texts: list[str]) -> npt.NDArray[np.float32]:
        assert self._model is not None, "load first"
        tokens = self._padded(texts)
        hidden = self._model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"].float()
        if self._spec.embed.pooling == "cls":
            first = mask.argmax(dim=1)  # not 0 where the tokenizer pads on the left
            return _array(hidden[torch.arange(len(hidden), device=hidden.device), first])
        return _array((hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp_min(1.0))


class ClapWords(TextTower):
    """The text tower of CLAP, whose vectors lie in the space of its sounds'."""

    def _width(self, config: transformers.PretrainedConfig) -> int:
        return int(config.projection_dim)

    def _pooled(self, texts: list[str]) -> npt.NDArray[np.float32]:
        assert self._model is not None, "load first"
        found = self._model.get_text_features(**self._padded(texts))  # type: ignore[operator]
        return _array(getattr(found, "pooler_output", found).float())


def _array(values: torch.Tensor) -> npt.NDArray[np.float32]:
    return values.cpu().numpy().astype(np.float32)


def _tokens(tokenizer: transformers.PreTrainedTokenizerBase, config: transformers.PretrainedConfig) -> int | None:
    """How many tokens the model reads at once; None where it reads any number."""
    positions = int(getattr(config, "max_position_embeddings", 0) or 0)
    offset = getattr(config, "pad_token_id", 0) or 0
    if positions and getattr(config, "model_type", "") in FROM_PADDING:
        positions -= offset + 1  # they count positions from behind the padding token on
    known = [length for length in (int(tokenizer.model_max_length), positions) if 0 < length <= MOST_TOKENS]
    return min(known) if known else None
