"""How much each benchmark does: enough for steady figures, or very little for a quick check."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of rounds, and how much each of them holds."""

    rounds: int
    """Of every comparison; each variant is measured once in each. Many short rounds are better than
    few long ones: other load on the machine then affects all variants alike."""
    events: int
    """That the handler handles in one turn of a round."""
    relays: int
    """That a server does in one turn of a round."""
    pairs: int
    """Connections, or pairs of them, that a server serves at once."""
    imports: int
    """How often Python is started for each import."""
    seconds: float
    """How long candidates are relayed to time them."""


FULL = Scale(rounds=60, events=20, relays=640, pairs=16, imports=20, seconds=20)
SMALL = Scale(rounds=2, events=3, relays=20, pairs=2, imports=2, seconds=0.5)
