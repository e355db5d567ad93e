"""A model of transformers in a folder: loaded without the network, from safetensors alone, no code of its own run."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
import transformers

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.base import Embedder
from assay.embedders.hub import broken_torchaudio
from assay.embedders.weights import first_line, offline, refuse

LOCALLY: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
T = TypeVar("T")


class FolderTower(Embedder):
    """A tower of a folder whose samples are of any size: no code from the folder, and only safetensors."""

    one_driver = True
    _dimensions: int
    together: ClassVar[tuple[int, int]]  # samples in a forward pass where the spec does not say: on the CPU, on a GPU

    def __init__(self, spec: Spec, fingerprint: str, folder: Path, device: str, precision: str) -> None:
        self.fingerprint = fingerprint
        self._spec, self._folder, self._device, self._precision = spec, folder, device, precision
        self._inner = spec.embed.batch_size or self.together[device != "cpu"]
        self._model: torch.nn.Module | None = None

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return self._dimensions

    def collate(self, prepared: Sequence[T]) -> list[T]:
        """Samples of any size are not stacked."""
        return list(prepared)


@contextlib.contextmanager
def folder_is_loadable(spec: Spec, folder: Path) -> Iterator[None]:
    """Inside the block the folder is loaded, offline. Raises `EmbedderError` for whatever transformers raises."""
    transformers.utils.logging.disable_progress_bar()
    try:
        with offline():
            yield
    except EmbedderError:
        raise
    except Exception as error:
        said = broken_torchaudio() or f"transformers cannot load {folder}: {first_line(error)}"
        raise refuse(spec, said) from error


def load_model(spec: Spec, folder: Path) -> Any:
    """The folder's `AutoModel`.

    Raises:
        EmbedderError: weights of the model are missing in its files; without these they are random. A pooling layer
            may be missing, for it is not used.
    """
    model, report = transformers.AutoModel.from_pretrained(
        str(folder), use_safetensors=True, output_loading_info=True, **LOCALLY
    )
    missing = [name for name in map(str, report.get("missing_keys") or ()) if "pooler" not in name]
    if missing:
        raise refuse(spec, f"{folder} lacks {len(missing)} of the model's weights, such as {sorted(missing)[0]!r}")
    return model
