"""The cases of writes to the control lease."""

from robosignal.protocol.ids import SessionId
from robosignal.protocol.messages import Offer, Resume, Takeover
from robosignal.server.core.authorization import condition_for
from robosignal.server.core.writes import lease
from tests.server.core.conditions.cases import (
    EVE,
    GONE,
    MINE,
    NOW,
    OLGA,
    OTHERS,
    ROBOT,
    SENDER,
    WRITTEN_SINCE,
    Changes,
    Examined,
    Kind,
    robot,
    session,
)

ME, OTHER, ELSEWHERE = session(), session(OTHERS, EVE), session(OTHERS, OLGA)
LAPSED = session(until=NOW - 1)
SID = ME.session_id
MY_PLACE, OTHERS_PLACE = f"viewers.{SID}", f"viewers.{OTHER.session_id}"
MOVED = session(MINE, session_id=SessionId("r1:elsewhere"), connected_at=NOW)
MAY, MAY_TAKE, MAY_RESUME = (condition_for(kind, SENDER) for kind in (Offer, Takeover, Resume))

UNREACHABLE: dict[str, Changes] = {
    "the robot went offline": {"connectionId": GONE},
    "it is not shared with the sender any more": {"operators": {"somebody"}},
    "the sender may only view by now": {"operators": GONE, "viewOnly": {OLGA}},
    "the share has an end by now": {"ends": {OLGA: NOW + 90_000}},
}
NOT_SHARED = {why: how for why, how in UNREACHABLE.items() if "connectionId" not in how}
ENDS_SOON: dict[str, Changes] = {"the right ends before": {"controller.rightUntil": NOW + 59_999}}
ITSELF: dict[str, Changes] = {"the sender has become this robot": {"connectionId": MINE}}
OWNED: dict[str, Changes] = {
    "the sender is the owner": {"ownerUserId": OLGA, "operators": GONE},
}
FREE: dict[str, Changes] = {
    "another's lease has lapsed": {"controller": session(OTHERS, EVE, until=NOW - 1)},
    "the same user's other page is in grace": {"controller": session(OTHERS, lost=NOW - 5)},
    "another's lease ends later than any can": {
        "controller": session(OTHERS, EVE, until=NOW + 70_001)
    },
    "a seed's ends later than any socket": {
        "controller": session(OTHERS, EVE, dialect="seed", until=NOW + 7_210_001)
    },
}
TAKEN: dict[str, Changes] = {
    "another holds": {"controller": OTHER},
    "another holds, by a clock that is ahead": {
        "controller": session(OTHERS, EVE, until=NOW + 70_000)
    },
    "a seed holds": {"controller": session(OTHERS, EVE, dialect="seed", until=NOW + 7_210_000)},
    "another holds, in grace": {"controller": session(OTHERS, EVE, lost=NOW - 5)},
    "the same user holds from another page": {"controller": ELSEWHERE},
    "the sender itself holds": {"controller": ME},
    "the sender's own has lapsed": {"controller": LAPSED},
}
SOMEBODY_VIEWS: dict[str, Changes] = {
    "one of the viewers could be the sender": {OTHERS_PLACE: OTHER},
}
RESUMED_HERE: dict[str, Changes] = {
    "the sender has resumed another session since": {OTHERS_PLACE: session(MINE)},
}
NO_VIEWER: dict[str, Changes] = {
    "the sender's place is gone": {MY_PLACE: GONE},
    "the sender's session has moved": {f"{MY_PLACE}.connectionId": OTHERS},
}
HELD_ELSEWHERE: dict[str, Changes] = {
    "another session holds": {"controller.sessionId": "r1:another"},
    "the session has moved": {"controller.connectionId": OTHERS},
}
NOT_FOR_TAKEOVER: dict[str, Changes] = {
    "an operator, and another user holds": {"controller.userId": EVE},
    "the sender holds already": {"controller": ME},
}
OWNERS_TAKEOVER: dict[str, Changes] = {
    "the sender is the owner, and another holds": {
        "ownerUserId": OLGA,
        "operators": GONE,
        "controller": OTHER,
    },
    "the sender is the owner, and there is no holder": {"ownerUserId": OLGA, "controller": GONE},
}
LOST: dict[str, Changes] = {"its socket is lost: this was sent before": {"controller.lost": NOW}}
SEEDS = session(OTHERS, EVE, dialect="seed", until=NOW + 7000)

LEASE_CASES: dict[Kind, Examined] = {
    lease.acquire: Examined(
        lease.acquire(ME, MAY, NOW),
        robot(),
        refuses=UNREACHABLE | ITSELF | TAKEN | SOMEBODY_VIEWS,
        accepts=OWNED | FREE,
    ),
    lease.acquire_among_viewers: Examined(
        lease.acquire_among_viewers(ME, MAY, NOW, (ELSEWHERE, OTHER)),
        robot(None, OTHER),
        refuses=UNREACHABLE | ITSELF | TAKEN | RESUMED_HERE,
        accepts=OWNED | FREE,
    ),
    lease.acquire_as_viewer: Examined(
        lease.acquire_as_viewer(ME, MAY, NOW),
        robot(None, ME),
        refuses=UNREACHABLE | TAKEN | NO_VIEWER,
        accepts=OWNED | FREE,
    ),
    lease.acquire_again: Examined(
        lease.acquire_again(ME, MAY, NOW),
        robot(LAPSED),
        refuses=UNREACHABLE
        | HELD_ELSEWHERE
        | {
            "it has not lapsed": {"controller.until": NOW + 1},
            "it has not lapsed, by a clock that is ahead": {"controller.until": NOW + 70_000},
            "it is a seed's": {"controller.dialect": "seed", "controller.until": NOW + 7_210_000},
        },
        accepts=OWNED
        | {
            "it ends later than any can": {"controller.until": NOW + 70_001},
            "a seed's does": {
                "controller.dialect": "seed",
                "controller.until": NOW + 7_210_001,
            },
        },
    ),
    lease.take_over: Examined(
        lease.take_over(ME, MAY_TAKE),
        robot(ELSEWHERE),
        refuses=UNREACHABLE | ITSELF | NOT_FOR_TAKEOVER | SOMEBODY_VIEWS,
        accepts=OWNERS_TAKEOVER,
    ),
    lease.take_over_among_viewers: Examined(
        lease.take_over_among_viewers(ME, MAY_TAKE, (ELSEWHERE,)),
        robot(session(OTHERS, session_id=SessionId("r1:third")), OTHER),
        refuses=UNREACHABLE | ITSELF | NOT_FOR_TAKEOVER | RESUMED_HERE,
        accepts=OWNERS_TAKEOVER,
    ),
    lease.take_over_as_viewer: Examined(
        lease.take_over_as_viewer(ME, MAY_TAKE),
        robot(ELSEWHERE, ME),
        refuses=UNREACHABLE | NOT_FOR_TAKEOVER | NO_VIEWER,
        accepts=OWNERS_TAKEOVER,
    ),
    lease.renew: Examined(
        lease.renew(SID, MINE, NOW + 60_000),
        robot(ME),
        refuses=HELD_ELSEWHERE | LOST | ENDS_SOON,
        accepts={
            "it has lapsed": {"controller.until": NOW - 1},
            "the right ends just then": {"controller.rightUntil": NOW + 60_000},
        },
    ),
    lease.renew_right: Examined(
        lease.renew_right(ME, MAY),
        robot(session(right_until=NOW + 20_000)),
        refuses=HELD_ELSEWHERE | LOST | NOT_SHARED,
        accepts=OWNED | {"the right goes on": {"controller.rightUntil": NOW + 90_000}},
    ),
    lease.resume: Examined(
        lease.resume(MOVED, MAY_RESUME),
        robot(session(OTHERS, session_id=MOVED.session_id)),
        refuses=NOT_SHARED
        | {
            "another session holds": {"controller.sessionId": "r1:another"},
            "it is another user's": {"controller.userId": EVE},
            "a newer connection has resumed it": {"controller.connectedAt": NOW + 1},
            "this connection has a session of its own": {MY_PLACE: ME},
            "this connection has it, and its socket is lost": {
                "controller.connectionId": MINE,
                "controller.lost": NOW - 5,
            },
        },
        accepts=OWNED
        | {
            "grace runs": {"controller.lost": NOW - 5},
            "this connection has it already": {"controller.connectionId": MINE},
            "it has lapsed": {"controller.until": NOW - 1},
            "one of the same age has it": {"controller.connectedAt": NOW},
            "the session that it opened has moved on": {MY_PLACE: session(OTHERS)},
        },
    ),
    lease.begin_grace: Examined(
        lease.begin_grace(SID, MINE, NOW, NOW + 30_000),
        robot(ME),
        refuses=HELD_ELSEWHERE
        | {
            "grace runs already": {"controller.lost": NOW - 5},
            "it ends as soon as grace would": {"controller.until": NOW + 30_000},
        },
        accepts={},
    ),
    lease.record_late_loss: Examined(
        lease.record_late_loss(SID, MINE, NOW, NOW + 30_000),
        robot(session(until=NOW + 30_000)),
        refuses=HELD_ELSEWHERE
        | {
            "grace runs already": {"controller.lost": NOW - 5},
            "it was renewed meanwhile": {"controller.until": NOW + 30_001},
        },
        accepts={"it has lapsed": {"controller.until": NOW - 1}},
    ),
    lease.grant: Examined(
        lease.grant(ME, SEEDS, OTHERS, 3, MAY),
        robot(ME, SEEDS),
        refuses=HELD_ELSEWHERE
        | LOST
        | NOT_SHARED
        | {
            "the holder has changed since": {"epoch": 4},
            "the viewer is gone": {OTHERS_PLACE: GONE},
            "the viewer has redialled": {f"{OTHERS_PLACE}.connectionId": MINE},
            "the viewer's socket is lost": {f"{OTHERS_PLACE}.lost": NOW - 5},
            "the seed viewer's socket is lost": {f"{OTHERS_PLACE}.until": NOW + 6999},
        },
        accepts=OWNED,
    ),
    lease.release: Examined(
        lease.release(ME, 1),
        robot(ME, OTHER),
        refuses=HELD_ELSEWHERE
        | LOST
        | {"one is over the viewers' limit already": {"viewers.r1:third": ELSEWHERE}},
        accepts={},
    ),
    lease.leave: Examined(lease.leave(SID, MINE), robot(ME), refuses=HELD_ELSEWHERE, accepts={}),
    lease.dismiss: Examined(
        lease.dismiss(SID, ROBOT),
        robot(ME),
        refuses={
            "another session holds": {"controller.sessionId": "r1:another"},
            "the robot has redialled": {"connectionId": "newer="},
        },
        accepts={"it was resumed": {"controller.connectionId": OTHERS}},
    ),
    lease.roll_back: Examined(
        lease.roll_back(SID, MINE), robot(ME), refuses=HELD_ELSEWHERE, accepts={}
    ),
    lease.undo: Examined(
        lease.undo(SID, MINE, "f00d"),
        robot(ME) | {"stamp": "f00d"},
        refuses=HELD_ELSEWHERE | WRITTEN_SINCE,
        accepts={},
    ),
    lease.roll_back_with_robot: Examined(
        lease.roll_back_with_robot(SID, MINE, ROBOT),
        robot(ME),
        refuses=HELD_ELSEWHERE | {"the robot has registered again": {"connectionId": "newer="}},
        accepts={},
    ),
}
