"""The cases of writes to who may drive a robot."""

from msgspec import structs

from robosignal.protocol.ids import UserId
from robosignal.protocol.messages import Share, Transfer, Unshare
from robosignal.server.core.authorization import condition_for
from robosignal.server.core.writes import ownership
from tests.server.core.conditions.cases import (
    EVE,
    GONE,
    OLGA,
    OTHERS,
    SENDER,
    Changes,
    Examined,
    Kind,
    robot,
    session,
)

BOB = UserId("bob")
BOSS = structs.replace(SENDER, groups=("admins",))
UNOWNED: dict[str, Changes] = {"it has no owner": {"ownerUserId": GONE}}
ANOTHERS: dict[str, Changes] = {"another owns it": {"ownerUserId": EVE}}
BOBS: dict[str, Changes] = {"it is that user's by now": {"ownerUserId": BOB}}
EVES_LEASE: dict[str, Changes] = {"somebody else holds": {"controller": session(OTHERS, EVE)}}
BOBS_LEASE: dict[str, Changes] = {"the user holds": {"controller": session(OTHERS, BOB)}}
FREE: dict[str, Changes] = {"the lease is free": {"controller": GONE}}
OWNED = robot() | {"ownerUserId": OLGA, "operators": {EVE, BOB}}
HELD = robot(session(OTHERS, BOB)) | {"ownerUserId": OLGA, "operators": {BOB}}

OWNERSHIP_CASES: dict[Kind, Examined] = {
    ownership.share: Examined(
        ownership.share(BOB, condition_for(Share, SENDER), 2),
        OWNED | {"operators": {EVE}},
        refuses=ANOTHERS | {"there are as many as there may be": {"operators": {EVE, OLGA}}},
        accepts={
            "it is not shared": {"operators": GONE},
            "it is shared with the user already": {"operators": {EVE, BOB}},
        },
    ),
    ownership.unshare: Examined(
        ownership.unshare(BOB, condition_for(Unshare, SENDER)),
        OWNED,
        refuses=ANOTHERS,
        accepts=EVES_LEASE | BOBS_LEASE | {"it is not shared": {"operators": GONE}},
    ),
    ownership.unshare_holder: Examined(
        ownership.unshare_holder(BOB, condition_for(Unshare, SENDER)),
        HELD,
        refuses=ANOTHERS | EVES_LEASE | FREE,
        accepts={},
    ),
    ownership.transfer: Examined(
        ownership.transfer(BOB, condition_for(Transfer, SENDER)),
        OWNED,
        refuses=ANOTHERS,
        accepts={"it is offline": {"connectionId": GONE}},
    ),
}

BY_ADMINS: dict[Kind, tuple[Examined, ...]] = {
    ownership.share: (
        Examined(
            ownership.share(BOB, condition_for(Share, BOSS), 2),
            OWNED,
            refuses=UNOWNED | BOBS,
            accepts=ANOTHERS,
        ),
    ),
    ownership.unshare: (
        Examined(
            ownership.unshare(BOB, condition_for(Unshare, BOSS)),
            OWNED,
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    ownership.unshare_holder: (
        Examined(
            ownership.unshare_holder(BOB, condition_for(Unshare, BOSS)),
            HELD,
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    ownership.transfer: (
        Examined(
            ownership.transfer(BOB, condition_for(Transfer, BOSS)),
            OWNED,
            refuses=UNOWNED | BOBS,
            accepts=ANOTHERS,
        ),
    ),
}
"""The same by an admin, whom the owner does not keep out."""
