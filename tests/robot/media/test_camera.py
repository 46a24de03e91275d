"""A robot's cameras: shared by many, and failing in every way that cameras do."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from fractions import Fraction
from typing import Any

import pytest
from aiortc import MediaStreamTrack, RTCRtpCodecParameters
from aiortc.mediastreams import MediaStreamError
from av import Packet, VideoFrame

from robosignal.robot.media import camera
from robosignal.robot.media.camera import FRAMES_IN_WAITING, Cameras, CameraTrack
from robosignal.robot.media.encoding import CLOCK_RATE, EncodedFrame
from tests.robot.server import PATIENCE, LogLines, logged

VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=CLOCK_RATE, payloadType=97)


H264 = RTCRtpCodecParameters(
    mimeType="video/H264",
    clockRate=CLOCK_RATE,
    payloadType=99,
    parameters={"packetization-mode": "1", "profile-level-id": "42e01f"},
)


class ScriptedCamera(MediaStreamTrack):
    """A camera that gives a picture for each `give`, or what else it is told to do."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.given: asyncio.Queue[Any] = asyncio.Queue()

    async def recv(self) -> VideoFrame:
        """Do the next thing."""
        what = await self.given.get()
        self.given.task_done()
        if isinstance(what, Exception):
            if isinstance(what, MediaStreamError):
                self.stop()
            raise what
        picture: VideoFrame = what
        return picture

    def give(self, *what: object) -> None:
        """Give a picture, or these things."""
        for each in what or (VideoFrame(64, 48, "yuyv422"),):
            self.given.put_nowait(each)


class HungCamera(ScriptedCamera):
    """One whose `stop` returns only when it may, as that of MediaPlayer does."""

    def __init__(self, may_stop: threading.Event) -> None:
        super().__init__()
        self._may_stop = may_stop

    def stop(self) -> None:
        """Wait in this thread."""
        self._may_stop.wait()
        super().stop()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have cameras be given up and opened again in no time."""
    monkeypatch.setattr(camera, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(camera, "STALLED_SECONDS", 0.6)
    monkeypatch.setattr(camera, "RETRY_SECONDS", (0.01,))


@pytest.fixture
async def log() -> AsyncIterator[LogLines]:
    """What robots log during the test."""
    lines = LogLines()
    with logged(lines):
        yield lines


@contextmanager
def cameras(video: MediaStreamTrack | Callable[[], MediaStreamTrack | None]) -> Iterator[Cameras]:
    """Have a robot's cameras until left."""
    some = Cameras("demo", video)
    try:
        yield some
    finally:
        some.close()


class Opener:
    """Opens a new camera at each call, after what it is told to do first."""

    def __init__(self, *first: Exception | MediaStreamTrack | None) -> None:
        self.opened: list[Any] = []
        self._first = [*first]
        self._has_opened_again = asyncio.Event()

    def __call__(self) -> MediaStreamTrack | None:
        """Return a camera, or raise."""
        what = self._first.pop(0) if self._first else ScriptedCamera()
        if isinstance(what, Exception):
            raise what
        if what is not None:
            self.opened.append(what)
            if len(self.opened) > 1:
                self._has_opened_again.set()
        return what

    async def again(self) -> ScriptedCamera:
        """Return the camera that is opened in place of the first one."""
        async with asyncio.timeout(PATIENCE):
            await self._has_opened_again.wait()
        found: ScriptedCamera = self.opened[1]
        return found


def view_of(some: Cameras, is_driver: Callable[[], bool] = lambda: False) -> CameraTrack:
    """Return a new peer's view."""
    view = some.watch(is_driver)
    assert view is not None
    return view


async def next_of(view: CameraTrack) -> EncodedFrame:
    """Return the next frame that a peer sends."""
    return await asyncio.wait_for(view.next_frame(VP8), PATIENCE)


async def begin(view: CameraTrack, track: ScriptedCamera) -> EncodedFrame:
    """Return the first frame of a peer that has connected."""
    async with filming(track):
        return await next_of(view)


@asynccontextmanager
async def filming(track: ScriptedCamera) -> AsyncIterator[None]:
    """Have the camera give pictures until left."""

    async def film() -> None:
        while True:
            track.give()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(film())
    yield
    task.cancel()


@pytest.mark.parametrize(
    ("failure", "logs"),
    [
        (OSError("unplugged"), "the camera fails (OSError('unplugged')); it is opened again"),
        (MediaStreamError(), "the camera's track has ended; it is opened again"),
    ],
)
async def test_a_camera_that_fails_is_opened_again_for_those_who_watch(
    failure: Exception, logs: str, log: LogLines
) -> None:
    """They see it go on and need not offer again, whatever it gives; both are logged once."""
    opener = Opener(ScriptedCamera(), OSError("not yet"), None)
    with cameras(opener) as some:
        view = view_of(some)
        before = await begin(view, opener.opened[0])
        opener.opened[0].give(failure)
        second = await opener.again()
        # Of another size, which begins with a key frame.
        second.give(VideoFrame(128, 96, "nv12"))
        await log.wait_for("the camera gives pictures again")
        while not (after := await next_of(view)).is_key:
            pass

    assert [before.is_key, opener.opened[0].readyState] == [True, "ended"]
    assert after.timestamp > before.timestamp
    assert log.count(logs) == 1
    assert log.count("the camera fails") + log.count("has ended") == 1


async def test_a_camera_that_stalls_is_logged_and_opened_again(log: LogLines) -> None:
    """Not even one whose end would hang keeps the robot, or its other tasks, from going on."""
    may_stop = threading.Event()
    opener = Opener(HungCamera(may_stop))
    with cameras(opener) as some:
        view = view_of(some)
        await begin(view, opener.opened[0])
        await log.wait_for("demo: the camera has given no picture for")
        second = await opener.again()
        second.give()
        await next_of(view)
        may_stop.set()
        await log.wait_for("the camera gives pictures again")

    assert second.readyState == "ended"


async def test_a_hung_camera_does_not_keep_the_robot_from_ending(log: LogLines) -> None:
    """Its last viewer leaves while it hangs."""
    may_stop = threading.Event()
    opener = Opener(HungCamera(may_stop))
    with cameras(opener) as some:
        view = view_of(some)
        await log.wait_for("the camera has given no picture for")
        view.stop()
        assert opener.opened[0].readyState == "live"
        may_stop.set()


async def test_a_track_of_the_programs_that_ended_is_told(log: LogLines) -> None:
    """Only the program can open it again: new peers are refused, and those who watch keep on."""
    track = ScriptedCamera()
    with cameras(track) as some:
        view = view_of(some)
        await begin(view, track)
        track.give(MediaStreamError())
        await log.wait_for("give `video` a function")
        with pytest.raises(MediaStreamError):
            some.watch(lambda: False)

    assert view.readyState == "live"


async def test_a_track_of_the_programs_that_fails_or_stalls_is_read_on(log: LogLines) -> None:
    """It is never stopped; whatever it gives next is seen."""
    track = ScriptedCamera()
    with cameras(track) as some:
        view = view_of(some)
        await begin(view, track)
        track.give(OSError("a cable"), OSError("a cable"), VideoFrame(64, 48, "yuyv422"))
        await next_of(view)
        await log.wait_for("the camera has given no picture for")
        track.give()
        await next_of(view)

    assert log.count("the camera fails (OSError('a cable'))") == 1
    assert log.count("gives pictures again") == len(("failed", "stalled"))
    assert track.readyState == "live"


async def test_a_picture_that_cannot_be_encoded_costs_itself_alone(log: LogLines) -> None:
    """Its kind is logged, once; the next one that can be is seen."""
    track = ScriptedCamera()
    broken = VideoFrame(0, 0, "yuyv422")
    with cameras(track) as some:
        view = view_of(some)
        await begin(view, track)
        for _ in range(2):
            track.give(broken)
            await log.wait_for("cannot encode a picture (yuyv422, 0 by 0)")
        track.give()
        await next_of(view)

    assert log.count("cannot encode") == 1


async def test_peers_that_are_given_the_same_track_share_it_until_the_last_has_left() -> None:
    """By a function, too: one encoder, and each gets the same frames from a key frame on."""
    track = ScriptedCamera()
    with cameras(lambda: track) as some:
        first, second = view_of(some), view_of(some)
        async with filming(track):
            frames = [await next_of(first)]
            begins = await next_of(second)
            while frames[-1] is not begins:
                frames.append(await next_of(first))
        first.stop()
        states = [track.readyState]
        second.stop()
        states.append(track.readyState)

    assert frames[0].is_key
    assert begins.is_key
    assert states == ["live", "ended"]


async def test_peers_that_take_different_codecs_share_a_camera() -> None:
    """It is encoded once for each codec, and all see the same pictures."""
    track = ScriptedCamera()
    codecs = [VP8, H264, VP8, H264]
    with cameras(track) as some:
        views = [view_of(some) for _ in codecs]
        begins = [
            asyncio.create_task(view.next_frame(codec))
            for view, codec in zip(views, codecs, strict=True)
        ]
        await asyncio.sleep(0)
        track.give()
        frames = await asyncio.wait_for(asyncio.gather(*begins), PATIENCE)

    assert all(frame.is_key for frame in frames)
    assert len({frame.timestamp for frame in frames}) == 1
    assert [frames.index(frame) for frame in frames] == [0, 1, 0, 1]


async def test_a_peer_that_is_too_slow_goes_on_with_a_key_frame() -> None:
    """It skips what it has not taken, rather than show broken pictures."""
    track = ScriptedCamera()
    with cameras(track) as some:
        slow, quick = view_of(some), view_of(some)
        async with filming(track):
            await next_of(slow)
            frames = [await next_of(quick) for _ in range(2 * FRAMES_IN_WAITING)]
            goes_on = await next_of(slow)

    assert goes_on.is_key
    assert goes_on.timestamp > frames[FRAMES_IN_WAITING - 1].timestamp


async def test_a_camera_without_viewers_is_read_and_not_encoded() -> None:
    """The program's own goes on, so that nothing old waits in it for the next one who comes."""
    track = ScriptedCamera()
    with cameras(track) as some:
        view_of(some).stop()
        for _ in range(5):
            track.give()
        await asyncio.wait_for(track.given.join(), PATIENCE)

    assert track.readyState == "live"


async def test_a_camera_that_comes_back_as_one_that_others_watch_is_theirs_too() -> None:
    """A function may open a camera once, and give it to all: there is still one encoder."""
    first, shared = ScriptedCamera(), ScriptedCamera()
    tracks: list[MediaStreamTrack] = [first]
    with cameras(lambda: tracks[-1]) as some:
        early = view_of(some)
        await begin(early, first)
        tracks.append(shared)
        late = view_of(some)
        await begin(late, shared)
        first.give(MediaStreamError())
        async with filming(shared), asyncio.timeout(PATIENCE):
            while early._camera is not late._camera:  # noqa: SLF001
                await next_of(late)
            while early._frames:  # noqa: SLF001
                await next_of(early)
            begins = await next_of(early)
        states = [first.readyState, shared.readyState]
        early.stop()
        states.append(shared.readyState)

    assert begins.is_key
    assert states == ["ended", "live", "live"]


async def test_a_camera_that_encodes_by_itself_is_passed_on_in_order() -> None:
    """Each of its frames needs those before it, so none is left out but before a key frame."""
    track = ScriptedCamera()
    with cameras(track) as some:
        view = view_of(some)
        waiting = asyncio.create_task(view.next_frame(VP8))
        await asyncio.sleep(0)
        for number in range(5):
            packet = Packet(bytes([number]) * 2000)
            packet.pts, packet.time_base = number, Fraction(1, 20)
            packet.is_keyframe = number == 1
            track.give(packet)
        frames = [await asyncio.wait_for(waiting, PATIENCE)]
        frames += [await next_of(view) for _ in range(3)]

    assert [frame.payloads[-1][-1] for frame in frames] == [1, 2, 3, 4]
    assert [len(frame.payloads) for frame in frames] == [2] * 4
