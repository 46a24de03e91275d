"""How much each benchmark does: enough for steady figures, or next to nothing for a try."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """Numbers of rounds, and how much each of them holds."""

    rounds: int
    """Of every comparison; each contender is measured once in each. Many short ones are better
    than few long ones: what else goes on then meets all contenders alike."""
    events: int
    """That the handler carries out in one turn of a round."""
    relays: int
    """That a server carries out in one turn of a round."""
    pairs: int
    """Connections, or pairs of them, that a server serves at once."""
    imports: int
    """How often Python is started for each import."""
    seconds: float
    """How long candidates are relayed to time them."""


FULL = Amount(rounds=60, events=20, relays=640, pairs=16, imports=20, seconds=20)
SMALL = Amount(rounds=2, events=3, relays=20, pairs=2, imports=2, seconds=0.5)
