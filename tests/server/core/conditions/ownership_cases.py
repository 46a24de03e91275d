"""The cases of writes to who may drive a robot."""

from msgspec import structs

from robosignal.protocol.ids import UserId
from robosignal.protocol.messages import Invite, Share, Transfer, Unshare
from robosignal.server.core.authorization import condition_for
from robosignal.server.core.records import (
    Invitation,
    Robot,
    RobotShare,
    group_key,
    robot_from_item,
)
from robosignal.server.core.writes import ownership
from tests.server.core.conditions.cases import (
    EVE,
    GONE,
    NOW,
    OLGA,
    OTHERS,
    R1,
    SENDER,
    Changes,
    Examined,
    Item,
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

SETS = ("operators", "viewOnly", "offeredOperators", "offeredViewOnly")
CROWD = {f"user-{number}" for number in range(14)}
"""More than a set may have grown by since the robot was read with one share."""

TOO_MANY: dict[str, Changes] = {f"{name} has grown too much": {name: CROWD} for name in SETS}
ENOUGH: dict[str, Changes] = {
    "it has no share": {"operators": GONE},
    **{f"{name} has grown a little": {name: {EVE}} for name in SETS},
    **{f"the user is in {name}": {"operators": CROWD} | {name: CROWD | {BOB}} for name in SETS},
}
AN_END: dict[str, Changes] = {"an end was noted since": {"ends": {EVE: NOW + 9}}}
BOBS_END: dict[str, Changes] = {"the share has an end by now": {"ends": {BOB: NOW + 9}}}
NO_ENDS: dict[str, Changes] = {"it has been forgotten and has no ends": {"ends": GONE}}
BY_GROUP: dict[str, Changes] = {"the holder's right is a group's": {"controller.group": "crew"}}
EVES = OWNED | {"operators": {EVE}}
WITH_ENDS = EVES | {"ends": {EVE: NOW + 9}}
BOBS_OFFER, BOBS_VIEW = RobotShare(BOB, "operator", offered=True), RobotShare(BOB, "viewer")
LEFT: dict[str, Changes] = {
    "the user has left": {"operators": {EVE}},
    "it is an offer by now": {"operators": GONE, "offeredOperators": {BOB}},
}
VIEWS: dict[str, Changes] = {"the user may only view": {"operators": GONE, "viewOnly": {BOB}}}
OFFERED = OWNED | {"operators": {EVE}, "offeredOperators": {BOB}}

INVITATION = Invitation(
    code_hash="hash",
    by_user_id=OLGA,
    robot_id=R1,
    inviting="first",
    role="operator",
    uses=1,
    expires_at=NOW + 1,
    ttl=NOW // 1000,
)
VOID: dict[str, Changes] = {
    "it was transferred, and nothing was made since": {"inviting": GONE},
    "it was transferred, and an invitation made since": {"inviting": "second"},
    "a share was taken back since": {"sharesChanged": 1},
}
INVITING = EVES | {"inviting": "first"}
BOB_VIEWS = INVITING | {"viewOnly": {BOB}}
SHARED_SINCE: dict[str, Changes] = {
    "the user may drive by now": {"operators": {EVE, BOB}},
    "the user may view by now": {"viewOnly": {BOB}},
}


def seen(item: Item) -> Robot:
    """Return a robot as it was read."""
    return robot_from_item(item)


OWNERSHIP_CASES: dict[Kind, Examined] = {
    ownership.share: Examined(
        ownership.share(BOBS_OFFER, condition_for(Share, SENDER), seen(EVES)),
        EVES,
        refuses=ANOTHERS | TOO_MANY | AN_END,
        accepts=ENOUGH,
    ),
    ownership.share_with_holder: Examined(
        ownership.share_with_holder(BOBS_VIEW, condition_for(Share, SENDER), seen(EVES)),
        HELD,
        refuses=ANOTHERS | LEFT | AN_END | EVES_LEASE | FREE | BY_GROUP,
        accepts=VIEWS,
    ),
    ownership.accept: Examined(
        ownership.accept(RobotShare(BOB, "operator", offered=True)),
        OFFERED,
        refuses=UNOWNED
        | BOBS_END
        | {
            "it is withdrawn": {"offeredOperators": GONE},
            "it is offered for viewing by now": {
                "offeredOperators": GONE,
                "offeredViewOnly": {BOB},
            },
        },
        accepts=ANOTHERS | AN_END,
    ),
    ownership.invite: Examined(
        ownership.invite("hash", condition_for(Invite, SENDER)),
        OWNED,
        refuses=ANOTHERS,
        accepts={"there was an invitation before": {"inviting": "first"}},
    ),
    ownership.accept_invitation: Examined(
        ownership.accept_invitation(BOB, INVITATION, seen(INVITING)),
        INVITING,
        refuses=VOID | TOO_MANY | SHARED_SINCE | AN_END,
        accepts={
            "it has no share": {"operators": GONE},
            **{f"{name} has grown a little": {name: {EVE}} for name in SETS},
            "it is offered to the user": {"offeredOperators": CROWD | {BOB}},
            "it is offered to the user for viewing": {"offeredViewOnly": CROWD | {BOB}},
        },
    ),
    ownership.drop_ended: Examined(
        ownership.drop_ended(RobotShare(BOB, "operator", NOW)),
        OWNED | {"ends": {BOB: NOW}},
        refuses=UNOWNED | BOBS_END | NO_ENDS | {"it has no end by now": {"ends": {}}},
        accepts=ANOTHERS,
    ),
    ownership.unshare: Examined(
        ownership.unshare(BOB, condition_for(Unshare, SENDER), seen(OWNED)),
        OWNED,
        refuses=ANOTHERS | AN_END,
        accepts=EVES_LEASE | BOBS_LEASE | {"it is not shared": {"operators": GONE}},
    ),
    ownership.unshare_holder: Examined(
        ownership.unshare_holder(BOB, condition_for(Unshare, SENDER), seen(HELD)),
        HELD,
        refuses=ANOTHERS | EVES_LEASE | FREE | AN_END | BY_GROUP,
        accepts={},
    ),
    ownership.transfer: Examined(
        ownership.transfer(BOB, condition_for(Transfer, SENDER)),
        OWNED,
        refuses=ANOTHERS,
        accepts={"it is offline": {"connectionId": GONE}},
    ),
}

LEFT_OR_DRIVES: dict[str, Changes] = {
    "the user has left": {"viewOnly": GONE},
    "the user may drive by now": {"viewOnly": GONE, "operators": {EVE, BOB}},
}
SHARED_WITH_MANY: dict[str, Changes] = {"it is shared with many": {"operators": CROWD}}

SHARE_FORMS: dict[str, tuple[Kind, Examined]] = {
    "ownership.accept_invitation in place of a share": (
        ownership.accept_invitation,
        Examined(
            ownership.accept_invitation(BOB, INVITATION, seen(BOB_VIEWS)),
            BOB_VIEWS,
            refuses=VOID | LEFT_OR_DRIVES | BOBS_END | AN_END,
            accepts=SHARED_WITH_MANY | ANOTHERS,
        ),
    ),
    "ownership.accept_invitation in place of a share that has an end": (
        ownership.accept_invitation,
        Examined(
            ownership.accept_invitation(BOB, INVITATION, seen(BOB_VIEWS | {"ends": {BOB: NOW}})),
            BOB_VIEWS | {"ends": {BOB: NOW}},
            refuses=VOID
            | LEFT_OR_DRIVES
            | NO_ENDS
            | {"its end is another": {"ends": {BOB: NOW + 8}}},
            accepts=SHARED_WITH_MANY,
        ),
    ),
    "ownership.accept_invitation to a share with an end": (
        ownership.accept_invitation,
        Examined(
            ownership.accept_invitation(
                BOB,
                structs.replace(INVITATION, until=NOW + 9),
                seen(BOB_VIEWS | {"ends": {EVE: NOW + 9}}),
            ),
            BOB_VIEWS | {"ends": {EVE: NOW + 9}},
            refuses=VOID | LEFT_OR_DRIVES | BOBS_END | NO_ENDS,
            accepts=SHARED_WITH_MANY,
        ),
    ),
}
"""An invitation that takes the place of a share that its user has accepted."""

BY_ADMINS: dict[Kind, tuple[Examined, ...]] = {
    ownership.share: (
        Examined(
            ownership.share(BOBS_OFFER, condition_for(Share, BOSS), seen(EVES)),
            EVES,
            refuses=UNOWNED | BOBS,
            accepts=ANOTHERS,
        ),
        Examined(
            ownership.share(
                RobotShare(BOB, "viewer", NOW + 9, offered=True),
                condition_for(Share, BOSS),
                seen(WITH_ENDS),
            ),
            WITH_ENDS,
            refuses=NO_ENDS,
            accepts=BOBS_END,
        ),
        Examined(
            ownership.share(BOBS_OFFER, condition_for(Share, BOSS), seen(WITH_ENDS)),
            WITH_ENDS,
            refuses=BOBS_END,
            accepts=NO_ENDS,
        ),
        Examined(
            ownership.share(BOBS_VIEW, condition_for(Share, BOSS), seen(OWNED)),
            OWNED,
            refuses=LEFT | UNOWNED | BOBS,
            accepts=VIEWS,
        ),
    ),
    ownership.share_with_holder: (
        Examined(
            ownership.share_with_holder(BOBS_VIEW, condition_for(Share, BOSS), seen(EVES)),
            HELD,
            refuses=UNOWNED | BOBS,
            accepts=ANOTHERS,
        ),
        Examined(
            ownership.share_with_holder(
                RobotShare(group_key("crew"), "viewer"), condition_for(Share, BOSS), seen(EVES)
            ),
            robot(session(OTHERS, BOB, group="crew")) | {"operators": {EVE}},
            refuses=FREE | {"it is another group's": {"controller.group": "staff"}},
            accepts=ANOTHERS,
        ),
    ),
    ownership.accept: (
        Examined(
            ownership.accept(RobotShare(BOB, "viewer", NOW + 9, offered=True)),
            OWNED | {"offeredViewOnly": {BOB}, "ends": {BOB: NOW + 9}},
            refuses={"its end is another": {"ends": {BOB: NOW + 8}}} | NO_ENDS,
            accepts=ANOTHERS,
        ),
    ),
    ownership.invite: (
        Examined(
            ownership.invite("hash", condition_for(Invite, BOSS)),
            OWNED,
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
    ),
    ownership.unshare: (
        Examined(
            ownership.unshare(BOB, condition_for(Unshare, BOSS), seen(OWNED)),
            OWNED,
            refuses=UNOWNED,
            accepts=ANOTHERS,
        ),
        Examined(
            ownership.unshare(
                BOB, condition_for(Unshare, BOSS), seen(OWNED | {"ends": {BOB: NOW}})
            ),
            OWNED | {"ends": {BOB: NOW}},
            refuses=NO_ENDS,
            accepts={"it has no end by now": {"ends": {}}},
        ),
    ),
    ownership.unshare_holder: (
        Examined(
            ownership.unshare_holder(BOB, condition_for(Unshare, BOSS), seen(HELD)),
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
