"""Reads CDK's context into Settings, refusing what it does not know with what it does.

Owns how settings are written and judged together; must never know a resource.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import quote

import msgspec
from msgspec import Meta, structs

from robosignal.server.identity.carriers import NO_ORIGIN, canonical_origin
from robosignal.server.settings import BadEnvironment, read_options
from stacks.settings import DEFAULTS, Settings, region_of

TYPES: dict[str, Any] = {field.name: field.type for field in structs.fields(Settings)}
NAMES = ("STAGE", *sorted(TYPES.keys() - {"stage"}))
"""Every key that the context may have, besides the stages' own objects."""


class BadSettings(Exception):
    """The context cannot be used. The text names every key that is wrong, and its limits."""

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__("these settings cannot be used:\n  " + "\n  ".join(problems))


def read_settings(context: Mapping[str, Any], region: str | None = None) -> Settings:
    """Return the settings that this context asks for.

    What stands in the context itself counts before what stands in its object `dev` or `prod`,
    and that before the defaults. `region` is where the stack goes, None if that is not known.
    Raise BadSettings naming all that is wrong at once.
    """
    own = {key: value for key, value in context.items() if _is_ours(key)}
    stage = own.pop("STAGE", "dev")
    by_stage = {name: own.pop(name, {}) for name in DEFAULTS}
    problems = list(_wrong_stages(stage, by_stage))
    if problems:
        raise BadSettings(problems)
    values = _values(DEFAULTS[stage] | by_stage[stage] | own)
    return _check(Settings(stage=stage, **values), region)


def without_user_defaults(
    context: Mapping[str, Any], *, project: Mapping[str, Any], user: Mapping[str, Any]
) -> dict[str, Any]:
    """Return CDK's context without what `~/.cdk.json` adds to it for all the user's projects.

    `project` is the context of this project's `cdk.json`, `user` that of `~/.cdk.json`, which
    CDK has mixed into `context` already. Keys of other projects are left out. Raise BadSettings
    for a key that is a setting here: it may be meant for another project as well.
    """
    added = {
        key: value
        for key, value in user.items()
        if (key in DEFAULTS or key not in project) and _is_ours(key)
    }
    settings = [key for key in added if key in NAMES or key in DEFAULTS]
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


def _wrong_stages(stage: object, by_stage: Mapping[str, object]) -> Iterator[str]:
    if stage not in DEFAULTS:
        yield f"STAGE must be one of {', '.join(DEFAULTS)}, not {stage!r}"
    for name, value in by_stage.items():
        if not isinstance(value, Mapping):
            yield f"{name} must be an object of settings, not {value!r}"


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return these settings in their right types; an empty one counts as not given."""
    values: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        if key not in NAMES:
            problems.append(f"{key} is no setting. There are: {', '.join(NAMES)}")
        elif value not in ("", None):
            try:
                values[key] = _converted(value, TYPES[key])
            except msgspec.ValidationError:
                problems.append(f"{key} must be {described(TYPES[key])}, not {value!r}")
    if problems:
        raise BadSettings(problems)
    return values


def _converted(value: Any, wanted: Any) -> Any:
    """Return the value as it must be, whether it came from a file or from a command line."""
    if get_origin(wanted) is tuple:
        if isinstance(value, str):
            value = [item.strip() for item in value.split(",")]
    elif _is_text(wanted) and not isinstance(value, str):
        value = msgspec.json.encode(value).decode()
    return msgspec.convert(value, wanted, strict=False)


def _is_text(wanted: Any) -> bool:
    return any(
        get_origin(part) is Annotated and part.__origin__ is str for part in get_args(wanted)
    )


def described(wanted: Any) -> str:
    """Return in words what a setting of this type may be."""
    if get_origin(wanted) is tuple:
        return f"a list of items, each {described(get_args(wanted)[0])}"
    if get_origin(wanted) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(wanted))
    if get_origin(wanted) is Annotated:
        return _limits(wanted.__metadata__[0])
    return next(described(part) for part in get_args(wanted) if part is not type(None))


def _limits(meta: Meta) -> str:
    if meta.ge is not None:
        return f"a whole number from {meta.ge:,} to {meta.le:,}"
    return str(meta.description)


def _check(settings: Settings, region: str | None) -> Settings:
    """Return the settings if they fit each other, and the handler. Raise BadSettings if not."""
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
    """Return the handler's environment as far as it can be judged before it is deployed."""
    if not settings.turn_urls:
        return settings.rules
    # Which secret it will be matters to no check.
    return settings.rules | {"TURN_URLS": ",".join(settings.turn_urls), "TURN_SECRET": "-"}


def _canonical_page(url: str) -> str:
    """Return a page's URL as a browser has it in `location`, and so as `redirect_uri`."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return canonical_origin(f"{scheme}://{host}") + slash + quote(path, PATH_CHARACTERS)


PATH_CHARACTERS = "/%:@!$&'()*+,;=~"
"""Besides letters, digits and `_.-`, what a browser leaves as it is in a path."""


RESERVED_WORDS = ("aws", "amazon", "cognito")
"""Not in a Cognito domain's prefix (Cognito guide, "Configuring a user pool domain")."""

PAGE_URLS = 100
"""Callback URLs of an app client (CreateUserPoolClient, CallbackURLs)."""

ENVIRONMENT_BYTES = 4_096
"""All variables of a function together (Lambda quotas)."""

OWN_BYTES = 1_024
"""Of which names of tables, addresses and ids take a part that only a deployment knows."""


TOO_LARGE = (
    "the function's environment would have {size:,} bytes of settings. Lambda takes "
    f"{ENVIRONMENT_BYTES:,} in all, and the stack needs {OWN_BYTES:,}: shorten {{longest}}"
)


def _environment_values(settings: Settings) -> dict[str, str]:
    """Return each setting that fills the function's environment, as it is written there."""
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
        "sign_in_prefix names the sign-in pages of this stack's own pool, and user_pool_id another",
    )
    prefix = settings.sign_in_prefix or ""
    yield (
        not any(word in prefix for word in RESERVED_WORDS),
        f"sign_in_prefix must not contain {', '.join(RESERVED_WORDS)}: Cognito refuses {prefix!r}",
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
            f"stack in {region} cannot make a client. Make one there, and name it"
        )


def _with_origins(settings: Settings) -> Settings:
    """Let only the sign-in pages' origins connect in prod, unless others are named.

    Without any of these no page may: what is not named is refused, not allowed.
    """
    given = settings.allowed_origins
    if not settings.is_prod and not given:
        return settings
    if not given:
        given = tuple(url[: url.index("/", url.index("//") + 2)] for url in settings.page_urls)
    if given == (NO_ORIGIN,) or not given:
        return structs.replace(settings, allowed_origins=(NO_ORIGIN,))
    origins = tuple(dict.fromkeys(map(canonical_origin, given)))
    return structs.replace(settings, allowed_origins=origins)
