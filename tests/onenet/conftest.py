"""The API client needs no Home Assistant, and neither do its tests."""

import pytest


@pytest.fixture(autouse=True)
def _custom_integration() -> None:
    """Start none."""
