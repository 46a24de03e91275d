"""The operator, for a program that drives or views robots without a browser: `Operator(...)`.

It needs the extra `robot`: `pip install 'robosignal[robot]'`.
"""

try:
    from robosignal.operator.client import Operator
except ModuleNotFoundError as missing:
    from robosignal.extras import explain

    raise explain("robosignal.operator", "robot", missing) from missing
from robosignal.operator.errors import OperatorError
from robosignal.operator.events import (
    ControlDenied,
    ControlGained,
    ControlLost,
    ControlRequested,
    DriverChanged,
    Event,
    StateChanged,
    Stopped,
    StopRefused,
)
from robosignal.operator.session import Session

__all__ = [
    "ControlDenied",
    "ControlGained",
    "ControlLost",
    "ControlRequested",
    "DriverChanged",
    "Event",
    "Operator",
    "OperatorError",
    "Session",
    "StateChanged",
    "StopRefused",
    "Stopped",
]
