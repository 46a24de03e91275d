from pathlib import Path

import aiohttp
import pytest

from tests.gateway.conftest import Serve
from tests.gateway.raw import dial
from tests.gateway.recorder import answers_ok


async def fetched(url: str) -> tuple[int, str, dict[str, str]]:
    """Return status, text and headers of a page."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


def fill(root: Path, *names: str) -> None:
    """Make files that hold their own names."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


async def test_the_console_is_at_the_root(serve: Serve, web_root: Path) -> None:
    """`/` is `index.html`."""
    fill(web_root / "console", "index.html")
    status, text, headers = await fetched((await serve(answers_ok)).url)

    assert (status, text) == (200, "index.html")
    assert headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("sub/a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.ico", "image/x-icon"),
        ("a.d.ts", "text/plain; charset=utf-8"),
    ],
)
async def test_a_file_has_its_content_type(
    serve: Serve, web_root: Path, name: str, content_type: str
) -> None:
    """Browsers refuse a module under a wrong type."""
    fill(web_root / "console", name)
    status, text, headers = await fetched((await serve(answers_ok)).url + name)

    assert (status, text, headers["Content-Type"]) == (200, name, content_type)


async def test_the_module_is_in_its_own_folder(serve: Serve, web_root: Path) -> None:
    """The console imports it from beside itself, here as on any host of static files."""
    fill(web_root, "robosignal/index.js", "robosignal/session/state.js", "console/a.js")
    url = (await serve(answers_ok)).url

    for path in ("robosignal/index.js", "robosignal/session/state.js"):
        assert (await fetched(url + path))[:2] == (200, path)
    for path in ("robosignal", "robosignal/", "index.js", "console/index.html"):
        assert (await fetched(url + path))[0] == 404


@pytest.mark.parametrize(
    "name",
    [
        "a.py",
        "a.ts",
        "a.js.map",
        "a",
        ".env.json",
        ".git/config.json",
        "node_modules/x/index.js",
        "tests/a.js",
        "test/a.js",
        "session.test.js",
        "sub/node_modules/a.js",
    ],
)
async def test_what_is_not_for_browsers_stays_inside(
    serve: Serve, web_root: Path, name: str
) -> None:
    """The list says what may leave; all else looks as if it were not there."""
    fill(web_root / "console", name)
    status, _, _ = await fetched((await serve(answers_ok)).url + name)

    assert status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.json",
        "/%2e%2e/secret.json",
        "/..%2fsecret.json",
        "/sub/../../secret.json",
        "/robosignal/../secret.json",
        "/robosignal/../../secret.json",
        "/sub//../../secret.json",
        "//secret.json",
        "/..%5csecret.json",
        "/secret.json%00.html",
        "/link.json",
        "/folder.json",
    ],
)
async def test_no_path_leads_out_of_the_directory(serve: Serve, web_root: Path, path: str) -> None:
    """Neither dots, encoded or not, nor a link; raw, for clients tidy paths up."""
    console = web_root / "console"
    fill(web_root.parent, "secret.json")
    fill(web_root, "secret.json")
    fill(console, "sub/a.js", "folder.json/a.js")
    (console / "link.json").symlink_to(web_root / "secret.json")
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head, _, body = (await raw.ended()).partition(b"\r\n\r\n")

    assert (head.split(b" ")[1] in {b"404", b"400"}, b"secret" in body) == (True, False)


@pytest.mark.parametrize("path", ["", "health", "nowhere", "prod", "prod/@connections/x"])
async def test_every_response_has_the_security_headers(
    serve: Serve, web_root: Path, path: str
) -> None:
    """Whether it succeeds or not."""
    fill(web_root / "console", "index.html")
    _, _, headers = await fetched((await serve(answers_ok)).url + path)

    assert "default-src 'self';" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-cache"


async def test_health_is_ok_once_the_gateway_serves(serve: Serve) -> None:
    """A script waits for this."""
    status, text, _ = await fetched((await serve(answers_ok)).url + "health")

    assert (status, text) == (200, '{"status": "ok"}')


async def test_the_local_keys_are_published(serve: Serve) -> None:
    """As the key source has them at that moment."""
    status, text, _ = await fetched((await serve(answers_ok)).url + ".well-known/jwks.json")

    assert (status, text) == (200, '{"keys": [{"kid": "k1"}]}')


async def test_a_connection_serves_one_request(serve: Serve) -> None:
    """A second head behind the first is not looked at: the front must see every head."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2)

        assert (await raw.ended()).count(b"HTTP/1.1 200") == 1


async def test_a_broken_request_is_refused(serve: Serve) -> None:
    """The gateway stays up."""
    gateway = await serve(answers_ok)
    async with dial(gateway) as raw:
        await raw.send(b"\x16\x03\x01 nonsense\r\n\r\n")

        assert await raw.status() == 400
    status, _, _ = await fetched(gateway.url + "health")
    assert status == 200
