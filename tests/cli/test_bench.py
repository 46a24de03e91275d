"""`robosignal bench` as a person at a terminal meets it."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from robosignal.cli.main import main
from tests.e2e.processes import PATIENCE_SECONDS, Process, run

SMALL = ("--robots", "2", "--seconds", "0.3")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The directory of a gateway's state."""
    return tmp_path / "state"


@pytest.fixture
def url(state: Path) -> Iterator[str]:
    """The address of a running gateway."""
    gateway = Process("serve", "--port", "0", "--state", str(state))
    yield gateway.wait_for(r"connect to (ws\S+)")[1]
    assert gateway.stop() == 0


def test_a_healthy_gateway_is_measured(url: str, state: Path) -> None:
    """Exit code 0, a table, and the token out of sight in the environment."""
    token = run("token", "ann", "--state", str(state))
    bench = Process("bench", url, *SMALL, environment={"ROBOSIGNAL_TOKEN": token})

    bench.wait_for(rf"^{url}: 2 robots and as many clients, 20 candidates a second each")
    bench.wait_for(r"^candidate, from sent to received +12 +\d+\.\d\d ")
    bench.wait_for(r"^errors +none$")
    assert bench.ended() == 0


def test_without_a_url_a_gateway_of_its_own_is_measured() -> None:
    """It needs no token, and tells the server's CPU as well; as JSON for programs."""
    found = json.loads(run("bench", *SMALL, "--rate", "30", "--json"))

    assert (found["ok"], found["arrived"], found["errors"]) == (True, 18, {})
    assert found["serverCpuUs"] > 0
    assert found["latencyMs"]["p50"] <= found["latencyMs"]["max"]


def test_a_wrong_token_is_exit_code_1_with_what_to_check(url: str, tmp_path: Path) -> None:
    """One sentence that says what was seen, and where to look."""
    foreign = run("token", "ann", "--state", str(tmp_path / "another"))
    bench = Process("bench", url, *SMALL, "--token", foreign)

    bench.wait_for("^failed at connect, of the robot, .* HTTP status 401$")
    bench.wait_for("^check next:")
    assert bench.ended() == 1


def test_a_wrong_path_is_exit_code_1_with_what_to_check(url: str, state: Path) -> None:
    """As with the probe."""
    token = run("token", "ann", "--state", str(state))
    bench = Process("bench", f"{url}uction", *SMALL, "--token", token)

    bench.wait_for("^failed at connect, of the robot, .* HTTP status 403$")
    bench.wait_for("the URL's path: it must be the API's stage")
    assert bench.ended() == 1


def test_an_address_without_a_server_is_exit_code_1() -> None:
    """Without a traceback."""
    bench = Process("bench", "ws://127.0.0.1:9/prod", *SMALL, "--token", "t")

    bench.wait_for("^failed at connect, .* no connection: nothing listens there$")
    assert bench.ended() == 1


def test_ctrl_c_ends_it_in_order() -> None:
    """The figures so far are told; the gateway of its own, which shares the output, is gone."""
    terminal, stderr = pty.openpty()
    bench = subprocess.Popen(
        [sys.executable, "-m", "robosignal", "bench", "--robots", "2", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    os.close(stderr)
    shown = b""
    while b" candidates have arrived" not in shown.replace(b", 0 candidates", b""):
        shown += os.read(terminal, 1024)
    bench.send_signal(signal.SIGINT)
    printed, _ = bench.communicate(timeout=PATIENCE_SECONDS)
    os.close(terminal)

    assert bench.returncode == 0
    assert "stopped after " in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ws://127.0.0.1:9/prod"], "no token: give --token, or set ROBOSIGNAL_TOKEN"),
        (["ws://127.0.0.1:9/prod", "--token", "a b"], "--token holds characters that no token"),
        (["--token", "t"], "--token needs a URL: give both, or neither"),
    ],
)
def test_what_cannot_be_begun_is_one_sentence(
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is dialled."""
    monkeypatch.delenv("ROBOSIGNAL_TOKEN", raising=False)

    assert main(["bench", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"robosignal: {told}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.example"], "argument URL: must be a WebSocket URL"),
        (["--robots", "501"], "argument --robots: must be a whole number from 1 to 500"),
        (["--rate", "0"], "argument --rate: must be above 0"),
        (["--rate", "x"], "argument --rate: must be a number from 0 to 1000"),
        (["--seconds", "601"], "argument --seconds: must be a number of seconds above 0, at most"),
    ],
)
def test_an_argument_that_cannot_be_read_is_named_with_its_limit(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with the other commands."""
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])

    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].partition("error: ")[2].startswith(told)
