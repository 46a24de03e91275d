"""One peer connection to a robot, from this program's offer on."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from robosignal.operator.channels import DataChannels, Message
from robosignal.operator.errors import OperatorError
from robosignal.robot.frames import assign_section, read_candidate, read_sdp
from robosignal.robot.media.ice import configure, to_aiortc

_log = logging.getLogger(__name__)


class Peer:
    """A peer connection; `hear` gets what the robot says, and `see` each picture of its video."""

    def __init__(
        self,
        pc_id: str,
        servers: Iterable[Mapping[str, Any]],
        hear: Callable[[Message], None],
        see: Callable[[VideoFrame], None],
        *,
        has_video: bool,
    ) -> None:
        self.pc_id = pc_id
        self.has_picture = False
        self._see = see
        self._connection = RTCPeerConnection(configure(servers))
        self._connection.on("track", self._take_track)
        self._video = (
            self._connection.addTransceiver("video", direction="recvonly") if has_video else None
        )
        self.channels = DataChannels(self._connection, hear)
        self._answer: asyncio.Future[RTCSessionDescription] = (
            asyncio.get_running_loop().create_future()
        )
        self._sdp = ""
        self._early: list[dict[str, Any]] = []
        self._gathering: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._adding: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        """Whether there is a path to the robot."""
        return self._connection.connectionState == "connected"

    @property
    def is_lost(self) -> bool:
        """Whether the path, or the channel that has been open, is gone for good."""
        is_over = self._connection.connectionState in ("failed", "closed")
        return is_over or self.channels.control.readyState == "closed"

    @property
    def is_complete(self) -> bool:
        """Whether everything that the robot's answer declares has arrived."""
        is_sent = self._video is not None and self._video.currentDirection == "recvonly"
        is_seen = self.has_picture or not is_sent
        return self.is_connected and self.channels.opened.is_set() and is_seen

    async def make_offer(self) -> dict[str, str]:
        """Return the offer's payload, with all candidates of this machine."""
        # Shielded: gathering that is broken off would leave its sockets open.
        self._gathering = asyncio.create_task(self._gather())
        await asyncio.shield(self._gathering)
        description = self._connection.localDescription
        return {"type": description.type, "sdp": description.sdp}

    def take(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Take the payload of a frame of the robot's: `answer` or `ice-candidate`."""
        if kind == "ice-candidate":
            self._take_candidate(dict(payload))
        elif not self._answer.done():
            self._take_answer(dict(payload))

    async def wait_for_answer(self) -> None:
        """Apply the robot's answer once it is here. Raise OperatorError if it refuses."""
        answer = await self._answer
        try:
            await self._connection.setRemoteDescription(answer)
        except Exception as failure:
            # aiortc raises whatever its parsers raise.
            raise OperatorError("internal", f"the robot's answer cannot be used: {failure}") from (
                failure
            )
        self._sdp = answer.sdp
        early, self._early = self._early, []
        for each in early:
            self._take_candidate(each)

    async def close(self) -> None:
        """End the peer connection."""
        if self._gathering is not None:
            await asyncio.wait({self._gathering})
        for task in (self._watching, *self._adding):
            if task is not None:
                task.cancel()
        await self._connection.close()

    async def _gather(self) -> None:
        await self._connection.setLocalDescription(await self._connection.createOffer())

    def _take_answer(self, payload: dict[str, Any]) -> None:
        sdp = read_sdp(payload)
        if payload.get("type") == "error" or sdp is None:
            reason = str(payload.get("message") or "it does not say why")[:300]
            text = f"the robot refuses the offer: {reason}"
            self._answer.set_exception(OperatorError("internal", text))
        else:
            self._answer.set_result(RTCSessionDescription(sdp, "answer"))

    def _take_candidate(self, payload: dict[str, Any]) -> None:
        if not self._sdp:
            self._early.append(payload)
            return
        candidate = read_candidate(payload)
        if candidate is None or not candidate.candidate:
            return
        found = assign_section(candidate, self._sdp)
        with suppress(Exception):  # one that cannot be read is left out
            adding = asyncio.ensure_future(self._connection.addIceCandidate(to_aiortc(found)))
            self._adding.add(adding)
            adding.add_done_callback(self._end_adding)

    def _end_adding(self, adding: asyncio.Task[None]) -> None:
        self._adding.discard(adding)
        if not adding.cancelled() and adding.exception() is not None:
            _log.debug("a candidate of the robot's cannot be used")

    def _take_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video" and self._watching is None:
            self._watching = asyncio.create_task(self._watch(track))

    async def _watch(self, track: MediaStreamTrack) -> None:
        # aiortc keeps every picture that is not taken, so each is taken at once.
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame):
                    self.has_picture = True
                    self._see(frame)
