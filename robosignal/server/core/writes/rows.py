"""Writes to a connection's row: what the connection has become, for its clean-up.

Who opened it, and until when, is written once at `$connect` and never changes.
"""

from typing import Any

import msgspec

from robosignal.protocol.ids import ConnectionId, RobotId, SessionId
from robosignal.protocol.messages import Dialect
from robosignal.server.core.expressions import (
    All,
    Compare,
    Condition,
    Contains,
    Differs,
    Drop,
    Either,
    Exists,
    Join,
    Missing,
    Part,
    Put,
    Write,
)
from robosignal.server.core.records import Connection

CONNECTION = ("connectionId",)
DIALECT = ("dialect",)
ROBOT = ("robotId",)
SESSIONS = ("sessions",)
WATCHER = ("watcherUserId",)


def item_of(row: Connection) -> dict[str, Any]:
    """Return a row as it stands in its item: its sessions are a set, never an empty one."""
    item: dict[str, Any] = msgspec.to_builtins(row)
    item.pop("sessions", None)
    return item | ({"sessions": set(row.sessions)} if row.sessions else {})


def speak_v1(me: ConnectionId) -> Write:
    """Change the dialect, as long as nobody else relies on it."""
    unused = (Missing(ROBOT), Missing(SESSIONS))
    when = All((Compare(CONNECTION, "=", me), *unused))
    return Write("speak_v1", when, (Put(DIALECT, "v1"),))


def _still_speaks(dialect: Dialect) -> Condition:
    """Ask that the dialect is still the one in which everything was written; v1 stays v1."""
    return Differs(DIALECT, "v1") if dialect == "seed" else All(())


def note_robot(me: ConnectionId, robot_id: RobotId, dialect: Dialect) -> Write:
    """Note which robot this connection is: one, for its whole life, and no client besides."""
    same = Either((Missing(ROBOT), Compare(ROBOT, "=", robot_id)))
    when = All((Compare(CONNECTION, "=", me), same, Missing(SESSIONS), _still_speaks(dialect)))
    return Write("note_robot", when, (Put(ROBOT, robot_id), Put(("kind",), "robot")))


def note_session(me: ConnectionId, session_id: SessionId, dialect: Dialect) -> Write:
    """Note a session, so that `$disconnect` knows what to clean up. A robot opens none."""
    when = All((Compare(CONNECTION, "=", me), Missing(ROBOT), _still_speaks(dialect)))
    return Write("note_session", when, (Join(SESSIONS, session_id),))


def watch(me: ConnectionId, watcher: str) -> Write:
    """List the connection among those who are told of changes."""
    return Write("watch", Compare(CONNECTION, "=", me), (Put(WATCHER, watcher),))


def unwatch() -> Write:
    """Take the connection off that list."""
    return Write("unwatch", Exists(WATCHER), (Drop(WATCHER),))


def forget_session(session_id: SessionId) -> Write:
    """Take back the note of a session that has ended."""
    noted = Contains(SESSIONS, session_id)
    return Write("forget_session", noted, (Part(SESSIONS, session_id),))
