"""The robot against peers that break off, and tokens that end while it is online."""

import asyncio
import json
import logging
import re
from typing import Any

import numpy as np
import pytest

from robosignal.robot import TokenRejected
from robosignal.robot.connection.state import Timing
from robosignal.robot.media.test_pattern import FRAMES_PER_SECOND, HEIGHT
from tests.robot.server import (
    ALICE,
    BOB,
    PATIENCE,
    TOKEN,
    Browser,
    LogLines,
    Running,
    SignalingServer,
    browser,
    robot,
    session,
)

FORWARD = {"type": "command", "n": 1, "drive": {"x": 0.0, "y": 1.0}}
WATCHED_FRAMES = FRAMES_PER_SECOND * 6 // 5
ROWS_IN_HALF_A_SECOND = 12
"""Rows of colour that the marker crosses at full speed before the watchdog stops it."""

LATE_ROWS = 6
"""What a busy machine may add; it is a quarter of a second."""


class Deaf(SignalingServer):
    """A server whose clients say that they take messages of at most one byte."""

    async def push(self, kind: str, **fields: Any) -> None:
        """Send the robot a frame."""
        if kind == "offer":
            payload = fields["payload"]
            sdp, found = re.subn(r"a=max-message-size:\d+", "a=max-message-size:1", payload["sdp"])
            assert found == 1
            fields["payload"] = payload | {"sdp": sdp}
        await super().push(kind, **fields)


async def marker_row(one: Browser) -> int:
    """Return where the marker's upper edge is in the next frame, in rows of colour."""
    planes = np.asarray(await one.image())
    red = planes[HEIGHT * 5 // 4 :].reshape(HEIGHT // 2, -1)
    return int(np.argwhere(red > 170)[:, 0].min())


async def test_a_peer_that_cannot_be_answered_does_not_keep_the_robot_driving() -> None:
    """One command, then silence: the robot drives for half a second."""
    server = Deaf()
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        before = await marker_row(alice)
        alice.say(FORWARD)
        rows = [await marker_row(alice) for _ in range(WATCHED_FRAMES)]

    assert 0 < before - rows[-1] <= ROWS_IN_HALF_A_SECOND + LATE_ROWS
    assert len(set(rows[-6:])) == 1


async def test_a_peer_that_cannot_be_answered_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That its answers go nowhere is its own affair: there is no traceback for each message."""
    server = Deaf()
    async with (
        server.open(),
        robot(server) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        before = await marker_row(alice)
        alice.say({"type": "ping", "n": 1})
        alice.say(FORWARD)
        # Once it is seen to drive, it has tried to answer both.
        async with asyncio.timeout(PATIENCE):
            while await marker_row(alice) == before:
                pass

    assert running.log.count("ignores what it fails on") == 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class FailingLog(LogLines):
    """A log that fails on lines that say who drives."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, or fail."""
        if "Bob drives" in record.getMessage():
            raise OSError
        super().emit(record)


async def test_what_fails_of_an_event_costs_only_itself() -> None:
    """The displaced driver's peer is closed, though the line about it could not be written."""
    server, log = SignalingServer(), FailingLog()
    async with server.open(), browser(server, "a", "pc-a1", ALICE) as alice:
        running = Running(server.url, log=log)
        await server.frame("register")
        await alice.join("controller", 2)
        await server.push("takeover", by=BOB, reason="owner", sessionId=session("b"), epoch=3)
        await asyncio.wait_for(alice.closed.wait(), PATIENCE)
        await running.stop()

    assert "demo: fails to log" in log.lines


class Tokens:
    """A source that gives another token each time."""

    def __init__(self) -> None:
        self.given: list[str] = []

    async def __call__(self) -> str:
        """Return the next token."""
        self.given.append(f"token.{len(self.given) + 1}")
        return self.given[-1]


async def expire(server: SignalingServer) -> None:
    """Say that the robot's token has ended, and close its connection, as the backend does."""
    assert server.current is not None
    error = {"type": "error", "code": "token_expired", "message": "connect with a new token"}
    await server.current.send(json.dumps(error))
    await server.current.close()


def offered(server: SignalingServer) -> list[str]:
    """Return the token of each handshake."""
    return [handshake.partition("bearer.")[2] for handshake in server.handshakes]


async def test_a_robot_whose_token_ends_comes_back_with_a_new_one() -> None:
    """As often as one ends while it is online, with one dial each time."""
    server, tokens = SignalingServer(), Tokens()
    async with server.open():
        running = Running(server.url, token=tokens)
        await server.frame("register")
        for _ in range(2):
            await expire(server)
            await server.frame("register")
        error = await running.stop()

    assert (error, offered(server)) == (None, ["token.1", "token.2", "token.3"])
    assert running.log.count("asks for a new one") == 2


async def test_a_robot_whose_fixed_token_ends_does_not_dial_again() -> None:
    """There is no other token to be had, and the last line says what to do."""
    server = SignalingServer()
    async with server.open():
        running = Running(server.url)
        await server.frame("register")
        await expire(server)
        error = await running.ended()

    assert isinstance(error, TokenRejected)
    assert (error.reason, len(server.handshakes)) == ("expired", 1)
    assert str(error) == "the token has expired: sign in again for a new one"


async def test_a_new_token_that_is_refused_is_the_last_one_asked_for_without_patience() -> None:
    """A source that keeps giving refused tokens does not make the robot dial for ever."""
    server, tokens = SignalingServer(), Tokens()
    async with server.open():
        running = Running(server.url, token=tokens, timing=Timing(patience_ms=0))
        await server.frame("register")
        server.status = 401
        await expire(server)
        error = await running.ended()

    assert isinstance(error, TokenRejected)
    assert (tokens.given, offered(server)) == (["token.1", "token.2"], tokens.given)
    assert error.reason == "refused"
    assert "was accepted before, and has been refused" in str(error)


async def test_a_fixed_token_that_is_refused_for_a_moment_brings_the_robot_back() -> None:
    """As when the server cannot fetch its issuer's keys: 401, and the token is a good one."""
    server = SignalingServer()
    async with server.open():
        running = Running(server.url)
        await server.frame("register")
        assert server.current is not None
        server.status = 401
        await server.current.close(1001)
        refusal = await running.log.wait_for("offline: the token is refused; dials again in")
        server.status = None
        await server.frame("register")
        error = await running.stop()

    assert (error, refusal.count(TOKEN)) == (None, 0)
    assert len(server.handshakes) == 3


async def test_a_first_token_that_is_refused_is_the_only_one_asked_for() -> None:
    """Who was never online has no reason to hope for a better token."""
    server, tokens = SignalingServer(), Tokens()
    server.status = 401
    async with server.open():
        running = Running(server.url, token=tokens)
        error = await running.ended()

    assert isinstance(error, TokenRejected)
    assert tokens.given == ["token.1"]
