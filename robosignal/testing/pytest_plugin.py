"""A pytest plugin with one fixture, `robosignal_backend`.

Turn it on in your `conftest.py`: `pytest_plugins = ["robosignal.testing.pytest_plugin"]`. It is no
entry point, so installing robosignal changes nothing for a project that does not ask for it.
"""

from collections.abc import Iterator

import pytest

from robosignal.testing.backend import LocalBackend


@pytest.fixture
def robosignal_backend() -> Iterator[LocalBackend]:
    """Yield a backend of the test's own, with default settings. It runs in a thread.

    The test may be synchronous, or run on any event loop. For other settings, or to share one
    among tests, write a fixture of your own around `LocalBackend`.
    """
    with LocalBackend() as backend:
        yield backend
