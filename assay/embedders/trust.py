"""Models are data: a model's files may name parts of the library that loads them, and no other code.

The libraries check as well, some in some versions only; what is refused here never reaches them. Weights are the
loaders' matter: safetensors, or `weights_only`.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from assay.contracts.spec import Spec
from assay.embedders.weights import refuse

MODULES = "sentence_transformers."
ALLOWED = {
    "types": MODULES,
    "tokenizer_class": MODULES,
    "activation_function": "torch.nn.",
}  # what a dotted name begins
WORDS = ("tokenizer.json", "vocab.json", "merges.json")  # vocabularies, which name nothing


def refuse_foreign_code(spec: Spec, folder: Path, files: Iterable[Path] | None = None) -> None:
    """Look at every JSON file of a model (of its folder, or `files`) for code that is not the library's own.

    Raises:
        EmbedderError: a module, function or file of code is named, or leave is given to run one; or a file is no JSON.
    """
    listed = sorted(folder.rglob("*.json")) if files is None else [file for file in files if file.suffix == ".json"]
    for file in listed:
        if file.name in WORDS or not file.is_file():
            continue
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise refuse(spec, f"the model's file {file} cannot be read as JSON ({error}); fetch it again") from None
        for problem in _problems(file, found):
            raise refuse(spec, f"the model's file {file} {problem}; models are data, and no code of theirs is run")


def _problems(file: Path, found: object) -> Iterator[str]:
    if file.name == "modules.json":
        yield from _of_modules(found)
    for key, value in _entries(found):
        if key == "trust_remote_code" and value:
            yield "gives itself leave to run code (trust_remote_code)"
        if key == "auto_map":
            yield from _of_auto_map(file.parent, value)
        if key in ALLOWED:
            for name in value.values() if isinstance(value, dict) else [value]:
                if isinstance(name, str) and "." in name and not name.startswith(ALLOWED[key]):
                    yield f"names {name[:100]!r} as {key}, which is not {ALLOWED[key]}…"


def _of_modules(found: object) -> Iterator[str]:
    """What is wrong with sentence-transformers' list of modules."""
    for module in found if isinstance(found, list) else [found]:
        kind = module.get("type") if isinstance(module, dict) else None
        path = module.get("path", "") if isinstance(module, dict) else None
        if not isinstance(kind, str) or not kind.startswith(MODULES):
            yield f"names the module {str(kind)[:100]!r}, which is not {MODULES}…"
        if not isinstance(path, str) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            yield f"has a module at {str(path)[:100]!r}, outside the model's folder"


def _of_auto_map(folder: Path, value: object) -> Iterator[str]:
    """Names of code that lies in the model's folder. Without it, transformers takes its own class or refuses."""
    for _, name in _entries({"auto_map": value}):
        for part in name if isinstance(name, list) else [name]:
            module = part.split("--")[-1].split(".")[0] if isinstance(part, str) else ""
            if module and (folder / f"{module}.py").exists():
                yield f"names the code {module}.py in its folder (auto_map)"


def _entries(found: object) -> Iterator[tuple[str, object]]:
    """Every key with its value, at any depth."""
    level = [found]
    while level:
        value = level.pop()
        if isinstance(value, dict):
            yield from value.items()
            level += value.values()
        elif isinstance(value, list):
            level += value
