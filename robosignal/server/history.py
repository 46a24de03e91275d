"""The history of a deployment that keeps none: its audit log has all that there is."""

from robosignal.protocol.errors import NoHistory
from robosignal.server.core.intervals import Line
from robosignal.server.core.steps import HistoryPage, ReadHistory


class NotKept:
    """Implements `robosignal.server.ports.History` where the audit log alone tells of sessions."""

    def note(self, line: Line) -> None:
        """Do nothing: the line is in the audit log."""

    def read(self, query: ReadHistory) -> HistoryPage:
        """Raise NoHistory, which says where the history is."""
        raise NoHistory(query.robot_id)
