"""A robot with a camera of its own: whose tracks its peers watch, and what becomes of them."""

import asyncio
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from av import VideoFrame

from tests.robot.server import ALICE, BOB, SignalingServer, browser, robot

GREY = 90


class GreyTrack(MediaStreamTrack):
    """A camera that looks at a wall."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    async def recv(self) -> VideoFrame:
        """Return the next frame, twenty a second."""
        await asyncio.sleep(0.05)
        self._number += 1
        planes = np.full((64 * 3 // 2, 64), 128, dtype=np.uint8)
        planes[:64] = GREY
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = self._number * 4500, Fraction(1, 90_000)
        return frame


class Film:
    """Gives a track to each peer, after so many failures, and keeps them."""

    def __init__(self, *, failures: int = 0) -> None:
        self.tracks: list[GreyTrack] = []
        self._failures = failures

    def __call__(self) -> MediaStreamTrack:
        """Return a new track, or raise."""
        if self._failures:
            self._failures -= 1
            raise OSError("no such camera")
        self.tracks.append(GreyTrack())
        return self.tracks[-1]


async def test_each_peer_watches_a_track_of_its_own() -> None:
    """What they see is the robot's camera, not the test picture."""
    server, film = SignalingServer(), Film()
    async with (
        server.open(),
        robot(server, video=film),
        browser(server, "a", "pc-a1", ALICE) as alice,
        browser(server, "b", "pc-b1", BOB) as bob,
    ):
        await alice.join("viewer")
        await bob.join("viewer")
        pictures = [await alice.image(), await bob.image()]

    assert len(film.tracks) == 2
    assert all(abs(int(np.median(picture[:64])) - GREY) <= 8 for picture in pictures)


async def test_track_in_place_of_a_function_is_relayed_to_all_and_stays_its_owners() -> None:
    """The camera is opened once; neither a peer's end nor the robot's stops it."""
    server, track = SignalingServer(), GreyTrack()
    async with server.open():
        async with (
            robot(server, video=track),
            browser(server, "a", "pc-a1", ALICE) as alice,
            browser(server, "b", "pc-b1", BOB) as bob,
        ):
            await alice.join("viewer")
            await bob.join("viewer")
            pictures = [await alice.image(), await bob.image()]
            await server.push("peer-left", sessionId=bob.session, reason="bye")
            await asyncio.wait_for(bob.closed.wait(), 10)
            pictures.append(await alice.image())
        state = track.readyState
        track.stop()

    assert state == "live"
    assert all(abs(int(np.median(picture[:64])) - GREY) <= 8 for picture in pictures)


async def test_track_of_a_peer_that_has_ended_is_stopped() -> None:
    """A camera is not read for somebody who has left; the others' tracks go on."""
    server, film = SignalingServer(), Film()
    async with (
        server.open(),
        robot(server, video=film),
        browser(server, "a", "pc-a1", ALICE) as alice,
        browser(server, "b", "pc-b1", BOB) as bob,
    ):
        await alice.join("controller", 2)
        await bob.join("viewer")
        await server.push("peer-left", sessionId=bob.session, reason="bye")
        await asyncio.wait_for(bob.closed.wait(), 10)
        states = [track.readyState for track in film.tracks]

    assert states == ["live", "ended"]
    assert film.tracks[0].readyState == "ended"


async def test_camera_that_fails_costs_that_peer_connection_alone() -> None:
    """It is logged why and the client is told; its next offer is answered."""
    server, film = SignalingServer(), Film(failures=1)
    async with (
        server.open(),
        robot(server, video=film) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
        browser(server, "a", "pc-a2", ALICE) as again,
    ):
        refusal = await alice.refused("controller", 2)
        await running.log.wait_for("has no video to give")
        await running.log.wait_for("refuses an offer of Alice: the robot has no video to give")
        await again.join("controller", 2)
        done = await again.drive(1)

    assert done["type"] == "done"
    assert refusal["code"] == "unavailable"


async def test_robot_without_a_camera_is_driven_all_the_same() -> None:
    """None instead of a track means a peer connection without video."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server, video=lambda: None),
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        done = await alice.drive(1)

    assert done["type"] == "done"
