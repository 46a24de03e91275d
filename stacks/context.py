"""Reads CDK's context into Settings, and refuses what cannot be used, naming the limits."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import quote

import msgspec
from msgspec import Meta, structs

from robosignal.server.identity.carriers import NO_ORIGIN, canonicalize_origin
from robosignal.server.settings import BadEnvironment, read_options
from stacks.settings import DEFAULTS, STACK_PREFIX, Settings, default_profile, region_of

TYPES: dict[str, Any] = {field.name: field.type for field in structs.fields(Settings)}
NAMES = ("STAGE", *sorted(TYPES.keys() - {"stage"}))
"""Every key that the context may have, besides the objects of stages."""


class BadSettings(Exception):
    """The context cannot be used. The text names every key that is wrong, and its limits."""

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__("these settings cannot be used:\n  " + "\n  ".join(problems))


def read_settings(context: Mapping[str, Any], region: str | None = None) -> Settings:
    """Return the settings that this context asks for.

    A setting in the context itself overrides the same one in the stage's object, which is in the
    context under the stage's name, and that one overrides the profile's default. `region` is
    where the stack goes, None if that is not known. Raise BadSettings naming all that is wrong.
    """
    own = {key: value for key, value in context.items() if _is_ours(key)}
    stage = _read_stage(own.pop("STAGE", "dev"))
    of_stage = own.pop(stage, {})
    if not isinstance(of_stage, Mapping):
        raise BadSettings([f"{stage} must be an object of settings, not {of_stage!r}"])
    # No setting is an object, so an object is another stage's.
    given = {**of_stage, **{key: each for key, each in own.items() if not _is_object(each)}}
    profile = given.get("profile") or default_profile(stage)
    values = _read_values(DEFAULTS.get(profile, {}) | given | {"profile": profile})
    return _check(Settings(stage=stage, **values), region)


def _read_stage(stage: Any) -> str:
    """Return the stage's name. Raise BadSettings if it cannot be one."""
    try:
        name: str = _convert(stage, TYPES["stage"])
    except msgspec.ValidationError:
        problem = f"STAGE must be {describe_type(TYPES['stage'])}, not {stage!r}"
        raise BadSettings([problem]) from None
    if name in NAMES:
        raise BadSettings([f"STAGE must not be {name!r}, which is the name of a setting"])
    return name


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping)


def without_user_defaults(
    context: Mapping[str, Any], *, project: Mapping[str, Any], user: Mapping[str, Any]
) -> dict[str, Any]:
    """Return CDK's context without what `~/.cdk.json` adds to it for all the user's projects.

    `project` is the context of this project's `cdk.json`, `user` that of `~/.cdk.json`, which
    CDK has mixed into `context` already. Keys of other projects are left out. Raise BadSettings
    for a key that is a setting here, or the stage's name: it may be meant for another project.
    """
    stage = context.get("STAGE", "dev")
    # CDK merges objects, so one that the project has as well holds the user's keys too.
    added = {
        key: value
        for key, value in user.items()
        if (key not in project or key == stage or _is_object(value)) and _is_ours(key)
    }
    settings = [key for key in added if key in NAMES or key == stage]
    if settings:
        raise BadSettings(
            f"{key} is in the context of ~/.cdk.json, which all your CDK projects read: "
            "take it out there, and put it into cdk.json or behind -c"
            for key in settings
        )
    return {key: value for key, value in context.items() if added.get(key, _ABSENT) != value}


_ABSENT = object()


def _is_ours(key: str) -> bool:
    """Tell a setting from CDK's own keys: `@aws-cdk/…`, `aws:cdk:…` and the like."""
    return not key.startswith("@") and ":" not in key


def _read_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return these settings converted to their types. An empty one counts as not given."""
    values: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        if key not in NAMES:
            problems.append(f"{key} is no setting. There are: {', '.join(NAMES)}")
        elif value not in ("", None):
            try:
                values[key] = _convert(value, TYPES[key])
            except msgspec.ValidationError:
                problems.append(f"{key} must be {describe_type(TYPES[key])}, not {value!r}")
    if problems:
        raise BadSettings(problems)
    return values


def _convert(value: Any, wanted: Any) -> Any:
    """Return the value in its type, whether it came from a file or from a command line."""
    if get_origin(wanted) is tuple:
        if isinstance(value, str):
            value = [item.strip() for item in value.split(",")]
    elif _is_text(wanted) and not isinstance(value, str):
        value = msgspec.json.encode(value).decode()
    return msgspec.convert(value, wanted, strict=False)


def _is_text(wanted: Any) -> bool:
    return any(
        get_origin(part) is Annotated and part.__origin__ is str
        for part in (wanted, *get_args(wanted))
    )


def describe_type(wanted: Any) -> str:
    """Return a description of what a setting of this type may be."""
    if get_origin(wanted) is tuple:
        return f"a list of items, each {describe_type(get_args(wanted)[0])}"
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(wanted))
    if get_origin(wanted) is Annotated:
        return _limits(wanted.__metadata__[0])
    return next(describe_type(part) for part in get_args(wanted) if part is not type(None))


def _limits(meta: Meta) -> str:
    if meta.ge is not None:
        return f"a whole number from {meta.ge:,} to {meta.le:,}"
    return str(meta.description)


def _check(settings: Settings, region: str | None) -> Settings:
    """Return the settings if they fit together, and suit the handler. Raise BadSettings if not."""
    problems = [sentence for holds, sentence in _agreements(settings) if not holds]
    problems += _wrong_region(settings, region)
    try:
        read_options(_environment(settings))
    except BadEnvironment as error:
        names = (problem.partition(" ") for problem in error.problems)
        problems += [f"{name.lower()} {rest}" for name, _, rest in names]
    try:
        pages = tuple(dict.fromkeys(map(_canonical_page, settings.page_urls)))
    except ValueError as error:
        problems.append(f"page_urls {error}")
    if problems:
        raise BadSettings(problems)
    return _with_origins(structs.replace(settings, page_urls=pages))


def _environment(settings: Settings) -> dict[str, str]:
    """Return the handler's environment as far as it can be checked before it is deployed."""
    if not settings.turn_urls:
        return settings.rules
    # No check looks at the secret itself.
    return settings.rules | {"TURN_URLS": ",".join(settings.turn_urls), "TURN_SECRET": "-"}


def _canonical_page(url: str) -> str:
    """Return a page's URL as a browser has it in `location`, and so as `redirect_uri`."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return canonicalize_origin(f"{scheme}://{host}") + slash + quote(path, PATH_CHARACTERS)


PATH_CHARACTERS = "/%:@!$&'()*+,;=~"
"""Besides letters, digits and `_.-`, what a browser leaves as it is in a path."""


RESERVED_WORDS = ("aws", "amazon", "cognito")
"""Refused in a Cognito domain's prefix (Cognito guide, "Configuring a user pool domain")."""

STACK_SUFFIX_CHARACTERS = len("-01234567")
"""What ends the default prefix: eight characters of the stack's id."""

DEFAULT_PREFIX_STAGE_CHARACTERS = 63 - len(STACK_PREFIX) - STACK_SUFFIX_CHARACTERS
"""A prefix has at most 63 characters (CreateUserPoolDomain, Domain)."""

PAGE_URLS = 100
"""Callback URLs of an app client (CreateUserPoolClient, CallbackURLs)."""

ENVIRONMENT_BYTES = 4_096
"""All variables of a function together (Lambda quotas)."""

OWN_BYTES = 1_024
"""The part for names of tables, addresses and ids, which are known only once deployed."""


NEEDS_PREFIX = "sign_in_prefix is needed: the default one has STAGE in it, and"

TOO_LARGE = (
    "the function's environment would have {size:,} bytes of settings. Lambda takes "
    f"{ENVIRONMENT_BYTES:,} in all, and the stack needs {OWN_BYTES:,}: shorten {{longest}}"
)


def _environment_values(settings: Settings) -> dict[str, str]:
    """Return each setting that goes into the function's environment, as it is written there."""
    sized = {name.lower(): value for name, value in _environment(settings).items()}
    return sized | {"more_audiences": ",".join(settings.more_audiences)}


def _environment_bytes(settings: Settings) -> int:
    return sum(
        len(name) + len(value.encode()) for name, value in _environment_values(settings).items()
    )


def _longest(settings: Settings) -> str:
    sized = _environment_values(settings)
    return max(sized, key=lambda name: len(sized[name]))


def _agreements(settings: Settings) -> Iterator[tuple[bool, str]]:
    own_pool = settings.user_pool_id is None
    yield settings.capacity_min <= settings.capacity_max, "capacity_min is above capacity_max"
    yield (
        not own_pool or not settings.user_pool_client_id,
        "user_pool_client_id needs the user_pool_id that it belongs to",
    )
    yield (
        own_pool or not settings.sign_in_prefix,
        "sign_in_prefix is for this stack's own user pool, but user_pool_id names another pool",
    )
    prefix = settings.sign_in_prefix or ""
    yield (
        not any(word in prefix for word in RESERVED_WORDS),
        f"sign_in_prefix must not contain {', '.join(RESERVED_WORDS)}: Cognito refuses {prefix!r}",
    )
    has_default_prefix = own_pool and settings.page_urls and not prefix
    yield (
        not has_default_prefix or len(settings.stage) <= DEFAULT_PREFIX_STAGE_CHARACTERS,
        (
            f"{NEEDS_PREFIX} that may have at most {DEFAULT_PREFIX_STAGE_CHARACTERS} characters, "
            f"not {len(settings.stage)}"
        ),
    )
    yield (
        not has_default_prefix or not any(w in settings.stage.lower() for w in RESERVED_WORDS),
        f"{NEEDS_PREFIX} Cognito refuses {', '.join(RESERVED_WORDS)} in {settings.stage!r}",
    )
    yield (
        len(settings.page_urls) <= PAGE_URLS,
        f"page_urls must be at most {PAGE_URLS}, as many as a Cognito client takes",
    )
    size = _environment_bytes(settings)
    yield (
        size <= ENVIRONMENT_BYTES - OWN_BYTES,
        TOO_LARGE.format(size=size, longest=_longest(settings)),
    )
    yield (
        settings.snapstart == "off" or settings.lambda_runtime != "python3.11",
        "snapstart must be off, or lambda_runtime at least python3.12",
    )


def _wrong_region(settings: Settings, region: str | None) -> Iterator[str]:
    pool = settings.user_pool_id
    if pool is None or settings.user_pool_client_id or region is None:
        return
    # CloudFormation makes what is in a pool only in the pool's own Region.
    if region_of(pool) != region:
        yield (
            f"user_pool_client_id is needed: the pool {pool} is in {region_of(pool)}, where this "
            f"stack in {region} cannot make a client. Make one there, and give its id"
        )


def _with_origins(settings: Settings) -> Settings:
    """In production, allow only the origins of the sign-in pages, unless others are given.

    If there are neither, no page may connect: what is not listed is refused.
    """
    given = settings.allowed_origins
    if not settings.is_production and not given:
        return settings
    if not given:
        given = tuple(url[: url.index("/", url.index("//") + 2)] for url in settings.page_urls)
    if given == (NO_ORIGIN,) or not given:
        return structs.replace(settings, allowed_origins=(NO_ORIGIN,))
    origins = tuple(dict.fromkeys(map(canonicalize_origin, given)))
    return structs.replace(settings, allowed_origins=origins)
