"""Where a model's files are, what they digest to, and that a local model never asks the network."""

import contextlib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec

LOCAL = "local-dir:"
PACKAGE = "package:"
_GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, under Windows, AMD
_OTHERS = {
    "file": 'kind = "pca" or "autoencoder" (no weights needed), or model = "local-dir:PATH" (an open_clip folder)',
    "text": 'kind = "lsa" (no weights needed), or kind = "sentence_transformers" with model = "local-dir:PATH"',
}


def refuse(spec: Spec, found: str) -> EmbedderError:
    """The error for an embedder that cannot be had: what was found, and what would work instead."""
    others = _OTHERS.get(spec.data.content, 'modality = "vectors", with vectors of your own')
    return EmbedderError(
        f"{found}. Nothing was embedded, and no other embedder is taken in its place. "
        f"Choices for [embed] that work here: {others}; `assay embedders` lists them all"
    )


def local_folder(spec: Spec, model: str) -> Path | None:
    """The folder of a `local-dir:PATH` (relative to the spec) or `package:NAME` model; None for other names.

    Raises:
        EmbedderError: it names a folder or package that is not there.
    """
    if model.startswith(PACKAGE):
        return _package_folder(spec, model.removeprefix(PACKAGE))
    if not model.startswith(LOCAL):
        return None
    given = model.removeprefix(LOCAL)
    folder = spec.base / Path(os.path.expanduser(given))
    if not given or not folder.is_dir():
        raise refuse(spec, f'embed.model = "{model}": there is no folder {folder}')
    return folder.resolve()


def _package_folder(spec: Spec, name: str) -> Path:
    """The folder with `modules.json` inside an installed package that carries its model."""
    found = importlib.util.find_spec(name.replace("-", "_")) if name.replace("-", "_").isidentifier() else None
    for place in (found.submodule_search_locations or []) if found else []:
        for marker in sorted(Path(place).glob("**/modules.json")):
            return marker.parent
    raise refuse(spec, f'embed.model = "{PACKAGE}{name}": no installed package of that name carries a model')


def digest_file(file: Path) -> str:
    """SHA-256 of a model's file, hex.

    Raises:
        EmbedderError: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EmbedderError(
            f"the model's file {file} cannot be read: {error.strerror}; check its permissions"
        ) from error


def resolve_device(wanted: str) -> str:
    """`auto` as cuda where there is a usable GPU, else cpu; importing torch only where there may be one."""
    if wanted == "auto" and sys.platform.startswith("linux") and not any(Path(place).exists() for place in _GPUS):
        return "cpu"
    import torch

    if wanted in ("auto", "cuda") and torch.cuda.is_available():
        return "cuda"
    if wanted in ("auto", "mps") and torch.backends.mps.is_available():
        return "mps"
    if wanted in ("auto", "cpu"):
        return "cpu"
    raise EmbedderError(f'embed.device = "{wanted}", but torch finds none here; use "auto" or "cpu"')


def decodes_on_gpu(spec: Spec, device: str) -> bool:
    """Whether JPEGs are decoded by the GPU, as `embed.decode` says.

    Raises:
        EmbedderError: they are to be, and there is no GPU that could.
    """
    if spec.embed.decode == "gpu" and device != "cuda":
        raise EmbedderError(f'embed.decode = "gpu", but the device is "{device}"; use "auto" or "cpu"')
    files = spec.data.content == "file" and not spec.data.reader and not spec.data.parts
    return device == "cuda" and sys.platform.startswith("linux") and spec.embed.decode != "cpu" and files


def how_computed(spec: Spec, device: str, precision: str, pictures: bool = True) -> dict[str, str]:
    """What a fingerprint says of how a model computes, beside its precision; `pictures`: it is given some."""
    weights = {} if precision == "fp32" else {"weights_in": precision}
    return weights | ({"jpegs": "nvjpeg"} if pictures and decodes_on_gpu(spec, device) else {})


def resolve_precision(wanted: str, device: str) -> str:
    """`auto` as bf16 on a GPU and fp32 elsewhere."""
    return ("bf16" if device == "cuda" else "fp32") if wanted == "auto" else wanted


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """While inside, the Hugging Face libraries do not use the network; as before afterwards."""
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import constants

    known, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = known if before is not None else False
        os.environ.pop("HF_HUB_OFFLINE") if before is None else os.environ.update(HF_HUB_OFFLINE=before)


def package_installed(name: str) -> bool:
    """Whether `import name` would find something, without importing it."""
    return importlib.util.find_spec(name) is not None


def first_line(error: Exception) -> str:
    """What a library said, short enough for a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
