"""The cases of writes to viewers, presence and connections' rows."""

from typing import Any

from msgspec import structs

from robosignal.protocol.ids import InstanceId, SessionId
from robosignal.protocol.messages import Forget, Offer, Resume
from robosignal.server.core.authorization import condition_for
from robosignal.server.core.writes import connections, presence, viewers
from robosignal.server.core.writes.presence import Claim
from tests.server.core.conditions.cases import (
    EVE,
    GONE,
    MINE,
    NOW,
    OLGA,
    OTHERS,
    R1,
    ROBOT,
    SENDER,
    WRITTEN_SINCE,
    Changes,
    Examined,
    Kind,
    robot,
    session,
)
from tests.server.core.conditions.lease_cases import (
    ITSELF,
    MY_PLACE,
    NOT_SHARED,
    OWNED,
    RESUMED_HERE,
    UNREACHABLE,
)

ME, OTHER, ELSEWHERE = session(), session(OTHERS, EVE), session(OTHERS, OLGA)
SID, THIRD = ME.session_id, SessionId("r1:third")
MAY = condition_for(Offer, SENDER)
MOVED = session(MINE, session_id=THIRD, connected_at=NOW)
LAPSED = session(OTHERS, EVE, session_id=THIRD, until=NOW - 1)

NOT_FOR_VIEWERS: dict[str, Changes] = {
    "the robot speaks seed": {"dialect": "seed"},
    "the sender holds": {"controller": session(MINE, session_id=THIRD)},
    "the sender's session holds, resumed elsewhere": {
        "controller": session(OTHERS, session_id=SID)
    },
    "the sender views already": {MY_PLACE: ME},
}
MOVED_AWAY: dict[str, Changes] = {
    "the viewer is gone": {MY_PLACE: GONE},
    "the viewer has redialled": {f"{MY_PLACE}.connectionId": OTHERS},
}

LOST: dict[str, Changes] = {"its socket is lost": {f"{MY_PLACE}.lost": NOW - 5}}

PLACES_CASES: dict[Kind, Examined] = {
    viewers.add: Examined(
        viewers.add(ME, MAY, 3, (ELSEWHERE, OTHER)),
        robot(OTHER, OTHER),
        refuses=UNREACHABLE
        | ITSELF
        | NOT_FOR_VIEWERS
        | RESUMED_HERE
        | {"no place is free": {"viewers.r1:third": LAPSED, "viewers.r1:fourth": LAPSED}},
        accepts=OWNED | {"there is no holder": {"controller": GONE}},
    ),
    viewers.replace_lapsed: Examined(
        viewers.replace_lapsed(ME, MAY, THIRD, NOW, (ELSEWHERE, OTHER)),
        robot(OTHER, OTHER, LAPSED),
        refuses=UNREACHABLE
        | ITSELF
        | NOT_FOR_VIEWERS
        | RESUMED_HERE
        | {
            "it was renewed": {"viewers.r1:third.until": NOW},
            "it was renewed by a clock that is ahead": {"viewers.r1:third.until": NOW + 310_000},
            "it is a seed's": {
                "viewers.r1:third.until": NOW + 7_210_000,
                "viewers.r1:third.dialect": "seed",
            },
            "it is gone, and its place perhaps taken": {"viewers.r1:third": GONE},
        },
        accepts=OWNED
        | {
            "there is no holder": {"controller": GONE},
            "it ends later than any can": {"viewers.r1:third.until": NOW + 310_001},
            "a seed's does": {
                "viewers.r1:third.until": NOW + 7_210_001,
                "viewers.r1:third.dialect": "seed",
            },
        },
    ),
    viewers.renew: Examined(
        viewers.renew(SID, MINE, NOW + 9),
        robot(None, ME),
        refuses=MOVED_AWAY | LOST | {"the right ends before": {f"{MY_PLACE}.rightUntil": NOW + 8}},
        accepts={
            "it has lapsed": {f"{MY_PLACE}.until": NOW - 1},
            "the right ends just then": {f"{MY_PLACE}.rightUntil": NOW + 9},
        },
    ),
    viewers.renew_right: Examined(
        viewers.renew_right(ME, MAY),
        robot(None, session(right_until=NOW + 20_000)),
        refuses=MOVED_AWAY | LOST | NOT_SHARED,
        accepts=OWNED | {"the right goes on": {f"{MY_PLACE}.rightUntil": NOW + 90_000}},
    ),
    viewers.resume: Examined(
        viewers.resume(MOVED, condition_for(Resume, SENDER)),
        robot(OTHER, session(OTHERS, session_id=THIRD)),
        refuses=NOT_SHARED
        | {
            "it is another user's": {"viewers.r1:third.userId": EVE},
            "a newer connection has resumed it": {"viewers.r1:third.connectedAt": NOW + 1},
            "this connection has a session of its own": {MY_PLACE: ME},
            "this connection holds": {"controller": ME},
            "this connection has it, and its socket is lost": {
                "viewers.r1:third.connectionId": MINE,
                "viewers.r1:third.lost": NOW - 5,
            },
        },
        accepts=OWNED
        | {
            "there is no holder": {"controller": GONE},
            "its socket is lost": {"viewers.r1:third.lost": NOW - 5},
            "this connection has it already": {"viewers.r1:third.connectionId": MINE},
            "one of the same age has it": {"viewers.r1:third.connectedAt": NOW},
            "the session that it opened has moved on": {MY_PLACE: session(OTHERS)},
        },
    ),
    viewers.begin_grace: Examined(
        viewers.begin_grace(SID, MINE, NOW, NOW + 30_000),
        robot(None, ME),
        refuses=MOVED_AWAY
        | LOST
        | {"it ends as soon as grace would": {f"{MY_PLACE}.until": NOW + 30_000}},
        accepts={},
    ),
    viewers.record_late_loss: Examined(
        viewers.record_late_loss(SID, MINE, NOW, NOW + 30_000),
        robot(None, session(until=NOW + 30_000)),
        refuses=MOVED_AWAY
        | LOST
        | {"it was renewed meanwhile": {f"{MY_PLACE}.until": NOW + 30_001}},
        accepts={"it has lapsed": {f"{MY_PLACE}.until": NOW - 1}},
    ),
    viewers.leave: Examined(
        viewers.leave(SID, MINE), robot(None, ME), refuses=MOVED_AWAY, accepts={}
    ),
    viewers.undo: Examined(
        viewers.undo(SID, MINE, "f00d"),
        robot(None, ME) | {"stamp": "f00d"},
        refuses=MOVED_AWAY | WRITTEN_SINCE,
        accepts={},
    ),
    viewers.dismiss: Examined(
        viewers.dismiss(SID, ROBOT),
        robot(None, ME),
        refuses={
            "the viewer is gone": {MY_PLACE: GONE},
            "the robot has redialled": {"connectionId": "newer="},
        },
        accepts={"it was resumed": {f"{MY_PLACE}.connectionId": OTHERS}},
    ),
}

CLAIM = Claim(
    row=structs.replace(SENDER, kind="robot", ts=NOW),
    instance_id=InstanceId("run-1"),
    metadata=None,
    ice_restart=True,
    fleet_shard="1",
    until=NOW + 300_000,
    now=NOW,
    force=False,
)
AGAIN = structs.replace(CLAIM, instance_id=InstanceId("run-2"))


def owned(**fields: Any) -> dict[str, Any]:
    """Return the item of a robot that olga owns."""
    return robot() | {"ownerUserId": OLGA} | fields


NOT_OWNED: dict[str, Changes] = {"another owns it": {"ownerUserId": EVE}}
NEWER: dict[str, Changes] = {"a newer socket has registered": {"connectedAt": NOW + 1}}
OFFLINE: dict[str, Changes] = {
    "a newer socket was lost": {"connectionId": GONE, "connectedAt": NOW + 1},
    "one of the same age is there": {"connectedAt": NOW},
}
NOT_CURRENT: dict[str, Changes] = {
    "another socket has registered": {"connectionId": "newer="},
    "it is offline": {"connectionId": GONE},
}

PRESENCE_CASES: dict[Kind, Examined] = {
    presence.register_redial: Examined(
        presence.register_redial(CLAIM),
        owned(),
        refuses=NOT_OWNED | NEWER | {"it is another process": {"instanceId": "run-0"}},
        accepts=OFFLINE,
    ),
    presence.register_process: Examined(
        presence.register_process(AGAIN),
        owned(),
        refuses=NOT_OWNED | NEWER | {"it is the same process": {"instanceId": "run-2"}},
        accepts=OFFLINE
        | {
            "it has no owner": {"ownerUserId": GONE},
            "it was enrolled and never registered": {"instanceId": GONE},
        },
    ),
    presence.renew: Examined(
        presence.renew(ROBOT, NOW + 9), robot(), refuses=NOT_CURRENT, accepts={}
    ),
    presence.record_loss: Examined(
        presence.record_loss(ROBOT), robot(), refuses=NOT_CURRENT, accepts={}
    ),
    presence.unregister: Examined(
        presence.unregister(ROBOT), robot(), refuses=NOT_CURRENT, accepts={}
    ),
    presence.evict: Examined(
        presence.evict(condition_for(Forget, SENDER)),
        owned(),
        refuses=NOT_OWNED,
        accepts={"it is offline": {"connectionId": GONE}},
    ),
}

ROW: dict[str, Any] = {"connectionId": MINE, "userId": OLGA, "kind": "client"}
V1_NOW: dict[str, Changes] = {"it speaks v1 by now": {"dialect": "v1"}}
NO_ROW: dict[str, Changes] = {"the row is gone": {"connectionId": GONE}}
ENGAGED: dict[str, Changes] = {"it has a session": {"sessions": {SID}}}
REGISTERED: dict[str, Changes] = {"it has registered a robot": {"robotId": R1}}

ROWS_CASES: dict[Kind, Examined] = {
    connections.switch_to_v1: Examined(
        connections.switch_to_v1(MINE), ROW, refuses=NO_ROW | ENGAGED | REGISTERED, accepts={}
    ),
    connections.note_robot: Examined(
        connections.note_robot(MINE, R1, "seed"),
        ROW,
        refuses=NO_ROW | ENGAGED | V1_NOW | {"it is another robot": {"robotId": "r2"}},
        accepts=REGISTERED,
    ),
    connections.note_session: Examined(
        connections.note_session(MINE, SID, "seed"),
        ROW,
        refuses=NO_ROW | REGISTERED | V1_NOW,
        accepts=ENGAGED,
    ),
    connections.watch: Examined(connections.watch(MINE, OLGA), ROW, refuses=NO_ROW, accepts={}),
    connections.unwatch: Examined(
        connections.unwatch(),
        ROW | {"watcherUserId": OLGA},
        refuses={"it does not watch": {"watcherUserId": GONE}},
        accepts={},
    ),
    connections.forget_session: Examined(
        connections.forget_session(SID),
        ROW | {"sessions": {SID, THIRD}},
        refuses={"it is not noted": {"sessions": {THIRD}}},
        accepts={},
    ),
}

BOSS = structs.replace(SENDER, groups=("admins",))
UNOWNED: dict[str, Changes] = {"it has no owner": {"ownerUserId": GONE}}
ANOTHERS: dict[str, Changes] = {"another owns it": {"ownerUserId": EVE}}

MORE: dict[Kind, tuple[Examined, ...]] = {
    viewers.replace_lapsed: (
        Examined(
            viewers.replace_lapsed(ME, MAY, SID, NOW),
            robot(OTHER, session(OTHERS, session_id=SID, until=NOW - 1)),
            refuses={"it was renewed": {f"{MY_PLACE}.until": NOW}},
            accepts={},
        ),
    ),
    presence.register_redial: (
        Examined(
            presence.register_redial(structs.replace(CLAIM, force=True)),
            owned(),
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    presence.register_process: (
        Examined(
            presence.register_process(structs.replace(AGAIN, force=True)),
            owned(),
            refuses={},
            accepts=UNOWNED | ANOTHERS,
        ),
    ),
    connections.note_robot: (
        Examined(connections.note_robot(MINE, R1, "v1"), ROW, refuses=NO_ROW, accepts=V1_NOW),
    ),
    connections.note_session: (
        Examined(connections.note_session(MINE, SID, "v1"), ROW, refuses=NO_ROW, accepts=V1_NOW),
    ),
    presence.evict: (
        Examined(
            presence.evict(condition_for(Forget, BOSS)), owned(), refuses=UNOWNED, accepts=ANOTHERS
        ),
    ),
}
"""The same writes otherwise made: by an admin, of an enrolled robot, in one's own old place."""
