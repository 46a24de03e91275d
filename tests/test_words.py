"""Words and names that the project retires may only become fewer.

`python -m tools.words RULE` shows where they are; `python -m tools.words --lower` writes down what
is left once some are gone.
"""

import pytest

from tools.words import NAMES, RULES, allowed, counts, lowered, places_in, retired_names

FOUND = [
    ("whoever", "x.md", "Whoever drives", "Whoever"),
    ("nobody", "x.md", "nobody drives", "nobody"),
    ("nobody", "x.py", "def test_nobody_drives(): ...", "nobody"),
    ("anew", "x.md", "it dials anew", "anew"),
    ("stands", "x.md", "as it stands", "stands"),
    ("lest", "x.md", "lest it moves", "lest"),
    ("bears", "x.md", "it bears an id", "bears"),
    ("amiss", "x.md", "nothing is amiss", "amiss"),
    ("cease", "x.md", "commands cease", "cease"),
    ("mend", "x.md", "mend it", "mend"),
    ("openers", "x.py", '"""Does x.\n\nOwns x; must never know y.\n"""\n', "Owns"),
    ("openers", "x.js", "/**\n * Does x; it never knows y.\n */\n", "; it never knows"),
    ("participles", "x.py", "def sent(frame): ...\n", "sent"),
    ("participles", "x.py", "async def _parked_offer(): ...\n", "_parked_offer"),
    ("participles", "web/x.js", "export function undialled(error) {\n}\n", "undialled"),
    ("participles", "web/x.js", "const linked = (state) => state;\n", "linked"),
    ("retired names", "robot/cure.py", "", "cure"),
    ("retired names", "x.py", "class Hands:\n    pass\n", "Hands"),
]
PLAIN = [
    ("participles", "x.py", "def seed_robot(): ...\n"),
    ("participles", "x.py", "@property\ndef lost(self): ...\n"),
    ("participles", "tests/x.py", "def sent(): ...\n"),
    ("openers", "x.py", '"""Does x.\n\nNobody need know y.\n"""\n'),
    ("stands", "x.md", "it is as it was"),
    ("anew", "x.md", "`register_process` was `register_anew`"),
]


def test_the_glossary_retires_names() -> None:
    """Those in backticks in its last column, and no name that it gives in another."""
    assert retired_names() - NAMES == {"line", "parked"}


@pytest.mark.parametrize("rule", RULES)
def test_what_is_retired_becomes_fewer(rule: str) -> None:
    """In each part of the project there are no more than were counted last."""
    now, most = counts([rule]).get(rule, {}), allowed().get(rule, {})
    more = {room: (count, most.get(room, 0)) for room, count in now.items()}

    assert {room: each for room, each in more.items() if each[0] > each[1]} == {}


@pytest.mark.parametrize(("rule", "path", "text", "found"), FOUND)
def test_what_is_retired_is_found(rule: str, path: str, text: str, found: str) -> None:
    """Each rule sees what it is about."""
    assert [place.found for place in places_in(rule, path, text)] == [found]


@pytest.mark.parametrize(("rule", "path", "text"), PLAIN)
def test_what_is_plain_is_let_pass(rule: str, path: str, text: str) -> None:
    """And nothing else."""
    assert list(places_in(rule, path, text)) == []


def test_what_is_allowed_never_rises() -> None:
    """The tool writes the lower of two counts down."""
    before = {"anew": {"docs": 3, "web": 1}, "lest": {"web": 1}}

    assert lowered(before, {"anew": {"docs": 5, "robosignal": 2}}) == {"anew": {"docs": 3}}
