"""Mutants that no test can notice, each with the reason.

A name here excuses a survivor; nothing else does.
"""

from robosignal.server.core.policy import MAY, Standing

EQUIVALENT: dict[str, str] = {
    f"MAY {kind.__name__} +HOLDERS_USER": "one whose session holds is an operator, who may already"
    for kind, may in MAY.items()
    if Standing.OPERATOR in may
}
