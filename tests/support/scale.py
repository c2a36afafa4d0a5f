"""How long and how large tests are: CI runs each for seconds, and `make faults` with MEMORY_TEST_SCALE=10."""

import os

from hypothesis import settings

SCALE = float(os.environ.get("MEMORY_TEST_SCALE", "1"))
"""Factor by which tests are longer and larger than in CI."""


def examples(count: int) -> settings:
    """Return the settings of a property-based test that makes calls: `count` examples in CI."""
    return settings(max_examples=round(count * SCALE))
