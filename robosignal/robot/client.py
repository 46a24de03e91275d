"""The robot client: `Robot`, which a program of your own runs, as `robosignal robot` does."""

import asyncio
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction

from aiortc import MediaStreamTrack
from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from robosignal.protocol.frames import Person
from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.protocol.limits import ID_PATTERN
from robosignal.protocol.parsing import ID_RULE
from robosignal.robot.channels import PREFIX, Channel, arrange, check_message
from robosignal.robot.connection.state import Timing
from robosignal.robot.controls import (
    CommandHandler,
    Control,
    Controls,
    Given,
    check_distinct,
    check_name,
)
from robosignal.robot.drive import (
    COMMAND_HZ,
    FRESH_MS,
    STILL,
    WATCHDOG_MS,
    Drive,
    Limits,
    Settings,
    check_drive,
)
from robosignal.robot.key.file import KeyFile
from robosignal.robot.key.signer import Signer
from robosignal.robot.media.camera import MakeTrack
from robosignal.robot.media.sound import VoiceHandler
from robosignal.robot.media.source import Source, make_maker
from robosignal.robot.media.test_pattern import FRAMES_PER_SECOND
from robosignal.robot.motors import DriveHandler
from robosignal.robot.runtime import Runtime
from robosignal.robot.session.people import People
from robosignal.robot.session.registration import Identity
from robosignal.robot.telemetry import Field, Fields, Published, Value, merge
from robosignal.robot.token import TokenSource, from_text

DriverHandler = Callable[[Person | None, int], None]
"""Is told who drives from now on, None for no one, and the epoch."""

ViewersHandler = Callable[[list[Person]], None]
"""Is told who watches."""

UNTOLD_FPS = 15.0
"""What pages are told of a camera whose author says nothing, in frames a second."""

ROTATE_KEY_DAYS = 180.0
"""After how many days a robot replaces its key."""

SHORTEST_MS = 100
"""The shortest watchdog and freshness limit, in ms: pages send a command every 50 ms."""

LONGEST_MS = 60_000
"""The longest ones."""

MOST_COMMAND_HZ = 100
"""The most commands a second that a robot may ask for."""

MOST_CAMERAS = 4
"""How many cameras a robot may declare."""

MOST_FPS = 240
"""The most frames a second that a robot may declare."""


class Robot:
    """A robot that people drive over WebRTC.

    Args:
        url: the server's WebSocket address, such as `wss://host/prod`.
        robot_id: the robot's id, 1 to 64 of `A-Z a-z 0-9 _ . -`. The first user to register an
            unknown id owns it.
        token: a JWT that the server accepts, or a function that returns one. A function is called
            at each dial, and may be a coroutine function: see `robosignal.robot.token`.
        key: the robot's own key, `KeyFile.load(path)` of a file that `robosignal robot enroll` has
            made, in place of `token`. No refusal ends a robot that has one: its owner may let the
            key in later, so it dials again, after pauses of up to 5 minutes.
        on_drive: is called with a `Drive` for every command that is carried out, up to some 40 a
            second, and with `STILL` for every stop: `watchdog_ms` after the last command, at each
            change of driver, when somebody stops the robot, and at the end. It runs in a thread of
            its own, one call at a time. What it raises is logged, and the motors are stopped.
            None: nothing but the test picture moves.
        controls: what people can move besides, or instead: `Axis`, `Button` and `Choice`, at most
            32, with different names. Pages are told of them, and the console draws them.
        on_command: is called with a `Command` that has the values of all controls, whenever
            `on_drive` would be called, after it, and in the same thread: for every command that is
            carried out, and for every stop. It belongs to `controls`.
        command_hz: how many commands a second pages should send while the driver moves a control,
            from 1 to 100.
        telemetry: the fields that `publish` takes, at most 64, with different names.
        channels: channels for messages of the application's own, at most 8, with different names.
        on_driver: is called with the person who drives from now on, None for no one, and the epoch,
            whenever that changes; the motors have been stopped before.
        on_viewers: is called with the list of those who watch, whenever that changes. Both are
            called in the thread of the channels' functions, one call at a time.
        video: a function that returns the track of one peer connection, None for no video; a track
            that all peers watch; or the name of a device, a file or a URL, such as `"/dev/video0"`.
            The function is called on the event loop, for each peer that takes video, and again if
            its track fails. It may return one track to several peers; each track is stopped after
            the last of them. A track given here is yours to stop. Pictures may have any pixel
            format and size, and are encoded once for all. Without `video` the peers watch the test
            picture, 640 by 360 at 20 frames a second.
        cameras: several such videos, in place of `video`, by names as controls have them; at most
            4. Pages get the first one at once, and the others a moment later.
        audio: the robot's sound for all: a track, or a function that returns one, called again
            once that has ended. None for no sound.
        on_voice: is called with each 20 ms of the driver's voice, an `av.AudioFrame`, in a thread
            of its own. What others say is never passed on. None: the robot plays no voice.
        fps: how many frames a second `video` has, from 0 to 240, which pages are told: they mark a
            picture whose last three frames are late. 0 if the robot has no picture. Left out, 15
            with `video`. Without `video`, the rate of the test picture; 0 leaves that out.
        watchdog_ms: how long a command is in force, in ms, from 100 to 60,000.
        fresh_ms: a command is obeyed if the page that sent it has heard from the robot in the last
            so many ms, from 100 to 60,000; the whole round trip is included.
        limits: the most that `on_drive` is called with, and how fast that may change.
        old_pages: whether pages are obeyed that cannot prove that their commands are fresh.
        metadata: what lists of robots show beside the id, such as `{"model": "rover"}`: strings,
            at most 1024 bytes of JSON in all.
        instance_id: the id of this run, 1 to 64 of the same characters, random if left out.
            A robot that comes back under the same one keeps its sessions.
        timing: how long sockets are used, for servers other than API Gateway.
        rotate_key_days: after how many days a new key replaces `key`, by itself; 0 for never. Both
            are accepted for a week, and the file always holds one that is.

    Raises:
        ValueError: `url`, `robot_id` or `instance_id` is not of that form, a number is out of its
            range, two controls or two fields have the same name, or the key is another robot's.
        TypeError: there is neither `token` nor `key`, or both; there is only one of `controls` and
            `on_command`; there are both `video` and `cameras`; or `on_drive`, `on_command` or a
            camera is a coroutine function, which would never be awaited.
    """

    def __init__(
        self,
        url: str,
        robot_id: str,
        *,
        token: str | TokenSource | None = None,
        key: KeyFile | None = None,
        on_drive: DriveHandler | None = None,
        controls: Sequence[Control] = (),
        on_command: CommandHandler | None = None,
        command_hz: float = COMMAND_HZ,
        telemetry: Sequence[Field] = (),
        channels: Sequence[Channel] = (),
        on_driver: DriverHandler | None = None,
        on_viewers: ViewersHandler | None = None,
        video: Source | None = None,
        cameras: Mapping[str, Source] | None = None,
        audio: MediaStreamTrack | MakeTrack | None = None,
        on_voice: VoiceHandler | None = None,
        fps: float | None = None,
        watchdog_ms: int = WATCHDOG_MS,
        fresh_ms: int = FRESH_MS,
        limits: Limits | None = None,
        old_pages: bool = True,
        metadata: Mapping[str, str] | None = None,
        instance_id: str | None = None,
        timing: Timing | None = None,
        rotate_key_days: float = ROTATE_KEY_DAYS,
    ) -> None:
        check_url(url)
        instance_id = secrets.token_hex(16) if instance_id is None else instance_id
        check_id("robot_id", robot_id)
        check_id("instance_id", instance_id)
        cameras = _check_cameras(video, cameras)
        handlers: dict[str, object] = {"on_drive": on_drive, "on_command": on_command}
        handlers |= {"on_voice": on_voice, "on_driver": on_driver, "on_viewers": on_viewers}
        _check_plain({**cameras, **handlers, "video": video, "audio": audio})
        if bool(controls) != (on_command is not None):
            raise TypeError("controls and on_command belong together: give both, or neither")
        if (token is None) == (key is None):
            raise TypeError("give either token, of the robot's owner, or key, the robot's own")
        if key is not None and key.robot_id != robot_id:
            raise ValueError(f"robot_id must be {key.robot_id}, whose key {key.path} holds")
        if rotate_key_days < 0:
            raise ValueError("rotate_key_days must not be negative")
        self._url = url
        self._identity = Identity(
            RobotId(robot_id), InstanceId(instance_id), dict(metadata or {}), by_key=key is not None
        )
        self._token = token
        self._key = key
        self._rotate_key_days = rotate_key_days
        self._on_drive = on_drive
        sources = list(cameras.values()) if cameras else [] if video is None else [video]
        self._audio, self._on_voice = audio, on_voice
        self._videos = [make_maker(source) for source in sources]
        self._timing = timing or Timing()
        _check_range("watchdog_ms", watchdog_ms, SHORTEST_MS, LONGEST_MS)
        _check_range("fresh_ms", fresh_ms, SHORTEST_MS, LONGEST_MS)
        if fps is None:
            fps = UNTOLD_FPS if sources else FRAMES_PER_SECOND
        _check_range("fps", fps, 0, MOST_FPS)
        if not sources and fps == 0:
            self._videos = [_no_video]
        _check_range("command_hz", command_hz, 1, MOST_COMMAND_HZ)
        self._on_command = on_command
        self._on_driver, self._on_viewers = on_driver, on_viewers
        self._fields = Fields(telemetry)
        self._settings = Settings(
            watchdog_ms,
            fresh_ms,
            old_pages=old_pages,
            fps=fps or None,
            controls=Controls(controls),
            telemetry=self._fields,
            has_drive=on_drive is not None or not controls,
            command_hz=command_hz,
            cameras=tuple(cameras),
            channels=arrange(channels),
            has_audio=audio is not None,
            has_talk_back=on_voice is not None,
        )
        self._limits = limits
        # What follows is read and written under this lock.
        self._changing = threading.Lock()
        self._runtime: Runtime | None = None
        self._stopped_by: str | None = None
        self._published: Published = ()

    def stop_motion(self, by: str = "the robot") -> None:
        """Stop the motors and refuse all motion until `clear_stop`; any thread may call it.

        `by` is what people are told, such as `"button"`. The motors are stopped at once, however
        busy the event loop is. A stop that people have made is theirs to clear, and this one is
        not. It holds for runs that begin later, but not for another process. It is no safety
        function: it needs this process to be alive.
        """
        with self._changing:
            self._stopped_by = by
            if self._runtime is not None:
                self._runtime.stop_motion(by)

    def clear_stop(self) -> None:
        """Clear the stop of `stop_motion`; any thread may call it. A person's stop stays."""
        with self._changing:
            self._stopped_by = None
            if self._runtime is not None:
                self._runtime.clear_stop()

    def hold(self, drive: Drive = STILL, values: Mapping[str, Given] | None = None) -> bool:
        """Move the robot by its own program while no one drives; any thread may call it.

        It has the lowest priority: every person who may drive takes the robot from it without
        asking, which stops it, and once they have released control it may go on. Like a command of
        a driver's it is in force for `watchdog_ms`, so repeat it, and it moves nothing while the
        robot is stopped.

        Args:
            drive: where to drive.
            values: what the controls are asked for, by name, as pages give them to `command`.

        Returns:
            Whether no one drives, as far as the robot knows, so that the program may.

        Raises:
            ValueError: an axis of `drive` is out of its range; or a control is not declared, or
                cannot have its value.
        """
        check_drive(drive)
        given = self._settings.controls.arrange(values or {})
        with self._changing:
            runtime = self._runtime
        if runtime is None or not runtime.people.is_free:
            return False
        runtime.command(drive, given)
        return True

    @property
    def driver(self) -> Person | None:
        """Who drives now: None if no one does, or the driver's right has ended."""
        return self._find_people().driver

    @property
    def epoch(self) -> int:
        """The epoch: it rises with every change of who drives, and is 0 while it is not known."""
        return self._find_people().epoch

    def _find_people(self) -> People:
        with self._changing:
            return People() if self._runtime is None else self._runtime.people

    def send(self, channel: str, data: str | bytes) -> None:
        """Send a message to the driver, or to all if viewers may read; any thread may call it.

        Args:
            channel: the name of the channel.
            data: a text, or bytes; at most 60,000 bytes. Those who have not opened the channel
                yet, or have stopped reading, do not get it.

        Raises:
            ValueError: the channel is not declared, or `data` is too long.
            TypeError: `data` is neither str nor bytes.
        """
        label = PREFIX + channel
        if label not in self._settings.channels:
            names = ", ".join(each.name for each in self._settings.channels.values()) or "none"
            raise ValueError(f"the channel {channel!r} is not declared in channels: {names}")
        check_message(data)
        with self._changing:
            if self._runtime is not None:
                self._runtime.post(label, data)

    def _tell_people(self, before: People, people: People) -> None:
        driver = (people.driver, people.epoch)
        if self._on_driver is not None and driver != (before.driver, before.epoch):
            self._on_driver(*driver)
        if self._on_viewers is not None and people.viewers != before.viewers:
            self._on_viewers(list(people.viewers))

    def publish(self, values: Mapping[str, Value], *, reliable: bool = False) -> None:
        """Send telemetry to everyone who drives or watches; any thread may call it.

        Args:
            values: the new values by the names of `telemetry`: finite numbers, bools, or texts of
                at most 200 characters. Fields that are left out keep their values, and who comes
                later gets the newest value of each.
            reliable: each of these values arrives, in order, also where the network loses packets.
                Otherwise only the newest value of each field counts, and goes out up to 60 times a
                second, which suits what changes all the time.

        Raises:
            ValueError: a field is not declared, or has a value that none can have.
        """
        published = self._fields.arrange(values)
        with self._changing:
            self._published = merge(self._published, published)
            if self._runtime is not None:
                self._runtime.publish(published, is_reliable=reliable)

    async def run(self, *, stop: asyncio.Event | None = None) -> None:
        """Be this robot until `stop` is set; then stop the motors, unregister, and return.

        A lost connection is dialled again, after 0.5 to 30 s, and touches no peer connection.
        If the task is cancelled, the motors are stopped and the robot unregisters as well.
        Each call is a run of its own, but all have the same `instance_id`: run one at a time.

        Raises:
            TokenRejected: the server refuses the token, and no connection is left.
            KeyFileRefused: the key's file cannot be used any more.
            RegistrationRefused: the server does not register this robot.
            RobotReplaced: another device has registered the same robot id.
        """
        # A later run goes on with the key that an earlier one has left in the file.
        signer = None if self._key is None else Signer(KeyFile.load(self._key.path), self._url)
        token = signer or self._token
        runtime = Runtime(
            self._url,
            token if callable(token) else from_text(token or ""),
            self._identity,
            self._timing,
            is_renewable=not isinstance(token, str),
            signer=signer,
            rotate_key_days=self._rotate_key_days,
            on_drive=self._on_drive,
            on_command=self._on_command,
            on_people=self._tell_people,
            videos=self._videos,
            audio=self._audio,
            on_voice=self._on_voice,
            settings=self._settings,
            limits=self._limits,
        )
        with self._changing:
            self._runtime = runtime
            if self._stopped_by is not None:
                runtime.stop_motion(self._stopped_by)
            if self._published:
                runtime.publish(self._published, is_reliable=False)
        try:
            await runtime.run(stop or asyncio.Event())
        finally:
            with self._changing:
                self._runtime = None


def check_url(url: str) -> None:
    """Raise ValueError unless `url` is a WebSocket address."""
    try:
        parse_uri(url)
    except (InvalidURI, ValueError):
        raise ValueError("url must be a WebSocket URL, such as ws://127.0.0.1:8080/prod") from None


def _check_cameras(video: Source | None, cameras: Mapping[str, Source] | None) -> dict[str, Source]:
    if video is not None and cameras:
        raise TypeError("give either video, or cameras by their names")
    for name in cameras or {}:
        check_name(name)
    check_distinct("cameras", list(cameras or {}), MOST_CAMERAS)
    return dict(cameras or {})


def _check_plain(functions: Mapping[str, object]) -> None:
    for name, function in functions.items():
        if iscoroutinefunction(function):
            raise TypeError(f"{name} must be a plain function, not a coroutine function")


def _check_range(name: str, given: float, least: int, most: int) -> None:
    # Not a number is within no range.
    if not least <= given <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {given}")


def _no_video() -> None:
    """Return the track of a robot without a picture."""


def check_id(name: str, given: str) -> None:
    """Raise ValueError, which says `name`, unless `given` can be an id."""
    if not re.search(ID_PATTERN, given):
        raise ValueError(f"{name} {ID_RULE}")
