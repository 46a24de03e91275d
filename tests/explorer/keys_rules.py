"""What must be true of a robot's keys, of its assertions, and of the codes that enrol it.

Each rule reads a history and yields what breaks it.
"""

from collections.abc import Iterator

from robosignal.protocol import limits
from robosignal.server.core.records import Invitation, Key, Robot
from tests.explorer.history import History, Replied, Wrote, WroteCode
from tests.explorer.holders import ADMINS

Found = Iterator[str]

ENROLLING = frozenset({"enroll", "rotate-key"})


def keys_of(robot: Robot | None) -> dict[str, Key]:
    """Return a robot's keys by their ids."""
    return (robot.keys if robot else None) or {}


def three_keys_at_most(history: History) -> Found:
    """However many enrol at a time."""
    for robot in history.versions:
        if len(keys_of(robot)) > limits.KEYS:
            yield f"{len(keys_of(robot))} keys"


def only_the_rightful_let_keys_in(history: History) -> Found:
    """The owner and admins, the robot itself, and a code; where keys were, it needs approval."""
    for write in history.wrote:
        old, by = write.before, write.by
        for kid in keys_of(write.after).keys() - keys_of(old).keys():
            may = old is None or by.user in {old.owner_user_id, *ADMINS}
            own = by.kind == "rotate-key" and old is not None and by.connection == old.connection_id
            coded = by.kind == "enroll" and "code" in by.message
            replaced = coded and old is not None and old.keys is not None
            if by.kind not in ENROLLING or not (may or own or coded):
                yield f"{by.event} let a key in"
            if replaced and not keys_of(write.after)[kid].pending:
                yield f"{by.event} let a key in where there was one, and none had to approve"
            if old is not None and old.owner_user_id != write.after.owner_user_id:
                yield f"{by.event} took a robot from its owner"
        for kid in keys_of(old).keys() & keys_of(write.after).keys():
            approved = keys_of(old)[kid].pending and not keys_of(write.after)[kid].pending
            owners = old is not None and by.user in {old.owner_user_id, *ADMINS}
            if approved and not (by.kind == "approve-key" and owners):
                yield f"{by.event} approved a key"


def an_enrolled_key_stays(history: History) -> Found:
    """A key that was acknowledged was in the item, and leaves only when it is revoked or over."""
    seen = set(keys_of(history.begun))
    for each in history.happened:
        if isinstance(each, Wrote):
            seen |= set(keys_of(each.after))
            gone = keys_of(each.before).keys() - keys_of(each.after).keys()
            over = {kid for kid in gone if keys_of(each.before)[kid].is_over(each.by.now)}
            if gone - over and each.by.kind != "revoke-key":
                yield f"{each.by.event} ended a key"
        if isinstance(each, Replied) and each.by.kind in ENROLLING:
            kid = each.frame.get("kid")
            if each.frame.get("type") == "ack" and kid not in seen:
                yield f"{each.by.event} was acknowledged, and the key was never in"


def _registers(write: Wrote) -> bool:
    return write.by.kind == "register" and write.after.connection_id == write.by.connection


def only_usable_keys_register(history: History) -> Found:
    """A robot's own connection registers by a key that is in, was approved, and has not ended."""
    for write in history.wrote:
        if not _registers(write) or write.after.kid is None:
            continue
        key = keys_of(write.before).get(write.after.kid)
        if key is None or key.pending or key.is_over(write.by.now):
            yield f"{write.by.event} registered by a key that opens nothing"


def a_revoked_key_never_registers(history: History) -> Found:
    """Neither by a replay nor by its code: only the owner lets it in again."""
    revoked: set[str] = set()
    for write in history.wrote:
        gone = keys_of(write.before).keys() - keys_of(write.after).keys()
        if write.by.kind == "revoke-key":
            revoked |= gone
            if write.before and write.before.kid in gone and write.after.connection_id is not None:
                yield "a key was revoked, and its robot is online"
        if write.by.kind in ("enroll", "approve-key") and "code" not in write.by.message:
            revoked -= set(keys_of(write.after))
        if _registers(write) and write.after.kid in revoked:
            yield f"{write.by.event} registered by a revoked key"


def each_assertion_registers_once(history: History) -> Found:
    """One connection each, whatever has registered between."""
    used = {**history.begun.assertions} if history.begun else {}
    for write in history.wrote:
        for jti, connection in write.after.assertions.items():
            if used.setdefault(jti, connection) != connection:
                yield f"{write.by.event} used an assertion that had registered another connection"
        if write.before and write.after.last_iat < write.before.last_iat:
            yield f"{write.by.event} has set the newest assertion's second back"


def a_codes_uses_are_counted(history: History) -> Found:
    """No more takers than uses, each for one key or share, until the use is completed.

    The message that first took a user's use of an invitation may take it again: for the robot's
    shares as they have become meanwhile.
    """
    first: dict[str, int] = {}
    for each in history.happened:
        if not isinstance(each, WroteCode):
            continue
        takers, before = each.after.takers, each.before.takers if each.before else {}
        if len(takers) > each.after.uses:
            yield f"{len(takers)} takers of a code of {each.after.uses} uses"
        first |= dict.fromkeys(takers.keys() - before.keys(), each.by.number)
        for taker, aim in before.items():
            is_own = isinstance(each.after, Invitation) and first.get(taker) == each.by.number
            if takers.get(taker) not in (aim, "") and not (is_own and aim and takers.get(taker)):
                yield f"{each.by.event} took {taker}'s use"
