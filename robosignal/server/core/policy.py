"""Who may send what: the one table of rights, and its two readings.

A right is asked of an item that was read (`allowed`) or carried in a write's condition
(`right`); both come from `MAY`. What is not in the table is refused.
"""

from enum import Enum

from robosignal.protocol.errors import Forbidden
from robosignal.protocol.messages import (
    Answer,
    Bye,
    DenyControl,
    Forget,
    GrantControl,
    IceCandidate,
    IceServers,
    Message,
    Offer,
    Ping,
    Ready,
    Register,
    ReleaseControl,
    RequestControl,
    Resume,
    Robots,
    Share,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Unwatch,
    Watch,
)
from robosignal.server.core.expressions import All, Compare, Condition, Contains, Either
from robosignal.server.core.records import Connection, Robot


class Standing(Enum):
    """What a sender can be to a robot. A sender can be several of these at once."""

    ANYONE = "anyone signed in"
    ROBOT = "the robot itself, on its current connection"
    OWNER = "the robot's owner"
    OPERATOR = "a user it is shared with"
    ADMIN = "an admin"
    HOLDERS_USER = "an operator whose session holds the lease"


DRIVERS = frozenset({Standing.OWNER, Standing.OPERATOR, Standing.ADMIN})

MAY: dict[type[Message], frozenset[Standing]] = {
    Ready: frozenset({Standing.ANYONE}),
    Ping: frozenset({Standing.ANYONE}),
    IceServers: frozenset({Standing.ANYONE}),
    Robots: frozenset({Standing.ANYONE}),
    Watch: frozenset({Standing.ANYONE}),
    Unwatch: frozenset({Standing.ANYONE}),
    # Who may claim which robot is a matter of its owner, in the write's own condition.
    Register: frozenset({Standing.ANYONE}),
    Unregister: frozenset({Standing.ROBOT}),
    Forget: frozenset({Standing.OWNER, Standing.ADMIN}),
    Share: frozenset({Standing.OWNER, Standing.ADMIN}),
    Unshare: frozenset({Standing.OWNER, Standing.ADMIN}),
    Transfer: frozenset({Standing.OWNER, Standing.ADMIN}),
    Offer: DRIVERS | {Standing.ROBOT},
    Answer: DRIVERS | {Standing.ROBOT},
    IceCandidate: DRIVERS | {Standing.ROBOT},
    # What ends a session needs that session, and nothing else.
    Bye: frozenset({Standing.ANYONE}),
    Resume: DRIVERS,
    ReleaseControl: DRIVERS,
    RequestControl: DRIVERS,
    GrantControl: DRIVERS,
    DenyControl: DRIVERS,
    Takeover: frozenset({Standing.OWNER, Standing.ADMIN, Standing.HOLDERS_USER}),
}

NOBODY: frozenset[Standing] = frozenset()


def standings(sender: Connection, robot: Robot | None) -> frozenset[Standing]:
    """Return everything that the sender is to this robot; to None, one that does not exist."""
    found = {Standing.ANYONE}
    if sender.is_admin:
        found.add(Standing.ADMIN)
    if robot is None:
        return frozenset(found)
    if robot.connection_id == sender.connection_id:
        found.add(Standing.ROBOT)
    if robot.owner_user_id == sender.user_id:
        found.add(Standing.OWNER)
    if sender.user_id in robot.operators:
        found.add(Standing.OPERATOR)
        # A lease that has lapsed stays in the item: by itself it gives no right.
        if robot.controller is not None and robot.controller.user_id == sender.user_id:
            found.add(Standing.HOLDERS_USER)
    return frozenset(found)


def refuse_unlisted(kind: type[Message]) -> None:
    """Raise Forbidden for a message that the table gives to nobody, or does not know."""
    if not MAY.get(kind):
        raise Forbidden(None, "nobody may send this message here")


def allowed(kind: type[Message], sender: Connection, robot: Robot | None) -> bool:
    """Say whether the sender may send this kind of message to this robot."""
    return bool(MAY.get(kind, NOBODY) & standings(sender, robot))


def right(kind: type[Message], sender: Connection) -> Condition:
    """Return the sender's right to this kind of message as a condition on the robot's item.

    True (no conjunct at all) for an admin who may; false for whoever has no way to it.
    """
    may = MAY.get(kind, NOBODY)
    if Standing.ADMIN in may and sender.is_admin:
        return All(())
    ways: dict[Standing, Condition] = {
        Standing.OWNER: Compare(("ownerUserId",), "=", sender.user_id),
        Standing.OPERATOR: Contains(("operators",), sender.user_id),
        Standing.HOLDERS_USER: All(
            (
                Contains(("operators",), sender.user_id),
                Compare(("controller", "userId"), "=", sender.user_id),
            )
        ),
    }
    return Either(tuple(way for standing, way in ways.items() if standing in may))
