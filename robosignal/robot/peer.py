"""One RTCPeerConnection of one session: offers in, answers, messages and its end out.

Knows aiortc; never who drives, what a message means, or how frames travel.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from robosignal.robot.actions import Answered, Event, Failed, Message, Refused
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.sdp import Unacceptable, rewrite
from signaling.wire.ids import SessionId

CHANNEL = "control"
CONNECT_SECONDS = 30
"""How long a peer connection may take to connect before it is given up."""

GATHERING_SECONDS = 10
"""Longer than ICE waits for a STUN or TURN server that does not answer: twice 5 s."""

BUFFERED_BYTES = 256 * 1024
"""A peer that does not read loses messages beyond this many waiting bytes."""


class Peer:
    """A peer connection that answers; `tell` brings its events until `close`.

    `film` is asked for its track, None for no video, by the first offer that takes video; when it
    raises, that offer is refused.
    """

    def __init__(
        self,
        session_id: SessionId,
        pc_id: PcId,
        configuration: RTCConfiguration,
        film: Callable[[], MediaStreamTrack | None],
        tell: Callable[[Event], None],
    ) -> None:
        self._session_id = session_id
        self._pc_id = pc_id
        self._film = film
        self._filmed = False
        self._track: MediaStreamTrack | None = None
        self._tell = tell
        self._channel: RTCDataChannel | None = None
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("datachannel", self._opened)
        self._connection.on("connectionstatechange", self._changed)
        self._jobs: asyncio.Queue[Coroutine[Any, Any, None] | None] = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(CONNECT_SECONDS, self._fail)
        self._closed = False

    def offer(self, sdp: str) -> None:
        """Take an offer; its answer is told, or that it is refused."""
        self._jobs.put_nowait(self._answer(sdp))

    def add(self, candidate: Candidate) -> None:
        """Take a candidate; one that cannot be read is left out."""
        self._jobs.put_nowait(self._add(candidate))

    def say(self, data: str | bytes) -> None:
        """Write to the data channel, if it is open and its reader keeps up."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount < BUFFERED_BYTES:
            # A peer may say in its SDP that it takes no message of this size.
            with contextlib.suppress(ValueError):
                channel.send(data)

    async def close(self) -> None:
        """End the peer connection; nothing is told any more, and no video is sent."""
        self._closed = True
        self._patience.cancel()
        try:
            if self._track is not None:
                self._track.stop()
        finally:
            await self._end()

    async def _end(self) -> None:
        while not self._jobs.empty():
            waiting = self._jobs.get_nowait()
            if waiting is not None:
                waiting.close()
        self._jobs.put_nowait(None)
        # What it is at is not cut off: ICE forgets the sockets of a gathering that is.
        await asyncio.wait({self._worker}, timeout=GATHERING_SECONDS)
        self._worker.cancel()
        await self._connection.close()

    async def _work(self) -> None:
        # One after the other: candidates wait for the offer that they belong to.
        while (job := await self._jobs.get()) is not None:
            await job

    async def _answer(self, sdp: str) -> None:
        try:
            offer = rewrite(sdp)
        except Unacceptable as refusal:
            # It has not come near the peer connection, which may have been answered before.
            stands = self._connection.remoteDescription is not None
            self._refuse(refusal, stands=stands)
            return
        except Exception as failure:  # noqa: BLE001 - aiortc's parser raises what it stumbles on
            self._refuse(_unreadable(failure))
            return
        try:
            await self._take(RTCSessionDescription(sdp=offer.sdp, type="offer"))
        except Unacceptable as refusal:
            self._refuse(refusal)
            return
        except Exception as failure:  # noqa: BLE001 - as above
            self._refuse(_unreadable(failure))
            return
        answer = offer.answer(self._connection.localDescription.sdp)
        self._told(Answered(self._session_id, self._pc_id, answer))

    def _refuse(self, why: Unacceptable, *, stands: bool = False) -> None:
        event = Refused(self._session_id, self._pc_id, why.code, why.message, stands=stands)
        self._told(event)

    async def _take(self, description: RTCSessionDescription) -> None:
        await self._connection.setRemoteDescription(description)
        self._send_video()
        answer = await self._connection.createAnswer()
        await self._connection.setLocalDescription(answer)

    def _send_video(self) -> None:
        for transceiver in self._connection.getTransceivers():
            # A track that came after `close` would be stopped by nobody.
            if transceiver.kind == "video" and not self._filmed and not self._closed:
                self._filmed = True
                self._track = self._take_track()
                transceiver.sender.replaceTrack(self._track)
            # Nothing is received: media that nobody reads would pile up in memory.
            sends = transceiver.sender.track is not None
            transceiver.direction = "sendonly" if sends else "inactive"

    def _take_track(self) -> MediaStreamTrack | None:
        try:
            return self._film()
        except Exception as failure:
            message = "the robot has no video to give: offer again in a while"
            raise Unacceptable("unavailable", message) from failure

    async def _add(self, candidate: Candidate) -> None:
        # As above; without this candidate, another may still do.
        with contextlib.suppress(Exception):
            await self._connection.addIceCandidate(_readable(candidate))

    def _opened(self, channel: RTCDataChannel) -> None:
        if channel.label == CHANNEL:
            self._channel = channel
            channel.on("message", self._came)

    def _came(self, data: str | bytes) -> None:
        self._told(Message(self._session_id, self._pc_id, data))

    def _changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._patience.cancel()
        elif state in {"failed", "closed"}:
            self._fail()

    def _fail(self) -> None:
        self._told(Failed(self._session_id, self._pc_id))

    def _told(self, event: Event) -> None:
        if not self._closed:
            self._tell(event)


def _unreadable(failure: Exception) -> Unacceptable:
    # Its own text may quote what a stranger wrote.
    what = f"the offer cannot be read ({type(failure).__name__})"
    return Unacceptable("not_acceptable", f"{what}: send what createOffer returns, whole")


def _readable(candidate: Candidate) -> Any:
    """Return what aiortc takes: an RTCIceCandidate, or None at the end of candidates."""
    if not candidate.candidate:
        return None
    found = candidate_from_sdp(candidate.candidate.removeprefix("candidate:"))
    found.sdpMid = candidate.sdp_mid
    found.sdpMLineIndex = candidate.sdp_m_line_index
    return found
