"""Who drove and who viewed a robot, from when until when, why it ended, and who may know."""

import pytest

from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.gateway.store import LocalStore
from robosignal.server.ports import Store
from tests.scenarios.keeping import asks, keeping_world, read_all, told
from tests.scenarios.shares import shares
from tests.tokens import NOW, signer
from tests.world import World


@pytest.fixture(name="world")
def keep_world(store: Store) -> World:
    """A backend that keeps a history, on each store in turn."""
    return keeping_world(store)


def test_a_session_is_an_interval_with_its_writes(world: World) -> None:
    """Who, in which role, from when until when, why it ended, by which writes."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    began = world.now
    owner.offer()
    world.pass_seconds(7)
    owner.ask(type="bye", robotId="r1")

    (interval,) = read_all(world)

    assert (interval.user_id, interval.name, interval.role) == ("owner", "Owner", "controller")
    assert (interval.since, interval.until) == (began, began + 7000)
    assert (interval.reason, interval.by) == ("left", "owner")
    assert (interval.began_by, interval.ended_by) == ("acquire", "leave_lease")
    assert interval.epoch == 2


def test_a_takeover_ends_one_interval_and_begins_the_next(world: World) -> None:
    """At the same time, and it says who took over."""
    world.robot("r1", "owner")
    world.connect("owner").offer()
    world.pass_seconds(5)
    world.connect("boss", groups=["ADMINS"]).ask(type="takeover", robotId="r1")

    first, second = read_all(world)

    assert (first.user_id, first.reason, first.by) == ("owner", "takeover", "boss")
    assert (second.user_id, second.since, second.until) == ("boss", first.until, None)


def test_viewers_begin_change_their_role_and_leave(world: World) -> None:
    """Who only watched is told too, and who went on as the driver."""
    world.robot("r1", "owner")
    owner, olga = world.connect("owner"), world.connect("olga")
    shares(world.connect("owner"), "olga")
    owner.offer()
    olga.offer(role="viewer")
    owner.ask(type="release-control", robotId="r1")
    olga.offer(role="controller")
    owner.ask(type="bye", robotId="r1")

    assert told(world) == [
        ("owner", "controller", "released", "release"),
        ("olga", "viewer", "promoted", "acquire_as_viewer"),
        ("owner", "viewer", "left", "leave_viewer"),
        ("olga", "controller", None, None),
    ]


def test_a_lapse_that_no_write_tells_of_has_its_time(world: World) -> None:
    """The lease of a lost connection ends after the grace, whether or not anybody comes after."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    owner.offer()
    world.pass_seconds(10)
    owner.disconnect()
    lost = world.now

    (open_,) = read_all(world)
    world.pass_seconds(31)
    (lapsed,) = read_all(world)

    assert (open_.until, open_.lapses_at) == (None, lost + 30_000)
    assert (lapsed.until, lapsed.reason, lapsed.ended_by) == (lost + 30_000, "lapsed", None)


def test_a_lapse_is_told_by_the_next_driver_too(world: World) -> None:
    """The time is that at which the lease ended, not that at which it was taken."""
    world.robot("r1", "owner")
    world.connect("owner").offer()
    until = world.now + 60_000
    world.pass_seconds(300)
    world.connect("boss", groups=["ADMINS"]).offer()

    first, second = read_all(world)

    assert (first.until, first.reason) == (until, "lapsed")
    assert second.since == world.now


def test_a_resumed_session_is_one_interval(world: World) -> None:
    """A redial within the grace ends nothing."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    session = owner.offer()["sessionId"]
    owner.disconnect()
    world.pass_seconds(5)
    world.connect("owner").ask(type="resume", sessionId=session)
    world.pass_seconds(45)

    (interval,) = read_all(world)

    assert (interval.until, interval.lapses_at) == (None, None)


def test_an_end_of_a_share_and_a_transfer_end_sessions(world: World) -> None:
    """Whose right ended, and by whose message."""
    world.robot("r1", "owner")
    owner, olga = world.connect("owner"), world.connect("olga")
    shares(owner, "olga")
    olga.offer()
    owner.ask(type="unshare", robotId="r1", userId="olga")
    owner.offer()
    owner.ask(type="transfer", robotId="r1", userId="bob")

    assert told(world) == [
        ("olga", "controller", "unshared", "unshare_holder"),
        ("owner", "controller", "transferred", "transfer"),
    ]


def test_a_restarted_robot_ends_every_session(world: World) -> None:
    """The driver's and the viewers'."""
    world.robot("r1", "owner")
    owner, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
    owner.offer()
    boss.offer(role="viewer")
    world.robot("r1", "owner")

    assert told(world) == [
        ("owner", "controller", "restarted", "register_process"),
        ("boss", "viewer", "restarted", "register_process"),
    ]


def test_the_same_session_drives_again_in_another_interval(world: World) -> None:
    """A lapsed holder that takes its lease again has a new epoch."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    owner.offer()
    world.pass_seconds(100)
    owner.offer()

    first, second = read_all(world)

    assert (first.reason, first.session_id) == ("lapsed", second.session_id)
    assert (first.epoch, second.epoch, second.began_by) == (2, 3, "acquire_again")


# Who may read


def test_owner_and_admin_may_read_and_no_one_else(world: World) -> None:
    """An operator drives, and does not see who else did; a stranger learns nothing."""
    world.robot("r1", "owner")
    owner, olga = world.connect("owner"), world.connect("olga")
    shares(owner, "olga")
    olga.offer()
    boss = world.connect("boss", groups=["ADMINS"])

    assert asks(owner) == asks(boss) == [("olga", "controller")]
    refused = (403, "forbidden")
    assert olga.refused(type="history", robotId="r1") == refused
    assert world.connect("eve").refused(type="history", robotId="r1") == refused
    assert world.connect("eve").refused(type="history", robotId="none") == refused


def test_a_new_owner_does_not_see_the_time_before(world: World) -> None:
    """What happened under the former owner is for admins."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    owner.offer()
    owner.ask(type="transfer", robotId="r1", userId="bob")
    world.robot("r1", "bob")
    bob, boss = world.connect("bob"), world.connect("boss", groups=["ADMINS"])
    bob.offer()

    assert asks(bob) == [("bob", "controller")]
    assert asks(boss) == [("bob", "controller"), ("owner", "controller")]


def test_an_admin_reads_of_a_robot_that_was_forgotten(world: World) -> None:
    """Forgetting a robot does not remove who drove it; who registers the id later sees nothing."""
    world.robot("r1", "owner")
    owner = world.connect("owner")
    owner.offer()
    owner.ask(type="forget", robotId="r1")
    boss = world.connect("boss", groups=["ADMINS"])

    assert owner.refused(type="history", robotId="r1") == (403, "forbidden")
    assert asks(boss) == [("owner", "controller")]
    assert told(world) == [("owner", "controller", "forgotten", "evict")]
    world.robot("r1", "eve")
    assert asks(world.connect("eve")) == []


def test_who_was_there_at_a_time(world: World) -> None:
    """The driver and the viewer of that moment, and not those before and after."""
    world.robot("r1", "owner")
    owner, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
    owner.offer()
    boss.offer(role="viewer")
    world.pass_seconds(10)
    at = world.now
    world.pass_seconds(10)
    boss.ask(type="takeover", robotId="r1")
    taken = world.now

    assert asks(owner, since=at, until=at) == [("boss", "viewer"), ("owner", "controller")]
    assert asks(owner, since=at, until=at, role="viewer") == [("boss", "viewer")]
    assert asks(owner, since=at, until=at, userId="owner") == [("owner", "controller")]
    assert asks(owner, since=taken, until=taken) == [("boss", "controller")]
    assert asks(owner, since=0, until=NOW - 1) == []


def test_pages_fit_into_frames_and_miss_nothing(local_store: LocalStore) -> None:
    """However long names are; and the last page has no cursor."""
    world = keeping_world(local_store)
    world.robot("r1", "owner")
    owner = world.connect("owner")
    for _ in range(120):
        owner.offer()
        world.pass_seconds(1)
        owner.ask(type="bye", robotId="r1")
    found: list[int] = []
    more: dict[str, str] = {}
    while True:
        reply = owner.ask(type="history", robotId="r1", **more)
        found += [each["since"] for each in reply["intervals"]]
        if "cursor" not in reply:
            break
        more = {"cursor": reply["cursor"]}

    assert len(found) == len(set(found)) == 120
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsLTFd", "é", "WzEsIjIiXQ"])
def test_a_cursor_from_elsewhere_is_refused(local_store: LocalStore, cursor: str) -> None:
    """It names no place in a history."""
    world = keeping_world(local_store)
    world.robot("r1", "owner")

    refused = world.connect("owner").refused(type="history", robotId="r1", cursor=cursor)

    assert refused == (400, "bad_message")


def test_a_span_that_ends_before_it_begins_is_refused(local_store: LocalStore) -> None:
    """The error names the field."""
    world = keeping_world(local_store)
    world.robot("r1", "owner")

    reply = world.connect("owner").ask(type="history", robotId="r1", since=2, until=1)

    assert reply["message"] == "until: must not be before since"


def test_a_server_that_keeps_none_says_where_it_is(store: Store) -> None:
    """As on AWS; and it is told to those alone who could read it."""
    world = World(store, signer())
    world.robot("r1", "owner")

    reply = world.connect("owner").ask(type="history", robotId="r1")

    assert reply["code"] == "no_history"
    assert "robosignal history --log-group" in reply["message"]
    assert world.connect("eve").refused(type="history", robotId="r1") == (403, "forbidden")


def test_a_history_that_cannot_be_written_costs_no_change(local_store: LocalStore) -> None:
    """What happened is told once the file can be written again."""
    kept = KeptHistory(None, Bounds(), NOW)
    world = World(local_store, signer(), history=kept)
    world.robot("r1", "owner")
    owner = world.connect("owner")
    kept._file.execute("PRAGMA query_only = ON")  # noqa: SLF001 - as a full disk
    assert owner.offer()["type"] == "ack"
    assert read_all(world) == []

    kept._file.execute("PRAGMA query_only = OFF")  # noqa: SLF001 - as above
    owner.ask(type="bye", robotId="r1")

    assert told(world) == [("owner", "controller", "left", "leave_lease")]
