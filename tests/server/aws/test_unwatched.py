"""Users without a watching connection: asked for once in a while, and told of all that they missed.

On DynamoDB, whose index of watchers costs a query for each user who may see a robot.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import (
    PUSHES_BURST,
    SECOND_LOOK_SECONDS,
    SHARES,
    TAKEN_BURST,
    VIEWERS,
    WATCHERS,
)
from robosignal.server.aws.dynamodb import INDEX_LAG_SECONDS, UNWATCHED_SECONDS, DynamoStore
from robosignal.server.core.steps import Watcher
from robosignal.server.core.writes import connections
from robosignal.server.limits.bounded import Recent
from robosignal.server.limits.limiter import Buckets
from tests.docs.pages import page
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import Peer, World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def knowing(client: "DynamoDBClient", clock: Callable[[], float]) -> DynamoStore:
    """Return a store that remembers by this clock, in seconds, who does not watch."""
    unwatched: Recent[str] = Recent(UNWATCHED_SECONDS, 1_000, clock, clock)
    return DynamoStore(client, CONNECTIONS, ROBOTS, unwatched=unwatched)


class CountedBackend:
    """A backend on DynamoDB whose calls are counted, and whose clock is the world's."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.calls: Counter[str] = Counter()
        self._client = client
        self._now = 0.0
        self.world = World(self.environment(), signer(), limiter=Buckets())

    def environment(self) -> DynamoStore:
        """Return the store of a Lambda environment that has just started."""
        return knowing(self._client, lambda: self.world.now / 1000)

    def count(self, model: Any, **_: Any) -> None:
        """Count a call to DynamoDB."""
        self.calls[model.name] += 1

    def cost(self, by: list[Peer], times: int = 1) -> Counter[str]:
        """Have these take the robot over in turn, so often; return what that costs of AWS."""
        self.calls.clear()
        posts = self.world.outbox.posts
        for n in range(times):
            assert by[n % len(by)].ask(type="takeover", robotId="r1")["type"] == "ack"
        return self.calls + Counter(posts=self.world.outbox.posts - posts)


@pytest.fixture
def backend(dynamodb: "DynamoDBClient") -> Iterator[CountedBackend]:
    """An empty backend."""
    made = CountedBackend(dynamodb)
    dynamodb.meta.events.register("before-call.dynamodb", made.count)
    yield made
    dynamodb.meta.events.unregister("before-call.dynamodb", made.count)


def fill_robot(backend: CountedBackend, watching: int) -> list[Peer]:
    """Return the owner's two pages, at a robot as crowded as one can be.

    As many users are operators, ten of them view, and `watching` of them watch from as many pages
    as are told.
    """
    world = backend.world
    world.robot()
    operators = [f"op{number}" for number in range(SHARES)]
    for user in operators:
        world.share("r1", user)
    for user in operators[:watching] * (WATCHERS // watching):
        world.connect(user).ask(type="watch")
    for user in operators[:VIEWERS]:
        world.connect(user).offer(role="viewer")
    world.connect(operators[0]).offer()
    world.pass_seconds(60)
    owners = [world.connect("owner"), world.connect("owner")]
    for each in owners:
        each.ask(type="ping")  # this environment knows them from now on
    return owners


@pytest.mark.parametrize("watching", [SHARES, 10, 1])
def test_the_dearest_takeovers_cost_what_the_page_says(
    backend: CountedBackend, watching: int
) -> None:
    """The first, a second one soon after, one each second, and as many at once as one user may."""
    owners = fill_robot(backend, watching)
    first = backend.cost(owners)
    backend.world.pass_seconds(UNWATCHED_SECONDS - 0.001)
    second = backend.cost(owners[1:])
    steady: list[Counter[str]] = []
    backend.world.pass_seconds(60)
    for _ in range(12):
        steady.append(backend.cost(owners[len(steady) % 2 :][:1]))
        backend.world.pass_seconds(1)
    backend.world.pass_seconds(60)
    series = backend.cost(owners, TAKEN_BURST)
    everyone = SHARES + 2
    a_second = sum(each["Query"] for each in steady) / len(steady)
    figures = [watching, first.total(), second.total(), f"{a_second:.1f}", series["Query"]]

    assert (first["Query"], first.total()) == (everyone, 167)
    assert second["Query"] == watching
    assert series["Query"] == everyone + (PUSHES_BURST - 1) * watching
    assert f"| {' | '.join(map(str, figures))} |" in page("docs/explanation/cost.md")


def test_who_begins_to_watch_is_told_of_the_next_change(backend: CountedBackend) -> None:
    """At once, in the environment that has seen it."""
    robot = backend.world.robot()
    watcher = backend.world.connect("owner")
    watcher.ask(type="watch")
    robot.ask(type="unregister", robotId="r1")

    assert [frame["online"] for frame in watcher.take()] == [False]


def test_another_environment_tells_of_every_change_after_the_second_list(
    backend: CountedBackend,
) -> None:
    """One that has just found no watcher misses no more than the index could."""
    robot = backend.world.robot()
    other = backend.environment()
    watcher = backend.world.connect("owner")
    backend.world.store, knowing = other, backend.world.store
    backend.world.run_on(other)
    watcher.ask(type="watch")
    backend.world.run_on(knowing)
    backend.world.pass_seconds(1)
    backend.world.connect("owner").offer()
    missed = watcher.take()
    backend.world.pass_seconds(SECOND_LOOK_SECONDS - 1)
    listed = watcher.ask(type="robots")["robots"]
    robot.ask(type="unregister", robotId="r1")

    assert missed == []
    assert [each["controlledBy"]["userId"] for each in listed] == ["owner"]
    assert [frame["online"] for frame in watcher.take()] == [False]


class Index:
    """A DynamoDB client whose index of watchers lags as much as it may."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watching_since: float | None = None

    def query(self, **_: Any) -> dict[str, Any]:
        """Return the one watcher, once the index has it."""
        since = self.watching_since
        has = since is not None and self.now >= since + INDEX_LAG_SECONDS
        item = {"connectionId": {"S": "c1="}, "expiresAt": {"N": "1"}}
        return {"Items": [item] if has else []}

    def update_item(self, **_: Any) -> dict[str, Any]:
        """Note the watcher."""
        self.watching_since = self.now
        return {"Attributes": {"connectionId": {"S": "c1="}, "userId": {"S": "ann"}, **TIMES}}


TIMES = {name: {"N": "1"} for name in ("ts", "expiresAt", "ttl")}

changes = st.lists(st.tuples(st.floats(0, 20), st.integers(0, 2)), max_size=30)


@given(changes, st.floats(0, 10), st.integers(0, 2))
def test_no_change_after_the_second_list_is_missed(
    changes: list[tuple[float, int]], watched_at: float, by: int
) -> None:
    """Whatever three environments have asked before, as long as the index lags by two seconds."""
    index: Any = Index()
    stores = [knowing(index, lambda: index.now) for _ in range(3)]
    me = ConnectionId("c1=")
    for at, environment in sorted([*changes, (watched_at, -1)]):
        index.now = at
        if environment < 0:
            stores[by].write_connection(me, connections.watch(me, "ann"))
        elif at >= watched_at + SECOND_LOOK_SECONDS:
            assert stores[environment].watchers("ann") == (Watcher(me, 1),)
        else:
            stores[environment].watchers("ann")


def test_what_is_left_for_the_lag_is_two_seconds() -> None:
    """Of the five after which a page lists again."""
    assert UNWATCHED_SECONDS + INDEX_LAG_SECONDS == SECOND_LOOK_SECONDS
