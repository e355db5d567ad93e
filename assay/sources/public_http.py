"""An http client for fsspec that reaches public addresses only, whatever a name resolves to or a redirect says."""

import ipaddress
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from assay.contracts.errors import SourceError


def is_public(address: str) -> bool:
    """Whether an IP address is neither private, loopback, link-local, reserved nor multicast."""
    found = ipaddress.ip_address(address.split("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_global and not found.is_multicast


if TYPE_CHECKING:
    import aiohttp


def refuse_private_host(url: str) -> None:
    """Raises `SourceError` where a URL's host is unknown or has an address that is not public."""
    host = urlsplit(url).hostname or ""
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError) as error:
        raise SourceError(f"the host of {url} is not known: {error}; check the address or the network") from None
    hidden = sorted(address for address in addresses if not is_public(address))
    if hidden:
        raise SourceError(
            f"{url} is at {hidden[0]}, which is not a public address; http sources must be public. "
            "Mount the data as a folder, or reach it through another protocol such as s3"
        )


async def guarded_client(**options: Any) -> "aiohttp.ClientSession":
    """fsspec's `get_client`: an aiohttp session that checks each address it is about to reach."""
    import aiohttp
    from aiohttp.abc import ResolveResult

    class PublicResolver(aiohttp.ThreadedResolver):
        async def resolve(self, *args: Any, **kwargs: Any) -> list[ResolveResult]:
            found = await super().resolve(*args, **kwargs)
            if not all(is_public(entry["host"]) for entry in found):
                raise OSError("a name of a private address")
            return found

    async def check_redirect(_session: object, _context: object, redirect: Any) -> None:
        target = urljoin(str(redirect.url), redirect.response.headers.get("Location", ""))
        host = urlsplit(target).hostname or ""
        if urlsplit(target).scheme not in ("http", "https") or (_is_literal(host) and not is_public(host)):
            raise OSError("a redirect to a private address")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(check_redirect)
    connector = aiohttp.TCPConnector(resolver=PublicResolver())
    return aiohttp.ClientSession(connector=connector, trace_configs=[trace], **options)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
