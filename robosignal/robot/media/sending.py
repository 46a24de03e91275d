"""Has aiortc send frames that are encoded already, the same ones to many peers.

aiortc has each peer connection encode for itself. Its sender is told otherwise here, by names that
are not public; `tests/robot/media/test_sending.py` fails if aiortc changes them. All else of its
sender is used as it is: RTP, retransmission, statistics, RTCP.
"""

from typing import Protocol

from aiortc import RTCRtpCodecParameters, RTCRtpSender
from aiortc.rtcrtpsender import RTCEncodedFrame

from robosignal.robot.media.encoding import EncodedFrame

NEXT_FRAME = "_next_encoded_frame"
"""A coroutine method, which returns an `RTCEncodedFrame` of the codec given, or None for none."""

SEND_KEY_FRAME = "_send_keyframe"
"""A method that is called for each PLI and FIR."""

ENABLED = "_enabled"
"""An attribute: whether the peer wants to receive now."""

ENCODER = "_RTCRtpSender__encoder"
"""An attribute: whose `target_bitrate`, in bit/s, each REMB sets, if it has one."""


class Source(Protocol):
    """Where a sender gets its frames, and what it passes on of the peer's wishes."""

    max_bitrate: int | None

    async def next_frame(self, codec: RTCRtpCodecParameters) -> EncodedFrame:
        """Return the next frame in this codec; raise MediaStreamError after the end."""

    def request_key_frame(self) -> None:
        """Have a key frame come soon."""


class _Bitrate:
    """Takes the place of a sender's encoder, which is told the peer's estimate."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def target_bitrate(self) -> int | None:
        return self._source.max_bitrate

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._source.max_bitrate = bitrate


def send_encoded(sender: RTCRtpSender, source: Source) -> None:
    """Have `sender` send what `source` gives; to be called before it starts."""

    async def next_frame(codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        frame = await source.next_frame(codec)
        if not getattr(sender, ENABLED):
            return None
        # Only sound has a level.
        return RTCEncodedFrame(frame.payloads, frame.timestamp, None)  # type: ignore[arg-type]

    setattr(sender, NEXT_FRAME, next_frame)
    setattr(sender, SEND_KEY_FRAME, source.request_key_frame)
    setattr(sender, ENCODER, _Bitrate(source))
