"""The names and addresses by which other machines reach this one."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import ifaddr

WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""The hosts that mean every address of this machine, and its own address among those."""

ELSEWHERE: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses of no machine (RFC 5737, RFC 3849): the route there is the one that leads out."""


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a gateway that listens on `host`."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def find_hosts(host: str) -> tuple[str, ...]:
    """Return what clients may call a gateway that listens on `host`, the best for others first.

    For a wildcard, these are the addresses of this machine of that family, the one of its default
    route first, then its names and loopback. An IPv6 address of a link alone is left out, since no
    browser takes it in a URL.
    """
    if host not in WILDCARDS:
        host = _canonicalize(host)
        names = ("localhost", "127.0.0.1") if is_loopback(host) else _find_own_names()
        return _unique((host, *names))
    loopback = WILDCARDS[host]
    version = ip_address(loopback).version
    addresses = (*_find_route(version), *_find_addresses(version))
    return _unique((*addresses, *_find_own_names(), "localhost", loopback))


def _canonicalize(host: str) -> str:
    """Return a host as certificates name it."""
    with suppress(ValueError):
        return str(ip_address(host))
    return host.encode("idna").decode().lower()


def _find_own_names() -> tuple[str, ...]:
    name = socket.gethostname().lower().rstrip(".")
    if not name.isascii() or not name.replace("-", "").replace(".", "").isalnum():
        return ()
    # Machines announce themselves as NAME.local by multicast DNS (RFC 6762).
    return (name,) if "." in name or name == "localhost" else (name, f"{name}.local")


def _find_route(version: int) -> tuple[str, ...]:
    """Return the address from which this machine reaches others; none without a route."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        # It only asks for the route: UDP sends nothing to connect.
        probe.connect((ELSEWHERE[version], 9))
        found = ip_address(probe.getsockname()[0])
        return (str(found),) if _is_usable(found) else ()
    return ()


def _find_addresses(version: int) -> Iterable[str]:
    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            text = each.ip if isinstance(each.ip, str) else each.ip[0]
            address = ip_address(text.partition("%")[0])
            if address.version == version and _is_usable(address):
                yield str(address)


def _is_usable(address: IPv4Address | IPv6Address) -> bool:
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _unique(hosts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hosts))
