"""Makes one machine as irregular as a cloud: invocations overlap, and pause between their steps.

It tests clients. The rules do not change, because every write that they rely on is conditional.
"""

import threading
import time
from random import Random
from typing import Any

from robosignal.server.core.steps import Action
from robosignal.server.executor import Execute, Hook

LONGEST_PAUSE_SECONDS = 0.05


def add_chaos(seed: int) -> Hook:
    """Return a hook that pauses for up to 50 ms before each step, at random from this seed.

    A step itself is not interrupted, as a call to DynamoDB is not: one thread at a time uses the
    local store.
    """
    random, one_at_a_time = Random(seed), threading.Lock()  # noqa: S311 - no secret is drawn

    def hook(execute: Execute) -> Execute:
        def execute_later(action: Action) -> Any:
            with one_at_a_time:
                pause = random.uniform(0, LONGEST_PAUSE_SECONDS)
            time.sleep(pause)
            with one_at_a_time:
                return execute(action)

        return execute_later

    return hook
