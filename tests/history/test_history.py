"""Fifty clients take over one robot on a real gateway: one holder an epoch, all others told."""

import os
from collections.abc import Callable

import pytest

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.server.core.request import Rules
from robosignal.server.settings import Options
from tests.history.checker import Asked, Granted, LostTo, RobotHeard, Seen, broken
from tests.history.seizing import seized

CLIENTS = 50
SOAK = bool(os.environ.get("ROBOSIGNAL_SOAK"))
OPTIONS = Options(ice_servers=[], origins=None, limited=False, rules=Rules())


@pytest.mark.parametrize(
    ("seed", "rounds"),
    [(None, 100 if SOAK else 20), (20261123, 100 if SOAK else 2)],
    ids=["one after the other", "chaos"],
)
async def test_fifty_clients_seize_one_robot(
    seed: int | None, rounds: int, record_property: Callable[[str, object], None]
) -> None:
    """The owner's connections and admins, all at once, again and again."""
    service = BackendSettings(port=0, chaos_seed=seed, unlimited=True)
    async with Backend(service, OPTIONS) as local:
        history = await seized(local, CLIENTS, rounds)
    epochs = {each.epoch for each in history if isinstance(each, Granted)}
    found = broken(history)
    how = "in order" if seed is None else f"with chaos {seed}"
    record_property(
        f"history, {CLIENTS} clients {how}",
        f"{CLIENTS * rounds} takeovers, {len(epochs)} epochs, {len(found)} violations",
    )

    assert len(epochs) > CLIENTS
    assert found == []


GOOD: list[Seen] = [
    Asked(1),
    RobotHeard("one", 2),
    Granted(1, "one", 2),
    Asked(2),
    RobotHeard("two", 3),
    LostTo(1, 3),
    Granted(2, "two", 3),
]


def test_a_good_history_passes() -> None:
    """Two clients, one after the other."""
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([*GOOD, Asked(3), Granted(3, "three", 3)], "two clients hold epoch 3"),
        ([*GOOD, Asked(1), Granted(1, "one", 2)], "epoch 2 was granted after epoch 3 had been"),
        ([*GOOD, RobotHeard("one", 3)], "the robot heard of two holders of epoch 3"),
        ([*GOOD, LostTo(2, 3)], "client 2 was told that it lost epoch 3, which it holds"),
        (
            [each for each in GOOD if not isinstance(each, LostTo)],
            "client 1 was not told that it lost epoch 2",
        ),
        (
            [each for each in GOOD if each != RobotHeard("two", 3)],
            "the robot does not know the last holder",
        ),
        ([*GOOD, Asked(3), Granted(3, "three", 5)], "an epoch passed that was never granted"),
    ],
)
def test_a_bad_history_is_found(history: list[Seen], told: str) -> None:
    """Each rule of the checker can fail."""
    assert told in broken(history)
