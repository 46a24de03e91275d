"""The `@connections` management API over HTTP, as boto3's client speaks it.

Owns its statuses and error types, and who may call it; must never know frames or the rules.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Final

from aiohttp import HttpVersion11, web

from robosignal.gateway.sockets import Facts, Sockets
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import MESSAGE_BYTES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_WELL_FORMED: Final = re.compile(
    r"(?:[A-Za-z0-9_-]{4}){0,31}(?:[A-Za-z0-9_-]{3}=|[A-Za-z0-9_-]{2}==)\Z"
)
_LOOPBACK_HOST: Final = re.compile(
    r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::(\d{1,5}))?\Z", re.IGNORECASE
)
# Browsers add the first two, proxies the others. Whatever begins with `X-` was added on the way:
# of a program's own there are only AWS's.
_FOREIGN: Final = re.compile(
    r"origin\Z|sec-|x[-_](?!amzn?-)|forwarded|via\Z|(?:cf|cdn|fastly|fly|client|true-client)-",
    re.IGNORECASE,
)


class ManagementError(Exception):
    """A refusal, as API Gateway words it; `kind` names the exception that boto3 raises."""

    def __init__(self, status: HTTPStatus, kind: str, message: str) -> None:
        super().__init__(status, kind, message)
        self.status = status
        self.kind = kind
        self.message = message


def routes(sockets: Sockets, stage: str, body_seconds: float) -> list[web.RouteDef]:
    """Return the three verbs on a connection, and a refusal for every other stage.

    `body_seconds` is how long a body that was announced may take to come.
    """
    verbs = {"POST": _post(sockets, body_seconds), "GET": _get(sockets), "DELETE": _delete(sockets)}
    served = f"/{stage}/@connections/{{id:.+}}"
    known = [web.route(verb, served, _guarded(handler)) for verb, handler in verbs.items()]
    return [*known, web.route("*", "/{stage}/@connections/{id:.+}", _guarded(_wrong_stage))]


def _guarded(handler: Handler) -> Handler:
    """Refuse strangers, and write refusals so that boto3 raises the exception they name."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            if not is_local(request.remote, _port(request), request.headers.items()):
                raise _forbidden()
            return await handler(request)
        except ManagementError as refused:
            return web.json_response(
                {"message": refused.message},
                status=refused.status,
                headers={"x-amzn-ErrorType": refused.kind},
            )

    return guarded


def is_local(remote: str | None, port: int | None, headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a program on this machine calls, not a page and not a proxy for strangers.

    Nobody checks signatures here. A page in the browser, also one whose name resolves to this
    machine (DNS rebinding), would else pass for a program. `port` is the one that was called,
    None if nobody may call: a proxy knows it, but seldom does whoever calls the proxy.
    """
    given = tuple(headers)
    hosts = [value for name, value in given if name.lower() == "host"]
    named = port is not None and len(hosts) == 1 and _names(hosts[0], port)
    return named and _is_loopback(remote) and not any(_is_foreign(*each) for each in given)


def _is_foreign(name: str, value: str) -> bool:
    """Tell whether pages or proxies send such a header, and programs do not."""
    # A proxy that is made ready for WebSockets says so of every request that it passes.
    upgrades = name.lower() == "connection" and "upgrade" in value.lower()
    return upgrades or _FOREIGN.match(name) is not None


def _port(request: web.Request) -> int | None:
    """Return the port that was called; None for HTTP/1.0, which only proxies speak today."""
    if request.version != HttpVersion11 or request.transport is None:
        return None
    return int(request.transport.get_extra_info("sockname")[1])


def _names(host: str, port: int) -> bool:
    found = _LOOPBACK_HOST.match(host)
    return found is not None and int(found[1] or 80) == port


def _is_loopback(remote: str | None) -> bool:
    try:
        address = ip_address(remote or "")
    except ValueError:
        return False
    # A socket that listens on both families sees IPv4 peers as ::ffff:127.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _connection(request: web.Request) -> ConnectionId:
    given = request.match_info["id"]
    if not _WELL_FORMED.match(given):
        message = f"Invalid connectionId: {given[:128]}"
        raise ManagementError(HTTPStatus.BAD_REQUEST, "BadRequestException", message)
    return ConnectionId(given)


def _post(sockets: Sockets, body_seconds: float) -> Handler:
    async def post(request: web.Request) -> web.StreamResponse:
        connection = _connection(request)
        if not sockets.post(connection, await _frame(request, body_seconds)):
            raise _gone()
        return web.Response()

    return post


def _get(sockets: Sockets) -> Handler:
    async def get(request: web.Request) -> web.StreamResponse:
        facts = sockets.facts(_connection(request))
        if facts is None:
            raise _gone()
        return web.json_response(_described(facts))

    return get


def _delete(sockets: Sockets) -> Handler:
    async def delete(request: web.Request) -> web.StreamResponse:
        if not sockets.end(_connection(request)):
            raise _gone()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return delete


async def _wrong_stage(request: web.Request) -> web.StreamResponse:
    del request
    raise _forbidden()


async def _frame(request: web.Request, seconds: float) -> bytes:
    """Return the body, which becomes a text frame."""
    try:
        async with asyncio.timeout(seconds):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise _too_late(seconds) from None
    if len(body) > MESSAGE_BYTES:
        raise _too_large()
    try:
        body.decode()
    except UnicodeDecodeError:
        message = "the body is not UTF-8"
        raise ManagementError(HTTPStatus.BAD_REQUEST, "BadRequestException", message) from None
    return body


def _too_large() -> ManagementError:
    message = f"the limit is {MESSAGE_BYTES} bytes"
    kind = "PayloadTooLargeException"
    return ManagementError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, kind, message)


def _too_late(seconds: float) -> ManagementError:
    message = f"the body did not come within {seconds:g} s"
    return ManagementError(HTTPStatus.REQUEST_TIMEOUT, "RequestTimeoutException", message)


def _forbidden() -> ManagementError:
    return ManagementError(HTTPStatus.FORBIDDEN, "ForbiddenException", "Forbidden")


def _gone() -> ManagementError:
    return ManagementError(HTTPStatus.GONE, "GoneException", "Gone")


def _described(facts: Facts) -> dict[str, object]:
    # boto3 silently drops keys in any other case than this.
    identity = {"sourceIp": facts.source_ip}
    if facts.user_agent is not None:
        identity["userAgent"] = facts.user_agent
    return {
        "connectedAt": _iso(facts.connected_at),
        "lastActiveAt": _iso(facts.last_active_at),
        "identity": identity,
    }


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
