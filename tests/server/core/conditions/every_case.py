"""The cases of every write in one table."""

from tests.server.core.conditions.cases import Examined, Kind
from tests.server.core.conditions.lease_cases import LEASE_CASES
from tests.server.core.conditions.other_cases import MORE, PLACES_CASES, PRESENCE_CASES, ROWS_CASES
from tests.server.core.conditions.ownership_cases import BY_ADMINS, OWNERSHIP_CASES

FIRST: dict[Kind, Examined] = (
    LEASE_CASES | PLACES_CASES | PRESENCE_CASES | OWNERSHIP_CASES | ROWS_CASES
)

CASES: dict[Kind, tuple[Examined, ...]] = {
    kind: (examined, *(MORE | BY_ADMINS).get(kind, ())) for kind, examined in FIRST.items()
}
"""Each kind of write: the first of its writes has every part that such a condition can have."""
