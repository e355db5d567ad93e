"""What every part of a spec has in common, and what several of them check."""

import ipaddress
import os
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of a spec: frozen, strict about keys, and no number is NaN or infinite, as TOML allows."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


def is_this_machine(host: str) -> bool:
    """Whether a host's name is this machine's own: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def variable_name(name: str, holds: str = "key") -> str:
    """The name of an environment variable. Raises `ValueError` where it is none, as where the secret itself stands."""
    if name and not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name):
        raise ValueError(
            f"this is the name of an environment variable that holds the {holds}, in upper case such as "
            f"EXAMPLE_API_KEY; the {holds} itself is never written into a spec"
        )
    return name


def plain_url(url: str) -> str:
    """An address of http or https without a name, a password or a query. Raises `ValueError` for another."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("wanted an address such as https://api.example.com/v1 or http://localhost:11434/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address without a name, a password or a query; a key comes by `key_variable`")
    return url


def at_home(path: str) -> str:
    """`~` and `~name` at a path's beginning as that user's home. Raises `ValueError` where there is no such user."""
    if not path.startswith("~"):
        return path
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise ValueError(
            f"{path!r} begins with ~, and no such user is known here; for a folder of that name write ./{path}"
        )
    return found
