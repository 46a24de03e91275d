"""The entry: takes an event of API Gateway, and returns the result that it expects.

It admits, dispatches and replies; nothing else turns errors into replies.
"""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from robosignal.protocol.errors import (
    Internal,
    RateLimited,
    SignalingError,
    TokenExpired,
    TryAgain,
    Unauthorized,
)
from robosignal.protocol.frames import Reply, encode
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.messages import MESSAGES, Answer, AnyMessage, IceCandidate
from robosignal.protocol.parsing import parse
from robosignal.server.admission import Admission
from robosignal.server.audit import Audit
from robosignal.server.aws.metrics import NoMetrics
from robosignal.server.core import connections
from robosignal.server.core.dispatch import flow_for
from robosignal.server.core.keepalive import keep_alive
from robosignal.server.core.records import Connection
from robosignal.server.core.request import Request, Rules
from robosignal.server.core.steps import Decision, Flow
from robosignal.server.deadline import Deadline
from robosignal.server.events import Incoming, Result, is_scheduled, make_result, read_event
from robosignal.server.executor import Execute, Executor, Guard, Hook, ParallelMap, run
from robosignal.server.history import NotKept
from robosignal.server.identity.carriers import OriginRefused
from robosignal.server.identity.tokens import Issuer
from robosignal.server.limits.checks import CheckFirst, Reputations
from robosignal.server.limits.pace import DeferredPushes, LeasePace, Pace
from robosignal.server.limits.sampling import SampledLog
from robosignal.server.metering import EventMeter
from robosignal.server.ports import History, IceSource, Limiter, Meter, Poster, Store
from robosignal.server.pushes import PresencePushes, push_changes, push_deferred
from robosignal.server.replies import encode_refusal, encode_reply, error_frame

log = logging.getLogger("signaling")

KINDS = {"CONNECT": "$connect", "MESSAGE": "invalid", "DISCONNECT": "$disconnect"}
"""What metrics call an event whose message has not been parsed, or has none."""

TYPES: dict[type, str] = {message: name for name, message in MESSAGES.items()}

REFUSALS_LOGGED = 10
"""How many refused messages are logged one by one each second."""

PUSHES_AT_ONCE = 100
"""How many deferred pushes one run of a timer sends at most, because other events wait for it."""


def no_hook(execute: Execute) -> Execute:
    """Leave the execution of actions as it is."""
    return execute


class Signaling:
    """The signaling backend over one deployment's adapters."""

    def __init__(
        self,
        *,
        store: Store,
        poster: Poster,
        ice: IceSource,
        limiter: Limiter,
        issuers: Sequence[Issuer],
        rules: Rules,
        origins: frozenset[str] | None,
        clock: Callable[[], int],
        parallel_map: ParallelMap = map,
        hook: Hook = no_hook,
        meter: Meter = NoMetrics(),  # noqa: B008 - it has no state
        history: History = NotKept(),  # noqa: B008 - it has no state
        deadline: Callable[[float | None], Deadline] = Deadline,
        reputations: Reputations | None = None,
        device_audiences: Callable[[], frozenset[str]] = frozenset,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Connect the adapters.

        `origins`: the origins of pages that may connect, None for any. `clock` returns epoch ms.
        `device_audiences` returns what `aud` of a robot's assertion may be, by default nothing.
        `random` returns so many random bytes, for codes.
        `hook` wraps every action. `reputations`: what is known of senders, None for nothing yet.
        """
        self._store = store
        self._poster = poster
        self._ice = ice
        self._limiter = limiter
        self._admission = Admission(store, limiter, issuers, origins, device_audiences)
        self._rules = rules
        self._clock = clock
        self._random = random
        self._parallel_map = parallel_map
        self._hook = hook
        self._meter = meter
        self._history = history
        self._deadline = deadline
        self._reputations = reputations or Reputations()
        self._deferred_pushes = DeferredPushes()
        self._refused_connects = SampledLog(log, "connect refused")
        self._refused_messages = SampledLog(log, "message refused", REFUSALS_LOGGED)

    def handle(self, event: dict[str, Any], remaining_s: float | None = None) -> Result:
        """Handle one event and return the result that API Gateway expects.

        `remaining_s`: in how many seconds the process is killed; None: it never is. Return within
        `EVENT_SECONDS`, and a second before `remaining_s` is over, however slow store and poster
        are.

        Errors that a client causes are replied to. Internal errors propagate from `$connect` and
        `$disconnect`, because no reply can be sent there.
        """
        now = self._clock()
        incoming = None if is_scheduled(event) else read_event(event)
        meter = EventMeter("keepalive" if incoming is None else KINDS[incoming.kind])
        self._refused_connects.flush(now)
        self._refused_messages.flush(now)
        try:
            with self._deadline(remaining_s).use_for("decide"):
                return self._dispatch(incoming, now, meter)
        finally:
            since = None if incoming is None else incoming.requested_at
            self._meter.record(meter.summarise(now if since is None else since, self._clock()))

    def _dispatch(self, incoming: Incoming | None, now: int, meter: EventMeter) -> Result:
        if incoming is None:
            return self._on_schedule(now, meter)
        match incoming.kind:
            case "MESSAGE":
                return self._on_message(incoming, now, meter)
            case "CONNECT":
                return self._on_connect(incoming, now, meter)
            case _:
                return self._on_disconnect(incoming, now, meter)

    def _on_connect(self, incoming: Incoming, now: int, meter: EventMeter) -> Result:
        try:
            row, subprotocol = self._admission.admit_connection(incoming, now)
            self._run(connections.connect(row), now, row, meter)
        except Internal as fault:
            raise (fault.__cause__ or fault) from None
        except SignalingError as error:
            meter.fail(error)
            code, reason = error.code, _find_reason(error)
            example = f"{code} {reason or ''}".rstrip()
            self._refused_connects.write(now, example, code=code, reason=reason)
            return make_result(error.status, encode(error_frame(error)))
        meter.succeed()
        return make_result(200, subprotocol=subprotocol)

    def _on_disconnect(self, incoming: Incoming, now: int, meter: EventMeter) -> Result:
        self._limiter.forget(incoming.connection_id)
        try:
            self._run(connections.disconnect(incoming.connection_id, now), now, None, meter)
        except Internal as fault:
            raise (fault.__cause__ or fault) from None
        except SignalingError as error:
            # Best effort, as the event itself is: leases lapse, and posts find what is left.
            meter.fail(error)
            log.warning("disconnect refused", extra={"code": error.code})
            return make_result(error.status)
        meter.succeed()
        return make_result(200)

    def _on_schedule(self, now: int, meter: EventMeter) -> Result:
        """Keep idle seed connections open. The next run reaches those that this one misses."""
        try:
            kept = self._run(keep_alive(now), now, None, meter)
        except SignalingError as error:
            meter.fail(error)
            log.warning("keepalive refused", extra={"code": error.code})
            return make_result(error.status)
        meter.succeed()
        if not kept.complete:
            log.warning("keepalive incomplete", extra={"connections": kept.connections})
        return make_result(200)

    def _on_message(self, incoming: Incoming, now: int, meter: EventMeter) -> Result:
        message = _parse(incoming.body)
        meter.kind = TYPES.get(type(message), meter.kind)
        reply_to = message.reply_to if isinstance(message, SignalingError) else message.id
        sender: Connection | None = None
        try:
            sender = self._admission.find_sender(incoming.connection_id)
            self._admission.admit_message(sender, message, now)
            reply = self._carry_out(message, Request(sender, now, self._rules), meter)
        except Internal as fault:
            # An action's, which is logged already.
            log.error("request failed", extra={"request": incoming.request_id})  # noqa: TRY400 - once
            meter.fail(fault)
            failure = Internal(incoming.request_id)
            return self._refuse(incoming, sender, failure, reply_to, meter.kind)
        except SignalingError as error:
            meter.fail(error)
            return self._refuse(incoming, sender, error, reply_to, error.kind or meter.kind)
        except Exception:
            log.exception("request failed", extra={"request": incoming.request_id})
            failure = Internal(incoming.request_id)
            return self._refuse(incoming, sender, failure, reply_to, meter.kind)
        meter.succeed()
        return make_result(200, encode_reply(reply, sender, reply_to))

    def _carry_out(
        self, message: AnyMessage | SignalingError, request: Request, meter: EventMeter
    ) -> Reply:
        """Run the message's flow and return its reply. Raise what refuses the message."""
        if isinstance(message, SignalingError):
            raise message
        sender, now = request.sender, request.now
        check = CheckFirst(self._reputations, sender, now)
        # A relayed message writes nothing that a guard would mind.
        is_relayed = isinstance(message, Answer | IceCandidate)
        pace = LeasePace(self._limiter, sender.user_id, now)
        guards: tuple[Guard, ...] = () if is_relayed else (check, pace)
        try:
            reply = self._run(flow_for(request, message), now, sender, meter, guards)
        except SignalingError:
            check.note_refusal()
            self._limiter.refuse(sender, message)
            raise
        self._limiter.note(sender, message, reply, now)
        return reply

    def _run(
        self,
        flow: Flow[Decision],
        now: int,
        by: Connection | None,
        meter: EventMeter,
        guards: Sequence[Guard] = (),
    ) -> Decision:
        """Run a flow, then push the changes that it made, even if it ends in a refusal."""
        execute = self._hook(self._executor(now).execute)
        pushes = PresencePushes()
        observers = (meter, Audit(by, now, self._history.note), pushes)
        pushing = push_changes(pushes, now, self._pace(now))
        try:
            decision = run(flow, execute, observers, guards=guards, parallel_map=self._parallel_map)
        except SignalingError:
            run(pushing, execute, (meter,), parallel_map=self._parallel_map)
            raise
        run(pushing, execute, (meter,), parallel_map=self._parallel_map)
        return decision

    def push_deferred(self) -> None:
        """Make the deferred pushes that are due. For a timer: each event makes one anyway."""
        now = self._clock()
        execute = self._executor(now).execute
        with self._deadline(None).use_for("notify"):
            for _ in range(PUSHES_AT_ONCE):
                flow = push_deferred(now, self._pace(now))
                if not run(flow, execute, parallel_map=self._parallel_map):
                    return

    def _executor(self, now: int) -> Executor:
        return Executor(self._store, self._poster, self._ice, self._history, now, self._random)

    def _pace(self, now: int) -> Pace:
        return Pace(self._limiter, self._deferred_pushes, now)

    def _refuse(
        self,
        incoming: Incoming,
        sender: Connection | None,
        error: SignalingError,
        reply_to: str | None,
        kind: str,
    ) -> Result:
        """Reply with the error, and close the connection if the error ends it."""
        frame = encode_refusal(sender, error, kind, reply_to)
        is_last = isinstance(error, RateLimited) and error.last
        if not isinstance(error, RateLimited) or is_last:
            # A client that floods the server must not flood the log too.
            code, connection = error.code, incoming.connection_id
            self._refused_messages.write(self._clock(), code, code=code, connection=connection)
        if isinstance(error, TokenExpired) or is_last:
            # A reply would be sent after this returns, when the connection is closed already.
            self._send_last(incoming.connection_id, frame)
            frame = None
        return make_result(error.status, frame)

    def _send_last(self, connection: ConnectionId, frame: bytes | None) -> None:
        """Post a last frame, if there is one, and close. The next message repeats what fails."""
        try:
            with Deadline.current().use_for("notify"):
                if frame is not None:
                    self._poster.post(connection, frame)
                self._poster.close(connection)
        except TryAgain:
            log.warning("connection not closed", extra={"connection": connection})
        except Exception:
            # The reply's status stays as it is.
            log.exception("connection not closed", extra={"connection": connection})


def _find_reason(error: SignalingError) -> str | None:
    """Return what the log says of a refused connection besides the code."""
    if isinstance(error, Unauthorized):
        return error.reason
    if isinstance(error.__cause__, OriginRefused):
        return f"origin {error.__cause__}"
    return None if error.__cause__ is None else type(error.__cause__).__name__


def _parse(body: str | None) -> AnyMessage | SignalingError:
    """Return the message; the error to reply with if the body is not a valid one."""
    try:
        return parse(body)
    except SignalingError as error:
        return error
