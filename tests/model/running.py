"""Runs a random model, as often as every commit does, or a soak."""

import os
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

SOAK = bool(os.environ.get("ROBOSIGNAL_SOAK"))
STEPS = 30


class Model(RuleBasedStateMachine):
    """A machine that counts the messages that it sends in all its runs."""

    messages: ClassVar[int] = 0


def run_model(
    kind: type[Model], runs: int, name: str, record_property: Callable[[str, object], Any]
) -> None:
    """Run a model so often, fail at the first difference, and record the figures by this name."""
    kind.messages = 0
    chosen = settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        # The same examples for every commit; new ones for every soak.
        derandomize=not SOAK,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(kind, settings=chosen)
    record_property(
        name, f"{runs} runs of up to {STEPS} steps, {kind.messages} messages, 0 differences"
    )

    assert kind.messages > runs
