"""Control that changes hands all the time: what it may cost, and that no client keeps old news."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.limits import PUSHES_BURST, SHARES, TAKEN_BURST, VIEWERS, WATCHERS
from robosignal.server.limits.limiter import Buckets
from robosignal.testing import LocalBackend
from tests.docs.pages import page
from tests.tokens import signer
from tests.world import Frame, Peer, World

if TYPE_CHECKING:
    from robosignal.server.ports import Store


@pytest.fixture
def limited() -> World:
    """A backend with the limits that ship; no time passes unless a test says so."""
    return World(LocalStore(None), signer(), limiter=Buckets())


def seize(peers: list[Peer], times: int) -> list[Frame]:
    """Have these take the robot over in turn, so often in all; return the answers."""
    return [peers[n % len(peers)].ask(type="takeover", robotId="r1") for n in range(times)]


def presences(watcher: Peer) -> list[Frame]:
    """Return what a watcher was pushed."""
    return [frame for frame in watcher.take() if frame["type"] == "presence"]


def test_watchers_are_told_of_each_change_as_long_as_they_are_few(limited: World) -> None:
    """Of as many as happen to a robot that is driven, each at once."""
    limited.robot()
    watcher, owner = limited.connect("owner"), limited.connect("owner")
    watcher.ask(type="watch")
    for _ in range(20):
        owner.offer()
        owner.ask(type="bye", robotId="r1")
        limited.pass_seconds(2)

    assert len(presences(watcher)) == 40


def test_many_changes_of_one_robot_are_told_of_together(limited: World) -> None:
    """A bounded number of rounds, and then the robot's last state, by the next event."""
    robot = limited.robot()
    watcher = limited.connect("owner")
    watcher.ask(type="watch")
    limited.pass_seconds(60)
    owners = [limited.connect("owner"), limited.connect("owner")]
    seize(owners, TAKEN_BURST)
    at_once = presences(watcher)
    limited.pass_seconds(1)
    stranger = limited.connect("trent")
    stranger.ask(type="ping")
    later = presences(watcher)
    stranger.ask(type="ping")
    robot.ask(type="ping", robotId="r1")

    assert len(at_once) == PUSHES_BURST
    assert [each["rev"] for each in later] == [limited.item().rev]
    assert presences(watcher) == []


def test_a_change_that_is_told_of_pays_what_was_owed(limited: World) -> None:
    """No client is told afterwards of the robot's state before it."""
    limited.robot()
    watcher = limited.connect("owner")
    watcher.ask(type="watch")
    limited.pass_seconds(60)
    owners = [limited.connect("owner"), limited.connect("owner")]
    seize(owners, 10)
    limited.pass_seconds(1)
    seize(owners, 1)
    limited.pass_seconds(60)
    owners[0].ask(type="ping")
    revs = [each["rev"] for each in presences(watcher)]

    assert revs == sorted(set(revs))
    assert revs[-1] == limited.item().rev


def test_who_may_see_a_robot_no_more_is_not_told_what_was_owed(limited: World) -> None:
    """Others are, of the same robot at the same time."""
    limited.robot()
    limited.share("r1", "olga")
    olga, watcher = limited.connect("olga"), limited.connect("owner")
    for each in (olga, watcher):
        each.ask(type="watch")
    owners = [limited.connect("owner"), limited.connect("owner")]
    seize(owners, 10)
    owners[0].ask(type="unshare", robotId="r1", userId="olga")
    told_before = bool(presences(olga)) and bool(presences(watcher))
    limited.pass_seconds(1)
    limited.connect("trent").ask(type="ping")

    assert told_before
    assert [each["rev"] for each in presences(watcher)] == [limited.item().rev]
    assert presences(olga) == []


def test_a_timer_tells_of_a_whole_fleet_that_has_changed_too_often(limited: World) -> None:
    """At once, though no message follows: no robot waits for another's second."""
    fleet = [f"r{number}" for number in range(20)]
    watcher = limited.connect("owner")
    watcher.ask(type="watch")
    for _ in range(PUSHES_BURST):
        robots = [limited.robot(each) for each in fleet]
        for robot in robots[::-1]:
            robot.disconnect()
    for each in fleet:
        limited.robot(each)
    presences(watcher)
    limited.pass_seconds(1)
    limited.signaling.push_deferred()
    told = {each["robotId"]: each["rev"] for each in presences(watcher) if each["online"]}

    assert told == {each: limited.item(each).rev for each in fleet}


@pytest.mark.parametrize("ends", ["unregister", "forget"])
def test_a_process_that_was_frozen_tells_no_old_news(ends: str) -> None:
    """It sends the robot's state when it wakes, whatever others have done meanwhile."""
    store = LocalStore(None)
    world = World(store, signer(), limiter=Buckets())
    robot, watcher = world.robot(), world.connect("owner")
    watcher.ask(type="watch")
    owners = [world.connect("owner"), world.connect("owner")]
    seize(owners, 10)
    frozen = world.signaling
    world.run_on(store)
    world.pass_seconds(60)
    (robot if ends == "unregister" else owners[0]).ask(type=ends, robotId="r1")
    presences(watcher)
    world.signaling = frozen
    world.connect("trent").ask(type="ping")

    assert [each["online"] for each in presences(watcher)] == [False]


def test_one_user_takes_one_robot_so_often(limited: World) -> None:
    """Then they are asked to try again, and may a second later; who holds is told so still."""
    limited.robot()
    owners = [limited.connect("owner"), limited.connect("owner")]
    told = [each.get("code", "ack") for each in seize(owners, TAKEN_BURST + 10)]
    epoch = limited.item().epoch
    outsider = limited.connect("trent").refused(type="takeover", robotId="r1")
    limited.pass_seconds(1)
    (again,) = seize(owners[:1], 1)

    assert told == ["ack"] * TAKEN_BURST + ["try_again", "ack"] * 5
    assert outsider == (403, "forbidden")
    assert (again["type"], again["epoch"]) == ("ack", epoch + 1)
    assert owners[0].ask(type="bye", robotId="r1")["type"] == "ack"


def test_what_one_user_takes_is_not_counted_against_another(limited: World) -> None:
    """An operator who plays with the robot keeps its owner from nothing, nor from another robot."""
    limited.robot()
    limited.robot("r2")
    limited.share("r1", "olga")
    olga, owner = limited.connect("olga"), limited.connect("owner")
    for _ in range(TAKEN_BURST):
        olga.offer()
        olga.ask(type="bye", robotId="r1")

    assert olga.refused(type="offer", robotId="r1", payload={"sdp": "o"}) == (503, "try_again")
    assert owner.ask(type="takeover", robotId="r1")["type"] == "ack"
    assert owner.offer("r2")["type"] == "ack"


class Counted:
    """A store whose calls are counted by their names."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        """Return the store's method of this name, counted."""
        carry_out = getattr(self._store, name)

        def counted(*asked: Any) -> Any:
            self.calls[name] += name != "sender"
            return carry_out(*asked)

        return counted


def test_the_dearest_change_costs_what_the_page_says_and_no_second_of_them_more() -> None:
    """Fifty operators, ten viewers, a hundred watchers; then as many takeovers as one user may."""
    store = Counted(LocalStore(None))
    world = World(cast("Store", LocalStore(None)), signer(), limiter=Buckets())
    world.run_on(cast("Store", store))
    world.robot()
    operators = [f"op{number}" for number in range(SHARES)]
    for user in operators:
        world.share("r1", user)
    for user in operators * 2:
        world.connect(user).ask(type="watch")
    for user in operators[:VIEWERS]:
        world.connect(user).offer(role="viewer")
    world.connect(operators[0]).offer()
    world.pass_seconds(60)
    owners = [world.connect("owner"), world.connect("owner")]
    world.connect(operators[0]).offer()
    world.pass_seconds(60)

    def taken(times: int) -> Counter[str]:
        store.calls.clear()
        posts = world.outbox.posts
        seize(owners, times)
        return Counter(store.calls) + Counter(posts=world.outbox.posts - posts)

    one = taken(1)
    world.pass_seconds(60)
    many = taken(TAKEN_BURST)
    told = dict(one - Counter(watchers=one["watchers"])), one["watchers"]

    assert told == ({"write_robot": 2, "write_connection": 1, "posts": 112}, SHARES + 2)
    assert f"{one.total()} calls" in page("docs/explanation/cost.md")
    assert many["watchers"] == PUSHES_BURST * (SHARES + 2)
    assert many["posts"] <= PUSHES_BURST * WATCHERS + TAKEN_BURST * (VIEWERS + 2)


async def test_the_local_gateway_pays_by_itself() -> None:
    """Within a second or two, though no message follows."""
    async with (
        LocalBackend() as backend,
        backend.connect("ann") as robot,
        backend.connect("ann") as watcher,
        backend.connect("ann") as one,
        backend.connect("ann") as two,
        asyncio.timeout(30),
    ):
        await robot.request("register", robotId="r1", instanceId="i")
        await watcher.request("watch")
        for _ in range(8):
            for each in (one, two):
                last = await each.request("takeover", robotId="r1")
        newest = (await watcher.request("robots", robotIds=["r1"]))["robots"][0]["rev"]
        pushed = 0
        while pushed < newest:
            pushed = (await watcher.receive("presence"))["rev"]

    assert last["type"] == "ack"
    assert pushed == newest
