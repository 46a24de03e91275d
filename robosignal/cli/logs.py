"""Log lines for a terminal: the message, then the record's own fields as key=value.

On AWS the runtime writes the same records as JSON.
"""

import logging

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUOTED = frozenset(" '\"=\\")


class Lines(logging.Formatter):
    """Writes a record in one line, whatever it contains."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message and the record's own fields.

        A value that is not one plain word is quoted, so none can look like a line or a field of
        its own. Lists are left out: they are for programs.
        """
        said = super().format(record)
        beside = (
            f"{name}={_quote(str(value))}"
            for name, value in vars(record).items()
            if name not in _PLAIN and value is not None and not isinstance(value, list)
        )
        return " ".join((said, *beside))


def _quote(value: str) -> str:
    plain = value and value.isprintable() and not set(value) & _QUOTED
    return value if plain else ascii(value)
