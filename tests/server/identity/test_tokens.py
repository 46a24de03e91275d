"""What a good token says, and how each rule about tokens is kept."""

import json
import random
import string
import subprocess
import sys
from typing import Any

import pytest

from robosignal.protocol.errors import TryAgain, Unauthorized
from robosignal.server.identity.jwks import StaticKeys
from robosignal.server.identity.tokens import (
    Identity,
    Issuer,
    check_issuers,
    find_named_key,
    prefetch,
    verify,
)
from robosignal.server.ports import Jwk, KeysUnavailable
from tests.tokens import (
    CLIENT,
    ISSUER,
    NOW,
    NOW_S,
    access_claims,
    b64_json,
    issuer_of,
    signer,
)

MUTANTS = 10_000
SEED = 20_261_123


def judged(token: object, now: int = NOW) -> Identity:
    """Return whom the token names to the usual issuer."""
    return verify(token, [signer().issuer()], now)


def reason(token: object, now: int = NOW) -> str:
    """Return why the usual issuer's rules refuse the token."""
    with pytest.raises(Unauthorized) as refused:
        judged(token, now)
    return refused.value.reason


class NoKeys:
    """A source that cannot be reached."""

    def key(self, kid: str) -> Jwk | None:
        """Fail."""
        raise KeysUnavailable(kid)


class Asked:
    """A source that has no key, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.kids: list[str] = []

    def key(self, kid: str) -> Jwk | None:
        """Have none."""
        self.kids.append(kid)
        return None


def test_an_access_token_names_its_user() -> None:
    """An access token yields the subject, the user name, the groups and the expiry in ms."""
    identity = judged(signer().access())

    assert identity == Identity("3f2a-user", "ada", ("drivers",), (NOW_S + 3600) * 1000)  # type: ignore[arg-type]


def test_an_id_token_names_its_user() -> None:
    """An ID token is accepted with its `at_hash`, and shows the person's name."""
    identity = judged(signer().id())

    assert identity == Identity("3f2a-user", "Ada Lovelace", (), (NOW_S + 3600) * 1000)  # type: ignore[arg-type]


@pytest.mark.parametrize("kid", ["key-1", "key-2"])
def test_each_key_of_an_issuer_verifies(kid: str) -> None:
    """An issuer that rotates has two keys; a token of either is good."""
    issuer = issuer_of(signer("key-1"), signer("key-2"))

    assert verify(signer(kid).access(), [issuer], NOW).user_id == "3f2a-user"


def test_each_trusted_issuer_is_held_to_its_own_keys() -> None:
    """A token that names the second issuer is not good by a key of the first."""
    keys = StaticKeys({"key-2": signer("key-2").public})
    second = Issuer("robosignal-local", frozenset({CLIENT}), keys)
    token = signer().access(iss="robosignal-local")

    with pytest.raises(Unauthorized, match="not signed in"):
        verify(token, [signer().issuer(), second], NOW)


def test_the_second_trusted_issuer_verifies_its_tokens() -> None:
    """The claim `iss` picks the issuer among all that are trusted."""
    keys = StaticKeys({"key-2": signer("key-2").public})
    second = Issuer("robosignal-local", frozenset({"console"}), keys)
    token = signer("key-2").access(iss="robosignal-local", client_id="console")

    assert verify(token, [signer().issuer(), second], NOW).user_id == "3f2a-user"


def test_an_audience_of_one_issuer_is_none_of_another() -> None:
    """The second issuer's token for the first one's client is refused."""
    keys = StaticKeys({"key-2": signer("key-2").public})
    second = Issuer("robosignal-local", frozenset({"console"}), keys)
    token = signer("key-2").access(iss="robosignal-local", client_id=CLIENT)

    with pytest.raises(Unauthorized) as refused:
        verify(token, [signer().issuer(), second], NOW)

    assert refused.value.reason == "audience"


UPDATED = "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123"


@pytest.mark.parametrize("configured", [ISSUER, UPDATED])
@pytest.mark.parametrize("named", [ISSUER, UPDATED])
def test_both_spellings_of_a_pool_are_one_issuer(configured: str, named: str) -> None:
    """Whichever is configured: a pool can be switched while its tokens are in use."""
    pool = Issuer(configured, frozenset({CLIENT}), StaticKeys({"key-1": signer().public}))

    assert verify(signer().access(iss=named), [pool], NOW).user_id == "3f2a-user"
    assert find_named_key(signer().access(iss=named), [pool]) == (pool.keys, "key-1")


@pytest.mark.parametrize(
    "named",
    [
        "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other9",
        "https://issuer-cognito-idp.us-east-1.amazonaws.com/eu-central-1_Abc123",
        "https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc123",
        "https://issuer-cognito-idp.eu-central-1.amazonaws.com.cn/eu-central-1_Abc123",
        "https://issuer-issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123",
        "http://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123",
        UPDATED + "/",
        UPDATED + "\n",
        "cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123",
    ],
)
def test_what_only_looks_like_a_pools_issuer_is_none(named: str) -> None:
    """Another pool, Region, host or scheme: for both spellings."""
    for configured in (ISSUER, UPDATED):
        pool = Issuer(configured, frozenset({CLIENT}), StaticKeys({"key-1": signer().public}))
        with pytest.raises(Unauthorized) as refused:
            verify(signer().access(iss=named), [pool], NOW)
        assert refused.value.reason == "iss"


def test_an_issuer_that_is_no_pool_has_one_spelling() -> None:
    """`issuer-` before any other host is another issuer."""
    keys = StaticKeys({"key-1": signer().public})
    other = Issuer("https://id.example/pool", frozenset({CLIENT}), keys)
    with pytest.raises(Unauthorized):
        verify(signer().access(iss="https://issuer-id.example/pool"), [other], NOW)


def two_issuers() -> tuple[Issuer, ...]:
    """Return a pool, and beside it an issuer whose namespace is `local`."""
    keys = StaticKeys({"key-2": signer("key-2").public})
    local = Issuer("robosignal-local", frozenset({"console"}), keys, alias="local")
    return check_issuers(signer().issuer(), local)


def of_the_second(**changes: Any) -> str:
    """Return a token of the second of these two issuers."""
    return signer("key-2").access(iss="robosignal-local", client_id="console", **changes)


def test_the_second_issuers_users_and_groups_are_its_own() -> None:
    """The first issuer's stay as they are; no name of the one is ever a name of the other."""
    groups = {"cognito:groups": ["ADMINS"]}
    first = verify(signer().access(sub="alice", **groups), two_issuers(), NOW)
    second = verify(of_the_second(sub="alice", **groups), two_issuers(), NOW)

    assert (first.user_id, first.groups) == ("alice", ("ADMINS",))
    assert (second.user_id, second.groups) == ("local/alice", ("local/ADMINS",))


def test_the_first_issuer_names_no_user_of_the_second() -> None:
    """A subject that begins as the other's users do is refused, a group left out."""
    with pytest.raises(Unauthorized) as refused:
        verify(signer().access(sub="local/alice"), two_issuers(), NOW)
    groups = ["local/ADMINS", "local", "locals/x", "localx"]
    token = signer().access(**{"cognito:groups": groups})

    assert refused.value.reason == "sub"
    assert verify(token, two_issuers(), NOW).groups == ("local", "locals/x", "localx")
    assert verify(signer().access(sub="local/alice"), [signer().issuer()], NOW).user_id


def test_the_second_issuer_can_name_no_user_without_its_name_space() -> None:
    """Not even a user whose id is written as if it were of another."""
    assert verify(of_the_second(sub="/alice"), two_issuers(), NOW).user_id == "local//alice"
    assert verify(of_the_second(sub="x" * 122), two_issuers(), NOW).user_id == "local/" + "x" * 122
    with pytest.raises(Unauthorized):
        verify(of_the_second(sub="x" * 123), two_issuers(), NOW)


@pytest.mark.parametrize("alias", ["", "a/b", "A", "#a", "x" * 17, "a\n"])
def test_an_alias_that_could_be_read_otherwise_is_refused(alias: str) -> None:
    """A slash ends it, so it has none."""
    with pytest.raises(ValueError, match="alias is 1 to 16"):
        Issuer(ISSUER, frozenset({CLIENT}), NoKeys(), alias=alias)


@pytest.mark.parametrize(
    ("issuers", "aliases", "why"),
    [
        ((ISSUER, "other"), (None, None), "needs an alias"),
        ((ISSUER, "other", "third"), (None, "a", "a"), "a different one"),
        ((ISSUER, UPDATED), (None, "a"), "the same `iss`"),
    ],
)
def test_issuers_share_no_name_space(
    issuers: tuple[str, ...], aliases: tuple[str | None, ...], why: str
) -> None:
    """Nor one `iss`, in either spelling: it would be the one or the other by their order."""
    made = [
        Issuer(issuer, frozenset({CLIENT}), NoKeys(), alias=alias)
        for issuer, alias in zip(issuers, aliases, strict=True)
    ]
    with pytest.raises(ValueError, match=why):
        check_issuers(*made)


def test_without_issuers_every_token_is_refused() -> None:
    """Without a configured issuer every token is refused."""
    with pytest.raises(Unauthorized) as refused:
        verify(signer().access(), [], NOW)

    assert refused.value.reason == "iss"


@pytest.mark.parametrize(
    ("issuer", "audiences"),
    [("", {"a"}), ("i", set()), ("i", {"a", ""})],
    ids=["no name", "no audience", "an empty audience"],
)
def test_an_issuer_without_name_or_audience_cannot_be_made(
    issuer: str, audiences: set[str]
) -> None:
    """An empty setting stops the start, where it would let in too many or none."""
    with pytest.raises(ValueError, match="at least one audience"):
        Issuer(issuer, frozenset(audiences), NoKeys())


def test_keys_out_of_reach_judge_no_token() -> None:
    """Without the issuer's keys a token is neither good nor bad; the log learns why."""
    with pytest.raises(TryAgain) as refused:
        verify(signer().access(), [Issuer(ISSUER, frozenset({CLIENT}), NoKeys())], NOW)

    assert isinstance(refused.value.__cause__, KeysUnavailable)


def test_a_key_that_is_none_refuses_the_token() -> None:
    """A source that hands out rubbish causes a refusal, not another exception."""

    class Rubbish:
        def key(self, kid: str) -> Jwk | None:
            return {"kty": "oct", "k": "c2VjcmV0", "kid": kid}

    with pytest.raises(Unauthorized) as refused:
        verify(signer().access(), [Issuer(ISSUER, frozenset({CLIENT}), Rubbish())], NOW)

    assert refused.value.reason == "key"


def test_keys_are_asked_for_before_any_other_claim_is_judged() -> None:
    """An expired token of an unknown key is refused for its key: claims come afterwards."""
    token = signer("stranger").access(exp=NOW_S - 1)

    assert reason(token) == "kid"


def test_prefetch_asks_the_named_issuer_alone() -> None:
    """The key is asked for at the issuer in `iss`, never at another one."""
    first, second = Asked(), Asked()
    issuers = [Issuer("one", frozenset({"a"}), first), Issuer("two", frozenset({"a"}), second)]

    prefetch(signer().access(iss="two"), issuers)

    assert (first.kids, second.kids) == ([], ["key-1"])


@pytest.mark.parametrize(
    "token",
    ["", "a.b.c", None, signer().access(iss="unknown")],
    ids=["empty", "no token", "None", "unknown issuer"],
)
def test_prefetch_of_a_bad_token_does_nothing(token: object) -> None:
    """A bad token causes no fetch and no error: `verify` says what is wrong."""
    asked = Asked()

    prefetch(token, [Issuer("one", frozenset({"a"}), asked)])

    assert asked.kids == []


def test_prefetch_is_silent_when_keys_are_out_of_reach() -> None:
    """A fetch that fails raises nothing: `verify` refuses next."""
    issuers = [Issuer(ISSUER, frozenset({CLIENT}), NoKeys())]

    prefetch(signer().access(), issuers)

    with pytest.raises(TryAgain):
        verify(signer().access(), issuers, NOW)


@pytest.mark.parametrize(
    ("room", "good"), [(0, True), (1, False)], ids=["8192 characters", "8193 characters"]
)
def test_a_token_of_8192_characters_is_the_longest(room: int, good: bool) -> None:  # noqa: FBT001
    """One character more than the limit is refused before it is looked into."""
    token = of_length(8192 + room)

    outcome = judged(token).name if good else reason(token)

    assert outcome == ("ada" if good else "malformed")


def of_length(characters: int) -> str:
    """Return a good access token of exactly this many characters."""
    # Base64 of any bytes is never 1 more than a multiple of 4 long, so the header gives way.
    sealed = len(signer().token({}).rpartition(".")[2])
    for fill in range(3):
        header = b64_json(signer().header(fill="x" * fill))
        room = characters - len(header) - sealed - 2
        if room % 4 != 1:
            break
    empty = len(json.dumps(access_claims(fill="")))
    return signer().seal(header, b64_json(access_claims(fill="x" * (room * 3 // 4 - empty))))


def test_no_mutant_of_one_character_is_accepted() -> None:
    """Of 10,000 tokens that differ from a good one in one character, none is good."""
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(SEED)  # noqa: S311 - to be repeatable, not secret
    good = signer().access()
    alphabet = string.ascii_letters + string.digits + "-_.=+/ \n%é"
    accepted = [
        mutant
        for mutant in (mutated(good, alphabet, chance) for _ in range(MUTANTS))
        if is_good(mutant)
    ]

    assert accepted == []


def mutated(token: str, alphabet: str, chance: random.Random) -> str:
    """Return the token with one character replaced, left out, put in, or two swapped."""
    while True:
        at = chance.randrange(len(token))
        new = chance.choice(alphabet)
        mutant = chance.choice(
            [
                token[:at] + new + token[at + 1 :],
                token[:at] + token[at + 1 :],
                token[:at] + new + token[at:],
            ]
        )
        if mutant != token:
            return mutant


def is_good(token: str) -> bool:
    """Tell whether a token is accepted; any exception but a refusal passes through."""
    try:
        judged(token)
    except Unauthorized:
        return False
    return True


@pytest.mark.parametrize("module", ["jose", "cryptography", "ecdsa"])
def test_importing_the_module_loads_no_library_for_tokens(module: str) -> None:
    """A cold start without a token does not pay for the JWT code."""
    script = f"import sys, robosignal.server.identity.tokens; sys.exit({module!r} in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", script], check=False)

    assert finished.returncode == 0
