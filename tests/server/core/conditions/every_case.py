"""The cases of every write in one table."""

from tests.server.core.conditions.cases import Examined, Kind
from tests.server.core.conditions.keys_cases import (
    CODES_CASES,
    KEYS_BY_ADMINS,
    KEYS_CASES,
    KEYS_FORMS,
)
from tests.server.core.conditions.lease_cases import LEASE_CASES
from tests.server.core.conditions.other_cases import MORE, PLACES_CASES, PRESENCE_CASES, ROWS_CASES
from tests.server.core.conditions.ownership_cases import BY_ADMINS, OWNERSHIP_CASES, SHARE_FORMS

FIRST: dict[Kind, Examined] = (
    LEASE_CASES
    | PLACES_CASES
    | PRESENCE_CASES
    | OWNERSHIP_CASES
    | ROWS_CASES
    | KEYS_CASES
    | CODES_CASES
)

CASES: dict[Kind, tuple[Examined, ...]] = {
    kind: (examined, *(MORE | BY_ADMINS | KEYS_BY_ADMINS).get(kind, ()))
    for kind, examined in FIRST.items()
}
"""Each kind of write: the first of its writes has every part that such a condition can have.

Where it depends on the sender which parts there are, the others are among the `FORMS`.
"""

FORMS: dict[str, tuple[Kind, Examined]] = KEYS_FORMS | SHARE_FORMS
"""Writes whose condition has another form than the first of their kind."""

__all__ = ["CASES", "FIRST", "FORMS"]
