"""Whole devices that meet over real sockets: the engine's tests, once for each start of its writer."""

from writer_starts import pytest_generate_tests, writer_start  # noqa: F401 (for the tests)
