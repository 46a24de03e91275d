"""Rows and robots for the tests of stores."""

from typing import Any

from msgspec import structs

from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, UserId
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.steps import Page, Written
from robosignal.server.core.writes import presence
from robosignal.server.core.writes.presence import Claim
from robosignal.server.ports import Store

NOW = 1_800_000_000_000
ANN, BOB = UserId("ann"), UserId("bob")
C1, C2 = ConnectionId("c1="), ConnectionId("c2=")
R1 = RobotId("r1")


def row(connection: ConnectionId = C1, **fields: Any) -> Connection:
    """Return a row as `$connect` writes it."""
    plain = Connection(
        connection_id=connection, user_id=ANN, ts=NOW, expires_at=NOW + 1000, ttl=NOW // 1000
    )
    return structs.replace(plain, **fields)


def claim(owner: UserId = ANN, shard: str = "0", run: str = "run") -> Claim:
    """Return a robot's claim."""
    return Claim(
        row=row(ConnectionId(f"{owner}-{run}="), user_id=owner, dialect="v1"),
        instance_id=InstanceId(run),
        metadata=None,
        ice_restart=True,
        fleet_shard=shard,
        until=NOW + 300_000,
        now=NOW,
        force=False,
    )


def claimed(store: Store, robot: str, **fields: Any) -> Robot:
    """Register a robot and return it."""
    outcome = store.write_robot(RobotId(robot), presence.register_process(claim(**fields)))
    assert isinstance(outcome, Written)
    return outcome.after


def pages(ask: Any, limit: int) -> list[Page]:
    """Follow a list to its end."""
    found: list[Page] = []
    after = None
    while not found or after is not None:
        found.append(ask(after, limit))
        after = found[-1].after
    return found
