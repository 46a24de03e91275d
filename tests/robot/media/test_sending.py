"""What `sending.py` relies on in aiortc: each of these fails if aiortc changes under it."""

import asyncio
import inspect

import pytest
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    pack_remb_fci,
)
from av import VideoFrame

from robosignal.robot.media import sending
from robosignal.robot.media.camera import Cameras
from robosignal.robot.media.encoding import EncodedFrame
from robosignal.robot.media.sending import send_encoded
from robosignal.robot.media.test_pattern import Pattern
from tests.robot.server import PATIENCE

HERE = RTCConfiguration(iceServers=[])


class Silent:
    """A source that only counts what is asked of it."""

    def __init__(self) -> None:
        self.max_bitrate: int | None = None
        self.requests = 0

    async def next_frame(self, codec: RTCRtpCodecParameters) -> EncodedFrame:
        """End at once."""
        raise MediaStreamError(codec)

    def request_key_frame(self) -> None:
        """Count."""
        self.requests += 1


def a_sender(source: Silent) -> RTCRtpSender:
    """Return a sender that has not started."""
    sender = RTCPeerConnection(HERE).addTransceiver("video").sender
    send_encoded(sender, source)
    return sender


async def test_the_senders_private_names_are_those_of_this_version() -> None:
    """Otherwise aiortc would quietly encode for each peer, from a track that has no pictures."""
    sender = RTCPeerConnection(HERE).addTransceiver("video").sender

    assert inspect.iscoroutinefunction(getattr(sender, sending.NEXT_FRAME))
    assert list(inspect.signature(getattr(sender, sending.NEXT_FRAME)).parameters) == ["codec"]
    assert not inspect.signature(getattr(sender, sending.SEND_KEY_FRAME)).parameters
    assert getattr(sender, sending.ENABLED) is True
    assert getattr(sender, sending.ENCODER) is None


@pytest.mark.parametrize("kind", [RTCP_PSFB_PLI, RTCP_PSFB_FIR])
async def test_a_peers_request_for_a_key_frame_reaches_the_source(kind: int) -> None:
    """PLI (RFC 4585, section 6.3.1) and FIR (RFC 5104, section 4.3.1)."""
    source = Silent()
    sender = a_sender(source)
    request = RtcpPsfbPacket(fmt=kind, ssrc=1, media_ssrc=sender._ssrc)  # noqa: SLF001
    await sender._handle_rtcp_packet(request)  # noqa: SLF001

    assert source.requests == 1


async def test_a_peers_estimate_of_its_bandwidth_reaches_the_source() -> None:
    """REMB (draft-alvestrand-rmcat-remb, section 2.2)."""
    source = Silent()
    sender = a_sender(source)
    estimate = pack_remb_fci(700_000, [sender._ssrc])  # noqa: SLF001
    await sender._handle_rtcp_packet(  # noqa: SLF001
        RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=estimate)
    )

    assert source.max_bitrate == pytest.approx(700_000, rel=0.01)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_peer_sees_moving_pictures_in_the_codec_that_it_takes(codec: str) -> None:
    """The whole way: sent by aiortc's sender, received and decoded by aiortc's receiver."""
    cameras = Cameras("r", Pattern("r", asyncio.get_running_loop().time).track)
    robot, browser = RTCPeerConnection(HERE), RTCPeerConnection(HERE)
    browser.addTransceiver("video", direction="recvonly")
    offer = await browser.createOffer()
    await browser.setLocalDescription(offer)
    await robot.setRemoteDescription(browser.localDescription)
    view = cameras.watch(lambda: False)
    assert view is not None
    transceiver = robot.getTransceivers()[0]
    transceiver.direction = "sendonly"
    transceiver.setCodecPreferences(
        [one for one in RTCRtpSender.getCapabilities("video").codecs if one.name == codec]
    )
    transceiver.sender.replaceTrack(view)
    send_encoded(transceiver.sender, view)
    await robot.setLocalDescription(await robot.createAnswer())
    await browser.setRemoteDescription(
        RTCSessionDescription(robot.localDescription.sdp, robot.localDescription.type)
    )
    track = browser.getTransceivers()[0].receiver.track
    try:
        async with asyncio.timeout(PATIENCE):
            pictures = [await track.recv() for _ in range(10)]
    finally:
        view.stop()
        await robot.close()
        await browser.close()
        cameras.close()

    shown = [each.to_ndarray().tobytes() for each in pictures if isinstance(each, VideoFrame)]
    assert len(set(shown)) == len(pictures)
    assert f" {codec}/" in robot.localDescription.sdp
