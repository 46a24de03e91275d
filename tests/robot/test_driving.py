"""The robot and its peers: video, data channel, and who is obeyed."""

import asyncio

import numpy as np

from robosignal.robot.media.test_pattern import HEIGHT
from tests.robot.server import (
    ALICE,
    BOB,
    INSTANCE,
    Browser,
    SignalingServer,
    browser,
    robot,
    session,
)


async def test_video_advances_frame_by_frame() -> None:
    """The numbers that a watcher reads out of the decoded video rise."""
    server = SignalingServer()
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("viewer")
        numbers = [await alice.number() for _ in range(8)]

    assert None not in numbers
    assert numbers == sorted({number or 0 for number in numbers})


async def test_data_channel_answers_pings_and_echoes_to_the_holder() -> None:
    """Round trips are measured by anybody; the echo, text or bytes, is the holder's."""
    server = SignalingServer()
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        alice.say({"type": "ping", "n": 7})
        pong = await alice.hear()
        alice.say("as it came")
        text = await alice.heard.get()
        alice.say(b"\x00\xff")
        data = await alice.heard.get()

    assert (pong, text, data) == ({"type": "pong", "n": 7}, "as it came", b"\x00\xff")


async def test_holder_drives_the_marker_up_the_picture() -> None:
    """A command that is obeyed is seen in the video."""
    server = SignalingServer()
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        before = _marker_row(await alice.image())
        done = await alice.drive(1)
        rows = [_marker_row(await alice.image()) for _ in range(8)]

    assert done == {"type": "done", "n": 1, "epoch": 2}
    assert before > min(rows)


async def test_watchdog_stops_the_marker() -> None:
    """Half a second after the last command the marker is still."""
    server = SignalingServer()
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        before = _marker_row(await alice.image())
        await alice.drive(1)
        rows = [_marker_row(await alice.image()) for _ in range(24)]

    assert before > rows[-1]
    assert len(set(rows[-6:])) == 1


async def test_takeover_fences_the_first_driver_and_ends_its_peer() -> None:
    """The new driver is obeyed, and the old one's connection is closed by the robot."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
        browser(server, "b", "pc-b1", BOB) as bob,
    ):
        await alice.join("controller", 2)
        await bob.join("viewer")
        refused = await bob.drive(1)
        await server.push("takeover", by=BOB, reason="owner", sessionId=bob.session, epoch=3)
        await running.log.wait_for("Bob drives (epoch 3)")
        done = await bob.drive(2)
        await asyncio.wait_for(alice.closed.wait(), 10)

    assert refused == {"type": "refused", "n": 1, "epoch": 2}
    assert done == {"type": "done", "n": 2, "epoch": 3}


async def test_displaced_driver_rejoins_as_viewer_under_its_old_session_id() -> None:
    """A new pcId makes a new peer connection, whose commands are refused."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server),
        browser(server, "a", "pc-a1", ALICE) as alice,
        browser(server, "a", "pc-a2", ALICE) as again,
    ):
        await alice.join("controller", 2)
        await server.push("takeover", by=BOB, reason="owner", sessionId=session("b"), epoch=3)
        await again.join("viewer")
        refused = await again.drive(1)
        number = await again.number()

    assert refused == {"type": "refused", "n": 1, "epoch": 3}
    assert number is not None


async def test_stale_epoch_changes_nothing() -> None:
    """A push with a lower epoch than the robot's is ignored."""
    server = SignalingServer()
    server.registration = {"control": {"epoch": 4}, "sessions": []}
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 5)
        await server.push("takeover", by=BOB, reason="owner", sessionId=session("b"), epoch=4)
        await server.push("control", epoch=4)
        done = await alice.drive(1)

    assert done == {"type": "done", "n": 1, "epoch": 5}


async def test_lost_socket_keeps_media_and_registers_the_same_instance_again() -> None:
    """The video goes on without signaling, and the standing session is still obeyed after."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        server.registration = _standing(alice)
        assert server.current is not None
        server.current.transport.abort()
        await running.log.wait_for("offline")
        numbers = [await alice.number() for _ in range(4)]
        again = await server.frame("register")
        done = await alice.drive(1)

    assert numbers == sorted(number or 0 for number in numbers)
    assert again["instanceId"] == INSTANCE
    assert done == {"type": "done", "n": 1, "epoch": 2}


async def test_peers_whose_sessions_ended_meanwhile_are_closed_at_the_redial() -> None:
    """What `registered` does not list has ended."""
    server = SignalingServer()
    async with server.open(), robot(server), browser(server, "a", "pc-a1", ALICE) as alice:
        await alice.join("controller", 2)
        assert server.current is not None
        server.registration = {"control": {"epoch": 3}, "sessions": []}
        await server.current.close(1001)
        await asyncio.wait_for(alice.closed.wait(), 10)

    assert alice.closed.is_set()


async def test_two_viewers_see_the_same_frames() -> None:
    """They watch one camera, not one each."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server),
        browser(server, "a", "pc-a1", ALICE) as alice,
        browser(server, "b", "pc-b1", BOB) as bob,
    ):
        await alice.join("viewer")
        await bob.join("viewer")
        hers = {await alice.number() for _ in range(10)}
        his = {await bob.number() for _ in range(10)}

    assert hers & his


def _standing(one: Browser) -> dict[str, object]:
    seat = {"sessionId": one.session, "person": ALICE, "role": "controller"}
    return {"control": {"epoch": 2, "sessionId": one.session}, "sessions": [seat]}


def _marker_row(image: object) -> int:
    planes = np.asarray(image)
    red = planes[HEIGHT * 5 // 4 :].reshape(HEIGHT // 2, -1)
    return int(np.argwhere(red > 170)[:, 0].min())
