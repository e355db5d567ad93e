"""The files of an open_clip model that is named and not given: looked up, and fetched once into the usual cache."""

from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.trust import refuse_foreign_code
from assay.embedders.weights import first_line, refuse

HUB = "hf-hub:"


def fetch_files(spec: Spec, name: str, pretrained: str) -> tuple[list[Path], dict[str, Any]]:
    """The weight files of a model, and the rest of its description as JSON values.

    Raises:
        EmbedderError: no such model or tag, or the files cannot be fetched.
    """
    if name.startswith(HUB):
        return _fetch_from_hub(spec, name.removeprefix(HUB))
    if name.replace("/", "-") not in open_clip.list_models():
        raise refuse(spec, f'embed.model = "{name}" is not an open_clip model; similar ones: {_near(name)}')
    if not pretrained:
        raise refuse(spec, f'embed.model = "{name}" needs embed.pretrained, one of: {_tags(name)}')
    if Path(pretrained).is_file():
        return [Path(pretrained)], {}
    config = get_pretrained_cfg(name.replace("/", "-"), pretrained)
    if not config:
        raise refuse(spec, f'embed.pretrained = "{pretrained}" is not a tag of {name}, which has: {_tags(name)}')
    try:
        return [Path(download_pretrained(config))], {key: str(value) for key, value in sorted(config.items())}
    except Exception as error:
        raise refuse(spec, f"the weights of {name} ({pretrained}) cannot be fetched: {first_line(error)}") from error


def _fetch_from_hub(spec: Spec, repository: str) -> tuple[list[Path], dict[str, Any]]:
    try:
        config = Path(download_pretrained_from_hf(repository, filename="open_clip_config.json"))
        refuse_foreign_code(spec, config.parent, [config])
        return [config, Path(download_pretrained_from_hf(repository))], {"repository": repository}
    except EmbedderError:
        raise
    except Exception as error:
        raise refuse(spec, f"{HUB}{repository} cannot be fetched: {first_line(error)}") from error


def _tags(name: str) -> str:
    return ", ".join(open_clip.list_pretrained_tags_by_model(name.replace("/", "-"))) or "none"


def _near(name: str) -> str:
    import difflib

    return ", ".join(difflib.get_close_matches(name, open_clip.list_models(), n=3, cutoff=0.3)) or "none"
