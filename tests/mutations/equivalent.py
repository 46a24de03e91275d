"""Mutants that no test can notice, each with the reason.

Only a name in this table excuses a surviving mutant.
"""

from robosignal.server.core.authorization import PERMISSIONS, Relation

EQUIVALENT: dict[str, str] = {
    f"PERMISSIONS {kind.__name__} +HOLDERS_USER": (
        "one whose session holds is an operator, who may already"
    )
    for kind, may in PERMISSIONS.items()
    if Relation.OPERATOR in may
}
