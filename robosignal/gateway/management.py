"""The `@connections` management API over HTTP, as boto3's client uses it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Final

from aiohttp import HttpVersion11, web

from robosignal.gateway.connections import ConnectionInfo, OpenConnections
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import MESSAGE_BYTES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_WELL_FORMED: Final = re.compile(
    r"(?:[A-Za-z0-9_-]{4}){0,31}(?:[A-Za-z0-9_-]{3}=|[A-Za-z0-9_-]{2}==)\Z"
)
_LOOPBACK_HOST: Final = re.compile(
    r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::(\d{1,5}))?\Z", re.IGNORECASE
)
# Browsers add the first two, proxies the others. Headers that begin with `X-` were added on the
# way: of a program's own, only AWS's begin so.
_FOREIGN: Final = re.compile(
    r"origin\Z|sec-|x[-_](?!amzn?-)|forwarded|via\Z|(?:cf|cdn|fastly|fly|client|true-client)-",
    re.IGNORECASE,
)


class ManagementError(Exception):
    """A refusal in API Gateway's words; `kind` names the exception that boto3 raises."""

    def __init__(self, status: HTTPStatus, kind: str, message: str) -> None:
        super().__init__(status, kind, message)
        self.status = status
        self.kind = kind
        self.message = message


def management_routes(
    connections: OpenConnections, stage: str, body_seconds: float
) -> list[web.RouteDef]:
    """Return the three methods of a connection, and a refusal for every other stage.

    `body_seconds` is how long a body may take to arrive.
    """
    verbs = {
        "POST": _post(connections, body_seconds),
        "GET": _get(connections),
        "DELETE": _delete(connections),
    }
    served = f"/{stage}/@connections/{{id:.+}}"
    known = [web.route(verb, served, _guard(handler)) for verb, handler in verbs.items()]
    return [*known, web.route("*", "/{stage}/@connections/{id:.+}", _guard(_wrong_stage))]


def _guard(handler: Handler) -> Handler:
    """Refuse all but local programs, in a form from which boto3 raises the right exception."""

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            if not is_local(request.remote, _port(request), request.headers.items()):
                raise _make_forbidden()
            return await handler(request)
        except ManagementError as refused:
            return web.json_response(
                {"message": refused.message},
                status=refused.status,
                headers={"x-amzn-ErrorType": refused.kind},
            )

    return guard


def is_local(remote: str | None, port: int | None, headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether the caller is a program on this machine, and no page or proxy.

    Signatures are not checked here. So a page in a browser, even one whose name resolves to this
    machine (DNS rebinding), must not pass for a program. `port` is the one that was called, None
    to refuse everyone: the caller of a proxy seldom knows the port behind it.
    """
    given = tuple(headers)
    hosts = [value for name, value in given if name.lower() == "host"]
    named = port is not None and len(hosts) == 1 and _names(hosts[0], port)
    return named and _is_loopback(remote) and not any(_is_foreign(*each) for each in given)


def _is_foreign(name: str, value: str) -> bool:
    """Return whether only pages and proxies send such a header."""
    # A proxy that is set up for WebSockets adds this to every request.
    upgrades = name.lower() == "connection" and "upgrade" in value.lower()
    return upgrades or _FOREIGN.match(name) is not None


def _port(request: web.Request) -> int | None:
    """Return the port that was called; None for HTTP/1.0, which only proxies use today."""
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


def _post(connections: OpenConnections, body_seconds: float) -> Handler:
    async def post(request: web.Request) -> web.StreamResponse:
        connection = _connection(request)
        if not connections.post(connection, await _frame(request, body_seconds)):
            raise _make_gone()
        return web.Response()

    return post


def _get(connections: OpenConnections) -> Handler:
    async def get(request: web.Request) -> web.StreamResponse:
        info = connections.info(_connection(request))
        if info is None:
            raise _make_gone()
        return web.json_response(_describe(info))

    return get


def _delete(connections: OpenConnections) -> Handler:
    async def delete(request: web.Request) -> web.StreamResponse:
        if not connections.close_if_open(_connection(request)):
            raise _make_gone()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return delete


async def _wrong_stage(request: web.Request) -> web.StreamResponse:
    del request
    raise _make_forbidden()


async def _frame(request: web.Request, seconds: float) -> bytes:
    """Return the body, which becomes a text frame."""
    try:
        async with asyncio.timeout(seconds):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _make_too_large() from None
    except TimeoutError:
        raise _make_too_late(seconds) from None
    if len(body) > MESSAGE_BYTES:
        raise _make_too_large()
    try:
        body.decode()
    except UnicodeDecodeError:
        message = "the body is not UTF-8"
        raise ManagementError(HTTPStatus.BAD_REQUEST, "BadRequestException", message) from None
    return body


def _make_too_large() -> ManagementError:
    message = f"the limit is {MESSAGE_BYTES} bytes"
    kind = "PayloadTooLargeException"
    return ManagementError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, kind, message)


def _make_too_late(seconds: float) -> ManagementError:
    message = f"the body did not arrive within {seconds:g} s"
    return ManagementError(HTTPStatus.REQUEST_TIMEOUT, "RequestTimeoutException", message)


def _make_forbidden() -> ManagementError:
    return ManagementError(HTTPStatus.FORBIDDEN, "ForbiddenException", "Forbidden")


def _make_gone() -> ManagementError:
    return ManagementError(HTTPStatus.GONE, "GoneException", "Gone")


def _describe(info: ConnectionInfo) -> dict[str, object]:
    # boto3 silently drops keys in any other case than this.
    identity = {"sourceIp": info.source_ip}
    if info.user_agent is not None:
        identity["userAgent"] = info.user_agent
    return {
        "connectedAt": _iso(info.connected_at),
        "lastActiveAt": _iso(info.last_active_at),
        "identity": identity,
    }


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
