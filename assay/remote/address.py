"""Where a home on S3 is, and the folder of this machine that stands for it.

A command or a program names `s3://bucket/prefix`; everything else works on a cache, `ASSAY_CACHE` or `~/.cache/assay`,
in a folder named after the address, with a note that says which address that is. Credentials are in neither.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from assay.contracts.errors import SpecError
from assay.contracts.section import at_home
from assay.store.files import write_json

NOTE = ".remote-home.json"
SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/+(?![/\\])")
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")


@dataclass(frozen=True)
class Address:
    """A home in a bucket.

    Attributes:
        prefix: of all its keys; without slashes at the ends, empty where the home is the bucket.
    """

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse(url: str) -> Address:
    """The address in a URL.

    Raises:
        SpecError: it is not `s3://bucket` or `s3://bucket/prefix`.
    """
    bucket, _, prefix = url.partition("://")[2].partition("/")
    parts = prefix.strip("/").split("/") if prefix.strip("/") else []
    if not BUCKET.fullmatch(bucket) or any(part in ("", ".", "..") or not part.isprintable() for part in parts):
        shown = re.sub(r"//[^/@]*@", "//…@", url)
        raise SpecError(
            f"{shown!r:.200} is not the address of a home; wanted s3://bucket/prefix, with a bucket of lower-case "
            "letters, digits, dots and dashes. Credentials belong in the environment or a profile, not here"
        )
    return Address(bucket, "/".join(parts))


def local_home(home: str | os.PathLike[str]) -> Path:
    """The folder that stands for a home: of an address on S3 its cache, which is made; of a folder itself, `~` and
    `~name` at its beginning as that user's home, which no shell puts into `--home=~/x` or a variable of a service.

    Raises:
        SpecError: it is an address, and not one of S3; or in the home of a user who is not known.
    """
    text = os.fspath(home)
    found = SCHEME.match(text)
    if found is None:
        try:
            return Path(at_home(text))
        except ValueError as error:
            raise SpecError(f"no home: {error}") from None
    if found[1] != "s3":
        raise SpecError(f"a home is a folder or s3://bucket/prefix; {found[1]}:// was given. Name another with --home")
    address = parse(text)
    folder = cache_folder() / hashlib.sha256(f"{endpoint()} {address}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / NOTE).is_file():
        write_json(folder / NOTE, {"url": str(address), "endpoint": _known_by(endpoint())})
    return folder


def address_of(home: Path) -> Address | None:
    """The address that a folder is the cache of; None where it is a home of its own.

    Raises:
        SpecError: the cache was filled from another endpoint than the one that is set now.
    """
    try:
        note = json.loads((home / NOTE).read_text(encoding="utf-8"))
        address, known = parse(note["url"]), note["endpoint"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SpecError(f"{home / NOTE} cannot be read ({error}); remove the folder, it is only a cache") from None
    if known != _known_by(endpoint()):
        raise SpecError(
            f"{home} is a cache of {address} at another endpoint; name the home as {address}, and the cache of this "
            "endpoint is used"
        )
    return address


def cache_folder() -> Path:
    """Where the caches of all addresses are."""
    named = os.environ.get("ASSAY_CACHE")
    return Path(at_home(named)).absolute() if named else Path.home() / ".cache" / "assay"


def endpoint() -> str:
    """The store's address where it is not Amazon's own; it names none by itself."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _known_by(text: str) -> str:
    """An endpoint's digest: an address may hold a password."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
