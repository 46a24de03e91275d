"""What browsers and health checks get over HTTP: the console's files, health, the public keys."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".d.ts": "text/plain; charset=utf-8",
}
"""The files that are served, by the end of their names."""

HOME: Final = "index.html"
CONSOLE: Final = "console"
MODULE: Final = "robosignal"
"""The folders of what is served: the console's at the root, the module's under its own name."""

PRIVATE_FOLDERS: Final = frozenset({"node_modules", "test", "tests"})


def page_routes(
    web_root: Path, jwks: Callable[[], dict[str, Any]], stage: str
) -> list[web.RouteDef]:
    """Return the routes of everything but the management API and sign-in."""
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


async def _upgrade_required(request: web.Request) -> web.StreamResponse:
    del request
    body, upgrade = {"message": "Upgrade Required"}, {"Upgrade": "websocket"}
    return web.json_response(body, status=HTTPStatus.UPGRADE_REQUIRED, headers=upgrade)


def _file(root: Path, path: str) -> web.StreamResponse:
    content_type = _content_type(path)
    found = (root / path).resolve() if content_type and _is_public(path) else None
    # Resolved first, so that a symbolic link cannot lead out of the directory.
    if found is None or not found.is_relative_to(root) or not _is_file(found):
        raise web.HTTPNotFound
    return web.FileResponse(found, headers={"Content-Type": str(content_type)})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that the file system cannot have
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
