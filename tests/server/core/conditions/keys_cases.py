"""The cases of writes to robots' keys and to codes, and of registering by a key."""

from typing import Any

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.protocol.messages import ApproveKey, RevokeKey
from robosignal.server.core.authorization import condition_for
from robosignal.server.core.conditional_writes import AnyOf
from robosignal.server.core.records import Assertion, Code, Key
from robosignal.server.core.writes import codes, keys, presence
from tests.server.core.conditions.cases import (
    EVE,
    GONE,
    MINE,
    NOW,
    OLGA,
    R1,
    SENDER,
    Changes,
    Examined,
    Item,
    Kind,
)
from tests.server.core.conditions.other_cases import BOSS, CLAIM, NEWER, OFFLINE, owned

K1, K2, K3, ENDED, NEW = ("k1", "k2", "k3", "ended", "new")
KEY = Key(x="x", y="y", added_by=OLGA, added_at=NOW)
HELD: Item = {"x": "x", "y": "y", "addedAt": NOW - 9000}
OVER: Item = HELD | {"notAfter": NOW}
WAITS: Item = HELD | {"pending": True}
FREE_OR_MINE = AnyOf((keys.has_no_owner(), keys.is_owned_by(OLGA)))

ANOTHERS: dict[str, Changes] = {"another owns it": {"ownerUserId": EVE}}
UNOWNED: dict[str, Changes] = {"it has no owner": {"ownerUserId": GONE}}
NO_KEY: dict[str, Changes] = {"the key is gone": {f"keys.{K1}": GONE}}
NO_ROOM: dict[str, Changes] = {"it is full": {f"keys.{K2}": HELD, f"keys.{K3}": HELD}}
ADDED_SINCE: dict[str, Changes] = {"the key is there already": {f"keys.{NEW}": HELD}}
STILL_GOOD: dict[str, Changes] = {
    "what has ended is good again": {f"keys.{ENDED}.notAfter": NOW + 1},
    "what has ended is gone": {f"keys.{ENDED}": GONE},
}
UNUSABLE: dict[str, Changes] = NO_KEY | {
    "the key waits for approval": {f"keys.{K1}.pending": True},
    "the key has ended": {f"keys.{K1}.notAfter": NOW},
}
ENDS_LATER: dict[str, Changes] = {"the key ends later": {f"keys.{K1}.notAfter": NOW + 1}}


def enrolled(**fields: Any) -> Item:
    """Return the item of olga's robot that her key K1 has registered, with one that has ended."""
    return owned(keys={K1: HELD, ENDED: OVER}, kid=K1, connectionId=MINE) | fields


BY_TOKEN: Item = {name: value for name, value in enrolled().items() if name != "kid"}
"""A user's token has registered it, or none has yet."""
NEVER_KEYED: dict[str, Changes] = {"it never had a key": {"keys": GONE}}
NONE_LEFT: dict[str, Changes] = {"no key is left": {"keys": {}}}

KEYS_CASES: dict[Kind, Examined] = {
    keys.enroll_first: Examined(
        keys.enroll_first(NEW, KEY, OLGA, FREE_OR_MINE, "1"),
        owned(),
        refuses=ANOTHERS
        | {
            "it has a key": {"keys": {K1: HELD}},
            "it had one once": {"keys": {}},
        },
        accepts=UNOWNED,
    ),
    keys.enroll: Examined(
        keys.enroll(NEW, KEY, keys.is_owned_by(OLGA), [ENDED]),
        enrolled(),
        refuses=ANOTHERS | NO_ROOM | ADDED_SINCE | STILL_GOOD,
        accepts={"there is room for one": {f"keys.{K2}": HELD}},
    ),
    keys.approve: Examined(
        keys.approve(K1, condition_for(ApproveKey, SENDER)),
        enrolled(keys={K1: WAITS}),
        refuses=ANOTHERS
        | {"it was approved already": {f"keys.{K1}.pending": GONE}}
        | {"it is revoked": {f"keys.{K1}": GONE}},
        accepts={},
    ),
    keys.rotate: Examined(
        keys.rotate(MINE, K1, NEW, KEY, [ENDED]),
        enrolled(),
        refuses=UNUSABLE
        | NO_ROOM
        | ADDED_SINCE
        | STILL_GOOD
        | {
            "another socket has registered": {"connectionId": "newer="},
            "a user has registered it on this socket": {"kid": GONE},
            "another key has": {"kid": K2},
        },
        accepts=ENDS_LATER | {"there is room for one": {f"keys.{K2}": HELD}},
    ),
    keys.revoke: Examined(
        keys.revoke(K1, condition_for(RevokeKey, SENDER)),
        enrolled(kid=K2),
        refuses=ANOTHERS | NO_KEY | {"the key has registered since": {"kid": K1}},
        accepts={"a user has registered it": {"kid": GONE}},
    ),
    keys.revoke_present: Examined(
        keys.revoke_present(K1, condition_for(RevokeKey, SENDER)),
        enrolled(),
        refuses=ANOTHERS
        | NO_KEY
        | {
            "another key has registered since": {"kid": K2},
            "a user has registered it since": {"kid": GONE},
        },
        accepts={"it is offline": {"connectionId": GONE}},
    ),
    keys.revoke_all: Examined(
        keys.revoke_all(condition_for(RevokeKey, SENDER)),
        BY_TOKEN,
        refuses=ANOTHERS | NEVER_KEYED | {"a key has registered it since": {"kid": K1}},
        accepts=NO_ROOM | NONE_LEFT,
    ),
    keys.revoke_all_present: Examined(
        keys.revoke_all_present(condition_for(RevokeKey, SENDER)),
        enrolled(),
        refuses=ANOTHERS | NEVER_KEYED | {"a user has registered it since": {"kid": GONE}},
        accepts=NO_ROOM | NONE_LEFT | {"it is offline": {"connectionId": GONE}},
    ),
}

CODE = Code(
    code_hash="hash",
    by_user_id=OLGA,
    for_user_id=OLGA,
    pattern="r*",
    uses=2,
    expires_at=NOW + 1,
    ttl=NOW // 1000,
)
MADE: Item = {"codeHash": "hash", "expiresAt": NOW + 1, "uses": 2, "takers": {}}
TAKEN_BY_ME: dict[str, Changes] = {"this robot and key have taken it": {f"takers.{R1}": K1}}

CODES_CASES: dict[Kind, Examined] = {
    codes.create: Examined(
        codes.create(CODE),
        {},
        refuses={"there is such a code": {"codeHash": "hash"}},
        accepts={},
    ),
    codes.take_use: Examined(
        codes.take_use(R1, K1, CODE, NOW),
        MADE,
        refuses={
            "it is over": {"expiresAt": NOW},
            "it is spent": {"takers": {"r2": K2, "r3": K3}},
            "it was removed": {"expiresAt": GONE},
            "this robot has taken it with another key": {f"takers.{R1}": K2},
            "this robot has enrolled by it": {f"takers.{R1}": ""},
        },
        accepts=TAKEN_BY_ME
        | {
            "another robot has taken it": {"takers": {"r2": K2}},
            "this robot and key took the last use": {"takers": {"r2": K2, R1: K1}},
        },
    ),
}

CODES_CASES |= {
    codes.complete_use: Examined(
        codes.complete_use(R1, K1),
        MADE | {"takers": {R1: K1}},
        refuses={
            "it is complete already": {f"takers.{R1}": ""},
            "another key has taken it": {f"takers.{R1}": K2},
            "the robot has taken none": {"takers": {}},
        },
        accepts={"it is over": {"expiresAt": NOW}},
    ),
}

# Registering by a key

JTI, OTHER_JTI = "jti", "other-jti"
SECOND = NOW // 1000
OWN = structs.replace(
    SENDER,
    ts=NOW,
    assertion=Assertion(robot_id=RobotId("r1"), kid=K1, iat=SECOND, jti=JTI),
)
FULL_SECOND = {f"jti-{n}": "older=" for n in range(limits.ASSERTIONS_PER_SECOND)}

BY_KEY = structs.replace(CLAIM, row=OWN)
SAME_SECOND = structs.replace(BY_KEY, same_second=True)
REFUSED_KEYS = UNUSABLE | NEWER | UNOWNED
ACCEPTED_KEYS = ENDS_LATER | OFFLINE | {"its owner is another by now": {"ownerUserId": EVE}}
OLD_SECONDS: dict[str, Changes] = {
    "a newer assertion has registered": {"lastIat": SECOND + 1},
    "one of this second has registered": {"lastIat": SECOND},
}
NEW_SECOND: dict[str, Changes] = {"no assertion has registered": {"lastIat": GONE}}
USED: dict[str, Changes] = {
    "it has registered another connection": {"assertions": {JTI: "older="}},
    "it has, as the last of a full second": {"assertions": FULL_SECOND | {JTI: "older="}},
    "the second is full": {"assertions": FULL_SECOND},
    "a newer second has come": {"lastIat": SECOND + 1},
    "a newer second has come, and this is used here": {
        "lastIat": SECOND + 1,
        "assertions": {JTI: MINE},
    },
    "no assertion has registered": {"lastIat": GONE},
}
UNUSED: dict[str, Changes] = {
    "it has registered this connection": {"assertions": {JTI: MINE}},
    "it has, and the second is full": {"assertions": FULL_SECOND | {JTI: MINE}},
    "there is room for one": {"assertions": dict(list(FULL_SECOND.items())[1:])},
}


def _last_second(**fields: Any) -> Item:
    return enrolled(lastIat=SECOND - 1, assertions={OTHER_JTI: "older="}) | fields


def _this_second(**fields: Any) -> Item:
    return enrolled(lastIat=SECOND, assertions={OTHER_JTI: "older="}) | fields


SAME_RUN: dict[str, Changes] = {"it is the same process": {"instanceId": "run-2"}}
OTHER_RUN: dict[str, Changes] = {"it is another process": {"instanceId": "run-0"}}
FIRST_RUN: dict[str, Changes] = {"it has never registered": {"instanceId": GONE}}

KEYS_FORMS: dict[str, tuple[Kind, Examined]] = {
    "presence.register_redial by key": (
        presence.register_redial,
        Examined(
            presence.register_redial(BY_KEY),
            _last_second(),
            refuses=REFUSED_KEYS | OLD_SECONDS | OTHER_RUN,
            accepts=ACCEPTED_KEYS | NEW_SECOND,
        ),
    ),
    "presence.register_redial by key, same second": (
        presence.register_redial,
        Examined(
            presence.register_redial(SAME_SECOND),
            _this_second(),
            refuses=REFUSED_KEYS | USED | OTHER_RUN,
            accepts=ACCEPTED_KEYS | UNUSED,
        ),
    ),
    "presence.register_process by key": (
        presence.register_process,
        Examined(
            presence.register_process(structs.replace(BY_KEY, instance_id=InstanceId("run-2"))),
            _last_second(),
            refuses=REFUSED_KEYS | OLD_SECONDS | SAME_RUN,
            accepts=ACCEPTED_KEYS | NEW_SECOND | FIRST_RUN,
        ),
    ),
    "presence.register_process by key, same second": (
        presence.register_process,
        Examined(
            presence.register_process(
                structs.replace(SAME_SECOND, instance_id=InstanceId("run-2"))
            ),
            _this_second(),
            refuses=REFUSED_KEYS | USED | SAME_RUN,
            accepts=ACCEPTED_KEYS | UNUSED | FIRST_RUN,
        ),
    ),
}
"""Writes whose conditions have another form when a robot registers by its own key."""

KEYS_BY_ADMINS: dict[Kind, tuple[Examined, ...]] = {
    keys.enroll: (
        Examined(
            keys.enroll(NEW, KEY, FREE_OR_MINE, [ENDED]),
            enrolled(),
            refuses=ANOTHERS | UNOWNED,
            accepts={},
        ),
    ),
    keys.approve: (
        Examined(
            keys.approve(K1, condition_for(ApproveKey, BOSS)),
            enrolled(keys={K1: WAITS}),
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    keys.revoke: (
        Examined(
            keys.revoke(K1, condition_for(RevokeKey, BOSS)),
            enrolled(kid=K2),
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    keys.revoke_all: (
        Examined(
            keys.revoke_all(condition_for(RevokeKey, BOSS)),
            BY_TOKEN,
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    keys.revoke_all_present: (
        Examined(
            keys.revoke_all_present(condition_for(RevokeKey, BOSS)),
            enrolled(),
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    keys.revoke_present: (
        Examined(
            keys.revoke_present(K1, condition_for(RevokeKey, BOSS)),
            enrolled(),
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
}
"""The same by an admin, and by who may also enrol an id that is free."""
