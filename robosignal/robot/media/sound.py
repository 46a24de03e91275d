"""The robot's sound: one track for all who drive or watch, and the driver's voice."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from robosignal.protocol.ids import SessionId
from robosignal.robot.media.camera import MakeTrack

VoiceHandler = Callable[[AudioFrame], None]
"""Plays 20 ms of the driver's voice: 48,000 samples a second, 16 bits, one or two channels.

It is called in a thread of its own, one call at a time. While it is half a second late, what comes
is dropped.
"""


class Microphone:
    """Shares one track of sound among all peers; a function is called again once it has ended."""

    def __init__(self, audio: MediaStreamTrack | MakeTrack) -> None:
        self._audio = audio
        self._relay = MediaRelay()
        self._track: MediaStreamTrack | None = None

    def listen(self) -> MediaStreamTrack | None:
        """Return a new peer's view of the track; it is the caller's to stop."""
        if self._track is None or self._track.readyState == "ended":
            audio = self._audio
            self._track = audio if isinstance(audio, MediaStreamTrack) else audio()
        return None if self._track is None else self._relay.subscribe(self._track)

    def close(self) -> None:
        """Stop the track, if a function has made it."""
        if self._track is not None and self._track is not self._audio:
            self._track.stop()


@dataclass(frozen=True, slots=True)
class Sound:
    """What a peer connection does with sound; None for each way that there is none."""

    microphone: Microphone | None = None
    take_voice: Callable[[SessionId, AudioFrame], None] | None = None


async def read_voice(
    track: MediaStreamTrack, session: SessionId, take: Callable[[SessionId, AudioFrame], None]
) -> None:
    """Take what a peer sends until it ends: what is not read piles up in memory."""
    with suppress(MediaStreamError, asyncio.CancelledError):
        while True:
            frame = await track.recv()
            if isinstance(frame, AudioFrame):
                take(session, frame)
