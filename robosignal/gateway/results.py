"""What a Lambda function's result means to a client, and what API Gateway makes of a bad one."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import Any

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, section 5.6.2: what a subprotocol's name may consist of."""


class MalformedResult(Exception):
    """The handler returned what API Gateway cannot read."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """`$connect` lets the connection in, under this subprotocol or under none."""

    subprotocol: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """`$connect` keeps the connection out: an HTTP status and a JSON body."""

    status: int
    body: str


def read_connect_result(result: object) -> Accepted | Rejected:
    """Return what a result of `$connect` means. Raise MalformedResult if it has no meaning."""
    answer, status = _read(result)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Accepted(_subprotocol(answer))
    if not HTTPStatus.MULTIPLE_CHOICES <= status <= 599:  # noqa: PLR2004 - the last HTTP status
        raise MalformedResult(f"statusCode {status}")
    body = answer.get("body")
    return Rejected(status, body) if isinstance(body, str) and body else reject(status)


def read_reply(result: object) -> str | None:
    """Return the frame in a message's result, if any. Raise MalformedResult."""
    answer, _ = _read(result)
    body = answer.get("body")
    if body is not None and not isinstance(body, str):
        raise MalformedResult(f"body is a {type(body).__name__}")
    return body or None


def reject(status: int, message: str | None = None) -> Rejected:
    """Return a refusal with a body in API Gateway's form."""
    return Rejected(status, json.dumps({"message": message or status_phrase(status)}))


def status_phrase(status: int) -> str:
    """Return the reason phrase of an HTTP status; empty for an unregistered one."""
    return responses.get(status, "")


def error_frame(message: str, context: Mapping[str, Any]) -> str:
    """Return the frame that API Gateway sends when a message fails."""
    ids = {"connectionId": context["connectionId"], "requestId": context["requestId"]}
    return json.dumps({"message": message, **ids})


def _read(result: object) -> tuple[Mapping[str, Any], int]:
    if not isinstance(result, Mapping):
        raise MalformedResult(f"a {type(result).__name__}")
    status = result.get("statusCode")
    if type(status) is not int:
        raise MalformedResult("no statusCode")
    return result, status


def _subprotocol(answer: Mapping[str, Any]) -> str | None:
    headers = answer.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise MalformedResult("headers are no map")
    for name, value in headers.items():
        if str(name).lower() == "sec-websocket-protocol":
            return _token(value)
    return None


def _token(value: object) -> str:
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return value
    raise MalformedResult("not one subprotocol")
