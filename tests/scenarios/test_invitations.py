"""Invitations: a code that an owner makes becomes a user's share. On both stores."""

import pytest

from robosignal.protocol.device_keys import hash_code
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.limits import INVITATION_SECONDS, SHARES
from robosignal.server.core.conditional_writes import Write
from tests.device import DeviceKey
from tests.scenarios.between import Between
from tests.scenarios.shares import accepts, listed, shares
from tests.world import Frame, Peer, World

SDP = {"sdp": "o"}
HOUR = 3_600_000
VOID = "this invitation is not valid, or not any more: ask for a new one"


def invite(owner: Peer, **terms: object) -> str:
    """Return the code of an invitation to r1."""
    made = owner.ask(type="invite", robotId="r1", **terms)
    assert made["type"] == "code", made
    return str(made["code"])


def accept(world: World, user: str, code: str, **more: object) -> Frame:
    """Let a user accept, on a connection that then ends; return the reply."""
    peer = world.connect(user, **more)  # type: ignore[arg-type]
    reply = peer.ask(type="accept", code=code)
    peer.disconnect()
    return reply


def is_void(reply: Frame) -> bool:
    """Say whether an invitation was refused, in the one sentence that there is for it."""
    return (reply.get("code"), reply.get("message")) == ("forbidden", VOID)


def own_shares(world: World, user: str) -> list[tuple[str, int | None]]:
    """Return the role and the end of each share or offer that a user has."""
    return [(each.role, each.until) for each in world.item().shares() if each.grantee == user]


@pytest.mark.parametrize("role", ["operator", "viewer"])
@pytest.mark.usefixtures("robot")
def test_an_invitation_becomes_a_share_that_needs_no_acceptance(
    world: World, owner: Peer, role: str
) -> None:
    """Its user lists the robot and may do what the role says; the code lasts a week by default."""
    until = world.now + 30 * 24 * HOUR
    now = world.now
    made = owner.ask(type="invite", robotId="r1", role=role, until=until)
    olga = world.connect("olga")

    assert made["expiresAt"] == now + INVITATION_SECONDS * 1000
    typed = made["code"].lower().replace("-", " ")
    assert olga.ask(type="accept", code=typed) == {
        "type": "ack",
        "replyTo": "q",
        "robotId": "r1",
        "role": role,
    }
    assert listed(olga) == [("r1", role)]
    assert own_shares(world, "olga") == [(role, until)]
    opened = olga.offer(role="viewer" if role == "viewer" else None)
    assert opened["role"] == ("viewer" if role == "viewer" else "controller")


@pytest.mark.usefixtures("robot")
def test_only_the_owner_and_admins_invite(world: World, owner: Peer) -> None:
    """A stranger hears the same of a robot that is not there; an admin's is as the owner's."""
    shares(owner, "olga")
    for user in ("olga", "eve"):
        refused = [world.connect(user).refused(type="invite", robotId=each) for each in ("r1", "x")]
        assert refused == [(403, "forbidden")] * 2
    boss = world.connect("boss", groups=["ADMINS"])

    assert boss.refused(type="invite", robotId="x") == (404, "robot_offline")
    assert accept(world, "eve", invite(boss))["role"] == "operator"


@pytest.mark.usefixtures("robot")
def test_a_repeat_is_acked_and_takes_no_use(world: World, owner: Peer) -> None:
    """Each user takes one; when none is left, the others hear what a wrong code hears."""
    code = invite(owner, uses=2)

    for user in ("olga", "olga", "nina", "olga"):
        assert accept(world, user, code)["role"] == "operator"
    assert is_void(accept(world, "eve", code))
    assert is_void(accept(world, "eve", "AAAA-AAAA-AAAA-AAAA"))
    assert accept(world, "nina", code)["type"] == "ack"


@pytest.mark.usefixtures("robot")
def test_an_invitation_expires(world: World, owner: Peer) -> None:
    """At its time to the millisecond, also for a user who has used it; and with its share."""
    code = invite(owner, ttlSeconds=60, uses=2)
    begun = world.now
    short = owner.ask(type="invite", robotId="r1", until=world.now + 30_000, uses=2)
    assert accept(world, "olga", code)["type"] == "ack"
    olga, nina, eve = (world.connect(each) for each in ("olga", "nina", "eve"))

    world.now = short["expiresAt"] - 1
    assert nina.ask(type="accept", code=short["code"])["type"] == "ack"
    world.now = short["expiresAt"]
    assert is_void(eve.ask(type="accept", code=short["code"]))
    world.now = begun + 60_000
    assert is_void(eve.ask(type="accept", code=code))
    assert is_void(olga.ask(type="accept", code=code))


@pytest.mark.parametrize("how", ["transfer", "transfer and back", "forget", "forget, register"])
@pytest.mark.usefixtures("robot")
def test_an_invitation_ends_with_its_owners_time(world: World, owner: Peer, how: str) -> None:
    """Also if the same user owns the robot again; and a later one of theirs is good."""
    code = invite(owner)
    if how.startswith("transfer"):
        owner.ask(type="transfer", robotId="r1", userId="carol")
    else:
        owner.ask(type="forget", robotId="r1")
    if how == "transfer and back":
        world.connect("carol").ask(type="transfer", robotId="r1", userId="owner")
    if how == "forget, register":
        world.robot("r1", "owner")

    assert is_void(accept(world, "olga", code))
    if how not in ("transfer", "forget"):
        again = invite(owner)
        assert accept(world, "olga", again)["role"] == "operator"
        assert is_void(accept(world, "nina", code))


@pytest.mark.usefixtures("robot")
def test_invitations_of_one_owner_are_good_beside_each_other(world: World, owner: Peer) -> None:
    """A second one does not void the first."""
    first, second = invite(owner, role="viewer"), invite(owner)

    assert accept(world, "olga", second)["role"] == "operator"
    assert accept(world, "nina", first)["role"] == "viewer"


@pytest.mark.usefixtures("robot")
def test_who_was_unshared_does_not_come_back(world: World, owner: Peer) -> None:
    """Nor who has left by themselves; another user still comes by the code."""
    code = invite(owner, uses=3)
    accept(world, "olga", code)
    accept(world, "nina", code)
    owner.ask(type="unshare", robotId="r1", userId="olga")
    world.connect("nina").ask(type="leave-share", robotId="r1")

    assert is_void(accept(world, "olga", code))
    assert is_void(accept(world, "nina", code))
    assert accept(world, "eve", code)["type"] == "ack"


@pytest.mark.parametrize(
    ("has", "invited_to", "gets"),
    [
        (("operator", None), ("viewer", None), ("operator", None)),
        (("operator", 9), ("operator", 8), ("operator", 9)),
        (("operator", 9), ("viewer", None), ("operator", 9)),
        (("viewer", None), ("viewer", 9), ("viewer", None)),
        (("operator", 8), ("operator", 9), ("operator", 9)),
        (("operator", 8), ("operator", None), ("operator", None)),
        (("viewer", 8), ("operator", 7), ("operator", 7)),
        (("viewer", None), ("operator", 9), ("operator", 9)),
    ],
)
@pytest.mark.usefixtures("robot")
def test_it_never_lessens_a_right(
    world: World,
    owner: Peer,
    has: tuple[str, int | None],
    invited_to: tuple[str, int | None],
    gets: tuple[str, int | None],
) -> None:
    """The role comes first, then the end, in hours here; who has as much takes no use."""

    def terms(role: str, hours: int | None) -> dict[str, object]:
        return {"role": role} | ({} if hours is None else {"until": world_now + hours * HOUR})

    world_now = world.now
    owner.ask(type="share", robotId="r1", userId="olga", **terms(*has))
    accepts(world, "olga")
    code = invite(owner, **terms(*invited_to))

    assert accept(world, "olga", code)["role"] == gets[0]
    due = None if gets[1] is None else world_now + gets[1] * HOUR
    assert own_shares(world, "olga") == [(gets[0], due)]
    assert is_void(accept(world, "nina", code)) == (has != gets)


@pytest.mark.usefixtures("robot")
def test_sessions_go_on_with_a_greater_share(world: World, owner: Peer) -> None:
    """A viewer who may drive from now on still views, and may take control in that session."""
    until = world.now + HOUR
    owner.ask(type="share", robotId="r1", userId="vic", role="viewer", until=until)
    accepts(world, "vic")
    vic = world.connect("vic")
    session = vic.offer(role="viewer")["sessionId"]

    assert vic.ask(type="accept", code=invite(owner))["role"] == "operator"
    assert vic.take() == []
    assert vic.ask(type="ping", sessionId=session)["role"] == "viewer"
    assert vic.offer(role="controller")["role"] == "controller"
    assert world.item().session(session) is not None


@pytest.mark.usefixtures("robot")
def test_a_view_that_would_outlast_the_share_ends(world: World, owner: Peer) -> None:
    """Who could view for ever and may now drive for an hour: the session has no end of its own."""
    owner.ask(type="share", robotId="r1", userId="vic", role="viewer")
    accepts(world, "vic")
    vic = world.connect("vic")
    vic.offer(role="viewer")
    code = invite(owner, until=world.now + HOUR)

    assert vic.ask(type="accept", code=code)["role"] == "operator"
    assert vic.types() == ["peer-left"]
    assert vic.offer()["role"] == "controller"


@pytest.mark.usefixtures("robot")
def test_it_takes_the_place_of_an_offer(world: World, owner: Peer) -> None:
    """The offer is gone from the user's list, and from what its owner may still offer."""
    owner.ask(type="share", robotId="r1", userId="olga", role="viewer")
    assert accept(world, "olga", invite(owner))["type"] == "ack"
    olga = world.connect("olga")

    reply = olga.ask(type="robots")
    assert "offered" not in reply
    assert listed(olga) == [("r1", "operator")]
    assert own_shares(world, "olga") == [("operator", None)]
    assert world.store.count_offers(owner.ask(type="ready")["userId"], 5) == 0


@pytest.mark.usefixtures("robot")
def test_it_renews_a_share_that_has_ended(world: World, owner: Peer) -> None:
    """One that has ended gives nothing, whatever its role was."""
    owner.ask(type="share", robotId="r1", userId="olga", until=world.now + 5000)
    accepts(world, "olga")
    world.pass_seconds(6)

    assert accept(world, "olga", invite(owner, role="viewer"))["role"] == "viewer"
    assert own_shares(world, "olga") == [("viewer", None)]


@pytest.mark.usefixtures("robot")
def test_a_right_by_a_group_or_as_admin_is_no_share_of_ones_own(world: World, owner: Peer) -> None:
    """Both end with the token's group, so the invitation makes a share beside them."""
    world.connect("boss", groups=["admins"]).ask(type="share", robotId="r1", group="crew")

    assert accept(world, "olga", invite(owner, role="viewer"), groups=["crew"])["role"] == "viewer"
    assert accept(world, "boss", invite(owner), groups=["admins"])["role"] == "operator"
    assert own_shares(world, "olga") == [("viewer", None)]
    assert own_shares(world, "boss") == [("operator", None)]


@pytest.mark.usefixtures("robot")
def test_the_owner_needs_no_invitation(world: World, owner: Peer) -> None:
    """And takes no use of it."""
    code = invite(owner)
    reply = owner.ask(type="accept", code=code)

    assert (reply["code"], reply["message"]) == (
        "bad_message",
        "code: is for other users: you own r1",
    )
    assert accept(world, "olga", code)["type"] == "ack"


@pytest.mark.usefixtures("robot")
def test_a_robot_with_all_its_shares_takes_no_more(world: World, owner: Peer) -> None:
    """The reply names the limit; no use is taken, and a user with a share is not in its way."""
    boss = world.connect("boss", groups=["ADMINS"])
    for number in range(SHARES - 1):
        boss.ask(type="share", robotId="r1", group=f"crew-{number}")
    owner.ask(type="share", robotId="r1", userId="vic", role="viewer")
    code = invite(owner, uses=2)
    reply = accept(world, "olga", code)

    assert reply["code"] == "bad_message"
    assert reply["message"] == (
        f"code: cannot be accepted: the robot has {SHARES} shares and offers already; "
        "ask its owner to end one"
    )
    assert accept(world, "vic", code)["role"] == "operator"
    boss.ask(type="unshare", robotId="r1", group="crew-0")
    assert accept(world, "olga", code)["role"] == "operator"
    assert sum(1 for _ in world.item().shares()) == SHARES


@pytest.mark.parametrize("code", ["", "short", "ABCD-EFGH-IJKL-MNO1", "A" * 65])
@pytest.mark.usefixtures("robot")
def test_what_is_no_code_is_said_to_be_none(world: World, code: str) -> None:
    """Before anything is looked up."""
    reply = world.connect("eve").ask(type="accept", code=code)

    assert (reply["code"], reply["message"].partition(":")[0]) == ("bad_message", "code")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("until", -1),
        ("until", 1),
        ("until", 367 * 24),
        ("uses", 0),
        ("uses", SHARES + 1),
        ("ttlSeconds", 59),
        ("ttlSeconds", 2_592_001),
        ("role", "controller"),
    ],
)
@pytest.mark.usefixtures("robot")
def test_a_bad_term_is_named(world: World, owner: Peer, field: str, value: object) -> None:
    """And nothing is written."""
    if field == "until" and isinstance(value, int) and value > 1:
        value = world.now + value * HOUR
    before = world.item()
    reply = owner.ask(type="invite", robotId="r1", **{field: value})

    assert (reply["code"], reply["message"].partition(":")[0]) == ("bad_message", field)
    assert world.item() == before


@pytest.mark.usefixtures("robot")
def test_a_robot_cannot_enrol_by_an_invitation_nor_a_user_accept_a_code(
    world: World, owner: Peer
) -> None:
    """They are kept under keys of their own."""
    invitation = invite(owner)
    code = owner.ask(type="create-code", robotId="r2")["code"]
    token = DeviceKey().enrolment(invitation, "r2", now_s=world.now // 1000)

    assert world.dial_device(token)[1] == 401
    assert is_void(accept(world, "olga", code))
    assert world.store.invitation(hash_code(invitation)) is not None
    assert world.store.code(hash_code(invitation)) is None


def test_a_robots_own_connection_neither_invites_nor_accepts(world: World) -> None:
    """Registered or about to enrol: its key is no user's token."""
    key = DeviceKey()
    world.enroll(key, "r1")
    robot = world.device_robot(key, "r1")
    code = invite(world.connect("owner"))
    coder = world.connect("owner").ask(type="create-code", robotId="r3")["code"]
    enrolling, _ = world.dial_device(DeviceKey().enrolment(coder, "r3", now_s=world.now // 1000))

    for peer in (robot, enrolling):
        assert peer.refused(type="accept", code=code) == (403, "forbidden")
        assert peer.refused(type="invite", robotId="r1") == (403, "forbidden")


def test_inviting_and_accepting_are_audited_without_the_code(
    local_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Who invited, and who came with which role by whose invitation."""
    local_world.robot("r1", "owner")
    owner = local_world.connect("owner")
    caplog.set_level("INFO", "signaling.audit")
    caplog.clear()

    code = invite(owner, role="viewer")
    accept(local_world, "olga", code)

    names = ("reason", "write", "robot", "by", "whom", "role", "invited_by")
    lines = [tuple(getattr(each, name, None) for name in names) for each in caplog.records]
    assert lines == [
        ("invited", "invite", "r1", "owner", None, None, None),
        ("accepted", "accept_invitation", "r1", "olga", "olga", "viewer", "owner"),
    ]
    logged = " ".join(str(vars(each)) for each in caplog.records)
    assert code not in logged
    assert code.replace("-", "") not in logged
    assert hash_code(code) not in logged


def test_a_view_that_is_opened_while_its_user_accepts_ends_too(
    crossing: World, between: Between
) -> None:
    """It was opened by the share that has no end, so it would outlast the one that has."""
    crossing.robot("r1", "owner")
    owner = crossing.connect("owner")
    owner.ask(type="share", robotId="r1", userId="vic", role="viewer")
    accepts(crossing, "vic")
    code = invite(owner, until=crossing.now + HOUR)
    vic, second = crossing.connect("vic"), crossing.connect("vic")
    between.before_robot = lambda: second.offer(role="viewer")

    assert vic.ask(type="accept", code=code)["role"] == "operator"
    assert crossing.item().viewers == {}
    assert second.types() == ["peer-left"]


@pytest.mark.parametrize("how", ["unshare", "share"])
@pytest.mark.usefixtures("robot")
def test_what_the_owner_takes_back_stays_so_after_an_accept_that_was_cut_off(
    world: World, owner: Peer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Its share was written, and its use was not completed: a repeat brings nothing back."""
    code = invite(owner)
    write = world.store.write_invitation

    def too_busy(code_hash: str, wanted: Write) -> object:
        if wanted.name == "complete_use":
            raise TryAgain
        return write(code_hash, wanted)

    monkeypatch.setattr(world.store, "write_invitation", too_busy)
    assert accept(world, "olga", code)["code"] == "try_again"
    monkeypatch.undo()
    assert own_shares(world, "olga") == [("operator", None)]
    owner.ask(
        type=how, robotId="r1", userId="olga", **({"role": "viewer"} if how == "share" else {})
    )

    assert is_void(accept(world, "olga", code))
    assert own_shares(world, "olga") == ([("viewer", None)] if how == "share" else [])


def test_another_users_share_may_end_while_somebody_accepts(
    crossing: World, between: Between
) -> None:
    """Their use is theirs all the same."""
    crossing.robot("r1", "owner")
    owner = crossing.connect("owner")
    shares(owner, "olga")
    code = invite(owner)
    between.before_robot = lambda: owner.ask(type="unshare", robotId="r1", userId="olga")

    assert accept(crossing, "nina", code)["role"] == "operator"
    assert is_void(accept(crossing, "eve", code))
    owner.ask(type="unshare", robotId="r1", userId="nina")
    assert is_void(accept(crossing, "nina", code))
