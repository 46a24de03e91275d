"""Log lines for a terminal: the sentence, then what was logged beside it as key=value.

On AWS the runtime writes the same records as JSON; this is for people who watch one machine.
"""

import logging

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """Writes a record in one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the sentence and the record's own fields; none of them can begin a new line."""
        said = super().format(record)
        beside = (
            f"{name}={str(value)!a}" if not str(value).isprintable() else f"{name}={value}"
            for name, value in vars(record).items()
            if name not in _PLAIN and value is not None
        )
        return " ".join((said, *beside))
