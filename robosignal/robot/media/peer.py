"""One RTCPeerConnection of one session: offers in; answers, messages and its end out."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import aioice
from aioice.mdns import is_mdns_hostname
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.rtcicetransport import RTCIceTransport, candidate_from_aioice
from msgspec.structs import replace

from robosignal.protocol.ids import SessionId
from robosignal.robot.channels import MOST_CHANNELS, PREFIX
from robosignal.robot.frames import Candidate, PcId, assign_section
from robosignal.robot.media import ice
from robosignal.robot.media.camera import CameraTrack
from robosignal.robot.media.consent import keep_consent
from robosignal.robot.media.gathering import Gathering, Relays
from robosignal.robot.media.receiving import limit_receiving
from robosignal.robot.media.sdp import Offer, Unacceptable, rewrite
from robosignal.robot.media.sending import send_encoded
from robosignal.robot.media.sound import Sound, read_voice
from robosignal.robot.session.events import (
    Answered,
    Channel,
    Event,
    Failed,
    Gathered,
    Message,
    Opened,
    Refused,
)

CONNECT_SECONDS = 30
"""How long a peer connection may take to connect before it is given up."""

ANSWERING_SECONDS = 10
"""How long closing waits for an answer that is being made."""

RESOLVED_AT_ONCE = 16
"""How many mDNS names of one peer are resolved at a time; it may send any number."""

BUFFERED_BYTES = 256 * 1024
"""A peer that does not read loses messages while so many bytes wait in the channel."""

DIRECTIONS: dict[tuple[bool, bool], str] = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}
"""The direction of a section of media (RFC 8866, section 6.7), by whether it sends and receives."""

MOST_LABELS = MOST_CHANNELS + 3
"""How many data channels of one peer are read: the application's own, and three others."""

UNRELIABLE = frozenset({"drive", "telemetry"})
"""Channels on which only the newest message counts, so none waits behind another."""


class Peer:
    """A peer connection that answers; `emit` gets its events until `close`.

    `make_track` is called at the first offer that takes video, and returns None for no video; when
    it raises, that offer is refused. Each of `make_more` is for one more section of video, in the
    order in which they are offered. `sound` is for the first section of that kind.
    """

    def __init__(
        self,
        session_id: SessionId,
        pc_id: PcId,
        configuration: RTCConfiguration,
        make_track: Callable[[], MediaStreamTrack | None],
        emit: Callable[[Event], None],
        *,
        relays: Relays,
        make_more: Sequence[Callable[[], MediaStreamTrack | None]] = (),
        sound: Sound | None = None,
    ) -> None:
        self._session_id = session_id
        self._pc_id = pc_id
        self._makers = [make_track, *make_more]
        self._tracks: list[MediaStreamTrack | None] = []
        self._sound = sound or Sound()
        self._spoken: MediaStreamTrack | None = None
        self._speaker: RTCRtpTransceiver | None = None
        self._voice: asyncio.Task[None] | None = None
        self._emit = emit
        self._channels: dict[Channel, RTCDataChannel] = {}
        self._offer: Offer | None = None
        self._servers = configuration.iceServers or []
        self._relays = relays
        # Without a server it answers with what it knows by itself, at once.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._gatherings: dict[aioice.Connection, Gathering] = {}
        self._resolving: set[asyncio.Task[None]] = set()
        self._starting: list[asyncio.Task[None]] = []
        self._connection.on("datachannel", self._take_channel)
        self._connection.on("connectionstatechange", self._handle_state)
        self._jobs: asyncio.Queue[Coroutine[Any, Any, None] | None] = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())
        loop = asyncio.get_running_loop()
        self._connect_timer = loop.call_later(CONNECT_SECONDS, self._fail)
        self._connected = False
        self._closed = False
        self._is_bounded = False

    def offer(self, sdp: str, channel: Literal["control"] | None = None) -> None:
        """Take an offer, which came over `channel`; the event is its answer, or its refusal."""
        self._jobs.put_nowait(self._answer(sdp, channel))

    def add(self, candidate: Candidate) -> None:
        """Take a candidate; one that cannot be read is left out."""
        self._jobs.put_nowait(self._place(candidate))

    def say(self, data: str | bytes, label: Channel = "control") -> None:
        """Write to a data channel, if it is open and its reader keeps up."""
        channel = self._channels.get(label)
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount < (1 if label in UNRELIABLE else BUFFERED_BYTES):
            # A peer may say in its SDP that it takes no message of this size.
            with contextlib.suppress(ValueError):
                channel.send(data)

    async def close(self) -> None:
        """End the peer connection; no more events are emitted, and no video is sent."""
        self._closed = True
        self._connect_timer.cancel()
        try:
            if self._voice is not None:
                self._voice.cancel()
            for track in [*self._tracks, self._spoken]:
                if track is not None:
                    track.stop()
        finally:
            await self._end()

    async def _end(self) -> None:
        while not self._jobs.empty():
            waiting = self._jobs.get_nowait()
            if waiting is not None:
                waiting.close()
        self._jobs.put_nowait(None)
        for task in self._resolving:
            task.cancel()
        for gathering in self._gatherings.values():
            await gathering.stop()
        # The current job is not cut off: ICE forgets the sockets of a gathering that is.
        await asyncio.wait({self._worker}, timeout=ANSWERING_SECONDS)
        self._worker.cancel()
        await self._connection.close()

    async def _work(self) -> None:
        # One after the other: candidates wait for the offer to which they belong.
        while (job := await self._jobs.get()) is not None:
            await job

    async def _answer(self, sdp: str, channel: Literal["control"] | None) -> None:
        try:
            offer = rewrite(sdp)
        except Unacceptable as refusal:
            # The offer has not reached the peer connection, which an earlier one may have opened.
            self._refuse(refusal, channel, peer_continues=self._offer is not None)
            return
        except Exception as failure:  # noqa: BLE001 - aiortc's parser raises what it stumbles on
            self._refuse(_make_unreadable(failure), channel, peer_continues=self._offer is not None)
            return
        description, candidates = ice.split_candidates(offer.sdp)
        try:
            await self._take(RTCSessionDescription(sdp=description, type="offer"))
        except Unacceptable as refusal:
            self._refuse(refusal, channel)
            return
        except Exception as failure:  # noqa: BLE001 - as above
            self._refuse(_make_unreadable(failure), channel)
            return
        self._offer = offer
        answer = offer.answer(ice.strip_end(self._connection.localDescription.sdp))
        self._emit_unless_closed(Answered(self._session_id, self._pc_id, answer, channel))
        self._gather()
        for candidate in candidates:
            await self._add(candidate)

    def _refuse(
        self,
        why: Unacceptable,
        channel: Literal["control"] | None,
        *,
        peer_continues: bool = False,
    ) -> None:
        event = Refused(
            *(self._session_id, self._pc_id, why.code, why.message),
            peer_continues=peer_continues,
            channel=channel,
        )
        self._emit_unless_closed(event)

    async def _take(self, description: RTCSessionDescription) -> None:
        await self._connection.setRemoteDescription(description)
        if self._connection.sctp is not None and not self._is_bounded:
            self._is_bounded = True
            limit_receiving(self._connection.sctp)
        self._send_video()
        answer = await self._connection.createAnswer()
        await self._connection.setLocalDescription(answer)

    def _send_video(self) -> None:
        place = 0
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video":
                is_new = len(self._tracks) <= place < len(self._makers)
                # Nothing would stop a track that is made after `close`.
                if is_new and not self._closed:
                    self._send_camera(transceiver.sender, self._makers[place])
                place += 1
            if transceiver.kind == "audio" and self._speaker is None and not self._closed:
                self._speaker = transceiver
                self._connect_sound(transceiver)
            # Nothing else is received: unread media would pile up in memory.
            sends = transceiver.sender.track is not None
            receives = transceiver is self._speaker and self._sound.take_voice is not None
            transceiver.direction = DIRECTIONS[sends, receives]

    def _connect_sound(self, transceiver: RTCRtpTransceiver) -> None:
        if self._sound.microphone is not None:
            self._spoken = self._sound.microphone.listen()
            transceiver.sender.replaceTrack(self._spoken)
        take, voice = self._sound.take_voice, transceiver.receiver.track
        if take is not None and voice is not None:
            self._voice = asyncio.create_task(read_voice(voice, self._session_id, take))

    def _send_camera(
        self, sender: RTCRtpSender, make: Callable[[], MediaStreamTrack | None]
    ) -> None:
        track = self._take_track(make)
        self._tracks.append(track)
        sender.replaceTrack(track)
        if isinstance(track, CameraTrack):
            send_encoded(sender, track)

    def _take_track(self, make: Callable[[], MediaStreamTrack | None]) -> MediaStreamTrack | None:
        try:
            return make()
        except Exception as failure:
            message = "the robot has no video to give: offer again in a while"
            raise Unacceptable("unavailable", message) from failure

    def _gather(self) -> None:
        if self._closed:
            return
        for transport, mid, section in self._transports():
            connection = transport._connection  # noqa: SLF001
            if connection not in self._gatherings:
                keep_consent(connection)
                report = self._make_reporter(mid, section, is_first=not connection.local_candidates)
                self._gatherings[connection] = Gathering(
                    connection, self._servers, self._relays, report
                )

    def _transports(self) -> Iterator[tuple[RTCIceTransport, str, int]]:
        """Yield what each media section runs over, with its mid and its place: the first one first.

        Sections of one BUNDLE have one transport.
        """
        over = {one.mid: one.receiver.transport for one in self._connection.getTransceivers()}
        if self._connection.sctp is not None:
            over[self._connection.sctp.mid] = self._connection.sctp.transport
        answer = self._connection.localDescription.sdp
        if self._offer is not None:
            answer = self._offer.answer(answer)
        for section, mid in enumerate(ice.read_mids(answer)):
            if mid in over:
                yield over[mid].transport, mid, section

    def _make_reporter(
        self, mid: str, section: int, *, is_first: bool
    ) -> Callable[[aioice.Candidate], None]:
        def report(candidate: aioice.Candidate) -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                self._start()
            named = candidate_from_aioice(candidate)
            named.sdpMid, named.sdpMLineIndex = mid, section
            self._emit_unless_closed(
                Gathered(self._session_id, self._pc_id, ice.from_aiortc(named))
            )

        return report

    def _start(self) -> None:
        # Without a candidate of its own aiortc has not started to connect, and never would.
        start = self._connection._RTCPeerConnection__connect  # type: ignore[attr-defined]  # noqa: SLF001
        self._starting.append(asyncio.create_task(start()))

    async def _add(self, candidate: Candidate) -> None:
        if self._closed:
            return
        # Without a candidate that cannot be read, another may still do.
        with contextlib.suppress(Exception):
            found = ice.to_aiortc(candidate)
            if not is_mdns_hostname(found.ip):
                await self._connection.addIceCandidate(found)
            elif len(self._resolving) < RESOLVED_AT_ONCE:
                # A name that cannot be resolved takes a second: no other candidate waits for it.
                resolving = asyncio.create_task(self._resolve(found))
                self._resolving.add(resolving)
                resolving.add_done_callback(self._resolving.discard)

    async def _resolve(self, candidate: RTCIceCandidate) -> None:
        with contextlib.suppress(Exception):
            await self._connection.addIceCandidate(candidate)

    async def _place(self, candidate: Candidate) -> None:
        if self._offer is None:
            await self._add(candidate)
            return
        index = self._offer.index(candidate.sdp_m_line_index)
        found = replace(candidate, sdp_m_line_index=index)
        # As it came: aiortc fails to write one with a name in `c=` or `a=rtcp`, as Firefox has.
        await self._add(assign_section(found, self._offer.sdp))

    def _take_channel(self, channel: RTCDataChannel) -> None:
        label = channel.label
        is_ours = label == "control" or label in UNRELIABLE
        is_own = label.startswith(PREFIX) and len(self._channels) < MOST_LABELS
        if is_ours or is_own:
            self._channels[label] = channel
            channel.on("message", partial(self._receive, label))
            self._emit_unless_closed(Opened(self._session_id, self._pc_id, label))

    def _receive(self, label: Channel, data: str | bytes) -> None:
        self._emit_unless_closed(Message(self._session_id, self._pc_id, data, label))

    def _handle_state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected = True
            self._connect_timer.cancel()
        elif state in {"failed", "closed"}:
            self._fail()

    def _fail(self) -> None:
        self._emit_unless_closed(Failed(self._session_id, self._pc_id, self._connected))

    def _emit_unless_closed(self, event: Event) -> None:
        if not self._closed:
            self._emit(event)


def _make_unreadable(failure: Exception) -> Unacceptable:
    # Its own text may quote what a stranger wrote.
    what = f"the offer cannot be read ({type(failure).__name__})"
    return Unacceptable("not_acceptable", f"{what}: send what createOffer returns, whole")
