import asyncio
import time
from dataclasses import replace
from typing import Any

from robosignal.robot import TokenRejected
from robosignal.robot.connection.state import Timing
from tests.robot.server import (
    ALICE,
    INSTANCE,
    PATIENCE,
    Browser,
    Running,
    SignalingServer,
    browser,
    robot,
    session,
)

SHORT = Timing(life_ms=250, drain_ms=100)
"""The next socket is dialled after a quarter of a second, three times a second at most."""

LIVES = 4
PACE_SECONDS = 0.002


def numbered(number: int) -> str:
    """Return a session id with a number in it."""
    return f"demo:{number:022}"


async def registered(server: SignalingServer, times: int) -> list[dict[str, Any]]:
    """Return so many registrations, as soon as they have come."""
    return [await server.frame("register") for _ in range(times)]


async def test_redial_leaves_no_moment_without_a_registered_socket() -> None:
    """The old socket is open when the next one has registered, and closed when it has drained."""
    server = SignalingServer()
    async with server.open(), robot(server, SHORT) as running:
        old = server.current
        assert old is not None
        again = await server.frame("register")
        open_at_the_swap = old.close_code is None
        await asyncio.wait_for(old.wait_closed(), PATIENCE)

    assert (again["instanceId"], open_at_the_swap, old.close_code) == (INSTANCE, True, 1000)
    assert not any("offline" in line for line in running.log.lines)


async def test_nothing_is_lost_while_messages_flow_through_several_redials() -> None:
    """Each numbered question has exactly one numbered answer, whichever sockets they took."""
    server = SignalingServer()
    asked = 0
    async with server.open(), robot(server, SHORT):
        lives = asyncio.create_task(registered(server, LIVES))
        while not lives.done():
            await server.push("answer", sessionId=numbered(asked), role="viewer", payload={})
            asked += 1
            await asyncio.sleep(PACE_SECONDS)
        byes = [await server.frame("bye") for _ in range(asked)]

    assert sorted(bye["sessionId"] for bye in byes) == [numbered(one) for one in range(asked)]
    assert server.none_of("bye")
    assert len({bye["id"] for bye in byes}) == asked


async def test_what_the_registration_overtook_is_sent_once_more_on_the_new_socket() -> None:
    """A frame that the server reads after the new registration comes back, and goes again."""
    server = SignalingServer()
    async with server.open(), robot(server, SHORT):
        server.judging.clear()
        await server.push("answer", sessionId=numbered(7), role="viewer", payload={})
        await server.frame("register")
        server.judging.set()
        bye = await server.frame("bye")

    assert [(one["id"], one["sessionId"]) for one in server.refused] == [("s1", numbered(7))]
    assert (bye["id"], bye["sessionId"]) == ("s1", numbered(7))


async def test_what_comes_before_the_welcome_of_the_next_socket_counts_for_nothing() -> None:
    """The session's answer is not handled, so no `bye` replies to it; one after the welcome is."""
    server = SignalingServer()
    early = {"type": "answer", "robotId": "demo", "role": "viewer", "payload": {}}
    async with server.open(), robot(server, SHORT):
        server.before_welcome = {**early, "sessionId": numbered(1)}
        await registered(server, 2)
        await server.push("answer", sessionId=numbered(2), role="viewer", payload={})
        bye = await server.frame("bye")

    assert bye["sessionId"] == numbered(2)


async def test_peer_connections_outlive_redials() -> None:
    """The driver is obeyed and its video goes on over sockets that come and go."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server, SHORT),
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        server.registration = _seated(alice)
        await alice.join("controller", 2)
        before = await alice.number()
        await registered(server, 2)
        done = await alice.drive(1)
        after = await alice.number()

    assert before is not None
    assert after is not None
    assert after > before
    assert done == {"type": "done", "n": 1, "epoch": 2}


async def test_token_is_asked_for_at_each_dial() -> None:
    """The next socket has a new token."""
    server = SignalingServer()
    tokens = iter(["first.token", "second.token", "third.token", "more"])

    async def source() -> str:
        return next(tokens)

    async with server.open():
        running = Running(server.url, token=source, timing=SHORT)
        await registered(server, 2)
        await running.stop()

    offered = [f"robosignal.v1, bearer.{token}" for token in ("first.token", "second.token")]
    assert server.handshakes[:2] == offered


async def test_source_without_a_token_is_asked_again() -> None:
    """Its failure is a loss like any other, and the log does not quote it."""
    server = SignalingServer()
    asked = 0

    async def source() -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError("secret.in.its.text")
        return "a.token"

    async with server.open():
        running = Running(server.url, token=source)
        line = await running.log.wait_for("offline")
        await server.frame("register")
        await running.stop()

    assert "no token: its source failed with OSError" in line
    assert "secret" not in "\n".join(running.log.lines)


async def test_next_socket_that_is_refused_its_token_leaves_the_current_one() -> None:
    """The robot goes on, says what is the matter, and ends only when that one is lost."""
    server = SignalingServer()
    async with server.open(), robot(server, replace(SHORT, patience_ms=0)) as running:
        server.status = 401
        await running.log.wait_for("the token is refused for a new connection")
        await server.push("answer", sessionId=session("z"), role="viewer", payload={})
        bye = await server.frame("bye")
        assert server.current is not None
        await server.current.close(1001)
        error = await running.ended()

    assert bye["sessionId"] == session("z")
    assert isinstance(error, TokenRejected)


async def test_next_socket_that_cannot_open_is_tried_again_while_the_current_one_is_open() -> None:
    """The server's trouble costs no connection."""
    server = SignalingServer()
    async with server.open(), robot(server, SHORT) as running:
        server.status = 503
        await running.log.wait_for(
            "cannot redial yet: the server answers 503 Service Unavailable; dials"
        )
        server.status = None
        again = await server.frame("register")

    assert again["instanceId"] == INSTANCE
    assert not any("offline" in line for line in running.log.lines)


async def test_socket_is_followed_before_its_token_ends() -> None:
    """A welcome's `expiresAt` is read against the clock on the wall."""
    server = SignalingServer()
    end = time.time() + 1
    server.welcome = {"expiresAt": int(end * 1000)}
    async with server.open(), robot(server, Timing(shortest_ms=0)):
        again = await server.frame("register")
        left = end - time.time()

    assert again["instanceId"] == INSTANCE
    assert 0 < left < 0.5


def _seated(one: Browser) -> dict[str, Any]:
    seat = {"sessionId": one.session, "person": ALICE, "role": "controller"}
    return {"control": {"epoch": 2, "sessionId": one.session}, "sessions": [seat]}
