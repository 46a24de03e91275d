"""What the context may say, and what is said about a context that cannot be used."""

from typing import Any, get_args

import pytest
from msgspec import structs

from stacks.context import (
    NAMES,
    TYPES,
    BadSettings,
    describe_type,
    read_settings,
    without_user_defaults,
)
from stacks.settings import Settings


def refusal(**context: Any) -> str:
    """Return what is said about a context that must be refused."""
    with pytest.raises(BadSettings) as refused:
        read_settings(context)
    return str(refused.value)


def test_an_empty_context_is_the_sandbox() -> None:
    """An empty context gives dev, with every default."""
    settings = read_settings({})

    assert settings == Settings(stage="dev", mfa="optional", page_urls=("http://localhost:8080/",))


def test_production_is_stricter_by_default() -> None:
    """A second factor, logs for a year, enrolled robots alone, and no page until one is named."""
    settings = read_settings({"STAGE": "prod"})

    strict = Settings(
        stage="prod",
        profile="production",
        mfa="required",
        log_days=365,
        allowed_origins=("none",),
        claim_policy="provisioned",
    )
    assert settings == strict


@pytest.mark.parametrize("stage", ["staging", "pr-123", "QA", "7", 7, "a" * 43])
def test_a_stage_of_any_other_name_is_a_sandbox_of_its_own(stage: object) -> None:
    """With the defaults of `dev`; the stack has the stage's name."""
    settings = read_settings({"STAGE": stage})

    assert settings.stack_name == f"robosignal-{stage}"
    assert structs.replace(settings, stage="dev") == read_settings({})


def test_a_stage_of_any_name_can_be_production() -> None:
    """By one setting, in its own object or on the command line."""
    by_object = read_settings({"STAGE": "prod-eu", "prod-eu": {"profile": "production"}})
    by_argument = read_settings({"STAGE": "prod-eu", "profile": "production"})

    assert by_object == by_argument
    assert structs.replace(by_object, stage="prod") == read_settings({"STAGE": "prod"})


def test_prod_can_be_a_sandbox_only_if_that_is_said() -> None:
    """Say, to take it away; an empty setting says nothing."""
    assert read_settings({"STAGE": "prod", "profile": ""}).is_production
    assert not read_settings({"STAGE": "prod", "profile": "sandbox"}).is_production


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("a" * 44, "may have at most 43 characters, not 44"),
        ("my-aws-robots", "Cognito refuses aws, amazon, cognito in 'my-aws-robots'"),
        ("AWS", "Cognito refuses aws, amazon, cognito in 'AWS'"),
    ],
)
def test_a_stage_that_cognito_cannot_have_in_a_domain_needs_a_prefix(stage: str, why: str) -> None:
    """Or CloudFormation would fail at it, after minutes; without sign-in pages there is none."""
    said = refusal(STAGE=stage)

    assert "sign_in_prefix is needed" in said
    assert why in said
    assert read_settings({"STAGE": stage, "sign_in_prefix": "drive"}).stage == stage
    assert read_settings({"STAGE": stage, "user_pool_id": "eu-central-1_A1"}).stage == stage


def test_cdks_own_keys_are_passed_over() -> None:
    """Feature flags and look-ups stand in the same context."""
    settings = read_settings({"@aws-cdk/core:x": True, "aws:cdk:y": "1", "availability:z": []})

    assert settings == read_settings({})


def test_the_users_own_defaults_for_other_projects_change_nothing() -> None:
    """CDK mixes them into every project's context; what the command line says still counts."""
    user = {"vpc": "vpc-1", "team": {"name": "x"}, "@aws-cdk/core:x": True}
    mixed = {"dev": {}, "team": "typed", "vpc": "vpc-1", "@aws-cdk/core:x": True, "STAGE": "dev"}

    kept = without_user_defaults(mixed, project={"dev": {}}, user=user)

    assert kept == {"dev": {}, "team": "typed", "@aws-cdk/core:x": True, "STAGE": "dev"}


@pytest.mark.parametrize("key", ["limits", "STAGE", "dev"])
def test_a_setting_among_the_users_own_defaults_is_refused(key: str) -> None:
    """It may be another project's, and it would shape this deployment unseen."""
    with pytest.raises(BadSettings, match=rf"{key} is in the context of ~/\.cdk\.json"):
        without_user_defaults({key: "off"}, project={"dev": {}, "prod": {}}, user={key: "off"})


def test_the_users_own_object_for_the_stage_is_refused() -> None:
    """CDK merges it with the project's, and it would shape this deployment unseen."""
    user = {"staging": {"memory_mb": 1024}}
    mixed = {"STAGE": "staging", "staging": {"memory_mb": 1024, "log_days": 7}}

    with pytest.raises(BadSettings, match=r"staging is in the context of ~/\.cdk\.json"):
        without_user_defaults(mixed, project={"staging": {"log_days": 7}}, user=user)


def test_an_unknown_key_is_refused_with_all_that_are_known() -> None:
    """A misspelt setting never passes for a default."""
    said = refusal(memory="1024")

    assert "memory is no setting" in said
    assert all(name in said for name in NAMES)


def test_the_stage_is_given_by_its_one_name() -> None:
    """`stage` is no other way to say `STAGE`."""
    assert "stage is no setting" in refusal(stage="prod")


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One error names every key that is wrong."""
    said = refusal(memory_mb="64", log_days=13, nonsense=1)

    assert [word in said for word in ("memory_mb", "log_days", "nonsense")] == [True] * 3


@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [
        ("STAGE", "my_stage", "1 to 117 letters, digits and hyphens, the first one no hyphen"),
        ("STAGE", "-c", "the first one no hyphen, not '-c'"),
        ("STAGE", "a" * 118, "1 to 117 letters"),
        ("STAGE", "a b", "1 to 117 letters"),
        ("STAGE", "", "1 to 117 letters"),
        ("STAGE", "é", "1 to 117 letters"),
        ("STAGE", "prod\n", "1 to 117 letters"),
        ("STAGE", "mfa", "STAGE must not be 'mfa', which is the name of a setting"),
        ("profile", "staging", "one of sandbox, production, not 'staging'"),
        ("dev", "small", "dev must be an object of settings"),
        ("memory_mb", "127", "a whole number from 128 to 10,240, not '127'"),
        ("memory_mb", 10_241, "a whole number from 128 to 10,240"),
        ("memory_mb", "lots", "a whole number from 128 to 10,240"),
        ("reserved_concurrency", "0", "a whole number from 1 to 100,000"),
        ("capacity", "some", "one of on-demand, provisioned"),
        ("log_days", "13", "one of 1, 7, 14, 30, 90, 180, 365, 731, 3653"),
        ("throttle_rate", "-1", "a whole number from 1 to 1,000,000"),
        ("alarm_email", "ops", "an e-mail address"),
        ("user_pool_id", "pool", "a user pool's id"),
        ("page_urls", "http://drive.example/", "an https URL"),
        ("page_urls", "https://drive.example/?next=x", "an https URL"),
        ("page_urls", 7, "a list of items"),
        ("turn_urls", "https://turn.example", "a turn: or turns: URL"),
        ("sign_in_prefix", "-drive", "1 to 63 of a to z"),
        ("max_viewers", "51", "a whole number from 0 to 50"),
        ("heartbeat_seconds", 5, "a whole number from 10 to 500"),
        ("claim_policy", "anybody", "first-come or provisioned"),
        ("ice_servers", "stun:a.example", "JSON list"),
        ("mfa", "sometimes", "one of required, optional"),
        ("lambda_runtime", "python2.7", "one of python3.11"),
    ],
)
def test_a_bad_value_is_refused_with_its_limits(key: str, value: object, limit: str) -> None:
    """The key is named, and what it may be."""
    said = refusal(**{key: value})

    assert key in said
    assert limit in said


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"capacity_min": 9, "capacity_max": 8}, "capacity_min is above capacity_max"),
        ({"user_pool_client_id": "abc"}, "needs the user_pool_id"),
        (
            {"user_pool_id": "r_A1", "sign_in_prefix": "a"},
            "sign_in_prefix is for this stack's own user pool",
        ),
        ({"lambda_runtime": "python3.11"}, "snapstart must be off"),
        ({"sign_in_prefix": "my-aws-robots"}, "sign_in_prefix must not contain aws, amazon"),
        ({"sign_in_prefix": "cognito1"}, "sign_in_prefix must not contain aws, amazon"),
        (
            {"ice_servers": [{"urls": f"stun:h{n}.example.org"} for n in range(100)]},
            "Lambda takes 4,096 in all, and the stack needs 1,024: shorten ice_servers",
        ),
        (
            {"more_audiences": ["x" * 100 + str(n) for n in range(40)]},
            "Lambda takes 4,096 in all, and the stack needs 1,024: shorten more_audiences",
        ),
        ({"page_urls": [f"https://a.example/{n}" for n in range(101)]}, "page_urls must be at"),
        ({"turn_urls": "turn:h:99999"}, "a port from 1 to 65535"),
        ({"ice_servers": [{"urls": "turn:h"}]}, "ice_servers entry 1: a TURN server needs"),
        ({"allowed_origins": "*"}, "allowed_origins must name each origin in full"),
        ({"page_urls": "https://d.example:99999/"}, "page_urls must have a port"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(
    context: dict[str, Any], said: str
) -> None:
    """Each is good alone."""
    assert said in refusal(**context)


def test_the_command_line_counts_before_the_stages_object() -> None:
    """`-c` is for this once; the object of a stage is for every deployment of it."""
    context = {
        "STAGE": "prod",
        "prod": {"memory_mb": 1024, "throttle_rate": 50},
        "memory_mb": "2048",
    }

    settings = read_settings(context)

    assert (settings.memory_mb, settings.throttle_rate) == (2048, 50)


@pytest.mark.parametrize("other", ["prod", "staging"])
def test_the_other_stages_object_does_not_count(other: str) -> None:
    """What it says is nothing to dev."""
    assert read_settings({other: {"memory_mb": 1024}}).memory_mb == Settings().memory_mb


def test_a_stage_of_any_name_may_have_an_object() -> None:
    """In `cdk.json`, as dev and prod have."""
    settings = read_settings({"STAGE": "staging", "staging": {"memory_mb": 1024}})

    assert settings.memory_mb == 1024


def test_a_list_is_written_with_commas_or_as_one() -> None:
    """On a command line, or in a file."""
    as_text = read_settings({"more_audiences": "page1, page2"})
    as_list = read_settings({"more_audiences": ["page1", "page2"]})

    assert as_text.more_audiences == as_list.more_audiences == ("page1", "page2")


def test_ice_servers_are_written_as_text_or_as_they_are() -> None:
    """The handler gets JSON text from both."""
    servers = [{"urls": ["stun:stun.example:3478"]}]

    settings = read_settings({"ice_servers": servers})

    assert settings.rules["ICE_SERVERS"] == '[{"urls":["stun:stun.example:3478"]}]'


def test_an_empty_value_is_the_default() -> None:
    """So that a Makefile may pass a variable that is not set."""
    assert read_settings({"memory_mb": "", "alarm_email": ""}) == read_settings({})


def test_in_production_only_the_sign_in_pages_connect() -> None:
    """Their origins are the only ones admitted, unless others are named."""
    pages = {"STAGE": "prod", "page_urls": "https://a.example/x, https://b.example/"}

    derived = read_settings(pages)
    named = read_settings({**pages, "allowed_origins": "https://c.example"})

    assert derived.rules["ALLOWED_ORIGINS"] == "https://a.example,https://b.example"
    assert named.rules["ALLOWED_ORIGINS"] == "https://c.example"


def test_pages_and_origins_are_kept_as_browsers_send_them() -> None:
    """Cognito compares the one, and the handler the other, character by character."""
    settings = read_settings(
        {
            "STAGE": "prod",
            "page_urls": "https://Drive.Example.com:443/Größe, https://müller.example/",
        }
    )
    named = read_settings({"allowed_origins": "https://D.example/,https://d.example:443"})

    assert settings.page_urls == (
        "https://drive.example.com/Gr%C3%B6%C3%9Fe",
        "https://xn--mller-kva.example/",
    )
    assert settings.rules["ALLOWED_ORIGINS"] == (
        "https://drive.example.com,https://xn--mller-kva.example"
    )
    assert named.rules["ALLOWED_ORIGINS"] == "https://d.example"


@pytest.mark.parametrize("name", TYPES)
def test_every_setting_can_say_what_it_may_be(name: str) -> None:
    """In words, for the page and for the error."""
    words = describe_type(TYPES[name])

    assert words
    assert not get_args(words)
    assert "None" not in words


POOL_ELSEWHERE = {"user_pool_id": "us-west-2_Xyz789"}


def test_a_client_cannot_be_made_in_a_pool_of_another_region() -> None:
    """CloudFormation would fail at it, after minutes."""
    with pytest.raises(BadSettings) as refused:
        read_settings(POOL_ELSEWHERE, "eu-central-1")

    assert "user_pool_client_id is needed" in str(refused.value)
    assert "us-west-2" in str(refused.value)


@pytest.mark.parametrize(
    ("more", "region"),
    [
        ({"user_pool_client_id": "abc"}, "eu-central-1"),
        ({}, "us-west-2"),
        ({}, None),
    ],
    ids=["a client is named", "its own Region", "an unknown Region"],
)
def test_a_pool_is_taken_where_its_client_can_be(more: dict[str, str], region: str | None) -> None:
    """With a client of its own it may be anywhere."""
    settings = read_settings(POOL_ELSEWHERE | more, region)

    assert settings.user_pool_id == "us-west-2_Xyz789"
