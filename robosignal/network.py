"""How clients reach a server: through which proxy, and the close code of a broken connection."""

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


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    # RFC 6761, section 6.3: the name and all below it.
    return host == "localhost" or host.endswith(".localhost")
