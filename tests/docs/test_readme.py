"""What the pages tell people to type, open or copy is there and works."""

import ast
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import sync_playwright

from robosignal.robot import Robot
from tests.browser import ARGUMENTS, require_browser
from tests.docs.pages import PAGES, ROOT, anchors, blocks, code, links, page
from tests.e2e.processes import Process

NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
TEXTS = {name: page(name) for name in NAMES}
VERBS = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
PROGRAM = ("robosignal", ".venv/bin/robosignal")
COMMANDS = {"make", ".", "export", "echo", "pip", "tools/cdk/cdk", *PROGRAM}
LINES = [
    line for text in TEXTS.values() for body in blocks(text, "sh") for line in body.split("\n")
]
TYPED = sorted({line for line in LINES if line})

# Where a page may name a file from: the root, or the folder that the page is about.
FOLDERS = (
    "",
    "spec/vectors",
    "robosignal",
    "robosignal/server",
    "robosignal/robot",
    "web",
    "web/console",
    "web/robosignal",
)
NAMED = re.compile(r"\.?\w[\w./-]*(?:\.(?:py|js|json|md|html|css|txt)|/)")
PICTURE_BYTES = 120 * 1024
LOCAL = "ws://127.0.0.1:8080/prod"
NOTE_SENT = """window.sent = [];
    const send = RTCDataChannel.prototype.send;
    RTCDataChannel.prototype.send = function (text) {
        sent.push(text);
        send.call(this, text);
    };"""

LAST_DRIVE = """JSON.stringify(
    sent.map((text) => JSON.parse(text)).filter(({ type }) => type === "command").at(-1)?.drive)"""


@cache
def options(command: str) -> set[str]:
    """Return the options that a command's help names."""
    arguments = [sys.executable, "-m", "robosignal", command, "--help"]
    told = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=True)
    return set(re.findall(r"--[a-z-]+", told.stdout)) - {"--help"}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    """A relative link names a file and, after #, one of its headings."""
    here = ROOT / name
    for link in links(TEXTS[name]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        there = (here.parent / path).resolve() if path else here

        assert there.is_file(), link
        assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_is_named_is_there(name: str) -> None:
    """A path between backticks exists, from the root or from the folder it is about."""
    named = [each for each in code(TEXTS[name]) if NAMED.fullmatch(each)]
    missing = [each for each in named if not any((ROOT / base / each).exists() for base in FOLDERS)]

    # These are made as they are needed, by the gateway and by users.
    assert set(missing) <= {".robosignal/", "conftest.py"}


def test_every_verb_that_is_told_is_in_the_makefile() -> None:
    """`make VERB`, in a block or in a sentence."""
    told = [*TYPED, *(each for text in TEXTS.values() for each in code(text))]
    verbs = {each.split()[1] for each in told if each.startswith("make ")}

    assert verbs <= VERBS


def test_every_verb_of_the_makefile_is_in_the_readme() -> None:
    """Its table leaves none out."""
    told = {" ".join(each.split()[:2]) for each in code(TEXTS["README.md"])}

    assert {f"make {verb}" for verb in VERBS} <= told


def test_make_help_tells_every_verb() -> None:
    """It lists every command."""
    make = shutil.which("make") or "make"
    told = subprocess.run([make, "help"], capture_output=True, text=True, cwd=ROOT, check=True)

    assert set(re.findall(r"^make ([a-z-]+)", told.stdout, re.MULTILINE)) == VERBS - {"help"}


@pytest.mark.parametrize("line", TYPED)
def test_what_is_to_be_typed_can_be(line: str) -> None:
    """The command is one of ours, and has the options that it is given."""
    words = shlex.split(line.replace("$(", "").replace(")", ""))

    assert words[0] in COMMANDS
    for place, word in enumerate(words):
        if word.rpartition("=")[2] in PROGRAM:
            command, *rest = words[place + 1 :]
            assert {each for each in rest if each.startswith("--")} <= options(command)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_of_the_shell_is_set_before_it_is_used(name: str) -> None:
    """A page that says `"$URL"` has said before where that comes from."""
    known: set[str] = set()
    for line in "\n".join(blocks(TEXTS[name], "sh", "text")).splitlines():
        used = set(re.findall(r"\$([A-Z_]+)", line))

        assert used <= known, line
        known |= set(re.findall(r"^(?:export )?([A-Z_]+)=", line))


def test_deploying_begins_with_what_it_needs() -> None:
    """CDK's command line is installed from a clone that has its `.venv`."""
    typed = "".join(blocks(TEXTS["docs/howto/deploy.md"], "sh", "text")).splitlines()

    assert typed[0] == "make setup"


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/img/*")), ids=lambda path: path.name)
def test_every_picture_is_shown_and_small(picture: Path) -> None:
    """No picture is left over, and none makes a clone heavy."""
    shown = {
        ((ROOT / name).parent / link).resolve() for name in NAMES for link in links(TEXTS[name])
    }

    assert picture in shown
    assert picture.stat().st_size <= PICTURE_BYTES


def test_the_robot_of_the_page_calls_what_there_is() -> None:
    """The Python of the page compiles, and `Robot` takes the arguments that it gives."""
    (source,) = blocks(TEXTS["docs/howto/own-robot.md"], "python")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (given,) = [each for each in calls if ast.unparse(each.func) == "Robot"]
    named = {str(keyword.arg): None for keyword in given.keywords}

    assert inspect.signature(Robot).bind(*given.args, **named)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[Process]:
    """A gateway that will run the demo robot."""
    found = Process("serve", "--demo", "--port", "0", "--state", ":memory:")
    yield found
    assert found.stop() == 0


def token_of(link: str) -> str:
    """Exchange the code of a printed link for a token, as the page does."""
    page, _, code = link.partition("#code=")
    asked = Request(
        f"{page}sign-in",
        data=json.dumps({"code": code}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(asked) as answer:
        token: str = json.load(answer)["token"]
    return token


@contextmanager
def served(name: str, gateway: Process, directory: Path) -> Iterator[str]:
    """Yield the address of a page's HTML, beside a copy of the module, on a server of its own."""
    socket_url = gateway.wait_for(r"connect to (ws\S+)")[1]
    token = token_of(gateway.wait_for(r"demo, who.* (http\S+)")[1])
    gateway.wait_for("demo: online")
    (html,) = blocks(TEXTS[name], "html")
    html = html.replace(LOCAL, socket_url).replace("PASTE A TOKEN", token)
    (directory / "mine.html").write_text(html, encoding="utf-8")
    (directory / "token").write_text(token, encoding="utf-8")
    shutil.copytree(ROOT / "web" / "robosignal", directory / "robosignal")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=directory)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/mine.html"
        server.shutdown()
        thread.join()


@pytest.fixture
def mine(gateway: Process, tmp_path: Path) -> Iterator[str]:
    """The address of the README's page."""
    with served("README.md", gateway, tmp_path) as address:
        yield address


@pytest.fixture
def guided(gateway: Process, tmp_path: Path) -> Iterator[str]:
    """The address of the page that the guide to one's own page shows."""
    with served("docs/howto/own-page.md", gateway, tmp_path) as address:
        yield address


def test_the_page_of_the_guide_drives_and_says_so(guided: str) -> None:
    """It fetches its token, shows the video, and says who drives."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=ARGUMENTS)
        page = browser.new_page()
        page.on("pageerror", lambda error: print(f"page: {error}"))  # noqa: T201
        page.goto(guided)
        page.wait_for_function("document.getElementById('status').textContent === 'You drive.'")
        page.wait_for_function("document.getElementById('video').videoWidth === 640")
        browser.close()


def test_the_page_of_the_readme_drives_the_demo_robot(mine: str, gateway: Process) -> None:
    """Copied unchanged, with a token in its place: a key drives until its release is missed."""
    executable = require_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_page()
        page.on("pageerror", lambda error: print(f"page: {error}"))  # noqa: T201
        page.on("console", lambda line: print(f"page: {line.text}"))  # noqa: T201
        page.add_init_script(NOTE_SENT)
        with page.expect_console_message(lambda line: line.text.startswith("live")):
            page.goto(mine)
        page.wait_for_function("document.getElementById('video').videoWidth === 640")
        page.wait_for_function("document.activeElement.id === 'video'")
        # Playwright pretends that each page has the focus; here another window takes it.
        devtools = page.context.new_cdp_session(page)
        devtools.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
        page.bring_to_front()
        page.keyboard.down("ArrowUp")
        page.wait_for_function(f'{LAST_DRIVE} === \'{{"x":0,"y":1}}\'')
        browser.new_page().bring_to_front()
        page.wait_for_function(f'{LAST_DRIVE} === \'{{"x":0,"y":0}}\'')
        browser.close()

    assert gateway.wait_for(r"demo drives \(epoch \d+\)")
