"""Robots with keys of their own: how a key gets in, what it opens, and how it ends."""

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import RobotId
from robosignal.server.core.request import Rules
from robosignal.server.limits.limiter import Buckets
from robosignal.server.ports import Store
from tests.device import DeviceKey
from tests.tokens import signer
from tests.world import Peer, World

KEY = DeviceKey()
OTHER = DeviceKey()


def is_cut_off(peer: Peer, **message: object) -> bool:
    """Send a message; say whether it was refused as expired, and the connection closed."""
    peer.send(id="q", **message)
    return (peer.status, peer.frames[-1]["code"], peer.is_open) == (401, "token_expired", False)


def keys_of(world: World, robot_id: str = "r1") -> set[str]:
    """Return the ids of a robot's keys."""
    return set(world.item(robot_id).keys or {})


def test_an_enrolled_robot_connects_and_registers_by_its_own_key(world: World) -> None:
    """No person's token is needed; the owner stays the person who let the key in."""
    world.enroll(KEY)

    robot = world.device_robot(KEY)

    item = world.item()
    assert (item.owner_user_id, item.connection_id, item.kid) == (
        "owner",
        robot.connection_id,
        KEY.kid,
    )
    assert world.connect("owner").offer()["type"] == "ack"
    assert robot.types() == ["offer"]


def test_an_enrolled_robot_is_in_its_owners_list_before_it_connects(world: World) -> None:
    """The robot appears by itself: it is offline until then."""
    world.enroll(KEY)

    (entry,) = world.connect("owner").ask(type="robots")["robots"]

    assert (entry["robotId"], entry["online"]) == ("r1", False)


def test_each_assertion_registers_one_connection(world: World) -> None:
    """Who has overheard one cannot use it again."""
    world.enroll(KEY)
    token = KEY.assertion("r1", now_s=world.now // 1000)
    first, _ = world.dial_device(token)
    thief, before = world.dial_device(token)
    first.ask(type="register", robotId="r1")
    _, after = world.dial_device(token)

    assert (before, after) == (200, 401)
    assert is_cut_off(thief, type="register", robotId="r1")
    assert world.item().connection_id == first.connection_id


def test_a_robot_may_register_again_on_its_own_connection(world: World) -> None:
    """As after `not_registered`: its assertion is its own."""
    world.enroll(KEY)
    robot = world.device_robot(KEY)

    again = [robot.ask(type="register", robotId="r1", instanceId=f"run-{n}") for n in (1, 2, 2)]

    assert [each["type"] for each in again] == ["registered"] * 3


def test_two_honest_dials_in_one_second_both_register(world: World) -> None:
    """Each has its own `jti`."""
    world.enroll(KEY)
    now_s = world.now // 1000
    peers = [world.dial_device(KEY.assertion("r1", now_s=now_s))[0] for _ in range(2)]

    replies = [peer.ask(type="register", robotId="r1", instanceId="run") for peer in peers]

    assert [each["type"] for each in replies] == ["registered", "registered"]
    assert world.item().connection_id == peers[1].connection_id


def test_an_assertion_of_an_earlier_second_registers_no_more(world: World) -> None:
    """So only the assertions of one second have to be kept."""
    world.enroll(KEY)
    now_s = world.now // 1000
    first, _ = world.dial_device(KEY.assertion("r1", now_s=now_s + 1))
    waiting, _ = world.dial_device(KEY.assertion("r1", now_s=now_s))
    first.ask(type="register", robotId="r1")

    assert first.status == 200
    assert is_cut_off(waiting, type="register", robotId="r1")


def test_a_robot_whose_clock_went_back_is_refused_before_it_has_a_socket(world: World) -> None:
    """The refusal's `Date` tells it the time; on a socket it would not learn why."""
    world.enroll(KEY)
    world.device_robot(KEY)

    statuses = [
        world.dial_device(KEY.assertion("r1", now_s=world.now // 1000 + behind))[1]
        for behind in (-60, -1, 0, 1)
    ]

    assert statuses == [401, 401, 200, 200]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "robots"},
        {"type": "watch"},
        {"type": "forget", "robotId": "r1"},
        {"type": "share", "robotId": "r1", "userId": "eve"},
        {"type": "takeover", "robotId": "r1"},
        {"type": "offer", "robotId": "r2", "payload": {"sdp": "o"}},
        {"type": "resume", "sessionId": "r1:aaaaaaaaaaaaaaaaaaaaaa"},
        {"type": "create-code", "pattern": "rover-*"},
        {"type": "keys", "robotId": "r1"},
        {"type": "shares", "robotId": "r1"},
        {"type": "enroll", "robotId": "r1", "publicKey": OTHER.jwk},
        {"type": "register", "robotId": "r2"},
    ],
    ids=lambda each: str(each["type"]),
)
def test_a_robots_own_connection_does_nothing_else(
    world: World, message: dict[str, object]
) -> None:
    """Not even what its owner may do, whose robot r2 is as well."""
    world.enroll(KEY)
    world.robot("r2", "owner")
    robot = world.device_robot(KEY)

    assert robot.refused(**message) == (403, "forbidden")


def test_a_user_named_like_a_robot_is_none(world: World) -> None:
    """A robot's connection is known by what opened it, never by a text."""
    world.enroll(KEY)

    eve = world.connect("robot:r1")

    assert eve.refused(type="register", robotId="r1") == (409, "owned_by_another")
    assert eve.refused(type="offer", robotId="r1", payload={"sdp": "o"}) == (403, "forbidden")


def test_all_keys_end_at_once(world: World) -> None:
    """A stolen robot's: with its connection, and before the thief can replace one by their own."""
    world.enroll(KEY, "r1")
    world.enroll(OTHER, "r1")
    robot = world.device_robot(KEY, "r1")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    driver.take()
    proof = DeviceKey().proof("r1", robot.connection_id)

    ack = world.connect("owner").ask(type="revoke-key", robotId="r1", all=True)
    again = world.connect("owner").ask(type="revoke-key", robotId="r1", all=True)

    assert (ack["type"], ack["robotId"], ack["robotTold"]) == ("ack", "r1", False)
    assert (again["type"], "kid" in ack) == ("ack", False)
    (left,) = [each for each in driver.take() if each["type"] == "peer-left"]
    assert (left["sessionId"], left["reason"]) == (session, "revoked")
    assert not robot.is_open
    assert world.item().keys == {}
    rotated = robot.send(type="rotate-key", publicKey=DeviceKey().jwk, proof=proof)
    assert rotated is None or rotated["type"] == "error"
    for key in (KEY, OTHER):
        world.pass_seconds(1)
        assert world.dial_device(key.assertion("r1", now_s=world.now // 1000))[1] == 401


def test_a_robot_that_a_token_has_registered_stays_when_its_keys_end(world: World) -> None:
    """Its connection is not by a key; and a robot without keys has none to end."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    before = world.item()
    assert owner.ask(type="revoke-key", robotId="r1", all=True)["type"] == "ack"
    assert world.item() == before

    owner.ask(type="enroll", robotId="r1", publicKey=KEY.jwk)
    assert owner.ask(type="revoke-key", robotId="r1", all=True)["type"] == "ack"
    item = world.item()
    assert (item.keys, item.connection_id) == ({}, before.connection_id)


def test_a_revoked_key_ends_presence_and_socket_and_never_comes_back(world: World) -> None:
    """The driver hears why, the thief nothing; neither dial nor replay helps."""
    world.enroll(KEY)
    robot = world.device_robot(KEY)
    waiting = world.device(KEY)
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    driver.take()
    before = world.item()

    ack = world.connect("owner").ask(type="revoke-key", robotId="r1", kid=KEY.kid)

    after = world.item()
    assert ack["type"] == "ack"
    assert (after.connection_id, after.controller, after.epoch > before.epoch) == (None, None, True)
    (left,) = driver.take()
    assert (left["type"], left["sessionId"], left["reason"]) == ("peer-left", session, "revoked")
    assert not robot.is_open
    assert robot.connection_id in world.outbox.closed
    assert waiting.refused(type="register", robotId="r1") == (403, "forbidden")
    assert world.dial_device(KEY.assertion("r1", now_s=world.now // 1000))[1] == 401


def test_revoking_another_key_leaves_the_robot_online(world: World) -> None:
    """Only what the key has registered ends with it."""
    world.enroll(KEY)
    world.enroll(OTHER)
    robot = world.device_robot(KEY)

    world.connect("owner").ask(type="revoke-key", robotId="r1", kid=OTHER.kid)

    assert keys_of(world) == {KEY.kid}
    assert (robot.is_open, world.item().connection_id) == (True, robot.connection_id)


def test_a_robot_has_at_most_three_keys(world: World) -> None:
    """The error names the field and the limit, and a key that is there is acked again."""
    keys = [DeviceKey() for _ in range(4)]
    for key in keys[:3]:
        world.enroll(key)
    owner = world.connect("owner")

    refused = owner.ask(type="enroll", robotId="r1", publicKey=keys[3].jwk)
    again = owner.ask(type="enroll", robotId="r1", publicKey=keys[0].jwk)

    assert (refused["code"], "3 keys" in refused["message"]) == ("bad_message", True)
    assert (again["type"], again["kid"]) == ("ack", keys[0].kid)


def test_strangers_enrol_no_key_for_a_robot_with_an_owner(world: World) -> None:
    """Nor do they list, approve or revoke one."""
    world.enroll(KEY)
    eve = world.connect("eve")

    for message in (
        {"type": "enroll", "publicKey": OTHER.jwk},
        {"type": "keys"},
        {"type": "revoke-key", "kid": KEY.kid},
        {"type": "approve-key", "kid": KEY.kid},
        {"type": "create-code"},
    ):
        assert eve.refused(robotId="r1", **message) == (403, "forbidden"), message
    assert keys_of(world) == {KEY.kid}


def test_an_admin_enrols_a_robot_for_the_account_that_stays(world: World) -> None:
    """`ownerUserId` is for admins alone, and never changes an owner."""
    admin = world.connect("boss", groups=["ADMINS"])

    admin.ask(type="enroll", robotId="r1", publicKey=KEY.jwk, ownerUserId="fleet")
    refused = admin.ask(type="enroll", robotId="r1", publicKey=OTHER.jwk, ownerUserId="boss")

    assert world.item().owner_user_id == "fleet"
    assert (refused["code"], "ownerUserId" in refused["message"]) == ("bad_message", True)
    eve = world.connect("eve")
    more = {"robotId": "r2", "publicKey": OTHER.jwk, "ownerUserId": "bob"}
    assert eve.refused(type="enroll", **more) == (403, "forbidden")


# Codes


def make_code(world: World, user: str = "owner", **fields: object) -> str:
    """Return a new code."""
    peer = world.connect(user)
    reply = peer.ask(type="create-code", **({"robotId": "r1"} | fields))
    assert reply["type"] == "code", reply
    code: str = reply["code"]
    return code


def enroll_by_code(
    world: World, key: DeviceKey, code: str, robot_id: str = "r1"
) -> tuple[Peer, dict[str, object]]:
    """Dial with a code, and enrol; return the connection and the reply."""
    token = key.enrolment(code, robot_id, now_s=world.now // 1000)
    peer, status = world.dial_device(token)
    assert status == 200
    return peer, peer.ask(type="enroll", code=code)


def test_a_robot_enrols_by_a_code_and_connects_by_its_key(world: World) -> None:
    """The code's creator owns it; the code is spent."""
    code = make_code(world)
    assert len(code) == len("AAAA-BBBB-CCCC-DDDD")

    _, reply = enroll_by_code(world, KEY, code)
    world.device_robot(KEY)

    assert (reply["type"], reply["robotId"], reply["kid"]) == ("ack", "r1", KEY.kid)
    assert world.item().owner_user_id == "owner"
    _, refused = enroll_by_code(world, OTHER, code)
    assert refused["code"] == "forbidden"


def test_the_code_alone_tells_a_robot_its_id(world: World) -> None:
    """A robot that has no id yet asks for none."""
    _, reply = enroll_by_code(world, KEY, make_code(world), robot_id="")

    assert reply["robotId"] == "r1"


def test_a_robot_may_repeat_its_enrolment_at_any_point(world: World) -> None:
    """After a lost answer, and when it was cut off after the use was taken: no use is lost."""
    code = make_code(world)
    taken = KEY.enrolment(code, now_s=world.now // 1000)
    peer, _ = world.dial_device(taken)
    real = world.store.write_robot
    world.store.write_robot = lambda *_: (_ for _ in ()).throw(OSError())  # type: ignore[method-assign]
    cut_off = peer.ask(type="enroll", code=code)
    world.store.write_robot = real  # type: ignore[method-assign]

    replies = [enroll_by_code(world, KEY, code)[1]["type"] for _ in range(2)]

    assert (cut_off["code"], replies) == ("internal", ["ack", "ack"])


def test_a_stranger_without_a_code_gets_no_socket(world: World) -> None:
    """An unknown code, one that is over, and a robot's own key that is not enrolled: 401."""
    over = make_code(world, ttlSeconds=60)
    world.pass_seconds(60)
    now_s = world.now // 1000

    statuses = [
        world.dial_device(token)[1]
        for token in (
            KEY.enrolment("AAAA-BBBB-CCCC-DDDD", now_s=now_s),
            KEY.enrolment(over, now_s=now_s),
            KEY.assertion("r1", now_s=now_s),
            KEY.assertion("unknown", now_s=now_s),
        )
    ]

    assert statuses == [401] * 4


def test_forty_robots_enrol_by_one_code(world: World) -> None:
    """Each by its own key, within the pattern; the forty-first is refused."""
    code = make_code(world, robotId=None, pattern="rover-*", uses=40)
    replies = [
        enroll_by_code(world, DeviceKey(), code, f"rover-{number}")[1]["type"]
        for number in range(41)
    ]

    assert replies == ["ack"] * 40 + ["error"]


def test_a_code_enrols_only_what_its_pattern_says(world: World) -> None:
    """The reply names it."""
    code = make_code(world, robotId=None, pattern="rover-*", uses=2)

    _, reply = enroll_by_code(world, KEY, code, "drone-1")

    assert (reply["code"], "rover-*" in str(reply["message"])) == ("forbidden", True)
    assert world.store.robot(RobotId("drone-1")) is None


def test_a_code_lets_in_no_second_key_without_approval(world: World) -> None:
    """Neither while the first is in use, nor after it was revoked: a thief may have the code."""
    code = make_code(world, robotId=None, pattern="rov*", uses=9)
    enroll_by_code(world, KEY, code, "rov1")
    _, beside = enroll_by_code(world, OTHER, code, "rov1")
    world.connect("owner").ask(type="revoke-key", robotId="rov1", kid=KEY.kid)

    _, after = enroll_by_code(world, OTHER, code, "rov1")
    another = make_code(world, robotId=None, pattern="rov*", uses=9)
    _, by_another = enroll_by_code(world, OTHER, another, "rov1")

    assert [each["code"] for each in (beside, after, by_another)] == ["forbidden"] * 3
    assert keys_of(world, "rov1") == set()


@pytest.mark.parametrize("key", [KEY, OTHER], ids=["the same key", "another"])
def test_a_robot_that_was_forgotten_does_not_enrol_itself_again(
    world: World, key: DeviceKey
) -> None:
    """A code enrols each id once: a stolen robot that was revoked and forgotten stays out."""
    code = make_code(world, robotId=None, pattern="rov*", uses=9)
    enroll_by_code(world, KEY, code, "rov1")
    owner = world.connect("owner")
    owner.ask(type="revoke-key", robotId="rov1", kid=KEY.kid)
    owner.ask(type="forget", robotId="rov1")

    _, reply = enroll_by_code(world, key, code, "rov1")

    assert reply["code"] == "forbidden"
    assert world.store.robot(RobotId("rov1")) is None


def test_a_key_that_was_not_approved_does_not_come_back_by_its_code(world: World) -> None:
    """Its owner has revoked it while it waited."""
    code = make_code(world, approve=True)
    enroll_by_code(world, KEY, code)
    world.connect("owner").ask(type="revoke-key", robotId="r1", kid=KEY.kid)

    _, reply = enroll_by_code(world, KEY, code)

    assert reply["code"] == "forbidden"
    assert keys_of(world) == set()


def test_an_owner_is_told_that_a_key_in_the_item_opens_nothing(world: World) -> None:
    """One that waits for approval, and one that has ended, are not acknowledged as new ones are."""
    enroll_by_code(world, KEY, make_code(world, approve=True))
    owner = world.connect("owner")
    waiting = owner.ask(type="enroll", robotId="r1", publicKey=KEY.jwk)
    owner.ask(type="approve-key", robotId="r1", kid=KEY.kid)
    robot = world.device_robot(KEY)
    proof = OTHER.proof("r1", robot.connection_id)
    robot.ask(type="rotate-key", publicKey=OTHER.jwk, proof=proof)
    world.pass_seconds(7 * 86_400)

    ended = world.connect("owner").ask(type="enroll", robotId="r1", publicKey=KEY.jwk)

    assert (waiting["code"], "approve-key" in waiting["message"]) == ("bad_message", True)
    assert (ended["code"], "new key" in ended["message"]) == ("bad_message", True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"y": KEY.jwk["x"]},
        {"x": "A" * 43, "y": "A" * 43},
        {"x": "_" * 42 + "8", "y": "A" * 43},
        {"x": KEY.jwk["x"][:-1] + chr(ord(KEY.jwk["x"][-1]) + 1)},
        {"x": KEY.jwk["x"] + "="},
        {"crv": "P-384"},
        {"d": "A" * 43},
    ],
    ids=["off the curve", "origin", "too large", "another text", "padded", "curve", "private"],
)
def test_what_is_no_public_key_is_not_enrolled(world: World, wrong: dict[str, str]) -> None:
    """No point of the curve, another text of the same numbers, a private key."""
    owner = world.connect("owner")

    reply = owner.ask(type="enroll", robotId="r1", publicKey=KEY.jwk | wrong)

    assert (reply["code"], reply["message"].partition(" ")[0]) == ("bad_message", "publicKey:")


def test_a_key_that_waits_for_approval_opens_nothing(world: World) -> None:
    """Until the owner has compared fingerprints."""
    code = make_code(world, approve=True)
    _, reply = enroll_by_code(world, KEY, code)
    refused = world.dial_device(KEY.assertion("r1", now_s=world.now // 1000))[1]
    owner = world.connect("owner")
    (listed,) = owner.ask(type="keys", robotId="r1")["keys"]

    owner.ask(type="approve-key", robotId="r1", kid=listed["kid"])
    world.device_robot(KEY)

    assert (reply["pending"], refused, listed["pending"]) == (True, 401, True)
    (used,) = owner.ask(type="keys", robotId="r1")["keys"]
    assert "pending" not in used
    assert used["lastUsedAt"] <= world.now


def test_a_broken_boards_key_is_replaced_with_approval(world: World) -> None:
    """The new board waits beside the old key."""
    world.enroll(KEY)

    _, without = enroll_by_code(world, OTHER, make_code(world))
    _, reply = enroll_by_code(world, OTHER, make_code(world, approve=True))

    assert (without["code"], reply["type"], reply["pending"]) == ("forbidden", "ack", True)
    assert keys_of(world) == {KEY.kid, OTHER.kid}


def test_a_code_ends_when_its_creator_no_longer_owns_the_robot(world: World) -> None:
    """After a transfer it lets nothing in."""
    world.robot("r1", "owner")
    code = make_code(world)
    world.connect("owner").ask(type="transfer", robotId="r1", userId="bob")

    _, reply = enroll_by_code(world, KEY, code)

    assert reply["code"] == "forbidden"
    assert keys_of(world) == set()


def test_a_connection_that_enrols_does_nothing_else_and_ends_soon(world: World) -> None:
    """It registers nothing, and its time is over in half a minute."""
    code = make_code(world)
    peer, _ = enroll_by_code(world, KEY, code)

    assert peer.refused(type="register", robotId="r1") == (403, "forbidden")
    world.pass_seconds(31)
    assert is_cut_off(peer, type="ping")


# Rotation


def test_a_robot_replaces_its_key_and_the_old_one_ends_in_a_week(world: World) -> None:
    """Both open until then; afterwards only the new one does."""
    world.enroll(KEY)
    robot = world.device_robot(KEY)
    proof = OTHER.proof("r1", robot.connection_id)

    ack = robot.ask(type="rotate-key", publicKey=OTHER.jwk, proof=proof)
    world.device_robot(OTHER)
    world.device_robot(KEY)
    world.pass_seconds(7 * 86_400)

    assert (ack["type"], ack["kid"]) == ("ack", OTHER.kid)
    now_s = world.now // 1000
    assert world.dial_device(KEY.assertion("r1", now_s=now_s))[1] == 401
    assert world.dial_device(OTHER.assertion("r1", now_s=now_s))[1] == 200


def test_a_proof_is_good_for_one_connection_and_key_alone(world: World) -> None:
    """Each change of it is refused, and no key gets in."""
    world.enroll(KEY)
    robot = world.device_robot(KEY)
    me = robot.connection_id
    bad = [
        OTHER.proof("r1", "another"),
        OTHER.proof("r2", me),
        OTHER.proof("r1", me, kid=KEY.kid),
        KEY.proof("r1", me),
        KEY.proof("r1", me, kid=OTHER.kid),
        OTHER.assertion("r1"),
    ]

    codes = [robot.refused(type="rotate-key", publicKey=OTHER.jwk, proof=each) for each in bad]

    assert codes == [(400, "bad_message")] * len(bad)
    assert keys_of(world) == {KEY.kid}


def test_a_robot_does_not_replace_its_key_by_the_same(world: World) -> None:
    """Not even when that was ended on the way: the robot is told, and nothing breaks."""
    world.enroll(KEY)
    robot = world.device_robot(KEY)
    proof = KEY.proof("r1", robot.connection_id)

    first = robot.refused(type="rotate-key", publicKey=KEY.jwk, proof=proof)
    world.connect("owner").ask(type="revoke-key", robotId="r1", kid=KEY.kid)
    then = robot.refused(type="rotate-key", publicKey=KEY.jwk, proof=proof)

    assert (first, then) == ((400, "bad_message"), (400, "bad_message"))
    assert keys_of(world) == set()


# Who may enrol


def test_a_provisioned_deployment_registers_enrolled_robots_alone(store: Store) -> None:
    """Not even an owner's token registers; the refusal says what to do."""
    world = World(store, signer(), rules=Rules(provisioned=True, provisioners="fleet"))
    admin = world.connect("boss", groups=["ADMINS"])
    admin.ask(type="enroll", robotId="r1", publicKey=KEY.jwk, ownerUserId="owner")
    owner = world.connect("owner")

    refused = owner.ask(type="register", robotId="r1")
    world.device_robot(KEY)

    assert (refused["code"], "enrol" in refused["message"]) == ("forbidden", True)


def test_only_admins_and_provisioners_enrol_new_ids_there(store: Store) -> None:
    """By key and by code; an owner may make a code for the robot that is theirs."""
    world = World(store, signer(), rules=Rules(provisioned=True, provisioners="fleet"))
    eve, fleet = world.connect("eve"), world.connect("fred", groups=["fleet"])

    assert eve.refused(type="enroll", robotId="r1", publicKey=KEY.jwk) == (403, "forbidden")
    assert eve.refused(type="create-code", robotId="r1") == (403, "forbidden")
    assert eve.refused(type="create-code", pattern="rov*") == (403, "forbidden")
    assert fleet.ask(type="enroll", robotId="r1", publicKey=KEY.jwk)["type"] == "ack"
    assert fleet.ask(type="create-code", pattern="rov*")["type"] == "code"
    fred = world.connect("fred")
    assert fred.ask(type="create-code", robotId="r1")["type"] == "code"
    assert fred.refused(type="create-code", robotId="r2") == (403, "forbidden")


# Whose limits count


def test_a_robots_own_connection_counts_among_its_owners(world: World) -> None:
    """Or among those of who made the code: to enrol robots makes room for no more sockets."""
    code = make_code(world, "fleet", robotId="r2")
    world.enroll(KEY)

    by_key = world.device(KEY)
    by_code, _ = world.dial_device(OTHER.enrolment(code, "", now_s=world.now // 1000))

    rows = [world.store.connection(each.connection_id) for each in (by_key, by_code)]
    assert [row and row.counted_user for row in rows] == ["owner", "fleet"]


def test_robots_of_one_owner_share_the_owners_rate(local_store: LocalStore) -> None:
    """However many keys a user has enrolled, all connections together send no more."""
    world = World(local_store, signer(), limiter=Buckets())
    keys = {f"r{number}": DeviceKey() for number in range(50)}
    for robot_id, key in keys.items():
        world.enroll(key, robot_id)
    world.pass_seconds(60)
    peers = [world.device(key, robot_id) for robot_id, key in keys.items()]

    sent = [peer.ask(type="ice-servers")["type"] for peer in peers for _ in range(80)]

    assert sent.count("ice-servers") < len(sent) == 4000
    assert sent[-1] == "error"
