"""One call to a port, held before it is carried out, and what it reads and changes."""

from dataclasses import dataclass

WATCHING = frozenset({"watch", "unwatch"})
"""The writes to a row that change who is told of changes."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `reads` and `changes` name what it touches, such as `robot` or `row conn-1=`."""

    name: str
    about: str
    reads: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it is a conditional write, which an SDK repeats when its answer is lost."""
        return self.name.startswith("write")

    @property
    def on_aws(self) -> bool:
        """Whether AWS is asked, and may be too busy; a socket just opens or breaks."""
        return not self.name.endswith("socket")

    def __str__(self) -> str:
        return f"{self.name} {self.about}".rstrip()


def conflict(one: Call, other: Call) -> bool:
    """Say whether the order of two calls can matter: one changes what the other touches."""
    return (
        not _apart(one.changes, other.changes)
        or not _apart(one.changes, other.reads)
        or not _apart(one.reads, other.changes)
    )


def _apart(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return all(each not in others for each in some)
