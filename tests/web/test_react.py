"""The components of docs/howto/react.md, on the packed package alone: types, builds, and a drive.

The tarball of `npm pack` is installed in a strict TypeScript project without `allowJs`, which Vite
builds with React's development checks: StrictMode mounts each component twice.
"""

import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser import ARGUMENTS, require_browser
from tests.docs.pages import ROOT, blocks, page
from tests.docs.test_readme import LAST_DRIVE, NOTE_SENT, Quiet, token_of
from tests.e2e.processes import Process
from tests.web.test_javascript import HERE, MODULES, TSC, require_node, require_package, run

VITE = MODULES / "vite" / "bin" / "vite.js"
IS_LIVE = "id => document.querySelector(`#${id} section`)?.dataset.state === 'live'"
SHOWS = "id => document.querySelector(`#${id} video`)?.videoWidth === 640"

REACT = page("docs/howto/react.md")


def node(project: Path, *command: str) -> str:
    """Run a command of the virtual environment's node in a folder, and return what it prints."""
    done = run(*command, cwd=project, environment={"NODE_ENV": "development"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A React project with the code of the page and, of robosignal, only what npm packs."""
    require_node()
    require_package("vite")
    root = tmp_path_factory.mktemp("react")
    app = root / "app"
    shutil.copytree(HERE / "react", app)
    for source in (*blocks(REACT, "ts"), *blocks(REACT, "tsx")):
        (name,) = re.findall(r"\A// (\S+)\n", source)
        (app / "src" / name).write_text(source, encoding="utf-8")
    # React, Vite and the types are those of the lock; node looks for them in the folders above.
    (root / "node_modules").symlink_to(MODULES)
    node(root, "npm", "pack", "--silent", str(ROOT / "web" / "robosignal"))
    (tarball,) = root.glob("robosignal-*.tgz")
    node(app, "npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", str(tarball))
    assert not (app / "node_modules" / "robosignal").is_symlink()
    return app


def test_its_types_hold_in_a_strict_project(project: Path) -> None:
    """`tsc` reads the package's declarations, and none of its JavaScript."""
    assert node(project, "node", str(TSC)) == ""
    read = node(project, "node", str(TSC), "--listFilesOnly").splitlines()

    ours = [Path(name).name for name in read if "/robosignal/" in name]
    assert ours == ["robosignal.d.ts"]


def test_a_server_renders_it(project: Path) -> None:
    """There is no window: nothing is dialled, and the page says so."""
    node(project, "node", str(VITE), "build", "--ssr", "src/server.tsx", "--outDir", "server")
    html = node(project, "node", "server/server.js")

    assert "<p>Connecting.</p><video" in html


@pytest.fixture(scope="module")
def built(project: Path) -> Iterator[str]:
    """The address of the page that Vite has built."""
    node(project, "node", str(VITE), "build", "--mode", "development", "--outDir", "dist")
    handler = partial(Quiet, directory=project / "dist")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway() -> Iterator[Process]:
    """A gateway with its demo robot."""
    found = Process("serve", "--demo", "--port", "0", "--state", ":memory:")
    yield found
    assert found.stop() == 0


@pytest.fixture
def opened(built: str, gateway: Process) -> Iterator[Page]:
    """The page in Chromium, signed in as the robot's owner; it may write no error."""
    url = gateway.wait_for(r"connect to (ws\S+)")[1]
    token = token_of(gateway.wait_for(r"demo, who.* (http\S+)")[1])
    gateway.wait_for("demo: online")
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=ARGUMENTS)
        tab = browser.new_page()
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        tab.add_init_script(NOTE_SENT)
        tab.goto(f"{built}#url={url}&token={token}")
        yield tab
        browser.close()
    assert errors == []


def test_it_drives_under_strict_mode(opened: Page, gateway: Process) -> None:
    """Mounted twice, it drives once; the video plays, and a key drives until it is released."""
    opened.wait_for_function(IS_LIVE, arg="first")
    opened.wait_for_function(SHOWS, arg="first")

    assert opened.evaluate("window.effects") == 2
    assert opened.text_content("#first p") == "You drive."
    gateway.wait_for(r"demo drives \(epoch \d+\)")
    opened.focus("#first video")
    opened.keyboard.down("ArrowUp")
    opened.wait_for_function(f'{LAST_DRIVE} === \'{{"x":0,"y":1}}\'')
    opened.keyboard.up("ArrowUp")
    opened.wait_for_function(f'{LAST_DRIVE} === \'{{"x":0,"y":0}}\'')


def test_components_share_a_session_until_the_last_is_unmounted(
    opened: Page, gateway: Process
) -> None:
    """One of two unmounts: the other drives on. Both: the robot is free. One returns: it drives."""
    opened.wait_for_function(IS_LIVE, arg="first")
    opened.click("text=second")
    opened.wait_for_function(SHOWS, arg="second")
    opened.click("text=first")
    opened.wait_for_function("() => !document.querySelector('#first')")
    still = opened.text_content("#second p")
    opened.focus("#second video")
    opened.keyboard.press("ArrowUp")
    opened.wait_for_function(f'{LAST_DRIVE} === \'{{"x":0,"y":0}}\'')

    assert still == "You drive."
    opened.click("text=second")
    gateway.wait_for("no one drives")
    opened.click("text=first")
    opened.wait_for_function(IS_LIVE, arg="first")
    gateway.wait_for(r"demo drives \(epoch \d+\)")


def test_a_component_that_comes_and_goes_at_any_moment_leaves_no_lease(
    opened: Page, gateway: Process
) -> None:
    """Mounted and unmounted faster than the server answers, it drives at last, and lets go."""
    toggle = "document.querySelector('button').click()"
    for wait_ms in (0, 2, 5, 10, 20, 40, 80):
        opened.evaluate(
            f"async () => {{ {toggle}; await new Promise((go) => setTimeout(go, {wait_ms})); }}"
        )
    opened.wait_for_function("() => !document.querySelector('#first')")
    opened.click("text=first")

    opened.wait_for_function(IS_LIVE, arg="first")
    told = gateway.drain()
    opened.click("text=first")
    gateway.wait_for("no one drives")

    assert any("drives (epoch" in line for line in told)
