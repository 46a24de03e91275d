"""Links that each sign one person in, once: the code in a link is exchanged for a token.

Owns the codes, how long they serve, and the address at which a page exchanges one; must never
know whose token it is, or how tokens are signed.
"""

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
"""How long a code serves: as long as it takes to read what was printed beside it."""

CODE_BYTES = 16

Sign = Callable[[], str]
Tell = Callable[[str], None]


@dataclass(slots=True)
class _Link:
    """One person's link: the code that serves now, and the one before it."""

    sign: Sign
    tell: Tell
    code: str
    until: float
    before: str = ""


class SignIns:
    """The codes that are out, each for one exchange. `clock` returns seconds that never go back.

    A token in a link would be in the browser's history for as long as it is good; a code is worth
    nothing once it is there.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: list[_Link] = []

    def begin(self, sign: Sign, tell: Tell) -> str:
        """Return a code for what `sign` returns; `tell` gets each code that takes its place.

        Another takes its place when it is exchanged, and when somebody comes with one that is
        used or too old: so the last code that was told serves, or the next one is told.
        """
        link = _Link(sign, tell, *self._fresh())
        self._links.append(link)
        return link.code

    def exchange(self, code: str) -> str | None:
        """Return a token for a code that serves; None for any other."""
        for link in self._links:
            if _is_same(link.code, code):
                serves = self._clock() < link.until
                self._renew(link)
                return link.sign() if serves else None
            if _is_same(link.before, code) and self._clock() >= link.until:
                self._renew(link)
        return None

    def _renew(self, link: _Link) -> None:
        link.before = link.code
        link.code, link.until = self._fresh()
        link.tell(link.code)

    def _fresh(self) -> tuple[str, float]:
        return secrets.token_urlsafe(CODE_BYTES), self._clock() + LINK_SECONDS


def _is_same(code: str, given: str) -> bool:
    return hmac.compare_digest(code.encode(), given.encode())


def routes(sign_ins: SignIns, body_seconds: float) -> list[web.RouteDef]:
    """Return the route at which a page exchanges a code.

    `body_seconds` is how long a body that was announced may take to come.
    """

    async def post(request: web.Request) -> web.StreamResponse:
        # A page elsewhere would have to ask before it sends this type, and nothing answers that.
        if request.content_type != "application/json":
            return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        try:
            async with asyncio.timeout(body_seconds):
                code = _code(await request.read())
        except TimeoutError:
            late = f"the body did not come within {body_seconds:g} s"
            return _refused(HTTPStatus.REQUEST_TIMEOUT, late)
        except ValueError as error:
            return _refused(HTTPStatus.BAD_REQUEST, str(error))
        token = sign_ins.exchange(code)
        if token is None:
            over = "this code has been used, or is too old: the next link is printed by the server"
            return _refused(HTTPStatus.GONE, over)
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


def _refused(status: HTTPStatus, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
