"""The QR codes that `serve` prints: a reader of such codes reads the link back off the screen."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zxingcpp

from robosignal.cli.qr import HALVES, draw_qr

LINK = "https://192.168.178.25:8080/#code=abcdefghijklmnopqrstuv"
PIXELS = 4
COLOURED = re.compile(r"\x1b\[97;40m([█▀▄ ]+)\x1b\[0m")
MODULES = {letter: modules for modules, letter in HALVES.items()}


def read_codes(screen: str) -> list[str]:
    """Return what the codes on a terminal say, which shows the colours that it is told."""
    lines = [found[1] for found in COLOURED.finditer(screen)]
    rows = [[MODULES[letter][half] for letter in line] for line in lines for half in (0, 1)]
    picture = np.kron(np.where(np.array(rows), 0, 255), np.ones((PIXELS, PIXELS)))
    return [found.text for found in zxingcpp.read_barcodes(picture.astype(np.uint8))]


@pytest.mark.parametrize("text", [LINK, "https://[fd00::2]:8080/", "a" * 300])
def test_a_reader_reads_the_link(text: str) -> None:
    """Whichever size the code has."""
    assert read_codes(draw_qr(text)) == [text]


@pytest.fixture
def screen() -> Iterator[tuple[int, int]]:
    """A terminal: the side that shows, and the one that programs write to."""
    shows, written = pty.openpty()
    yield shows, written
    for side in (shows, written):
        os.close(side)


def serve_on(screen: tuple[int, int], *options: str) -> str:
    """Return what `serve` shows on a terminal until it is asked to end, once it says it listens."""
    shows, written = screen
    command = (sys.executable, "-m", "robosignal", "serve", "--port", "0", *options)
    process = subprocess.Popen(command, stdout=written, stderr=written)
    shown = b""
    while b"stopping" not in shown:
        shown += os.read(shows, 65536)
        if b"listening on" in shown:
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    return shown.decode()


def test_serve_draws_the_owners_link_on_a_terminal(screen: tuple[int, int], tmp_path: Path) -> None:
    """The one that it prints above it."""
    options = ("--demo", "--tls", "--host", "0.0.0.0", "--state", str(tmp_path))  # noqa: S104
    shown = serve_on(screen, *options)

    link = re.search(r"owns the demo robot:\s+(https://\S+)", shown)
    assert link is not None
    assert read_codes(shown) == [link[1]]


def test_without_a_demo_it_draws_the_consoles_address(
    screen: tuple[int, int], tmp_path: Path
) -> None:
    """Where a person signs in with a token."""
    options = ("--tls", "--host", "0.0.0.0", "--state", str(tmp_path))  # noqa: S104
    shown = serve_on(screen, *options)

    address = re.search(r"is up at (https://\S+)", shown)
    assert address is not None
    assert read_codes(shown) == [address[1]]


def test_what_no_phone_can_use_is_not_drawn(screen: tuple[int, int], tmp_path: Path) -> None:
    """A page by http is not secure there."""
    shown = serve_on(screen, "--demo", "--host", "0.0.0.0", "--state", str(tmp_path))  # noqa: S104

    assert COLOURED.search(shown) is None
