"""The robot's cameras: who watches which, and what becomes of one that fails.

A camera is read all the time, as fast as it gives pictures, and the newest one is encoded. So a
slow encoder or peer misses pictures rather than see old ones.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, repeat
from threading import Thread

from aiortc import MediaStreamTrack, RTCRtpCodecParameters
from aiortc.contrib.media import PlayerStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import Packet, VideoFrame

from robosignal.robot.media.encoding import (
    CLOCK_RATE,
    Converter,
    EncodedFrame,
    Encoding,
    Encodings,
)

SILENT_SECONDS = 2.0
"""A camera that gives no picture for so long is logged."""

STALLED_SECONDS = 10.0
"""A camera that gives no picture for so long is stopped and opened again, if a function can."""

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""The pauses before a camera that has failed is opened again; the last one repeats."""

FRAMES_IN_WAITING = 8
"""A peer that is this far behind goes on with the next key frame."""

MakeTrack = Callable[[], MediaStreamTrack | None]
"""Returns a track of video, None for no video. The robot stops the track."""

_log = logging.getLogger(__name__)


class CameraTrack(MediaStreamTrack):
    """One peer's view of a camera. It has no pictures, only encoded frames: see `send_encoded`."""

    kind = "video"

    def __init__(self, camera: "Camera", is_driver: Callable[[], bool]) -> None:
        super().__init__()
        self.max_bitrate: int | None = None
        self._camera = camera
        self._is_driver = is_driver
        self._codec: RTCRtpCodecParameters | None = None
        self._encodings: Encodings | None = None
        self._frames: deque[EncodedFrame] = deque()
        self._has_changed = asyncio.Event()
        self._needs_key = True

    async def recv(self) -> VideoFrame:
        """Raise MediaStreamError: pictures are encoded before they are handed out."""
        raise MediaStreamError

    async def next_frame(self, codec: RTCRtpCodecParameters) -> EncodedFrame:
        """Return the next frame in this codec, from a key frame on, as soon as there is one.

        It waits as long as the camera gives no pictures. Raises MediaStreamError after `stop`.
        """
        if self._codec is None:
            self._codec = codec
            self._join()
        while self.readyState == "live":
            if self._frames:
                return self._frames.popleft()
            self._has_changed.clear()
            await self._has_changed.wait()
        raise MediaStreamError

    def take(self, frame: EncodedFrame) -> None:
        """Keep a frame for `next_frame`."""
        if len(self._frames) >= FRAMES_IN_WAITING:
            # What follows cannot be decoded without what is dropped.
            self._frames.clear()
            self._needs_key = True
            self.request_key_frame()
        if self._needs_key and not frame.is_key:
            return
        self._needs_key = False
        self._frames.append(frame)
        self._has_changed.set()

    @property
    def is_driver(self) -> bool:
        """Whether the robot obeys this peer."""
        return self._is_driver()

    def restart(self) -> None:
        """Take no frame before the next key frame."""
        self._needs_key = True

    def request_key_frame(self) -> None:
        """Have a key frame come soon."""
        if self._encodings is not None:
            self._encodings.request_key_frame(self)

    def move(self, camera: "Camera") -> None:
        """Watch another camera from now on."""
        self._leave()
        self._camera = camera
        self._needs_key = True
        camera.add(self)
        self._join()

    def stop(self) -> None:
        """End it; the camera goes on for others."""
        super().stop()
        self._leave()
        self._camera.remove(self)
        self._has_changed.set()

    def _join(self) -> None:
        if self._codec is not None and self.readyState == "live":
            self._encodings = self._camera.encodings(self._codec)
            self._encodings.join(self)

    def _leave(self) -> None:
        if self._encodings is not None:
            self._encodings.leave(self)
            self._encodings = None


def _start_player(track: MediaStreamTrack) -> None:
    """Start the thread of aiortc's MediaPlayer, if the track has one, so that it keeps no process.

    A camera that hangs holds that thread for ever, and Python waits at its end for all threads but
    daemons. A thread is one if the thread that starts it is.
    """
    player = getattr(track, "_player", None)
    if not isinstance(track, PlayerStreamTrack) or player is None:
        return

    def start(loop: asyncio.AbstractEventLoop) -> None:
        # The player gives its pictures to the loop of the thread that starts it.
        asyncio.set_event_loop(loop)
        player._start(track)  # noqa: SLF001 - as `recv` does, once

    starting = Thread(target=start, args=(asyncio.get_running_loop(),), daemon=True)
    starting.start()
    starting.join()


class Camera:
    """One track, read and encoded for all who watch it.

    `cameras` has it, and opens its track again; None if the track is not the robot's to stop.
    """

    def __init__(self, name: str, track: MediaStreamTrack, cameras: "Cameras | None") -> None:
        self._name = name
        self._track = track
        self._cameras = cameras
        self._watching: set[CameraTrack] = set()
        self._encodings: dict[str, Encodings] = {}
        self._converter = Converter()
        self._newest: tuple[VideoFrame, int] | None = None
        self._has_new = asyncio.Event()
        self._timestamp = 0
        self._is_silent = False
        self._is_failing = False
        _start_player(track)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._encode())]

    @property
    def track(self) -> MediaStreamTrack:
        """What it reads now."""
        return self._track

    def add(self, view: CameraTrack) -> None:
        """Count one who watches."""
        self._watching.add(view)

    def remove(self, view: CameraTrack) -> None:
        """Count one who watches no more; after the last one a track of the robot's is stopped."""
        self._watching.discard(view)
        if self._cameras is not None and not self._watching:
            self._cameras.close_camera(self)

    def encodings(self, codec: RTCRtpCodecParameters) -> Encodings:
        """Return what encodes with this codec."""
        kind = codec.mimeType.lower()
        if kind not in self._encodings:
            self._encodings[kind] = Encodings(codec)
        return self._encodings[kind]

    def close(self) -> None:
        """Read no more, and stop the track if it is the robot's."""
        for task in self._tasks:
            task.cancel()
        if self._cameras is not None:
            self._stop_track()

    def _stop_track(self) -> None:
        if self._is_silent or isinstance(self._track, PlayerStreamTrack):
            # MediaPlayer waits for its thread, which waits for the camera: not in this one, as it
            # may hang, even if it has not been silent for long.
            Thread(target=self._track.stop, name="camera", daemon=True).start()
        else:
            self._track.stop()

    # Reading.

    async def _read(self) -> None:
        while True:
            await self._read_until_it_fails()
            if self._cameras is not None:
                if await self._open_again(self._cameras):
                    return
            elif self._track.readyState == "ended":
                _log.error(
                    "%s: only the robot's program can open the camera again: give `video` a "
                    "function, and the robot calls it",
                    self._name,
                )
                return
            else:
                await asyncio.sleep(RETRY_SECONDS[0])

    async def _read_until_it_fails(self) -> None:
        """Read until the track fails, or ends, or gives nothing for too long; log which."""
        try:
            while True:
                picture = await self._receive()
                if self._is_silent or self._is_failing:
                    _log.info("%s: the camera gives pictures again", self._name)
                    self._is_silent = self._is_failing = False
                self._take(picture)
        except MediaStreamError:
            self._report_failure("the camera's track has ended")
        except TimeoutError:
            self._report_failure(f"the camera gives no picture for {STALLED_SECONDS:.0f} s")
        except Exception as failure:  # noqa: BLE001 - a camera raises what it likes
            self._report_failure(f"the camera fails ({failure!r})")

    async def _receive(self) -> object:
        receiving = asyncio.ensure_future(self._track.recv())
        try:
            done, _ = await asyncio.wait({receiving}, timeout=SILENT_SECONDS)
            if not done:
                if not self._is_silent:
                    self._is_silent = True
                    silence = f"has given no picture for {SILENT_SECONDS:.0f} s"
                    _log.warning("%s: the camera %s", self._name, silence)
                patience = None if self._cameras is None else STALLED_SECONDS - SILENT_SECONDS
                done, _ = await asyncio.wait({receiving}, timeout=patience)
            if not done:
                raise TimeoutError
            return receiving.result()
        finally:
            receiving.cancel()

    def _report_failure(self, what: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            again = "" if self._cameras is None else "; it is opened again"
            _log.error("%s: %s%s", self._name, what, again)

    def _take(self, picture: object) -> None:
        self._timestamp = max(self._timestamp + 1, int(time.monotonic() * CLOCK_RATE))
        if isinstance(picture, VideoFrame):
            self._newest = picture, self._timestamp
            self._has_new.set()
        elif isinstance(picture, Packet):
            # A camera that encodes by itself: each of its frames needs those before it.
            for each in self._encodings.values():
                each.pass_on(picture, self._timestamp)

    async def _open_again(self, cameras: "Cameras") -> bool:
        """Open the camera again; return whether its viewers now watch another one instead."""
        self._stop_track()
        pauses = chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1]))
        track = None
        while track is None:
            await asyncio.sleep(next(pauses))
            # What it raises is logged no more: the camera that is opened again has been.
            with suppress(Exception):
                track = cameras.make_track()
        other = cameras.find(track)
        if other is None or other is self:
            _start_player(track)
            self._track = track
            return False
        for view in tuple(self._watching):
            view.move(other)
        self._watching.clear()
        cameras.close_camera(self)
        return True

    # Encoding.

    async def _encode(self) -> None:
        has_failed = False
        while True:
            await self._has_new.wait()
            self._has_new.clear()
            if self._newest is None:
                continue
            (frame, timestamp), self._newest = self._newest, None
            used = [each for one in self._encodings.values() for each in one.select()]
            if not used:
                continue
            try:
                await self._encode_for(used, frame, timestamp)
                has_failed = False
            except Exception as failure:  # noqa: BLE001 - of PyAV and the encoders
                if not has_failed:
                    has_failed = True
                    kind = f"{frame.format.name}, {frame.width} by {frame.height}"
                    _log.error(
                        "%s: cannot encode a picture (%s)", self._name, kind, exc_info=failure
                    )

    async def _encode_for(self, used: list[Encoding], frame: VideoFrame, timestamp: int) -> None:
        keys = [each.prepare() for each in used]

        def encode() -> list[EncodedFrame]:
            own = self._converter.convert(frame)
            return [
                each.encode(own, timestamp, is_key_forced=is_key)
                for each, is_key in zip(used, keys, strict=True)
            ]

        # One thread at a time: neither the converter nor an encoder may be in two.
        encoded = await asyncio.get_running_loop().run_in_executor(None, encode)
        for each, result in zip(used, encoded, strict=True):
            each.deliver(result)


class Cameras:
    """All the robot's cameras.

    Args:
        name: the robot's id, for the log.
        video: one track for everyone, which stays its owner's; or a function that is called for
            each peer that takes video. Peers to which it gives the same track share one encoder,
            and the track is stopped after the last of them. If a track fails, it is called again.
    """

    def __init__(self, name: str, video: MediaStreamTrack | MakeTrack) -> None:
        self._name = name
        self._video = video
        self._open: list[Camera] = []

    def watch(self, is_driver: Callable[[], bool]) -> CameraTrack | None:
        """Return a new peer's view, None for no video; it is the caller's to stop.

        Args:
            is_driver: whether the robot obeys this peer now. Its picture keeps the bitrate that
                its path allows, whatever the viewers' paths do.

        Raises:
            MediaStreamError: the track that everyone watches has ended.
            Exception: whatever the function raises.
        """
        track = self.make_track()
        if track is None:
            return None
        if track.readyState == "ended":
            raise MediaStreamError("the camera's track has ended")
        camera = self.find(track)
        if camera is None:
            owner = None if isinstance(self._video, MediaStreamTrack) else self
            camera = Camera(self._name, track, owner)
            self._open.append(camera)
        view = CameraTrack(camera, is_driver)
        camera.add(view)
        return view

    def make_track(self) -> MediaStreamTrack | None:
        """Return the track for everyone, or what the function returns now."""
        return self._video if isinstance(self._video, MediaStreamTrack) else self._video()

    def find(self, track: MediaStreamTrack) -> Camera | None:
        """Return the open camera that has this track."""
        return next((each for each in self._open if each.track is track), None)

    def close_camera(self, camera: Camera) -> None:
        """Close one that has no viewers."""
        if camera in self._open:
            self._open.remove(camera)
            camera.close()

    def close(self) -> None:
        """Read no camera any more, and stop those that are the robot's."""
        for camera in tuple(self._open):
            self.close_camera(camera)
