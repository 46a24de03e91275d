"""Items for the cases of every write, and how its condition must judge them.

A case begins with an item for which the condition holds, and changes what it names: the condition
must then hold or fail, as the case says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from robosignal.protocol.ids import ConnectionId, RobotId, UserId, session_id
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Connection, Session

Item = dict[str, Any]
Kind = Callable[..., Write]
Changes = dict[str, Any]

NOW = 1_800_000_000_000
R1 = RobotId("r1")
ROBOT, MINE, OTHERS = ConnectionId("robot="), ConnectionId("mine="), ConnectionId("others=")
OLGA, EVE = UserId("olga"), UserId("eve")
SENDER = Connection(connection_id=MINE, user_id=OLGA, ts=NOW, expires_at=NOW + 1000, ttl=1)

GONE = object()
"""An attribute that is not there."""

WRITTEN_SINCE: dict[str, Changes] = {
    "another write came since": {"stamp": "cafe"},
    "the last write left no stamp": {"stamp": GONE},
}


@dataclass(frozen=True, slots=True)
class Examined:
    """A write, an item that it is right for, and what else it must accept or refuse.

    `accepts` and `refuses` say why, and what is then different in the item: the path with
    dots between its names, and the value.
    """

    write: Write
    item: Item
    refuses: dict[str, Changes]
    accepts: dict[str, Changes]

    def all(self) -> list[tuple[str, Item, bool]]:
        """Return every case: why, the item, and whether the condition holds."""
        return [
            ("it is right", self.item, True),
            *((why, changed(self.item, how), True) for why, how in self.accepts.items()),
            *((why, changed(self.item, how), False) for why, how in self.refuses.items()),
        ]


def changed(item: Item, changes: Changes) -> Item:
    """Return the item with these attributes, or without those that are gone."""
    sets = {name: value for name, value in item.items() if isinstance(value, set)}
    rest = {name: value for name, value in item.items() if name not in sets}
    after: Item = msgspec.json.decode(msgspec.json.encode(rest)) | sets
    for path, value in changes.items():
        *way, last = path.split(".")
        found = after
        for name in way:
            found = found.setdefault(name, {})
        if value is GONE:
            found.pop(last, None)
        else:
            found[last] = msgspec.to_builtins(value) if isinstance(value, Session) else value
    return after


def session(on: ConnectionId = MINE, user: UserId = OLGA, **fields: Any) -> Session:
    """Return a session as it is in the item, named after the connection that it is on."""
    said: dict[str, Any] = {"until": NOW + 60_000, "dialect": "v1", **fields}
    return Session(
        session_id=said.pop("session_id", session_id(R1, on)),
        user_id=user,
        connection_id=on,
        connected_at=said.pop("connected_at", NOW - 1000),
        expires_at=NOW + 3_600_000,
        **said,
    )


def robot(holder: Session | None = None, *viewers: Session) -> Item:
    """Return a robot's item: ann's, shared with olga, with these sessions."""
    found: Item = {
        "robotId": R1,
        "ownerUserId": "ann",
        "operators": {OLGA},
        "connectionId": ROBOT,
        "connectedAt": NOW - 5000,
        "instanceId": "run-1",
        "presenceUntil": NOW + 60_000,
        "leaseUntil": NOW + 60_000,
        "dialect": "v1",
        "epoch": 3,
        "rev": 3,
        "viewers": {each.session_id: msgspec.to_builtins(each) for each in viewers},
    }
    return found if holder is None else found | {"controller": msgspec.to_builtins(holder)}
