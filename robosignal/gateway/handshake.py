"""The opening handshake of a WebSocket (RFC 6455, section 4.2) as API Gateway answers it."""

from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from websockets import http11
from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from robosignal.gateway.listener import HEAD_BYTES
from robosignal.gateway.results import Rejected, reject, status_phrase

URL_CHARACTERS = 4096
"""API Gateway takes no longer URL."""

HANDSHAKE_BYTES = 10_240
"""The limit of the request line and the values of all headers together.

It is the quota of API Gateway's HTTP and REST APIs; the page of WebSocket quotas names none.
"""

# The library's own limit on one line, 8,192 bytes, leaves no room for a token of that length and
# its header's name. The listener has limited the whole head already.
http11.MAX_LINE_LENGTH = HEAD_BYTES


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request for the handler to judge, and the 101 to send if the handler accepts it."""

    headers: Headers
    query: str
    response: Response

    @property
    def host(self) -> str:
        """The `Host` header, empty if there is not exactly one."""
        return single_header(self.headers, "Host") or ""

    @property
    def user_agent(self) -> str | None:
        """The `User-Agent` header, if there is exactly one."""
        return single_header(self.headers, "User-Agent")


def single_header(headers: Headers, name: str) -> str | None:
    """Return the value of a header that occurs once; otherwise None."""
    try:
        return headers.get(name)
    except MultipleValuesError:
        return None


def read_handshake(wire: ServerProtocol, head: bytes, path: str) -> Handshake | Response:
    """Feed a request's head to `wire`. Return a handshake for `path`, or the refusal to send."""
    wire.receive_data(head)
    request = next((event for event in wire.events_received() if isinstance(event, Request)), None)
    if request is None:
        return refusal_response(reject(_parse_status(wire.handshake_exc)))
    given, _, query = request.path.partition("?")
    if len(request.path) > URL_CHARACTERS:
        return refusal_response(reject(HTTPStatus.REQUEST_URI_TOO_LONG))
    if given != path:
        return refusal_response(reject(HTTPStatus.FORBIDDEN))
    if _size(head, request.headers) > HANDSHAKE_BYTES:
        return refusal_response(reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
    if not single_header(request.headers, "Host"):
        return refusal_response(reject(HTTPStatus.BAD_REQUEST))
    response = wire.accept(request)
    accepted = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
    return Handshake(request.headers, query, response) if accepted else response


def _size(head: bytes, headers: Headers) -> int:
    line, _, _ = head.partition(b"\r\n")
    return len(line) + sum(len(value.encode()) for _, value in headers.raw_items())


def _parse_status(problem: Exception | None) -> HTTPStatus:
    if isinstance(problem, RequestLineTooLong):
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if isinstance(problem, HeaderLineTooLong | TooManyHeaders):
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return HTTPStatus.BAD_REQUEST


def refusal_response(why: Rejected) -> Response:
    """Return the HTTP response that refuses a client: a real status, never a 101 and a close."""
    body = why.body.encode()
    headers = Headers(
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            # A robot whose clock is wrong corrects it by this (RFC 9110, section 6.6.1).
            "Date": formatdate(usegmt=True),
        }
    )
    return Response(why.status, status_phrase(why.status), headers, body)
