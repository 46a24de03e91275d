"""Pictures of any camera, encoded once: pixel formats, key frames, and whose bitrate rules."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import count, pairwise

import numpy as np
import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.codecs import depayload, get_decoder
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.jitterbuffer import JitterFrame
from av import VideoFrame
from av.video.frame import PictureType

from robosignal.robot.media.encoding import (
    CLOCK_RATE,
    KEY_FRAME_SECONDS,
    RAISE_SECONDS,
    RETURN_SECONDS,
    Converter,
    EncodedFrame,
    Encoding,
    Encodings,
)

VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=CLOCK_RATE, payloadType=97)
H264 = RTCRtpCodecParameters(
    mimeType="video/H264",
    clockRate=CLOCK_RATE,
    payloadType=99,
    parameters={"packetization-mode": "1", "profile-level-id": "42e01f"},
)
WHITE, BLACK, GREY = 235, 16, 126
"""Luma of video levels (ITU-R BT.601) for RGB of 255, 0 and 128."""

FORMATS = [
    "yuv420p", "yuvj420p", "yuyv422", "uyvy422", "yuvj422p", "yuv422p", "yuv444p", "nv12",
    "nv21", "bgr24", "rgb24", "rgba", "bgra", "bgr0", "gray", "gray10le", "rgb565le", "p010le",
]  # fmt: skip


def stripes(pixels: str, width: int = 64, height: int = 48) -> VideoFrame:
    """Return white, grey and black stripes as a camera with this pixel format would."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, : width // 3] = 255
    image[:, width // 3 : 2 * width // 3] = 128
    return VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)


def luma(frame: VideoFrame) -> list[int]:
    """Return the stripes' luma."""
    plane = frame.to_ndarray()[: frame.height]
    middles = (frame.width // 6, frame.width // 2, 5 * frame.width // 6)
    return [int(np.median(plane[:, at - 2 : at + 2])) for at in middles]


class Viewer:
    """Decodes what it gets."""

    def __init__(
        self,
        codec: RTCRtpCodecParameters,
        max_bitrate: int | None = None,
        *,
        is_driver: bool = False,
    ) -> None:
        self.max_bitrate = max_bitrate
        self.is_driver = is_driver
        self.restarts = 0
        self.frames: list[EncodedFrame] = []
        self._codec = codec
        self._decoder = get_decoder(codec)

    def take(self, frame: EncodedFrame) -> None:
        """Keep a frame."""
        self.frames.append(frame)

    def restart(self) -> None:
        """Count how often it is to begin with a key frame."""
        self.restarts += 1

    def picture(self) -> VideoFrame:
        """Return what the last frame shows."""
        return self.decode(self.frames[-1])

    def decode(self, frame: EncodedFrame) -> VideoFrame:
        """Return what this frame shows, after those that were decoded before it."""
        data = b"".join(depayload(self._codec, payload) for payload in frame.payloads)
        picture = self._decoder.decode(JitterFrame(data=data, timestamp=frame.timestamp))[0]
        assert isinstance(picture, VideoFrame)
        return picture


class Film:
    """An encoding, and its pictures one after the other."""

    def __init__(self, codec: RTCRtpCodecParameters) -> None:
        self.now = 0.0
        self.encoding = Encoding(codec, lambda: self.now)
        self._converter = Converter()
        self._timestamps = count(CLOCK_RATE, CLOCK_RATE // 20)

    def show(self, picture: VideoFrame) -> EncodedFrame:
        """Encode and deliver a picture."""
        is_key = self.encoding.prepare()
        own = self._converter.convert(picture)
        frame = self.encoding.encode(own, next(self._timestamps), is_key_forced=is_key)
        self.encoding.deliver(frame)
        return frame


@pytest.mark.parametrize("codec", [VP8, H264], ids=lambda codec: codec.name)
@pytest.mark.parametrize("pixels", FORMATS)
def test_a_picture_of_any_pixel_format_is_seen_as_it_is(
    pixels: str, codec: RTCRtpCodecParameters
) -> None:
    """White, grey and black arrive as such: levels of a full range become those of video."""
    film, viewer = Film(codec), Viewer(codec)
    film.encoding.join(viewer)
    film.show(stripes(pixels))

    assert luma(viewer.picture()) == pytest.approx([WHITE, GREY, BLACK], abs=6)


@pytest.mark.parametrize("codec", [VP8, H264], ids=lambda codec: codec.name)
@pytest.mark.parametrize("pixels", ["yuv420p", "yuyv422", "bgr24"])
def test_a_camera_that_changes_its_size_goes_on(pixels: str, codec: RTCRtpCodecParameters) -> None:
    """To an odd size, which H.264 does not have, and to one with padded rows."""
    film, viewer = Film(codec), Viewer(codec)
    film.encoding.join(viewer)
    for width, height in ((64, 48), (102, 50), (101, 51)):
        film.show(stripes(pixels, width, height))
        picture = viewer.picture()

        assert (picture.width, picture.height) == (width & ~1, height & ~1)
        assert luma(picture) == pytest.approx([WHITE, GREY, BLACK], abs=8)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuyv422"])
def test_a_frame_that_others_have_too_is_read_by_many_threads_and_stays_as_it_is(
    pixels: str,
) -> None:
    """Several robots, or cameras of one, may be given the same frame by a relay of the program's.

    PyAV's own way, `frame.reformat` in several threads, ends the process at once.
    """
    films = [Film(VP8) for _ in range(6)]
    with ThreadPoolExecutor(len(films)) as threads:
        for number in range(60):
            frame = stripes(pixels, 320, 240)
            frame.pts, frame.time_base = number, Fraction(1, 20)
            for film in films:
                film.encoding.request_key_frame()
            list(threads.map(Film.show, films, [frame] * len(films)))

            assert (frame.pts, frame.time_base) == (number, Fraction(1, 20))
            assert frame.pict_type == PictureType.NONE
            assert frame.format.name == pixels


@pytest.mark.parametrize("codec", [VP8, H264], ids=lambda codec: codec.name)
def test_one_key_frame_serves_all_who_ask(codec: RTCRtpCodecParameters) -> None:
    """However often they do; those that follow are no key frames, and are smaller."""
    film = Film(codec)
    for _ in range(3):
        film.encoding.join(Viewer(codec))
    keys = []
    for number in range(20):
        if number >= 10:
            for _ in range(5):
                film.encoding.request_key_frame()
        keys.append(film.show(stripes("yuv420p")).is_key)
        film.now += 0.05
        if number == 14:
            film.now += KEY_FRAME_SECONDS

    assert [at for at, is_key in enumerate(keys) if is_key] == [0, 10, 15]


def test_the_slowest_viewers_bitrate_rules_and_is_raised_slowly() -> None:
    """Lowered at once; raised again when that viewer has left, and not with every estimate."""
    film, rich, poor = Film(VP8), Viewer(VP8, 1_200_000), Viewer(VP8, 400_000)
    film.encoding.join(rich)
    film.show(stripes("yuv420p"))
    seen = [film.encoding.bitrate]
    film.encoding.join(poor)
    film.show(stripes("yuv420p"))
    seen.append(film.encoding.bitrate)
    film.encoding.leave(poor)
    film.show(stripes("yuv420p"))
    seen.append(film.encoding.bitrate)
    film.now += RAISE_SECONDS
    film.show(stripes("yuv420p"))
    seen.append(film.encoding.bitrate)

    assert seen == [1_200_000, 400_000, 400_000, 1_200_000]


def test_viewers_who_have_not_measured_yet_do_not_change_the_bitrate() -> None:
    """They take what is sent, until they say what they can."""
    film = Film(VP8)
    before = film.encoding.bitrate
    film.encoding.join(Viewer(VP8))
    film.show(stripes("yuv420p"))

    assert film.encoding.bitrate == before


class SharedFilm:
    """A codec's encodings, and pictures for them one after the other, 20 a second."""

    def __init__(self, codec: RTCRtpCodecParameters) -> None:
        self.now = 0.0
        self.encodings = Encodings(codec, lambda: self.now)
        self._converter = Converter()
        self._timestamps = count(CLOCK_RATE, CLOCK_RATE // 20)

    def show(self, pictures: int = 1) -> list[int]:
        """Encode and deliver pictures; return the bitrates of those who encoded the last one."""
        bitrates: list[int] = []
        for _ in range(pictures):
            timestamp = next(self._timestamps)
            own = self._converter.convert(stripes("yuv420p"))
            bitrates = []
            for each in self.encodings.select():
                each.deliver(each.encode(own, timestamp, is_key_forced=each.prepare()))
                bitrates.append(each.bitrate)
            self.now += 0.05
        return bitrates


def picture_ids(frames: list[EncodedFrame]) -> list[int | None]:
    """Return each frame's VP8 picture ID."""
    return [VpxPayloadDescriptor.parse(each.payloads[0])[0].picture_id for each in frames]


RICH, POOR = 1_400_000, 600_000


@pytest.mark.parametrize("codec", [VP8, H264], ids=lambda codec: codec.name)
def test_a_poor_viewer_does_not_lower_the_drivers_picture(codec: RTCRtpCodecParameters) -> None:
    """It has an encoder of its own, begins there with a key frame, and sees the picture."""
    film = SharedFilm(codec)
    driver, viewer = Viewer(codec, RICH, is_driver=True), Viewer(codec, RICH)
    film.encodings.join(driver)
    film.encodings.join(viewer)
    alone = film.show(3)
    viewer.max_bitrate = POOR
    apart = film.show(3)

    assert (alone, apart) == ([RICH], [RICH, POOR])
    assert [frame.is_key for frame in viewer.frames[3:]] == [True, False, False]
    assert [frame.is_key for frame in driver.frames[1:]] == [False] * 5
    for frame in viewer.frames:
        assert luma(viewer.decode(frame)) == pytest.approx([WHITE, GREY, BLACK], abs=8)


def test_a_viewer_who_can_receive_enough_again_comes_back_after_a_while() -> None:
    """Not at once, as each change costs a key frame; VP8's picture IDs go on without a gap."""
    film, driver, viewer = SharedFilm(VP8), Viewer(VP8, RICH, is_driver=True), Viewer(VP8, RICH)
    film.encodings.join(driver)
    film.encodings.join(viewer)
    film.show(40)
    viewer.max_bitrate = POOR
    film.show(2)
    viewer.max_bitrate = RICH
    soon = film.show(2)
    film.now += RETURN_SECONDS
    later = film.show(2)
    ids = picture_ids(viewer.frames)

    assert (len(soon), len(later), viewer.restarts) == (2, 1, 2)
    assert ids == picture_ids(driver.frames)
    assert all(one is not None and (one + 1) % 2**15 == two for one, two in pairwise(ids))


def test_who_takes_over_has_the_first_encoder_at_once() -> None:
    """Its own path rules then, however poor; viewers who can receive more share it."""
    film, before, after = SharedFilm(VP8), Viewer(VP8, RICH, is_driver=True), Viewer(VP8, POOR)
    film.encodings.join(before)
    film.encodings.join(after)
    apart = film.show()
    before.is_driver, after.is_driver = False, True

    assert (apart, film.show()) == ([RICH, POOR], [POOR])


def test_without_a_driver_the_slowest_viewers_bitrate_rules() -> None:
    """No one's picture has to be kept: one encoder serves all."""
    film, driver, viewer = SharedFilm(VP8), Viewer(VP8, RICH, is_driver=True), Viewer(VP8, POOR)
    film.encodings.join(driver)
    film.encodings.join(viewer)
    apart = film.show()
    film.encodings.leave(driver)

    assert (apart, film.show()) == ([RICH, POOR], [POOR])
