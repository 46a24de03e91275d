"""Writes to a connection's row: what the connection has become, for its clean-up.

Who opened it, and until when, is written once at `$connect` and never changes.
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
    """Return a row as it stands in its item: its sessions are a set, never an empty one."""
    item: dict[str, Any] = msgspec.to_builtins(row)
    item.pop("sessions", None)
    return item | ({"sessions": set(row.sessions)} if row.sessions else {})


def switch_to_v1(me: ConnectionId) -> Write:
    """Change the dialect, as long as nobody else relies on it."""
    unused = (Missing(ROBOT_ID), Missing(SESSIONS))
    when = AllOf((Compare(CONNECTION_ID, "=", me), *unused))
    return Write("speak_v1", when, (Put(DIALECT, "v1"),))


def _has_dialect(dialect: Dialect) -> Condition:
    """Ask that the dialect is still the one in which everything was written; v1 stays v1."""
    return Differs(DIALECT, "v1") if dialect == "seed" else AllOf(())


def note_robot(me: ConnectionId, robot_id: RobotId, dialect: Dialect) -> Write:
    """Note which robot this connection is: one, for its whole life, and no client besides."""
    same = AnyOf((Missing(ROBOT_ID), Compare(ROBOT_ID, "=", robot_id)))
    when = AllOf((Compare(CONNECTION_ID, "=", me), same, Missing(SESSIONS), _has_dialect(dialect)))
    return Write("note_robot", when, (Put(ROBOT_ID, robot_id), Put(("kind",), "robot")))


def note_session(me: ConnectionId, session_id: SessionId, dialect: Dialect) -> Write:
    """Note a session, so that `$disconnect` knows what to clean up. A robot opens none."""
    when = AllOf((Compare(CONNECTION_ID, "=", me), Missing(ROBOT_ID), _has_dialect(dialect)))
    return Write("note_session", when, (AddToSet(SESSIONS, session_id),))


def watch(me: ConnectionId, watcher: str) -> Write:
    """List the connection among those who are told of changes."""
    return Write("watch", Compare(CONNECTION_ID, "=", me), (Put(WATCHER, watcher),))


def unwatch() -> Write:
    """Take the connection off that list."""
    return Write("unwatch", Exists(WATCHER), (Remove(WATCHER),))


def forget_session(session_id: SessionId) -> Write:
    """Take back the note of a session that has ended."""
    noted = Contains(SESSIONS, session_id)
    return Write("forget_session", noted, (RemoveFromSet(SESSIONS, session_id),))
