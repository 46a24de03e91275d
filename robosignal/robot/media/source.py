"""Where a camera's pictures come from: a device, a file or a URL by its name, besides tracks.

Opening one may take seconds, and one that hangs may never return: neither is done on the event
loop, nor in a thread for which Python waits at its end.
"""

import asyncio
from pathlib import Path
from threading import Thread
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaPlayer, PlayerStreamTrack
from aiortc.mediastreams import MediaStreamError

from robosignal.robot.media.camera import MakeTrack

Source = MediaStreamTrack | MakeTrack | str | Path
"""What has pictures: a track, a function that returns one, or the name of what FFmpeg opens.

A name is a device such as `"/dev/video0"`, a URL such as `"rtsp://camera/1"`, or the path of a
file, which is repeated.
"""


class PlayedTrack(MediaStreamTrack):
    """The video of a device, a file or a URL, which is opened when the first picture is wanted."""

    kind = "video"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._opened: asyncio.Future[MediaStreamTrack] | None = None

    async def recv(self) -> Any:
        """Return the next picture. Raise MediaStreamError at its end, or what opening it raises."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._opened is None:
            self._opened = self._open()
        track = await asyncio.shield(self._opened)
        return await track.recv()

    def stop(self) -> None:
        """End it, and close what was opened; that may take a while, and is not waited for."""
        super().stop()
        if self._opened is not None:
            self._opened.add_done_callback(_stop_opened)

    def _open(self) -> "asyncio.Future[MediaStreamTrack]":
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[MediaStreamTrack] = loop.create_future()

        def tell(track: MediaStreamTrack | None, failure: BaseException | None) -> None:
            if opened.done():
                return
            if track is None:
                opened.set_exception(failure or MediaStreamError())
            else:
                opened.set_result(track)

        def open_it() -> None:
            track: MediaStreamTrack | None = None
            failure: BaseException | None = None
            try:
                # The player gives its pictures to the loop of the thread that starts it.
                asyncio.set_event_loop(loop)
                track = _play(self._name)
            except BaseException as raised:  # noqa: BLE001 - FFmpeg raises what it likes
                failure = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, track, failure)

        Thread(target=open_it, name=f"opens {self._name}", daemon=True).start()
        return opened


def _stop_opened(opened: "asyncio.Future[MediaStreamTrack]") -> None:
    if not opened.cancelled() and opened.exception() is None:
        Thread(target=opened.result().stop, name="camera", daemon=True).start()


def _play(name: str) -> MediaStreamTrack:
    is_device, is_url = name.startswith("/dev/"), "://" in name
    options = {"rtsp_transport": "tcp"} if name.startswith("rtsp") else {}
    player = MediaPlayer(
        name,
        format="v4l2" if is_device else None,
        options=options,
        loop=not (is_device or is_url),
    )
    track = player.video
    if not isinstance(track, PlayerStreamTrack):
        raise ValueError(f"{name} has no video")  # noqa: TRY004 - None, or what decodes nothing
    player._start(track)  # noqa: SLF001 - as `recv` does, once; here its thread is a daemon
    return track


def make_maker(source: Source) -> MediaStreamTrack | MakeTrack:
    """Return what `Cameras` takes: the same, or a function that opens what has this name."""
    if isinstance(source, MediaStreamTrack) or callable(source):
        return source
    name, playing = str(source), list[PlayedTrack]()

    def make() -> PlayedTrack:
        if not playing or playing[-1].readyState != "live":
            playing[:] = [PlayedTrack(name)]
        return playing[-1]

    return make
