"""What a browser and a health check get over HTTP: the console's files, health, the local keys.

Owns which files may leave the directory and the headers that every answer to plain HTTP bears;
must never know sockets or who is signed in.
"""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss: https:; "
        "media-src blob: mediastream: 'self'; style-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".d.ts": "text/plain; charset=utf-8",
}
"""What may leave the directory, by the end of its name."""

HOME: Final = "index.html"
CONSOLE: Final = "console"
MODULE: Final = "robosignal"
"""The folders of what is served: the console's at the root, the module's under its own name."""

PRIVATE_FOLDERS: Final = frozenset({"node_modules", "test", "tests"})


def routes(web_root: Path, jwks: Callable[[], dict[str, Any]], stage: str) -> list[web.RouteDef]:
    """Return the routes of everything but the management API."""
    root = web_root.resolve()

    async def health(request: web.Request) -> web.StreamResponse:
        del request
        return web.json_response({"status": "ok"})

    async def keys(request: web.Request) -> web.StreamResponse:
        del request
        return web.json_response(jwks())

    async def page(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        part, _, rest = path.partition("/")
        return _file(root / MODULE, rest) if part == MODULE else _file(root / CONSOLE, path or HOME)

    return [
        web.get("/health", health),
        web.get("/.well-known/jwks.json", keys),
        web.get(f"/{stage}", _upgrade_required),
        web.get("/{path:.*}", page),
    ]


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on a response that is about to be sent, and close after it.

    A signal's handler and no middleware: some refusals, such as 417, pass by every middleware.
    One request a connection means that the front sees every request's head: what it refuses
    cannot come in behind another request, and nobody holds an idle connection open.
    """
    del request
    response.headers.update(SECURITY_HEADERS)
    response.headers["Connection"] = "close"
    response.force_close()


async def _upgrade_required(request: web.Request) -> web.StreamResponse:
    del request
    body, upgrade = {"message": "Upgrade Required"}, {"Upgrade": "websocket"}
    return web.json_response(body, status=HTTPStatus.UPGRADE_REQUIRED, headers=upgrade)


def _file(root: Path, path: str) -> web.StreamResponse:
    content_type = _content_type(path)
    found = (root / path).resolve() if content_type and _is_public(path) else None
    # Resolved, so a link out of the directory leads nowhere either.
    if found is None or not found.is_relative_to(root) or not _is_file(found):
        raise web.HTTPNotFound
    return web.FileResponse(found, headers={"Content-Type": str(content_type)})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes
        return False


def _content_type(path: str) -> str | None:
    return next((kind for end, kind in CONTENT_TYPES.items() if path.endswith(end)), None)


def _is_public(path: str) -> bool:
    """Tell whether no part of the path is hidden, empty, private or not a plain name."""
    return all(
        part and not part.startswith(".") and part not in PRIVATE_FOLDERS and _is_plain(part)
        for part in path.split("/")
    )


def _is_plain(part: str) -> bool:
    return part.isprintable() and not set(part) & set('\\:*?"<>|') and ".test." not in part
