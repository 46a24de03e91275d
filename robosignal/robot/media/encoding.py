"""Encodes a camera's pictures, once for all peers that have agreed on the same codec."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, cast

from aiortc import RTCRtpCodecParameters
from aiortc.codecs import depayload, get_encoder, h264, vpx
from av import Packet, VideoFrame
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, VideoReformatter

CLOCK_RATE = 90_000
"""RTP's clock for video (RFC 6184, section 8.2.1, and RFC 7741, section 4.1), in Hz."""

KEY_FRAME_SECONDS = 0.3
"""Key frames that peers ask for are this far apart, so that lost packets make no flood of them."""

POOR_SHARE = 0.75
"""A viewer who can receive less than this share of what the driver can has another encoder."""

RETURN_SECONDS = 10.0
"""A viewer comes back to the driver's encoder after this at the earliest: it costs a key frame."""

RAISE_SECONDS = 2.0
"""The bitrate is lowered at once, and raised no sooner than this after its last change."""

NAL_SLICE_OF_KEY_FRAME, NAL_SEQUENCE_PARAMETERS = 5, 7
"""What an H.264 key frame begins with (ITU-T H.264, table 7-1)."""

MAX_BITRATES = {"video/vp8": vpx.MAX_BITRATE, "video/h264": h264.MAX_BITRATE}
"""By codec, in bit/s."""

PIXELS = "yuv420p"
"""The only pixel format that aiortc's encoders take, and browsers decode."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One picture as RTP payloads; `timestamp` is in units of 1/90,000 s.

    A peer can begin with it only if it is a key frame.
    """

    payloads: list[bytes]
    timestamp: int
    is_key: bool


class Receiver(Protocol):
    """Who gets the frames of an encoding."""

    max_bitrate: int | None
    """What the peer estimates that it can receive, in bit/s; None before it has said so."""

    @property
    def is_driver(self) -> bool:
        """Whether the robot obeys this peer."""

    def take(self, frame: EncodedFrame) -> None:
        """Take the next frame."""

    def restart(self) -> None:
        """Take no frame before the next key frame: what follows is another encoder's."""


class _Encoder(Protocol):
    """An encoder of aiortc's for video, as far as it is used here."""

    target_bitrate: int
    picture_id: int
    """Of the next frame, in VP8 alone (RFC 7741, section 4.2)."""

    def encode(self, frame: VideoFrame, force_keyframe: bool) -> tuple[list[bytes], int]:  # noqa: FBT001 - aiortc's
        ...

    def pack(self, packet: "Packet[Any]") -> tuple[list[bytes], int]: ...


class Converter:
    """Makes of any picture one that is this program's own, in the form that encoders take.

    A frame that a camera hands out may be another thread's as well. PyAV keeps a converter in each
    frame, and two threads that use it at once crash the process; encoders write to the frame.
    So the frame that is given is only read, and the result is always a new one.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> VideoFrame:
        """Return a copy with 4:2:0 planes, levels of video, and an even width and height."""
        # H.264 takes no odd size: dots of colour cover two by two.
        width, height = max(2, frame.width & ~1), max(2, frame.height & ~1)
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=PIXELS,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        return _copy(frame) if converted is frame else converted


def _copy(frame: VideoFrame) -> VideoFrame:
    copy = VideoFrame(frame.width, frame.height, PIXELS)
    for to, plane in zip(copy.planes, frame.planes, strict=True):
        source = memoryview(plane)
        if to.line_size != plane.line_size:
            width = min(to.line_size, plane.line_size)
            padding = bytes(to.line_size - width)
            starts = range(0, plane.height * plane.line_size, plane.line_size)
            source = memoryview(b"".join(bytes(source[at : at + width]) + padding for at in starts))
        # Its stub says bytes; it takes any buffer, and a copy costs time.
        to.update(source[: to.buffer_size])  # type: ignore[arg-type]
    return copy


class Encoding:
    """One codec's encoder, and who gets its frames.

    The slowest receiver's bitrate rules, and one key frame serves all who ask for one.
    """

    def __init__(
        self, codec: RTCRtpCodecParameters, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._codec = codec
        self._clock = clock
        self.max_bitrate = MAX_BITRATES[codec.mimeType.lower()]
        """The most that its encoder makes use of, in bit/s."""
        self._encoder = cast("_Encoder", get_encoder(codec))
        self._receivers: set[Receiver] = set()
        self._is_key_due = False
        self._last_key = self._last_change = -math.inf

    @property
    def is_used(self) -> bool:
        """Whether anyone receives its frames."""
        return bool(self._receivers)

    @property
    def bitrate(self) -> int:
        """What the encoder aims at, in bit/s."""
        return self._encoder.target_bitrate

    def join(self, receiver: Receiver) -> None:
        """Give this receiver all frames from the next key frame on, which is asked for."""
        self._receivers.add(receiver)
        self.request_key_frame()

    def leave(self, receiver: Receiver) -> None:
        """Give this receiver no more frames."""
        self._receivers.discard(receiver)

    def align(self, other: "Encoding") -> None:
        """Count pictures as another encoding does, so that a peer may change between the two."""
        if self._codec.name == "VP8":
            self._encoder.picture_id = other._encoder.picture_id  # noqa: SLF001 - its own kind's

    def request_key_frame(self) -> None:
        """Have the next frame that may be one be a key frame."""
        self._is_key_due = True

    def prepare(self) -> bool:
        """Set the bitrate for the next frame; return whether that must be a key frame."""
        now = self._clock()
        self._set_bitrate(now)
        return self._is_key_due and now - self._last_key >= KEY_FRAME_SECONDS

    def encode(self, frame: VideoFrame, timestamp: int, *, is_key_forced: bool) -> EncodedFrame:
        """Encode a converted frame, of which this changes attributes; runs in any thread."""
        frame.pts, frame.time_base = timestamp, Fraction(1, CLOCK_RATE)
        frame.pict_type = PictureType.NONE
        payloads, _ = self._encoder.encode(frame, force_keyframe=is_key_forced)
        return EncodedFrame(payloads, timestamp, self._begins_key_frame(payloads))

    def pack(self, packet: "Packet[Any]", timestamp: int) -> EncodedFrame:
        """Return a frame that the camera itself has encoded, with this codec."""
        packet.pts, packet.time_base = timestamp, Fraction(1, CLOCK_RATE)
        payloads, _ = self._encoder.pack(packet)
        return EncodedFrame(payloads, timestamp, packet.is_keyframe)

    def deliver(self, frame: EncodedFrame) -> None:
        """Give a frame to all receivers."""
        if not frame.payloads:
            return
        if frame.is_key:
            self._is_key_due = False
            self._last_key = self._clock()
        for receiver in tuple(self._receivers):
            receiver.take(frame)

    def _set_bitrate(self, now: float) -> None:
        known = [one.max_bitrate for one in self._receivers if one.max_bitrate is not None]
        if not known:
            return
        current = self.bitrate
        wanted = min(known)
        if wanted < current or (wanted > current and now - self._last_change >= RAISE_SECONDS):
            # The encoder keeps it within its own limits, and so may not change at all.
            self._encoder.target_bitrate = wanted
            if self.bitrate != current:
                self._last_change = now

    def _begins_key_frame(self, payloads: list[bytes]) -> bool:
        if not payloads:
            return False
        start = depayload(self._codec, payloads[0])
        if self._codec.name == "VP8":
            return start[0] & 1 == 0  # RFC 7741, section 4.3
        # After the start code of four bytes comes the unit's type.
        return start[4] & 0x1F in {NAL_SLICE_OF_KEY_FRAME, NAL_SEQUENCE_PARAMETERS}


class Encodings:
    """One codec's encoders: the driver's, and one for viewers who can receive much less.

    Without the second, the lowest bitrate would rule the driver's picture too. All are in the
    first while the robot obeys none of them, or the driver's browser has not said what it can.
    """

    def __init__(
        self, codec: RTCRtpCodecParameters, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._full, self._reduced = Encoding(codec, clock), Encoding(codec, clock)
        self._receivers: dict[Receiver, Encoding] = {}
        self._returns_at: dict[Receiver, float] = {}

    def join(self, receiver: Receiver) -> None:
        """Give this receiver all frames from the next key frame on, which is asked for."""
        self._receivers[receiver] = self._full
        self._full.join(receiver)

    def leave(self, receiver: Receiver) -> None:
        """Give this receiver no more frames."""
        encoding = self._receivers.pop(receiver, None)
        self._returns_at.pop(receiver, None)
        if encoding is not None:
            encoding.leave(receiver)

    def request_key_frame(self, receiver: Receiver) -> None:
        """Have a key frame come soon to this receiver, and to those who share its encoder."""
        self._receivers.get(receiver, self._full).request_key_frame()

    def select(self) -> list[Encoding]:
        """Return those that the next picture is to be encoded by, the driver's first."""
        enough = self._find_enough()
        for receiver, encoding in tuple(self._receivers.items()):
            wanted = self._choose(receiver, enough)
            if wanted is not encoding:
                encoding.leave(receiver)
                receiver.restart()
                wanted.join(receiver)
                self._receivers[receiver] = wanted
        self._reduced.align(self._full)
        return [each for each in (self._full, self._reduced) if each.is_used]

    def pass_on(self, packet: "Packet[Any]", timestamp: int) -> None:
        """Give all a frame that the camera itself has encoded, with this codec."""
        frame = self._full.pack(packet, timestamp)
        for each in (self._full, self._reduced):
            each.deliver(frame)

    def _find_enough(self) -> float:
        """Return what a viewer must be able to receive to share the driver's encoder, in bit/s."""
        drivers = [one.max_bitrate for one in self._receivers if one.is_driver]
        known = [bitrate for bitrate in drivers if bitrate is not None]
        return POOR_SHARE * min([*known, self._full.max_bitrate]) if known else 0.0

    def _choose(self, receiver: Receiver, enough: float) -> Encoding:
        bitrate = receiver.max_bitrate
        now = self._clock()
        if enough == 0.0 or receiver.is_driver or bitrate is None:
            return self._full
        if bitrate < enough:
            self._returns_at[receiver] = now + RETURN_SECONDS
            return self._reduced
        return self._full if now >= self._returns_at.get(receiver, now) else self._reduced
