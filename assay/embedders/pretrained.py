"""Towers with weights of their own through plain transformers and timm: which files, which fingerprint.

`embed.model` is a folder (`local-dir:PATH`), or a name on the hub. Only safetensors are read, and no code of a model's.
"""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import polars as pl

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.base import Embedder
from assay.embedders.basis import fingerprint_of
from assay.embedders.hub import fetch, import_module
from assay.embedders.registry import MODEL_FILES, Plan, long_texts, text_steps
from assay.embedders.trust import refuse_foreign_code
from assay.embedders.weights import (
    LOCAL,
    digest_file,
    how_computed,
    local_folder,
    package_installed,
    refuse,
    resolve_device,
    resolve_precision,
)
from assay.modalities.pairs.towers import has_text_tower
from assay.store.workspace import Workspace

FACES = {  # what is embedded → its class
    "text": ("assay.embedders.transformers_text", "TextTower"),
    "sound": ("assay.embedders.transformers_sound", "SoundTower"),
    "video": ("assay.embedders.transformers_video", "VideoTower"),
}


def transformers(spec: Spec, _workspace: Workspace, _hashes: pl.Series, tower: str) -> Plan:
    """A tower of transformers: of texts BERT and its kin, of sounds wav2vec2, HuBERT, CLAP, AST, Whisper, of videos
    VideoMAE, TimeSformer, ViViT, V-JEPA 2. `tower="text"` is the text tower of a model of sounds, which CLAP has.

    Raises:
        EmbedderError: the package or the model's files cannot be had, or it does not take such data.
    """
    face = spec.data.face.kind
    if face not in FACES:
        raise EmbedderError(f'embed.kind = "transformers" embeds texts, sounds and videos, not {spec.data.face.plural}')
    folder = _folder(spec, "transformers", spec.embed.model)
    if tower == "text":
        if not has_text_tower("transformers", f"{LOCAL}{folder}", spec.base):
            raise EmbedderError(f"{folder} has no text tower; of the models that transformers reads only CLAP has one")
        words: dict[str, object] = {"tower": tower, "long_texts": long_texts(spec, tower), "preprocessing": 1}
        return _plan(spec, "transformers", folder, "assay.embedders.transformers_text", "ClapWords", words)
    module, name = FACES[face]
    settings: dict[str, object] = {
        "text": text_steps(spec), "long_texts": long_texts(spec, face), "preprocessing": 1,
        "pooling": spec.embed.pooling if face == "text" else None,
    }  # fmt: skip
    return replace(_plan(spec, "transformers", folder, module, name, settings), whole=True)


def timm(spec: Spec, _workspace: Workspace, _hashes: pl.Series, _tower: str) -> Plan:
    """An image model of timm: its features, or its logits. Raises `EmbedderError` as `transformers`."""
    if spec.data.face.kind not in ("picture", "boxes", "captioned", "video"):
        raise EmbedderError(f'embed.kind = "timm" embeds images, not {spec.data.face.plural}')
    name = spec.embed.model
    folder = _folder(spec, "timm", name if "/" in name or not name else f"timm/{name}")
    settings: dict[str, object] = {
        "outputs": spec.embed.outputs, "image_size": spec.embed.image_size, "preprocessing": 1,
        "library": version("timm"),
    }  # fmt: skip
    device = resolve_device(spec.embed.device)
    settings |= how_computed(spec, device, resolve_precision(spec.embed.precision, device))
    return _plan(spec, "timm", folder, "assay.embedders.timm_model", "TimmModel", settings)


def _folder(spec: Spec, package: str, repository: str) -> Path:
    """The model's folder, looked through for code.

    Raises:
        EmbedderError: the package is not installed, there is no such folder, or it holds no such model.
    """
    if not package_installed(package):
        raise refuse(spec, f'embed.kind = "{spec.embed.kind}" needs the package {package}, which is not installed')
    if not spec.embed.model:
        raise refuse(spec, f'embed.kind = "{spec.embed.kind}" needs embed.model: a name, or "local-dir:PATH"')
    folder = local_folder(spec, spec.embed.model) or fetch(spec, repository)
    if not (folder / "config.json").is_file():
        raise refuse(spec, f"{folder} holds no config.json, so it is not a model of {package}")
    if not list(folder.glob("*.safetensors")):
        raise refuse(spec, f"{folder} holds no safetensors; weights of other kinds are not read")
    refuse_foreign_code(spec, folder)
    return folder


def _plan(spec: Spec, kind: str, folder: Path, module: str, name: str, settings: dict[str, object]) -> Plan:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in MODEL_FILES)
    weights = {file.relative_to(folder).as_posix(): digest_file(file) for file in files}
    device = resolve_device(spec.embed.device)
    precision = resolve_precision(spec.embed.precision, device)
    fingerprint = fingerprint_of(
        kind=kind, weights=weights, precision=precision, storage=spec.embed.storage, **settings
    )  # fmt: skip

    def build() -> Embedder:
        made: Embedder = getattr(import_module(module), name)(spec, fingerprint, folder, device, precision)
        return made

    return Plan(kind, fingerprint, build)
