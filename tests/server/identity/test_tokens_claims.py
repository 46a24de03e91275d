"""How each claim of a token is judged: times, names, groups, the subject, the scope."""

from typing import Any

import pytest

from robosignal.protocol.errors import Unauthorized
from robosignal.server.identity.tokens import Identity, verify
from tests.tokens import ABSENT, NOW, NOW_S, signer


def judged(token: object, now: int = NOW) -> Identity:
    """Return whom the token names to the usual issuer."""
    return verify(token, [signer().issuer()], now)


def reason(token: object, now: int = NOW) -> str:
    """Return why the usual issuer's rules refuse the token."""
    with pytest.raises(Unauthorized) as refused:
        judged(token, now)
    return refused.value.reason


@pytest.mark.parametrize(
    ("now", "why"),
    [(NOW + 3_600_000 - 1, None), (NOW + 3_600_000, "expired")],
    ids=["last millisecond", "expiry"],
)
def test_a_token_ends_at_its_expiry_exactly(now: int, why: str | None) -> None:
    """The last millisecond before `exp` is good, `exp` itself is not (RFC 7519, 4.1.4)."""
    token = signer().access()

    outcome = judged(token, now).name if why is None else reason(token, now)

    assert outcome == (why or "ada")


@pytest.mark.parametrize(("ahead_s", "good"), [(60, True), (61, False)])
def test_an_issuers_clock_may_be_a_minute_ahead(ahead_s: int, good: bool) -> None:  # noqa: FBT001
    """`iat` up to 60 s in the future is a clock's error; more is a forger's or a fault."""
    token = signer().access(iat=NOW_S + ahead_s)

    outcome = judged(token).name if good else reason(token)

    assert outcome == ("ada" if good else "iat")


@pytest.mark.parametrize(("lifetime_s", "good"), [(86_400, True), (86_401, False)])
def test_a_token_lives_a_day_at_most(lifetime_s: int, good: bool) -> None:  # noqa: FBT001
    """24 h from `iat` to `exp` is the most that is accepted."""
    token = signer().access(iat=NOW_S - 1, exp=NOW_S - 1 + lifetime_s)

    outcome = judged(token).name if good else reason(token)

    assert outcome == ("ada" if good else "lifetime")


def test_a_token_is_good_from_nbf_on() -> None:
    """`nbf` at this very second is reached (RFC 7519, 4.1.5)."""
    assert judged(signer().access(nbf=NOW_S)).name == "ada"


@pytest.mark.parametrize(("ahead_s", "good"), [(1, True), (60, True), (61, False)])
def test_nbf_has_the_leeway_of_iat(ahead_s: int, good: bool) -> None:  # noqa: FBT001
    """Both say what an issuer's clock said of now; more than a minute ahead is a fault."""
    token = signer().access(nbf=NOW_S + ahead_s)

    outcome = judged(token).name if good else reason(token)

    assert outcome == ("ada" if good else "nbf")


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [True, None, "1800000100", 1.8e9, [], {}], ids=repr)
def test_times_are_integers(claim: str, value: object) -> None:
    """A time that is no JSON integer is refused, `true` included, which Python counts as 1."""
    assert reason(signer().access(**{claim: value})) == claim


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"name": "Ada", "cognito:username": "b"}, "Ada"),
        ({"cognito:username": "b"}, "b"),
        ({}, "ada"),
        ({"username": ABSENT}, None),
        ({"name": 7}, "ada"),
        ({"name": ["Ada"]}, "ada"),
        ({"name": ""}, "ada"),
        ({"name": " \t\n"}, "ada"),
        ({"name": "x" * 128}, "x" * 128),
        ({"name": "x" * 129}, "ada"),
        ({"name": "  Ada \r\n Lovelace\u00a0"}, "Ada Lovelace"),
        ({"name": "A\x00d\x1b[31ma\x7f"}, "Ad[31ma"),
        ({"name": "Ada\u202egnorw"}, "Adagnorw"),
        ({"name": "\u3164", "cognito:username": "ada"}, "ada"),
        ({"name": "Ada\u180b\u180f\ufe0f\U000e0100\U000e01ef"}, "Ada"),
        ({"name": "\u2800 \uffa0 \u115f", "cognito:username": "ada"}, "ada"),
        ({"name": "...", "cognito:username": "ada"}, "ada"),
        ({"name": "A\ufe0fda\u034f"}, "Ada"),
        ({"name": "\uff21\uff44\uff41"}, "Ada"),
        ({"name": "Zoe\u0308"}, "Zo\u00eb"),
        ({"name": "a" + "\u0316" * 60}, "a" + "\u0316" * 4),
        ({"name": "\u0b95\u0bc1\u0bae\u0bbe\u0bb0\u0bcd"}, "\u0b95\u0bc1\u0bae\u0bbe\u0bb0\u0bcd"),
        ({"name": "\u674e\u96f7"}, "\u674e\u96f7"),
        ({"name": "\ud800Ada"}, "Ada"),
        ({"name": "Žofie 李 José"}, "Žofie 李 José"),
        ({"name": "a \u200b"}, "a"),
    ],
    ids=repr,
)
def test_the_name_shown_is_the_first_legible_one(claims: dict[str, Any], shown: str | None) -> None:
    """`name`, else `cognito:username`, else `username`, on one line, without what hides."""
    assert judged(signer().access(**claims)).name == shown


def test_groups_are_optional() -> None:
    """Without `cognito:groups` a user is in no group."""
    assert judged(signer().access(**{"cognito:groups": ABSENT})).groups == ()


@pytest.mark.parametrize("groups", ["ADMINS", None, {"ADMINS": 1}, 7], ids=repr)
def test_groups_that_are_no_list_are_refused(groups: object) -> None:
    """What is no list says nothing of groups, and its token is not trusted at all."""
    assert reason(signer().access(**{"cognito:groups": groups})) == "groups"


@pytest.mark.parametrize(
    "odd",
    [1, None, ["ADMINS"], {"ADMINS": 1}, "", "a\nb", "a\x7f", "a\u2028", "\ud800", "g" * 129],
    ids=lambda odd: repr(odd)[:20],
)
def test_an_odd_group_is_ignored(odd: object) -> None:
    """It names no group here; its bearer is let in, with the others."""
    groups = ["drivers", odd, "fleet"]

    assert judged(signer().access(**{"cognito:groups": groups})).groups == ("drivers", "fleet")


@pytest.mark.parametrize("letter", ["\u0378", "\U0001fadf", "\U0002ebf0", "\u00a0", "é"], ids=ascii)
def test_a_group_may_be_named_with_any_letter(letter: str) -> None:
    """Also with one that Python's tables do not have, unassigned in every version so far."""
    assert judged(signer().access(**{"cognito:groups": [letter]})).groups == (letter,)


def test_groups_beyond_the_quota_are_left_out() -> None:
    """The first hundred that can be used count."""
    groups = ["", *(f"g{i}" for i in range(101))]

    counted = judged(signer().access(**{"cognito:groups": groups})).groups

    assert counted == tuple(groups[1:101])


@pytest.mark.parametrize("count", [0, 100])
def test_a_list_of_groups_is_taken_whole(count: int) -> None:
    """Up to Cognito's quota of 100 groups arrive, in their order."""
    groups = [f"g{i}" for i in range(count)]

    assert judged(signer().access(**{"cognito:groups": groups})).groups == tuple(groups)


@pytest.mark.parametrize("sub", ["#admins", "é", "a" * 129, "a\n", " \x7f", 7, ["a"]], ids=repr)
def test_a_subject_that_could_be_no_principal_is_refused(sub: object) -> None:
    """`#` begins what is no user in the index of watchers, so no user may begin with it."""
    assert reason(signer().access(sub=sub)) == "sub"


@pytest.mark.parametrize("sub", ["a", "a#b", "a" * 128, "auth0|5f7c", "a b"])
def test_a_printable_subject_is_the_principal(sub: str) -> None:
    """Any printable ASCII up to 128 characters is a user's id, unchanged."""
    assert judged(signer().access(sub=sub)).user_id == sub


@pytest.mark.parametrize("scope", [ABSENT, "", "openid", "drive/robots openid"])
def test_no_scope_is_asked_for(scope: object) -> None:
    """Nothing here requires a scope, so its absence is no fault."""
    assert judged(signer().access(scope=scope)).name == "ada"
