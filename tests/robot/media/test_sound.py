"""The driver's voice reaches the robot's program, and no one else's does."""

import asyncio
from fractions import Fraction
from threading import Event

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from tests.robot.server import ALICE, BOB, PATIENCE, Browser, SignalingServer, browser, robot

RATE, SAMPLES = 8_000, 160
LOUD = 20_000


class Tone(MediaStreamTrack):
    """A voice that is loud: a square wave of 500 Hz. `sent` is how much of it was taken."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def recv(self) -> AudioFrame:
        """Return the next 20 ms."""
        await asyncio.sleep(SAMPLES / RATE)
        wave = np.tile(np.repeat(np.array([LOUD, -LOUD], np.int16), 8), SAMPLES // 16)
        frame = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self.sent * SAMPLES
        frame.time_base = Fraction(1, RATE)
        self.sent += 1
        return frame


def speak(who: Browser, track: MediaStreamTrack) -> None:
    """Have a client offer this sound as well."""
    who._peer.addTrack(track)  # noqa: SLF001


def loudness(frame: AudioFrame) -> int:
    """Return the largest value of its samples."""
    return int(np.abs(frame.to_ndarray().astype(int)).max())


async def test_the_robot_plays_the_voice_of_the_driver_alone() -> None:
    """Bob, who watches, shouts, and Alice, who drives, is silent: silence is all that is played."""
    heard: list[int] = []
    enough = Event()
    shout = Tone()

    def play(frame: AudioFrame) -> None:
        heard.append(loudness(frame))
        if len(heard) >= 25:
            enough.set()

    server = SignalingServer()
    async with (
        server.open(),
        robot(server, on_voice=play),
        browser(server, "b", "pc-b1", BOB) as bob,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        speak(bob, shout)
        speak(alice, AudioStreamTrack())
        await bob.join("viewer")
        async with asyncio.timeout(PATIENCE):
            while shout.sent < 25:  # noqa: ASYNC110 - the track tells no one
                await asyncio.sleep(0.02)
        before = list(heard)
        await alice.join("controller", 2)
        assert await asyncio.to_thread(enough.wait, PATIENCE)

    assert before == []
    assert max(heard) < LOUD // 100


async def test_the_voice_of_a_driver_who_shouts_is_loud() -> None:
    """What is played is what the driver says."""
    heard: list[int] = []
    loud = Event()

    def play(frame: AudioFrame) -> None:
        heard.append(loudness(frame))
        if heard[-1] > LOUD // 4:
            loud.set()

    server = SignalingServer()
    async with (
        server.open(),
        robot(server, on_voice=play),
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        speak(alice, Tone())
        await alice.join("controller", 2)
        assert await asyncio.to_thread(loud.wait, PATIENCE)
