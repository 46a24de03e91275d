"""Writes to a connection's item: its dialect, robot and sessions, for `$disconnect`.

Who opened it, and when its token expires, is written at `$connect` and never changes.
"""

from typing import Any

import msgspec

from robosignal.protocol.ids import ConnectionId, RobotId, SessionId
from robosignal.protocol.messages import Dialect
from robosignal.server.core.conditional_writes import (
    AddToSet,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Differs,
    Exists,
    Missing,
    Put,
    Remove,
    RemoveFromSet,
    Write,
)
from robosignal.server.core.records import Connection

CONNECTION_ID = ("connectionId",)
DIALECT = ("dialect",)
ROBOT_ID = ("robotId",)
SESSIONS = ("sessions",)
WATCHER = ("watcherUserId",)


def connection_item(row: Connection) -> dict[str, Any]:
    """Return a connection in the form of its item: `sessions` is a set, and absent if empty."""
    item: dict[str, Any] = msgspec.to_builtins(row)
    item.pop("sessions", None)
    return item | ({"sessions": set(row.sessions)} if row.sessions else {})


def switch_to_v1(me: ConnectionId) -> Write:
    """Switch to v1, if the connection has no robot or session yet."""
    unused = (Missing(ROBOT_ID), Missing(SESSIONS))
    when = AllOf((Compare(CONNECTION_ID, "=", me), *unused))
    return Write("speak_v1", when, (Put(DIALECT, "v1"),))


def _has_dialect(dialect: Dialect) -> Condition:
    """Require that the dialect has not changed since; v1 never changes."""
    return Differs(DIALECT, "v1") if dialect == "seed" else AllOf(())


def note_robot(me: ConnectionId, robot_id: RobotId, dialect: Dialect) -> Write:
    """Note the robot that this connection has registered: only one, and without sessions."""
    same = AnyOf((Missing(ROBOT_ID), Compare(ROBOT_ID, "=", robot_id)))
    when = AllOf((Compare(CONNECTION_ID, "=", me), same, Missing(SESSIONS), _has_dialect(dialect)))
    return Write("note_robot", when, (Put(ROBOT_ID, robot_id), Put(("kind",), "robot")))


def note_session(me: ConnectionId, session_id: SessionId, dialect: Dialect) -> Write:
    """Note a session, so that `$disconnect` can record the loss. A robot opens none."""
    when = AllOf((Compare(CONNECTION_ID, "=", me), Missing(ROBOT_ID), _has_dialect(dialect)))
    return Write("note_session", when, (AddToSet(SESSIONS, session_id),))


def watch(me: ConnectionId, watcher: str) -> Write:
    """List the connection among the watchers."""
    return Write("watch", Compare(CONNECTION_ID, "=", me), (Put(WATCHER, watcher),))


def unwatch() -> Write:
    """Remove the connection from the watchers."""
    return Write("unwatch", Exists(WATCHER), (Remove(WATCHER),))


def forget_session(session_id: SessionId) -> Write:
    """Remove the note of a session that has ended."""
    noted = Contains(SESSIONS, session_id)
    return Write("forget_session", noted, (RemoveFromSet(SESSIONS, session_id),))
