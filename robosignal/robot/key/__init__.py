"""The robot's own key: its file, what it signs, and how a code lets it in."""
