"""How clients reach a server: which proxy and certificates, and how a broken connection closes."""

import asyncio
import ssl
from contextlib import suppress
from ipaddress import ip_address

from websockets.proxy import get_proxy
from websockets.uri import parse_uri

ABNORMAL = 1006
"""RFC 6455, section 7.4.1: no close frame was seen."""


def proxy(url: str) -> str | None:
    """Return the proxy that the system's settings name for a WebSocket URL; None for no proxy.

    A server on this machine is never behind one.
    """
    uri = parse_uri(url)
    return None if _is_loopback(uri.host) else get_proxy(uri)


async def make_tls(url: str) -> ssl.SSLContext | None:
    """Return what checks the certificate of a server; None for `ws://`, which has none.

    It trusts the system's authorities, or the certificates in the file that `SSL_CERT_FILE` names:
    of authorities, and of servers themselves. It reads them from disk.
    """
    if not parse_uri(url).secure:
        return None
    context = await asyncio.to_thread(ssl.create_default_context)
    # Without it, which only Python 3.13 sets by itself, a server's own must be self-signed.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    # RFC 6761, section 6.3: the name and all below it.
    return host == "localhost" or host.endswith(".localhost")
