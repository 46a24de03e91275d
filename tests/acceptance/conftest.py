"""Fixtures that belong to other tests' files and are needed here too."""

from tests.server.test_handler import jwks

__all__ = ["jwks"]
