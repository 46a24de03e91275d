"""The backend from the built wheel alone: commands, console and testing package."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

from tests.packaging.environment import Environment

# Relative modules and files of the page; a page that names another host would be a mistake.
REFERENCES = re.compile(
    r"""(?:src|href)="([^"#:]+)"|(?:from|import)\s+"(\.[^"]+)"|"(\./[^"]+\.js)\""""
)


@pytest.fixture(scope="module")
def gateway(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the extra `gateway`."""
    return Environment(tmp_path_factory.mktemp("gateway"), wheel, "gateway")


@dataclass(frozen=True)
class Backend:
    """A running `robosignal serve`, and where it is."""

    page_url: str
    websocket_url: str
    state: Path


@pytest.fixture(scope="module")
def backend(gateway: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """`robosignal serve` by the installed command, away from the clone, stopped by Ctrl-C."""
    state = tmp_path_factory.mktemp("state")
    process = subprocess.Popen(
        [gateway.command, "serve", "--port", "0", "--state", state],
        cwd=state,
        env=gateway.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process:
        first, second = process.stdout.readline(), process.stdout.readline()
        try:
            yield Backend(first.split()[-1], second.split()[-1], state)
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
    assert process.returncode == 0


def fetch(url: str) -> tuple[str, str]:
    """Return the type and the text of a file, which must be there."""
    with urlopen(url) as answer:
        assert answer.status == 200
        return answer.headers["Content-Type"], answer.read().decode()


def test_the_console_is_whole(backend: Backend) -> None:
    """Its page, and every file that the page and its modules name, with the right types."""
    seen: dict[str, str] = {}
    waiting = [backend.page_url]
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen[url], text = fetch(url)
        found = [name for names in REFERENCES.findall(text) for name in names if name]
        waiting += [urljoin(url, name) for name in found]

    assert seen[backend.page_url].startswith("text/html")
    modules = [url for url, kind in seen.items() if kind.startswith("text/javascript")]
    assert any(url.endswith("/console.js") for url in modules)
    assert any(url.endswith("/robosignal/index.js") for url in modules)
    assert len(modules) > 20


def test_it_is_healthy(backend: Backend) -> None:
    """As a monitor asks."""
    assert json.loads(fetch(f"{backend.page_url}health")[1]) == {"status": "ok"}


def test_its_own_token_lets_robot_and_client_meet(gateway: Environment, backend: Backend) -> None:
    """`token` and `probe` of the same wheel, without a video library."""
    token = gateway.run("-m", "robosignal", "token", "ann", "--state", str(backend.state))
    probe = gateway.run(
        *("-m", "robosignal", "probe", backend.websocket_url),
        *("--token", token.stdout.strip(), "--json"),
    )

    assert token.stderr == ""
    assert probe.returncode == 0, probe.stdout + probe.stderr
    assert json.loads(probe.stdout)["ok"] is True


def test_the_robot_names_the_extra_that_is_missing(gateway: Environment) -> None:
    """In one sentence."""
    done = gateway.run("-m", "robosignal", "robot", "--url", "ws://a/prod", "--robot-id", "r1")

    assert done.returncode == 1
    assert done.stderr.endswith(": pip install 'robosignal[robot]'\n")
    assert done.stderr.count("\n") == 1


def test_a_backend_in_a_test_is_installed_too(gateway: Environment) -> None:
    """`robosignal.testing` serves from the wheel."""
    code = (
        "from urllib.request import urlopen\n"
        "from robosignal.testing import LocalBackend\n"
        "with LocalBackend() as backend:\n"
        "    print(urlopen(backend.page_url).status)\n"
    )

    assert gateway.evaluate(code) == "200"
