"""Works out what each event does to the lease in each state, and writes it into its page.

`python -m tools.lease_table`. The rules are conditions on writes; this carries the writes out
on one item of each state, so the table and the picture cannot say anything else than they do.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, UserId
from robosignal.protocol.messages import Forget, Offer, Resume, Share, Takeover, Transfer, Unshare
from robosignal.server.core.authorization import condition_for
from robosignal.server.core.conditional_writes import AllOf, Write, apply
from robosignal.server.core.records import Connection, Robot, RobotShare, Session
from robosignal.server.core.writes import lease, ownership, presence
from robosignal.server.core.writes.presence import Claim
from tests.server.core.conditions.cases import NOW, OLGA, ROBOT, Item, robot, session

PAGE = Path("docs/explanation/control.md")
BLOCK = re.compile(r"(?<=<!-- lease -->\n).*(?=<!-- end of lease -->)", re.DOTALL)

ANN, EVE = UserId("ann"), UserId("eve")
HERE, ELSEWHERE, THIRD = (ConnectionId(f"{name}=") for name in ("here", "elsewhere", "third"))

HOLDER = session(HERE, OLGA)
MINUTE, GRACE = limits.LEASE_SECONDS * 1000, limits.GRACE_SECONDS * 1000

STATES: dict[str, Session | None] = {
    "free": None,
    "held": HOLDER,
    "in grace": structs.replace(HOLDER, until=NOW + GRACE, lost=NOW),
    "lapsed": structs.replace(HOLDER, until=NOW - 1),
}
"""Who holds in each state. One who was lost and has lapsed is lapsed."""


def state_of(item: Item, now: int = NOW) -> str:
    """Return which state the lease is in."""
    held = item.get("controller")
    if held is None:
        return "free"
    if held["until"] < now:
        return "lapsed"
    return "in grace" if held.get("lost") is not None else "held"


def _row(connection: ConnectionId, user: UserId) -> Connection:
    return Connection(connection_id=connection, user_id=user, ts=NOW, expires_at=NOW * 2, ttl=1)


def _offer(connection: ConnectionId, user: UserId) -> Write:
    return lease.acquire(
        session(connection, user), condition_for(Offer, _row(connection, user)), NOW
    )


def _takeover(connection: ConnectionId, user: UserId) -> Write:
    return lease.take_over(
        session(connection, user), condition_for(Takeover, _row(connection, user))
    )


VIEWER = session(THIRD, EVE)
MOVED = structs.replace(HOLDER, connection_id=ELSEWHERE, connected_at=NOW)
CLAIM = Claim(
    row=_row(ConnectionId("newer="), ANN),
    instance_id=InstanceId("run-1"),
    metadata=None,
    ice_restart=True,
    fleet_shard="0",
    until=NOW + MINUTE,
    now=NOW,
    force=False,
)
SID = HOLDER.session_id
SEEN = Robot(robot_id=RobotId("r1"), owner_user_id=ANN, operators=frozenset({OLGA}))

EVENTS: dict[str, tuple[Write, ...]] = {
    "`offer` of another who may drive": (_offer(ELSEWHERE, EVE),),
    "`offer` of the same user, elsewhere": (_offer(ELSEWHERE, OLGA),),
    "`offer` of the holder": (
        lease.acquire_again(HOLDER, condition_for(Offer, _row(HERE, OLGA)), NOW),
    ),
    "`takeover` by owner or admin": (_takeover(ELSEWHERE, ANN),),
    "`takeover` by the same user, elsewhere": (_takeover(ELSEWHERE, OLGA),),
    "`ping` of the holder": (lease.renew(SID, HERE, NOW + MINUTE),),
    "`resume` by the same user": (
        lease.resume(MOVED, condition_for(Resume, _row(ELSEWHERE, OLGA))),
    ),
    "`grant-control` by the holder": (lease.grant(HOLDER, VIEWER, THIRD, 3, AllOf(())),),
    "`release-control` by the holder": (lease.release(HOLDER, limits.VIEWERS),),
    "`bye` of the holder": (lease.leave(SID, HERE),),
    "`bye` to the holder, by the robot": (lease.dismiss(SID, ROBOT),),
    "the holder's socket is lost": (
        lease.begin_grace(SID, HERE, NOW, NOW + GRACE),
        lease.record_late_loss(SID, HERE, NOW, NOW + GRACE),
    ),
    "the robot restarts": (
        presence.register_process(structs.replace(CLAIM, instance_id=InstanceId("run-2"))),
    ),
    "the robot redials": (presence.register_redial(CLAIM),),
    "the robot's socket is lost": (presence.record_loss(ROBOT),),
    "`unregister`": (presence.unregister(ROBOT),),
    "`unshare` of the holder by owner or admin": (
        ownership.unshare_holder(OLGA, condition_for(Unshare, _row(ELSEWHERE, ANN)), SEEN),
        ownership.unshare(OLGA, condition_for(Unshare, _row(ELSEWHERE, ANN)), SEEN),
    ),
    "`share` with the holder as viewer": (
        ownership.share_with_holder(
            RobotShare(OLGA, "viewer"), condition_for(Share, _row(ELSEWHERE, ANN)), SEEN
        ),
        ownership.share(
            RobotShare(OLGA, "viewer"), condition_for(Share, _row(ELSEWHERE, ANN)), SEEN
        ),
    ),
    "`transfer` by owner or admin": (
        ownership.transfer(EVE, condition_for(Transfer, _row(ELSEWHERE, ANN))),
    ),
    "`forget` by owner or admin": (presence.evict(condition_for(Forget, _row(ELSEWHERE, ANN))),),
}
"""Each event with the writes that it tries, in order."""

VIEWED = ("grant-control",)
"""Events that need a viewer: to the others one would be in the way of a first offer."""


def _item(state: str, event: str) -> Item:
    viewers = (VIEWER,) if any(word in event for word in VIEWED) else ()
    return robot(STATES[state], *viewers) | {"operators": {OLGA, EVE}}


def outcome(state: str, event: str) -> tuple[str, bool] | None:
    """Return the state that an event leads to, and whether the epoch rises; None if refused."""
    item = _item(state, event)
    for write in EVENTS[event]:
        after = apply(write, item)
        if after is not None:
            return state_of(after), after["epoch"] > item["epoch"]
    return None


def table() -> str:
    """Return the table: a row for each event, a column for each state."""
    head = "| event | " + " | ".join(STATES) + " |\n| --- |" + " --- |" * len(STATES)
    return "\n".join([head, *(f"| {event} | {_cells(event)} |" for event in EVENTS)])


def _cells(event: str) -> str:
    return " | ".join(_describe(outcome(state, event)) for state in STATES)


def _describe(found: tuple[str, bool] | None) -> str:
    if found is None:
        return ""
    state, rises = found
    return f"**{state}**" if rises else state


def diagram() -> str:
    """Return the picture, in Mermaid: every change of state, and every rise of the epoch."""
    lines = ["```mermaid", "stateDiagram-v2", '    state "in grace" as grace', "    [*] --> free"]
    arrows: dict[tuple[str, str, bool], list[str]] = {}
    for state, event, to, rises in _arrows():
        arrows.setdefault((state, to, rises), []).append(event)
    for (state, to, rises), events in arrows.items():
        label = f"{', '.join(events)}{' ↑' if rises else ''}"
        lines.append(f"    {_name_of(state)} --> {_name_of(to)}: {label}")
    return "\n".join([*lines, "```"])


def _name_of(state: str) -> str:
    return "grace" if state == "in grace" else state


def _arrows() -> Iterator[tuple[str, str, str, bool]]:
    for state in STATES:
        words: dict[tuple[str, bool], list[str]] = {}
        for event in EVENTS:
            found = outcome(state, event)
            if found is not None and (found[0] != state or found[1]) and event[0] == "`":
                words.setdefault(found, []).append(event.split("`")[1])
            elif found is not None and (found[0] != state or found[1]):
                words.setdefault(found, []).append(event)
        for (to, rises), events in words.items():
            for event in dict.fromkeys(events):
                yield state, event, to, rises
        if state in ("held", "in grace"):
            later = NOW + (MINUTE if state == "held" else GRACE) + 1
            passed = f"{(later - NOW) // 1000} s pass"
            yield state, passed, state_of(_item(state, passed), later), False


def block() -> str:
    """Return what is between the marks in the page."""
    return f"{diagram()}\n\n{table()}\n"


def main() -> int:
    """Rewrite the page's block."""
    page = PAGE.read_text()
    PAGE.write_text(BLOCK.sub(lambda _: block(), page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
