"""Sign-in links, each for one use: the page exchanges the code in a link for a token."""

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

LINK_SECONDS = 15 * 60
"""How long a code is valid: long enough to read what was printed beside it."""

CODE_BYTES = 16

Sign = Callable[[], str]
Tell = Callable[[str], None]


@dataclass(slots=True)
class _Link:
    """One user's link: the code that is valid now, and the one before it."""

    sign: Sign
    tell: Tell
    code: str
    until: float
    before: str = ""


class SignIns:
    """The valid codes, each for one exchange. `clock` returns seconds and never goes back.

    A token in a link would stay in the browser's history while it is valid; a code is used up by
    the time it is there.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: list[_Link] = []

    def begin(self, sign: Sign, tell: Tell) -> str:
        """Return a code for the token that `sign` returns; `tell` gets each code that replaces it.

        A code is replaced when it is exchanged, and when a used or expired one is tried. So the
        last code that was told is valid, or trying it tells the next one.
        """
        link = _Link(sign, tell, *self._make_code())
        self._links.append(link)
        return link.code

    def exchange(self, code: str) -> str | None:
        """Return a token for a valid code; None for any other."""
        for link in self._links:
            if _is_same(link.code, code):
                is_valid = self._clock() < link.until
                self._renew(link)
                return link.sign() if is_valid else None
            if _is_same(link.before, code) and self._clock() >= link.until:
                self._renew(link)
        return None

    def _renew(self, link: _Link) -> None:
        link.before = link.code
        link.code, link.until = self._make_code()
        link.tell(link.code)

    def _make_code(self) -> tuple[str, float]:
        return secrets.token_urlsafe(CODE_BYTES), self._clock() + LINK_SECONDS


def _is_same(code: str, given: str) -> bool:
    return hmac.compare_digest(code.encode(), given.encode())


def sign_in_routes(sign_ins: SignIns, body_seconds: float) -> list[web.RouteDef]:
    """Return the route at which a page exchanges a code.

    `body_seconds` is how long a body may take to arrive.
    """

    async def post(request: web.Request) -> web.StreamResponse:
        # A page of another origin needs a CORS preflight to send this type, which gets no answer.
        if request.content_type != "application/json":
            return _refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        try:
            async with asyncio.timeout(body_seconds):
                code = _code(await request.read())
        except TimeoutError:
            late = f"the body did not arrive within {body_seconds:g} s"
            return _refuse(HTTPStatus.REQUEST_TIMEOUT, late)
        except ValueError as error:
            return _refuse(HTTPStatus.BAD_REQUEST, str(error))
        token = sign_ins.exchange(code)
        if token is None:
            message = "this code was used or has expired: the server has printed the next link"
            return _refuse(HTTPStatus.GONE, message)
        return web.json_response({"token": token})

    return [web.post("/sign-in", post)]


def _code(body: bytes) -> str:
    try:
        code = json.loads(body)["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        code = None
    if not isinstance(code, str) or not code.isascii():
        raise ValueError('code: must be the text of a link, as in {"code": "…"}')
    return code


def _refuse(status: HTTPStatus, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
