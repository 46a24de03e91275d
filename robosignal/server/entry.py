"""The entry: an API Gateway event in, its result out. The one place where errors become replies.

The identity of a message's sender is its connection's row, written when the token was
verified; nothing in a message can change who sent it.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.errors import (
    Forbidden,
    Internal,
    RateLimited,
    RobotBusy,
    SignalingError,
    TokenExpired,
    TryAgain,
    Unauthorized,
)
from robosignal.protocol.frames import (
    Error,
    IceServersReply,
    Person,
    Pong,
    Registered,
    Reply,
    RobotsReply,
    Welcome,
    encode,
)
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.messages import MESSAGES, Answer, AnyMessage, IceCandidate
from robosignal.protocol.parsing import parse
from robosignal.protocol.seed import OF_PAGES, SeedError, SessionLocked
from robosignal.server.audit import audit
from robosignal.server.aws.metrics import Unmetered
from robosignal.server.core import connections
from robosignal.server.core.checking import checked
from robosignal.server.core.dispatch import flow_for
from robosignal.server.core.keepalive import keep_alive
from robosignal.server.core.pacing import paced
from robosignal.server.core.records import Connection
from robosignal.server.core.request import Request, Rules
from robosignal.server.core.steps import Decided, Flow, Step
from robosignal.server.core.watching import Change, push_deferred, pushing
from robosignal.server.deadline import Deadline
from robosignal.server.events import Incoming, Result, is_scheduled, read_event, result
from robosignal.server.executor import Hands, SideBySide, run
from robosignal.server.identity.carriers import OriginRefused, refused_origin, token_from
from robosignal.server.identity.tokens import Issuer, verify
from robosignal.server.limits.paces import Paces
from robosignal.server.limits.reputations import Reputations
from robosignal.server.limits.sampling import SampledLog
from robosignal.server.ports import IceSource, Limiter, Meter, Poster, Store
from robosignal.server.tally import Tally

log = logging.getLogger("signaling")

ALWAYS = (Welcome, Pong, IceServersReply, RobotsReply)
"""Replies that are sent whether or not the message bore an id."""

KINDS = {"CONNECT": "$connect", "MESSAGE": "invalid", "DISCONNECT": "$disconnect"}
"""What a tally calls an event, until a message is read."""

REFUSALS_LOGGED = 10
"""How many refused messages are logged one by one each second."""

PUSHES_AT_ONCE = 100
"""How many deferred pushes one run of a timer sends at most, since other events wait for it."""

TYPES: dict[type, str] = {message: name for name, message in MESSAGES.items()}

ORIGIN_CHARACTERS = 128
"""How much of a refused origin the log says: enough to copy it into the setting."""

CarryOut = Callable[[Step], Any]
AroundStep = Callable[[CarryOut], CarryOut]
"""Wraps how a step is carried out: the one place where an invocation can be held or disturbed."""


def calm(carry_out: CarryOut) -> CarryOut:
    """Leave every step as it is."""
    return carry_out


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
        side_by_side: SideBySide = map,
        around_step: AroundStep = calm,
        meter: Meter = Unmetered(),  # noqa: B008 - it has no state
        deadline: Callable[[float | None], Deadline] = Deadline,
        reputations: Reputations | None = None,
    ) -> None:
        """`reputations`: what is known of senders so far; None: nothing yet."""
        self._store = store
        self._poster = poster
        self._ice = ice
        self._limiter = limiter
        self._issuers = issuers
        self._rules = rules
        self._origins = origins
        self._clock = clock
        self._side_by_side = side_by_side
        self._around_step = around_step
        self._meter = meter
        self._deadline = deadline
        self._reputations = reputations or Reputations()
        self._paces = Paces(limiter)
        self._refused_connects = SampledLog(log, "connect refused")
        self._refused_messages = SampledLog(log, "message refused", REFUSALS_LOGGED)

    def handle(self, event: dict[str, Any], remaining_s: float | None = None) -> Result:
        """Carry out one event and return what API Gateway expects of a Lambda.

        It returns within `EVENT_SECONDS`, and a second before `remaining_s` seconds are over,
        where that is given, however slow the store and the poster are.

        Never raises for anything that a client sends: it is answered instead. A fault of ours
        raises in `$connect` and `$disconnect`, whose client nobody can tell.
        """
        now = self._clock()
        if is_scheduled(event):
            with self._deadline(remaining_s).spending("needed"):
                return self._keep_alive(now)
        incoming = read_event(event)
        tally = Tally(KINDS[incoming.kind])
        self._refused_connects.flush(now)
        self._refused_messages.flush(now)
        try:
            with self._deadline(remaining_s).spending("needed"):
                return self._handled(incoming, now, tally)
        finally:
            since = now if incoming.requested_at is None else incoming.requested_at
            self._meter.record(tally.happened(since, self._clock()))

    def _handled(self, incoming: Incoming, now: int, tally: Tally) -> Result:
        match incoming.kind:
            case "MESSAGE":
                return self._message(incoming, now, tally)
            case "CONNECT":
                return self._connect(incoming, now, tally)
            case _:
                return self._disconnect(incoming, now, tally)

    def _run(self, flow: Flow[Decided], now: int, by: Connection | None, tally: Tally) -> Decided:
        hands = Hands(self._store, self._poster, self._ice, now, self._side_by_side)
        watched = tally.watching(self._around_step(hands.carry_out))
        pace = self._paces.of(None if by is None else by.user_id, now)
        return run(pushing(flow, now, partial(_log_change, by), _log_push_failure, pace), watched)

    def push_deferred(self) -> None:
        """Tell the watchers of robots that have changed too often to be told at once, as due.

        Each event does so of one robot: this is for where a timer runs.
        """
        now = self._clock()
        pace = self._paces.of(None, now)
        hands = Hands(self._store, self._poster, self._ice, now, self._side_by_side)
        with self._deadline(None).spending("spare"):
            for _ in range(PUSHES_AT_ONCE):
                if not run(push_deferred(now, _log_push_failure, pace), hands.carry_out):
                    return

    def _connect(self, incoming: Incoming, now: int, tally: Tally) -> Result:
        try:
            row, subprotocol = self._admitted(incoming, now)
            self._run(connections.connect(row), now, row, tally)
        except Internal as fault:
            raise (fault.__cause__ or fault) from None
        except SignalingError as error:
            tally.refused(error)
            self._log_refused_connect(error, now)
            return result(error.status, encode(told(error)))
        tally.carried_out()
        return result(200, subprotocol=subprotocol)

    def _log_refused_connect(self, error: SignalingError, now: int) -> None:
        code, reason = error.code, _reason(error)
        self._refused_connects.write(
            now, f"{code} {reason or ''}".rstrip(), code=code, reason=reason
        )

    def _admitted(self, incoming: Incoming, now: int) -> tuple[Connection, str | None]:
        """Return the row of a connection that may open. Raise what refuses it."""
        origin = refused_origin(incoming.headers, self._origins)
        if origin is not None:
            refused = OriginRefused(origin[:ORIGIN_CHARACTERS])
            raise Forbidden(None, "pages of this origin may not connect") from refused
        carried = token_from(incoming.headers, incoming.query)
        identity = verify(carried.token, self._issuers, now)
        row = Connection(
            connection_id=incoming.connection_id,
            user_id=identity.user_id,
            name=identity.name,
            groups=identity.groups,
            dialect="v1" if carried.subprotocol else "seed",
            ts=incoming.connected_at,
            expires_at=identity.expires_at,
            ttl=incoming.connected_at // 1000 + limits.ROW_SECONDS,
        )
        return row, carried.subprotocol

    def _disconnect(self, incoming: Incoming, now: int, tally: Tally) -> Result:
        self._limiter.forget(incoming.connection_id)
        try:
            self._run(connections.disconnect(incoming.connection_id, now), now, None, tally)
        except Internal as fault:
            raise (fault.__cause__ or fault) from None
        except SignalingError as error:
            # Best effort, as the event itself is: leases end by themselves, posts find the rest.
            tally.refused(error)
            log.warning("disconnect refused", extra={"code": error.code})
            return result(error.status)
        tally.carried_out()
        return result(200)

    def _keep_alive(self, now: int) -> Result:
        """Keep idle seed connections open. The next run reaches those that this one misses."""
        tally = Tally("keepalive")
        try:
            kept = self._run(keep_alive(now), now, None, tally)
            tally.carried_out()
        except SignalingError as error:
            tally.refused(error)
            log.warning("keepalive refused", extra={"code": error.code})
            return result(error.status)
        finally:
            self._meter.record(tally.happened(now, self._clock()))
        if not kept.complete:
            log.warning("keepalive incomplete", extra={"connections": kept.connections})
        return result(200)

    def _message(self, incoming: Incoming, now: int, tally: Tally) -> Result:
        message = _parsed(incoming.body)
        tally.kind = TYPES.get(type(message), tally.kind)
        reply_to = message.reply_to if isinstance(message, SignalingError) else message.id
        sender: Connection | None = None
        try:
            sender = self._sender_of(incoming)
            self._admit(sender, message, now)
            reply = self._carried_out(message, Request(sender, now, self._rules), tally)
        except Internal as fault:
            # Of a step, which logged it.
            log.error("request failed", extra={"request": incoming.request_id})  # noqa: TRY400 - once
            tally.refused(fault)
            failed = Internal(incoming.request_id)
            return self._refused(incoming, sender, failed, reply_to, tally.kind)
        except SignalingError as error:
            tally.refused(error)
            return self._refused(incoming, sender, error, reply_to, error.kind or tally.kind)
        except Exception:
            log.exception("request failed", extra={"request": incoming.request_id})
            failed = Internal(incoming.request_id)
            return self._refused(incoming, sender, failed, reply_to, tally.kind)
        tally.carried_out()
        return result(200, _reply(reply, sender, reply_to))

    def _carried_out(
        self, message: AnyMessage | SignalingError, request: Request, tally: Tally
    ) -> Reply:
        if isinstance(message, SignalingError):
            raise message
        sender = request.sender
        try:
            reply = self._run(self._flow(request, message), request.now, sender, tally)
        except SignalingError:
            self._limiter.refuse(sender, message)
            raise
        self._limiter.note(sender, message, reply, request.now)
        return reply

    def _flow(self, request: Request, message: AnyMessage) -> Flow[Reply]:
        """Return the flow of a message; what is only relayed writes nothing to be checked."""
        flow, sender = flow_for(request, message), request.sender
        if isinstance(message, Answer | IceCandidate):
            return flow
        pace = self._paces.of(sender.user_id, request.now)
        return paced(checked(flow, self._reputations.of(sender, request.now)), pace)

    def _sender_of(self, incoming: Incoming) -> Connection:
        row = self._store.sender(incoming.connection_id)
        if row is None:
            raise Unauthorized("unknown connection")
        return row

    def _admit(self, sender: Connection, message: AnyMessage | SignalingError, now: int) -> None:
        """Raise unless this connection's token is good still and it keeps within the limits."""
        if sender.expires_at <= now:
            raise TokenExpired
        strike = self._limiter.judge(sender, message, now)
        if strike:
            raise RateLimited(last=strike >= limits.STRIKES)

    def _refused(
        self,
        incoming: Incoming,
        sender: Connection | None,
        error: SignalingError,
        reply_to: str | None,
        kind: str,
    ) -> Result:
        """Answer with the error, and close the connection if it is one that ends it."""
        frame = _refusal(sender, error, kind, reply_to)
        if not isinstance(error, RateLimited) or error.last:
            # Whoever floods us shall not flood the log as well.
            code, connection = error.code, incoming.connection_id
            self._refused_messages.write(self._clock(), code, code=code, connection=connection)
        if isinstance(error, TokenExpired) or (isinstance(error, RateLimited) and error.last):
            # A reply would be sent after this returns, to a connection that is closed by then.
            self._dismiss(incoming.connection_id, frame)
            frame = None
        return result(error.status, frame)

    def _dismiss(self, connection: ConnectionId, last: bytes | None) -> None:
        """Send a last frame, if there is one, and close. A failure now is met again later."""
        try:
            with Deadline.current().spending("spare"):
                if last is not None:
                    self._poster.post(connection, last)
                self._poster.close(connection)
        except TryAgain:
            log.warning("connection not closed", extra={"connection": connection})
        except Exception:
            # The frame that the sender was sent, and the status, stay as they are.
            log.exception("connection not closed", extra={"connection": connection})


def _log_change(by: Connection | None, change: Change) -> None:
    """Log a change. A failure to log it fails no request: the change is written."""
    try:
        audit(change, by)
    except Exception:
        log.exception("change not audited")


def _log_push_failure(fault: Exception) -> None:
    """Log that watchers could not be told of a change; the change itself is written."""
    log.error("watchers not told", exc_info=fault)


def _reason(error: SignalingError) -> str | None:
    """Return what the log says of a refused connection besides the code."""
    if isinstance(error, Unauthorized):
        return error.reason
    if isinstance(error.__cause__, OriginRefused):
        return f"origin {error.__cause__}"
    return None if error.__cause__ is None else type(error.__cause__).__name__


def _parsed(body: str | None) -> AnyMessage | SignalingError:
    """Return the message, or the error that a frame which is none is answered with."""
    try:
        return parse(body)
    except SignalingError as error:
        return error


def _reply(reply: Reply, sender: Connection, reply_to: str | None) -> bytes | None:
    """Return the reply's frame, or nothing when none was asked for."""
    always = isinstance(reply, ALWAYS) or (isinstance(reply, Registered) and sender.dialect == "v1")
    if not always and reply_to is None:
        return None
    return encode(reply if reply_to is None else structs.replace(reply, reply_to=reply_to))


def _refusal(
    sender: Connection | None, error: SignalingError, kind: str, reply_to: str | None
) -> bytes | None:
    """Return the frame that answers a refused message of this kind, if there is one."""
    if sender is None or sender.dialect == "v1" or reply_to is not None:
        return encode(structs.replace(told(error), reply_to=reply_to))
    # A page of the seed's waits for an answer that will not come; a robot would stop reading.
    is_of_page = sender.robot_id is None and kind in OF_PAGES
    return encode(seed_refusal(error)) if is_of_page else None


def seed_refusal(error: SignalingError) -> SeedError | SessionLocked:
    """Return the frame that tells a seed page of an error, as the seed's own server did."""
    if isinstance(error, RobotBusy) and error.robot_id is not None:
        return SessionLocked(robot_id=error.robot_id, locked_by=error.name or error.user_id)
    return SeedError(error=error.code, message=str(error))


def told(error: SignalingError) -> Error:
    """Return the frame that tells of an error."""
    frame = Error(code=error.code, message=str(error), robot_id=error.robot_id)
    if isinstance(error, RobotBusy):
        holder = Person(error.user_id, error.name)
        return structs.replace(frame, controlled_by=holder, you=error.you)
    if isinstance(error, Internal):
        return structs.replace(frame, request_id=error.request_id)
    return frame
