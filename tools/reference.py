"""Writes what the reference pages take from the code: the errors, and the commands' arguments.

`python -m tools.reference` puts each between its page's marks; a test holds the pages to it.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from robosignal.cli.main import COMMANDS, import_command
from robosignal.protocol.errors import SignalingError

PAGES = Path("docs/reference")


def errors() -> str:
    """Return the table of the protocol's errors: code, status, cause and remedy."""
    rows = [
        (f"`{kind.code}`", str(kind.status), _cause(kind), kind.remedy)
        for kind in SignalingError.__subclasses__()
    ]
    return _table(("code", "status", "when", "do"), rows)


def _cause(kind: type[SignalingError]) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def commands() -> str:
    """Return a section for each command: what it is for, how it is called, its arguments."""
    return "\n".join(_command(name) for name in COMMANDS)


def _command(name: str) -> str:
    _, purpose = COMMANDS[name]
    parser = argparse.ArgumentParser(add_help=False)
    import_command(name).add_arguments(parser)
    return "\n".join(_sections(name, purpose, parser))


def _sections(name: str, purpose: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a command's section, and then one for each command below it."""
    every = parser._actions  # noqa: SLF001 - argparse has no public way to list them
    below = [each for each in every if isinstance(each, argparse._SubParsersAction)]  # noqa: SLF001 - as above
    arguments = [each for each in every if each not in below and each.dest != "help"]
    usage = _fold([f"robosignal {name}", *_usage(parser, arguments)])
    table = _table(("argument", "meaning"), [_row(each) for each in arguments])
    head = f"## robosignal {name}\n\n{purpose[0].upper()}{purpose[1:]}."
    yield f"{head}\n\n```text\n{usage}\n```\n\n{table}"
    for action in below:
        for choice in action._choices_actions:  # noqa: SLF001 - as above
            chosen: argparse.ArgumentParser = action.choices[choice.dest]
            yield from _sections(f"{name} {choice.dest}", str(choice.help), chosen)


def _usage(parser: argparse.ArgumentParser, arguments: Iterable[argparse.Action]) -> Iterator[str]:
    exclusive = [each._group_actions for each in parser._mutually_exclusive_groups]  # noqa: SLF001 - as above
    for each in sorted(arguments, key=lambda action: not action.option_strings):
        (group,) = [found for found in exclusive if each in found] or [[each]]
        text = " | ".join(map(_spell, group))
        is_needed = each.required and each.nargs != "?"
        if each is group[0]:
            yield text if is_needed else f"[{text}]"


def _spell(argument: argparse.Action) -> str:
    name = ", ".join(argument.option_strings)
    value = str(argument.metavar or argument.dest.upper())
    return name if argument.nargs == 0 else f"{name} {value}".strip()


def _row(argument: argparse.Action) -> tuple[str, str]:
    required = "required; " if argument.required and argument.option_strings else ""
    return f"`{_spell(argument)}`", required + (argument.help or "") % vars(argument)


def _fold(parts: list[str], width: int = 88) -> str:
    """Return a usage in lines, each a whole number of arguments."""
    lines = parts[:1]
    for part in parts[1:]:
        if len(lines[-1]) + 1 + len(part) > width:
            lines.append(f"    {part}")
        else:
            lines[-1] += f" {part}"
    return "\n".join(lines)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


BLOCKS: dict[str, Callable[[], str]] = {"errors": errors, "commands": commands}
"""By the name of page and mark, what is between the marks."""


def render(name: str) -> str:
    """Return a page's text with its block as the code has it. Raise ValueError without marks."""
    before = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    block = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- end of {name} -->)", re.DOTALL)
    if not block.search(before):
        raise ValueError(f"{name}.md has no marks for its block")
    return block.sub(lambda _: f"\n{BLOCKS[name]()}\n", before)


def main() -> int:
    """Rewrite every page."""
    for name in BLOCKS:
        (PAGES / f"{name}.md").write_text(render(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
