"""The robot as a running program: sockets, timers and peer connections around the pure machines.

It carries out what the machines ask for, and decides nothing itself.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, assert_never

from aiortc import MediaStreamTrack
from av import AudioFrame

from robosignal.protocol.ids import SessionId
from robosignal.robot.channels import Received
from robosignal.robot.connection.events import Enter, FrameReceived, Swap
from robosignal.robot.connection.machine import says_expired
from robosignal.robot.connection.redialer import Callbacks, Redialer
from robosignal.robot.connection.state import ConnectionState, Timing
from robosignal.robot.connection.token_policy import GiveUp, TokenPolicy
from robosignal.robot.connection.websocket import forget_answer
from robosignal.robot.controls import CommandHandler, Given
from robosignal.robot.drive import Drive, Limits, Settings
from robosignal.robot.errors import RegistrationRefused, RobotError, RobotReplaced, TokenRejected
from robosignal.robot.frames import PcId
from robosignal.robot.key.rotation import Rotation
from robosignal.robot.key.signer import Signer
from robosignal.robot.listeners import MOST_WAITING, Listeners
from robosignal.robot.media.camera import Cameras, MakeTrack
from robosignal.robot.media.gathering import Relays
from robosignal.robot.media.ice import configure
from robosignal.robot.media.peer import Peer
from robosignal.robot.media.peers import Peers
from robosignal.robot.media.sound import Microphone, Sound, VoiceHandler
from robosignal.robot.media.test_pattern import FRAMES_PER_SECOND, Pattern
from robosignal.robot.motors import DriveHandler, Motors
from robosignal.robot.session import datachannel, events, machine, rights
from robosignal.robot.session.people import People, find_people
from robosignal.robot.session.registration import REPLACED, Identity, Registration
from robosignal.robot.session.state import RobotState
from robosignal.robot.telemetry import Published, merge
from robosignal.robot.token import TokenSource

SHUTDOWN_SECONDS = 5
"""How long closing the sockets, and then the peer connections, may take at the end."""

PULSE_SECONDS = 0.05
"""How often the event loop shows that it runs; a longer pause than the watchdog is noticed."""

_log = logging.getLogger(__name__)


class Runtime:
    """Carries out the actions of the session machine, over a connection that is redialled."""

    def __init__(
        self,
        url: str,
        token: TokenSource,
        identity: Identity,
        timing: Timing,
        *,
        is_renewable: bool,
        signer: Signer | None = None,
        rotate_key_days: float = 0,
        on_drive: DriveHandler | None = None,
        on_command: CommandHandler | None = None,
        on_people: Callable[[People, People], None] | None = None,
        videos: Sequence[MediaStreamTrack | MakeTrack] = (),
        audio: MediaStreamTrack | MakeTrack | None = None,
        on_voice: VoiceHandler | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._robot_id = identity.robot_id
        settings = settings or Settings()
        self._state = RobotState(
            Registration(identity), settings, held=settings.controls.held_at_start
        )
        fps = settings.fps or FRAMES_PER_SECOND
        self._pattern = Pattern(identity.robot_id, time.monotonic, fps)
        # The picture's marker comes last: it drives as the motors do.
        handlers = [*([] if on_drive is None else [on_drive]), self._pattern.drive]
        self._motors = Motors(
            identity.robot_id,
            handlers,
            watchdog_ms=settings.watchdog_ms,
            limits=limits,
            controls=settings.controls,
            on_command=on_command,
            on_held=lambda values: self._handle_event(events.Held(values)),
        )
        self._listeners = Listeners(identity.robot_id)
        self.people = People()
        self._on_people = on_people
        # What the program is told next, and what it was told last.
        self._people_to_tell: deque[People] = deque()
        self._people_told = self.people
        # What is published is written under this lock until the loop takes it.
        self._publishing = threading.Lock()
        self._published: Published | None = None
        names = settings.cameras or ("",)
        self._cameras = [
            Cameras(f"{identity.robot_id} {name}".strip(), video)
            for name, video in zip(names, videos or [self._pattern.track], strict=True)
        ]
        self._microphone = None if audio is None else Microphone(audio)
        self._on_voice = on_voice
        # A voice that is later than that is of no use.
        self._voices = None if on_voice is None else Listeners(identity.robot_id, most_waiting=25)
        take_voice = None if on_voice is None else self._take_voice
        self._sound = Sound(self._microphone, take_voice)
        self._ice = configure([])
        self._relays = Relays()
        connection = ConnectionState(heartbeats=False, timing=timing)
        policy = TokenPolicy(connection, is_renewable=is_renewable, by_key=signer is not None)
        told = Callbacks(self._tell, self._note_used_assertion, self._pass_to_session, self._report)
        hear = forget_answer if signer is None else signer.hear
        self._connection = Redialer(self._robot_id, url, token, policy, told, hear=hear)
        self._signer = signer
        self._rotation = None if signer is None else Rotation(signer, self._send, rotate_key_days)
        self._peers = Peers(self._make_peer, self._is_driver, self._handle_peer_event)
        self._messages: list[events.Message] = []
        self._pulse_at = self._loop.time()
        self._session_timer: asyncio.TimerHandle | None = None
        self._pulse_timer = self._loop.call_later(PULSE_SECONDS, self._pulse)
        self._ended: asyncio.Future[RobotError] = self._loop.create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """Connect, and return once `stop` is set. Raise RobotError if going on is of no use."""
        stopping = asyncio.ensure_future(stop.wait())
        waiting: set[asyncio.Future[Any]] = {stopping, self._ended}
        self._connection.start()
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            try:
                await self._shut_down()
            finally:
                self._motors.close()
                self._listeners.close()
                if self._voices is not None:
                    self._voices.close()
        if self._ended.done():
            raise self._ended.result()

    def stop_motion(self, by: str) -> None:
        """Stop the motors at once, from any thread, and keep them still until `clear_stop`."""
        self._motors.hold()
        self._call_in_loop(self._handle_event, events.StopMotion(by))

    def clear_stop(self) -> None:
        """Clear the stop of `stop_motion`, from any thread; one that comes later holds."""
        self._call_in_loop(self._clear_stop, self._motors.holds)

    def publish(self, values: Published, *, is_reliable: bool) -> None:
        """Send telemetry to all who take it, from any thread."""
        if is_reliable:
            self._call_in_loop(self._handle_event, events.Publish(values, is_reliable=True))
            return
        with self._publishing:
            is_first = self._published is None
            self._published = merge(self._published or (), values)
        # However often a program publishes, the loop takes the newest once.
        if is_first:
            self._call_in_loop(self._take_published)

    def command(self, drive: Drive, values: tuple[Given, ...]) -> None:
        """Have the robot's own program move it while no one drives, from any thread."""
        command = events.OwnCommand(drive, values, since=self._now())
        self._call_in_loop(self._handle_event, command)

    def post(self, label: str, data: str | bytes) -> None:
        """Send a message over a channel of the application's own, from any thread."""
        self._call_in_loop(self._handle_event, events.Post(label, data))

    def _take_published(self) -> None:
        with self._publishing:
            values, self._published = self._published, None
        if values is not None:
            self._handle_event(events.Publish(values))

    def _clear_stop(self, holds: int) -> None:
        self._handle_event(events.ClearStop())
        self._motors.release(holds)

    def _call_in_loop(self, call: Callable[..., None], *arguments: events.Event | int) -> None:
        with suppress(RuntimeError):  # the loop has ended, and the motors have stopped for good
            self._loop.call_soon_threadsafe(call, *arguments)

    async def _shut_down(self) -> None:
        # The motors come first: no command and no timer follows that could stop them.
        self._handle_event(events.Stop())
        if self._connection.is_online and not self._ended.done():
            self._send({"type": "unregister", "robotId": self._robot_id})
        self._connection.stop()
        for timer in (self._session_timer, self._pulse_timer):
            if timer is not None:
                timer.cancel()
        await self._peers.close(SHUTDOWN_SECONDS)
        for each in self._cameras:
            each.close()
        if self._microphone is not None:
            self._microphone.close()
        await self._connection.wait_closed(SHUTDOWN_SECONDS)
        if self._rotation is not None:
            await self._rotation.wait_closed()
        await self._motors.wait_closed()

    def _end(self, error: RobotError) -> None:
        if not self._ended.done():
            self._ended.set_result(error)

    def _now(self) -> int:
        return int(self._loop.time() * 1000)

    # The connection.

    def _note_used_assertion(self, event: FrameReceived) -> None:
        if self._signer is not None and says_expired(event.frame):
            self._signer.hear_used()

    def _pass_to_session(self, event: FrameReceived) -> None:
        if self._ended.done():
            return
        self._step_session(events.Frame(event.frame, "old" if event.socket == "old" else None))
        if self._rotation is not None:
            self._rotation.handle(event.frame)

    def _tell(self, change: Enter | Swap | GiveUp) -> None:
        match change:
            case Enter("offline"):
                self._step_session(events.Offline())
            case GiveUp(reason, refused_ms):
                self._end(TokenRejected(self._robot_id, reason, refused_ms / 1000))

    # The sessions.

    def _handle_peer_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Message) or event.channel == "drive":
            self._handle_event(event)
            return
        # Of what comes in one turn of the loop, the newest command alone is worth obeying.
        if not self._messages:
            self._loop.call_soon(self._handle_messages)
        self._messages.append(event)

    def _handle_messages(self) -> None:
        messages, self._messages = self._messages, []
        for message in datachannel.drop_superseded(messages):
            self._handle_event(message)

    def _pulse(self) -> None:
        if self._was_suspended():
            self._handle_event(events.Tick())
        self._pulse_at = self._loop.time()
        self._pulse_timer = self._loop.call_later(PULSE_SECONDS, self._pulse)

    def _was_suspended(self) -> bool:
        """Whether the process, or its event loop, has not run for longer than the watchdog."""
        return (self._loop.time() - self._pulse_at) * 1000 > self._state.settings.watchdog_ms

    def _handle_event(self, event: events.Event) -> None:
        with self._log_failures():
            self._step_session(event)

    def _step_session(self, event: events.Event) -> None:
        if self._was_suspended():
            # Before anything that has waited meanwhile.
            self._pulse_at = self._loop.time()
            self._perform(events.Resumed())
        self._perform(event)

    def _perform(self, event: events.Event) -> None:
        now = self._now()
        self._state, actions = machine.step(self._state, event, now)
        # The timer comes first: whatever fails below, the robot stops when commands stop coming.
        if self._session_timer is not None:
            self._session_timer.cancel()
        due = machine.next_due(self._state)
        if due is not None:
            tick = events.Tick()
            self._session_timer = self._loop.call_at(due / 1000, self._handle_event, tick)
        for action in actions:
            with self._log_failures(action):
                self._carry_out(action, now)
        self._tell_people()

    def _tell_people(self) -> None:
        before, self.people = self.people, find_people(self._state)
        if self.people == before or self._on_people is None:
            return
        # However long a listener takes, the program is told the newest in the end.
        if len(self._people_to_tell) >= MOST_WAITING:
            self._people_to_tell[-1] = self.people
            return
        self._people_to_tell.append(self.people)
        # The motors have been told first: a new driver begins with a robot that is still.
        self._listeners.call(partial(self._tell_next, self._on_people))

    def _tell_next(self, tell: Callable[[People, People], None]) -> None:
        before, self._people_told = self._people_told, self._people_to_tell.popleft()
        tell(before, self._people_told)

    def _carry_out(self, action: events.Action, now: int) -> None:  # noqa: C901, PLR0912 - one for each
        match action:
            case events.Send(frame):
                self._send(frame)
            case events.Open(session, pc, sdp):
                self._peers.offer(session, pc, sdp)
            case events.Renegotiate(session, pc, sdp, channel):
                self._peers.offer(session, pc, sdp, channel)
            case events.Add(session, pc, candidate):
                self._peers.add(session, pc, candidate)
            case events.Say(session, pc, data, channel):
                self._peers.say(session, pc, data, channel)
            case events.Shut(session, pc):
                self._peers.shut(session, pc)
            case events.Deliver() as message:
                self._deliver(message)
            case events.Move(drive, values):
                self._motors.move(drive, now / 1000, values)
            case events.Show() as scene:
                self._pattern.show(scene)
            case events.UseIce(servers):
                self._ice = configure(servers)
            case events.Log(text):
                self._report(text)
            case events.Redial(text):
                self._connection.hang_up(text)
            case events.Quit(code, text):
                self._end(self._make_error(code, text))
            case other:
                assert_never(other)

    def _deliver(self, message: events.Deliver) -> None:
        handler = self._state.settings.channels[message.channel].on_message
        if handler is not None:
            received = Received(message.data, message.person, message.is_driver)
            # By person: a session that is left and begun again has no more room than before.
            user = "" if message.person is None else message.person.user_id
            self._listeners.call(partial(handler, received), f"user {user}", len(message.data))

    def _make_error(self, code: str, text: str) -> RobotError:
        if code in {REPLACED, "not_registered"}:
            return RobotReplaced(self._robot_id, text)
        return RegistrationRefused(self._robot_id, code, text)

    def _send(self, frame: dict[str, Any]) -> None:
        self._connection.send(frame)

    def _make_peer(
        self, session: SessionId, pc: PcId, emit: Callable[[events.Event], None]
    ) -> Peer:
        is_driver = partial(self._is_driver, session)
        first, *more = (partial(self._make_video, each, is_driver) for each in self._cameras)
        sources: dict[str, Any] = {"make_more": more, "sound": self._sound}
        return Peer(session, pc, self._ice, first, emit, relays=self._relays, **sources)

    def _take_voice(self, session: SessionId, frame: AudioFrame) -> None:
        """Pass on the driver's voice, and no one else's."""
        handler = self._on_voice
        if handler is None or self._voices is None or not self._is_driver(session):
            return
        if not rights.is_over(self._state, session, self._now()):
            self._voices.call(partial(handler, frame))

    def _is_driver(self, session: SessionId) -> bool:
        return self._state.control.fence.obeys(session)

    def _make_video(
        self, cameras: Cameras, is_driver: Callable[[], bool]
    ) -> MediaStreamTrack | None:
        try:
            return cameras.watch(is_driver)
        except Exception:
            _log.exception("%s: has no video to give", self._robot_id)
            raise

    # The log.

    @contextmanager
    def _log_failures(self, requested: events.Action | None = None) -> Iterator[None]:
        # The machines are pure, so an event that one fails on has changed nothing; and each thing
        # that they ask for is tried. A fault of ours costs that much, and not the drivers' video.
        try:
            yield
        except Exception:  # noqa: BLE001 - the entry of all events
            what = "ignores what it fails on" if requested is None else _describe(requested)
            _log.exception("%s: %s", self._robot_id, what)

    def _report(self, text: str) -> None:
        _log.info("%s: %s", self._robot_id, text)


def _describe(requested: events.Action) -> str:
    """Return what failed, and for which session; never what was to be sent or said."""
    name = type(requested).__name__.lower()
    session: SessionId | None = getattr(requested, "session_id", None)
    return f"fails to {name}" if session is None else f"fails to {name} {session}"
