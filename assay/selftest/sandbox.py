"""`assay sandbox NAME`: a public dataset, fetched with its digest and unpacked safely, with a spec to run.

pooch does the fetching and keeps what it fetched in its cache. Offline, `--from` gives the file, or a folder with the
files where there are several; they must have the same digests. Some datasets come with a dependency and need neither.
"""

import hashlib
import shlex
import shutil
import tempfile
from pathlib import Path

from assay.contracts.errors import SourceError, SpecError
from assay.selftest.sandbox_data import SANDBOXES, Download, Sandbox


def make_sandbox(name: str, folder: Path, given: Path | None = None) -> Path:
    """Write a dataset and its spec to `folder`, and say what to run; the spec's path. One that is there stays.

    Raises:
        SpecError: there is no dataset of this name, or something else is in the folder.
        SourceError: a file cannot be fetched, or is not the one that was published.
    """
    if name not in SANDBOXES:
        raise SpecError(f"there is no sandbox {name!r}; there are: {', '.join(SANDBOXES)}")
    spec = folder / f"{name}.toml"
    if not spec.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SpecError(f"{folder} is not empty, and holds no {name}.toml; name another with --folder")
        _write(name, SANDBOXES[name], folder, given)
    typed = shlex.quote(str(spec))
    print(f"{name}: {SANDBOXES[name].about}\nspec  {spec}\n\nRun it:\n  assay run {typed}\n  assay explore {name}")
    return spec


def sandbox_table() -> str:
    """What there is, a line each."""
    width = max(map(len, SANDBOXES))
    return "\n".join(f"{name.ljust(width)}  {sandbox.about}" for name, sandbox in SANDBOXES.items())


def _write(name: str, sandbox: Sandbox, folder: Path, given: Path | None) -> None:
    """All of it aside, and moved whole."""
    files = {wanted.name: _file(wanted, sandbox, given) for wanted in sandbox.downloads}
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        sandbox.make(files, aside)
        (aside / f"{name}.toml").write_text(f'name = "{name}"\n{sandbox.spec}', encoding="utf-8")
        aside.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _file(wanted: Download, sandbox: Sandbox, given: Path | None) -> Path:
    """One of the dataset's files, checked against its digest."""
    if given is None:
        return _fetched(wanted)
    place = given / wanted.name if given.is_dir() else given
    if not place.is_file() or (not given.is_dir() and len(sandbox.downloads) > 1):
        names = ", ".join(download.name for download in sandbox.downloads)
        raise SourceError(f"there is no {wanted.name} at {given}; --from wants the file, or a folder with {names}")
    return _checked(place, wanted)


def _checked(place: Path, wanted: Download) -> Path:
    """The file, where its digest is the one that is known. Raises `SourceError`."""
    kind, _, digest = wanted.digest.partition(":")
    if kind == "git":
        data = place.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    elif kind:
        with place.open("rb") as stream:
            found = hashlib.file_digest(stream, kind).hexdigest()
    if kind and found != digest:
        raise SourceError(f"{place} has the {kind} digest {found}; {wanted.name} as it was published has {digest}")
    return place


def _fetched(wanted: Download) -> Path:
    """The file out of pooch's cache, or from its address."""
    try:
        import pooch
    except ImportError:
        raise SourceError(
            f"fetching needs the package pooch: pip install 'assay[sandbox]'; or get {wanted.url} yourself, and "
            "give it with --from"
        ) from None
    pooch.get_logger().setLevel("WARNING")
    known = None if wanted.digest.startswith("git:") else wanted.digest or None
    place = pooch.os_cache("assay") / _place(wanted)
    try:
        found = Path(pooch.retrieve(wanted.url, known, fname=wanted.name, path=place))
    except Exception as error:  # requests and pooch raise many kinds
        said = " ".join(str(error).split())[:300]
        raise SourceError(f"{wanted.url} cannot be fetched: {said}. Offline, give the file with --from") from error
    return _checked(found, wanted)


def _place(wanted: Download) -> str:
    """A folder of the cache for each address: several datasets have a `train.csv`."""
    return hashlib.sha256(wanted.url.encode()).hexdigest()[:16]
