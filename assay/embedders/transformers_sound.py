"""Sounds through the audio towers of transformers: wav2vec2, HuBERT, WavLM, AST, CLAP, Whisper.

A sound is made mono, resampled to what the model hears, parted into stretches of about equal length, none longer than
10 seconds, and its vector is the mean over all of them, each by its length. No torchaudio is needed.
"""

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from scipy.signal import resample_poly

from assay.embedders.base import Collect
from assay.embedders.torch_model import autocast, in_halves
from assay.embedders.transformers_folder import LOCALLY, FolderTower, folder_is_loadable, load_model
from assay.embedders.weights import refuse
from assay.modalities.audio.decode import decode

SECONDS = 10.0  # of a stretch
SHORTEST = 0.1  # seconds; shorter sounds are filled up with silence


@dataclass(frozen=True)
class Stretches:
    """A sound as the model gets it: float32 pieces in order, at the model's rate."""

    pieces: tuple[npt.NDArray[np.float32], ...]


class SoundTower(FolderTower):
    """`AutoModel` and `AutoFeatureExtractor` of a folder."""

    batch_size, together = 16, (4, 32)

    def load(self) -> None:
        """Bring the tower into memory. Raises `EmbedderError` where its files are damaged or those of another kind."""
        if self._model is not None:
            return
        with folder_is_loadable(self._spec, self._folder):
            self._extract = transformers.AutoFeatureExtractor.from_pretrained(str(self._folder), **LOCALLY)
            model = load_model(self._spec, self._folder)
        self._rate = int(getattr(self._extract, "sampling_rate", 0))
        if not self._rate:
            raise refuse(self._spec, f"{self._folder} is not a model of sounds: it names no sampling rate")
        self._kind = str(model.config.model_type)
        tower = model.get_encoder() if self._kind == "whisper" else model
        self._model = tower.eval().requires_grad_(False).to(self._device)
        silence = np.zeros(self._rate, dtype=np.float32)
        self._dimensions = self._run([silence]).shape[1]

    def prepare(self, item: bytes) -> Stretches:
        """A sound's bytes at the model's rate, in stretches. Raises `UnreadableSample`."""
        sound = decode(item, self._spec.clean.max_seconds)
        return Stretches(tuple(stretches(sound.mono(), sound.rate, self._rate)))

    def launch(self, batch: list[Stretches], n: int) -> Collect:
        """Vectors of a batch, in halves when memory runs out. Raises `EmbedderError` where one sound is too much."""
        pieces = [piece for sound in batch[:n] for piece in sound.pieces]
        owner = np.repeat(np.arange(n), [len(sound.pieces) for sound in batch[:n]])
        rows, self._inner = in_halves(self._run, pieces, self._inner)
        lengths = np.array([len(piece) for piece in pieces], dtype=np.float32)
        vectors = np.zeros((n, self._dimensions), dtype=np.float32)
        np.add.at(vectors, owner, rows * lengths[:, None])
        vectors /= np.bincount(owner, weights=lengths, minlength=n)[:, None].astype(np.float32)
        return lambda: vectors

    @torch.inference_mode()
    def _run(self, pieces: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """(n, d) of some pieces, each by itself: padding would change what some of these models hear."""
        with autocast(self._device, self._precision):
            return np.concatenate([self._one(piece) for piece in pieces])

    def _one(self, piece: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        assert self._model is not None, "load first"
        inputs = self._extract(piece, sampling_rate=self._rate, return_tensors="pt").to(self._device)
        if self._kind == "clap":
            found = self._model.get_audio_features(**inputs)  # type: ignore[operator]
            found = getattr(found, "pooler_output", found)
        elif self._kind == "audio-spectrogram-transformer":
            found = self._model(**inputs).pooler_output
        else:
            hidden = self._model(**inputs).last_hidden_state
            if self._kind == "whisper":  # it always hears 30 seconds: what follows the piece is silence
                heard = max(int(np.ceil(hidden.shape[1] * len(piece) / (30.0 * self._rate))), 1)
                hidden = hidden[:, :heard]
            found = hidden.mean(dim=1)
        return np.asarray(found.float().cpu().numpy(), dtype=np.float32)


def stretches(mono: npt.NDArray[np.float32], rate: int, wanted: int) -> list[npt.NDArray[np.float32]]:
    """A sound at the rate `wanted`, in stretches of about equal length, none longer than `SECONDS`."""
    values: Any = mono
    if rate != wanted:
        common = gcd(rate, wanted)
        values = resample_poly(mono, wanted // common, rate // common)
    least = int(SHORTEST * wanted)
    if len(values) < least:
        values = np.pad(values, (0, least - len(values)))
    parts = int(np.ceil(len(values) / (SECONDS * wanted)))
    return [np.ascontiguousarray(part, dtype=np.float32) for part in np.array_split(values, parts)]
