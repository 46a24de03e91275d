"""The runner: outcomes go back to the flow, each step goes to its port, and a flow ends."""

from typing import Any

import pytest

from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core import steps
from robosignal.server.core.records import Connection
from robosignal.server.core.steps import (
    Action,
    ConditionFailed,
    Delivery,
    Flow,
    HistoryPage,
    IceServers,
    Page,
    Step,
)
from robosignal.server.core.writes import codes, connections, presence
from robosignal.server.executor import MAX_STEPS, Execute, Executor, run
from robosignal.server.ice.static import StaticServers
from tests.world import Outbox

C1, R1, ANN = ConnectionId("c1="), RobotId("r1"), UserId("ann")
ROW = Connection(connection_id=C1, user_id=ANN, ts=1, expires_at=2, ttl=3)
READ = steps.ReadRobot(R1)


def counted(times: int) -> Flow[list[Any]]:
    """Ask so many times, and return what came back."""
    outcomes: list[Any] = []
    for _ in range(times):
        outcomes += [(yield READ)]
    return outcomes


def test_a_flow_is_sent_the_outcome_of_each_step() -> None:
    """In order, and what it returns is what was decided."""
    answers = iter("abc")

    assert run(counted(3), lambda _: next(answers)) == ["a", "b", "c"]


def test_a_flow_without_steps_decides_at_once() -> None:
    """Nothing is carried out."""

    def never(step: Step) -> None:
        raise AssertionError(step)

    assert run(counted(0), never) == []


def test_what_a_step_refuses_is_raised_in_the_flow_which_may_go_on() -> None:
    """A flow that can do without a step catches its refusal."""

    def tolerant() -> Flow[str]:
        try:
            yield READ
        except TryAgain:
            answer: str = yield READ
            return answer
        return "not refused"

    answers = iter([TryAgain(), "second"])

    def sometimes(_: Step) -> str:
        answer = next(answers)
        if isinstance(answer, TryAgain):
            raise answer
        return str(answer)

    assert run(tolerant(), sometimes) == "second"


def test_what_a_step_refuses_ends_a_flow_that_needs_it() -> None:
    """Nothing after it is carried out."""
    asked: list[Step] = []

    def failing(step: Step) -> None:
        asked.append(step)
        raise TryAgain

    with pytest.raises(TryAgain):
        run(counted(3), failing)

    assert asked == [READ]


def test_a_flow_may_take_its_last_step_and_decide() -> None:
    """As many steps as there may be, less the one that would be asked for next."""
    assert len(run(counted(MAX_STEPS - 1), lambda _: None)) == MAX_STEPS - 1


def test_a_flow_that_never_decides_is_our_own_mistake() -> None:
    """It is stopped, and the alarm goes off."""
    with pytest.raises(RuntimeError, match=f"more than {MAX_STEPS} steps"):
        run(counted(MAX_STEPS + 1), lambda _: None)


@pytest.fixture
def outbox() -> Outbox:
    """A sender with one open connection."""
    sender = Outbox()
    sender.open[C1] = []
    return sender


@pytest.fixture
def executor(local_store: LocalStore, outbox: Outbox) -> Executor:
    """Real adapters, with one row in the store."""
    local_store.add_connection(ROW)
    history = KeptHistory(None, Bounds(), 1)
    ice = StaticServers([])
    return Executor(local_store, outbox, ice, history, 1, lambda count: bytes(range(count)))


NO_MORE: Page = Page((), None)
ASKED = steps.ReadHistory(
    robot_id=R1,
    owner=None,
    since=None,
    until=None,
    user_id=None,
    role=None,
    after=None,
    limit=1,
    now=1,
)

STEPS: dict[type, tuple[Step, Any]] = {
    steps.ReadConnection: (steps.ReadConnection(C1), ROW),
    steps.AddConnection: (steps.AddConnection(ROW), None),
    steps.RemoveConnection: (steps.RemoveConnection(C1), ROW),
    steps.WriteConnection: (steps.WriteConnection(C1, connections.unwatch()), ConditionFailed(ROW)),
    steps.ReadRobot: (READ, None),
    steps.WriteRobot: (steps.WriteRobot(R1, presence.record_loss(C1)), ConditionFailed(None)),
    steps.CheckRobot: (steps.CheckRobot(R1, presence.record_loss(C1)), ConditionFailed(None)),
    steps.RemoveRobot: (steps.RemoveRobot(R1, presence.is_unchanged_since(1)), False),
    steps.NoteShare: (steps.NoteShare(R1, ANN), None),
    steps.DropShare: (steps.DropShare(R1, ANN), None),
    steps.ReadHistory: (
        ASKED,
        HistoryPage(intervals=(), is_last=True, gaps=(), kept_since=1),
    ),
    steps.DrawCode: (steps.DrawCode(), "AAAQ-EAYE-AUDA-OCAJ"),
    steps.ReadCode: (steps.ReadCode("hash"), None),
    steps.WriteCode: (
        steps.WriteCode("hash", codes.complete_use(R1, "kid")),
        ConditionFailed(None),
    ),
    steps.ReadInvitation: (steps.ReadInvitation("hash"), None),
    steps.WriteInvitation: (
        steps.WriteInvitation("hash", codes.complete_use(ANN, "share:0")),
        ConditionFailed(None),
    ),
    steps.CountOffers: (steps.CountOffers(ANN, 5), 0),
    steps.NoteGroupWatch: (steps.NoteGroupWatch(C1, "crew", 5), None),
    steps.DropGroupWatch: (steps.DropGroupWatch(C1, "crew"), None),
    steps.ReadRobots: (steps.ReadRobots((R1,)), []),
    steps.ListOwned: (steps.ListOwned(ANN, None, 5), NO_MORE),
    steps.ListShared: (steps.ListShared(ANN, None, 5), NO_MORE),
    steps.ListFleet: (steps.ListFleet("0", None, 5), NO_MORE),
    steps.FindWatchers: (steps.FindWatchers("ann"), ()),
    steps.FindIceServers: (steps.FindIceServers(ANN, 1), IceServers([], 3600)),
    steps.Post: (steps.Post(C1, b"{}"), Delivery.SENT),
    steps.Close: (steps.Close(C1), None),
    steps.Parallel: (steps.Parallel((READ, steps.Post(C1, b"{}"))), (None, Delivery.SENT)),
}


def test_every_step_is_examined() -> None:
    """A new step needs its row above."""
    assert set(STEPS) == set(Step.__args__)


def asking(step: Step) -> Flow[Any]:
    """Ask for one step, and return its outcome."""
    outcome: Any = yield step
    return outcome


@pytest.mark.parametrize(("step", "outcome"), STEPS.values(), ids=lambda each: type(each).__name__)
def test_each_step_goes_to_its_port(executor: Executor, step: Step, outcome: Any) -> None:
    """And its outcome is the port's."""
    assert run(asking(step), executor.execute) == outcome


def test_parallel_actions_keep_their_order(executor: Executor, outbox: Outbox) -> None:
    """Carried out in parallel, their outcomes come in the order of the actions."""
    gone = steps.Post(ConnectionId("gone="), b"{}")
    three = steps.Parallel((gone, steps.Post(C1, b"{}"), gone))

    outcomes = run(asking(three), executor.execute)

    assert outcomes == (Delivery.GONE, Delivery.SENT, Delivery.GONE)
    assert outbox.posts == 3


class Recorder:
    """Observes every action, and its outcome."""

    def __init__(self) -> None:
        self.seen: list[tuple[Action, object]] = []

    def saw(self, action: Action, outcome: object) -> None:
        """Keep it."""
        self.seen.append((action, outcome))


def test_an_observer_sees_each_action_once_and_a_failure_as_its_outcome() -> None:
    """Alone or in parallel."""
    busy, recorder = TryAgain(), Recorder()
    post, close = steps.Post(C1, b"{}"), steps.Close(C1)

    def execute(action: Action) -> str:
        if action == close:
            raise busy
        return "done"

    def flow() -> Flow[str]:
        yield READ
        yield steps.Parallel((post, close))
        try:
            yield close
        except TryAgain:
            return "went on"
        return "not refused"

    assert run(flow(), execute, (recorder,)) == "went on"
    assert recorder.seen == [(READ, "done"), (post, "done"), (close, busy), (close, busy)]


def test_a_guard_is_asked_before_what_decides_and_not_before_parallel_actions() -> None:
    """It answers instead of the port, or lets the action pass."""
    executed: list[Action] = []

    def guard(action: Action, execute: Execute) -> Any:
        return "guarded" if action == READ else execute(action)

    def flow() -> Flow[list[Any]]:
        first = yield READ
        second = yield steps.Close(C1)
        third = yield steps.Parallel((READ,))
        return [first, second, third]

    decided = run(flow(), executed.append, guards=(guard,))

    assert decided == ["guarded", None, (None,)]
    assert executed == [steps.Close(C1), READ]
