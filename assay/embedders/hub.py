"""Models on the Hugging Face hub: from the usual cache, else fetched once; and whether their libraries can be had."""

import contextlib
import importlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.weights import first_line, package_installed, refuse

FILES = ("*.json", "*.txt", "*.model", "*.safetensors")  # no pickles, no code


def fetch(spec: Spec, repository: str, files: Sequence[str] = FILES) -> Path:
    """The folder of a model on the hub.

    Raises:
        EmbedderError: there is no such model, or it cannot be fetched.
    """
    if not package_installed("huggingface_hub"):
        raise refuse(spec, f'embed.model = "{spec.embed.model}" needs the package huggingface_hub to be fetched')
    from huggingface_hub import snapshot_download

    try:
        with contextlib.suppress(FileNotFoundError):
            return Path(snapshot_download(repository, allow_patterns=list(files), local_files_only=True))
        return Path(snapshot_download(repository, allow_patterns=list(files)))
    except Exception as error:
        raise refuse(spec, f'embed.model = "{spec.embed.model}" cannot be fetched: {first_line(error)}') from error


def import_module(module: str) -> Any:
    """A module that imports transformers or timm.

    Raises:
        EmbedderError: it cannot be imported; where a torchaudio is the reason, this is said, for transformers itself
            names something else.
    """
    try:
        return importlib.import_module(module)
    except EmbedderError:
        raise
    except Exception as error:  # a library that does not fit another one raises anything
        raise EmbedderError(why_not(error)) from error


def why_not(error: Exception) -> str:
    """Why a library cannot be imported or a model not be loaded, and what to do."""
    found = broken_torchaudio()
    if found:
        return found
    return f"a library of the embedder cannot be imported: {first_line(error)}; reinstall it"


def broken_torchaudio() -> str:
    """What is wrong with the installed torchaudio; empty where there is none, or it works."""
    if not package_installed("torchaudio"):
        return ""
    try:
        importlib.import_module("torchaudio")
    except Exception as error:
        return (
            f"torchaudio {_version('torchaudio')} is installed and does not fit torch {_version('torch')} "
            f"({first_line(error)}), and transformers fails with it. assay needs none: `pip uninstall torchaudio`"
        )
    return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
