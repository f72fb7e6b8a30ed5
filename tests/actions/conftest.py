"""What the tests of the actions share: a Home Assistant of the test's own, and charge points that are hung up."""

from tests.entities.conftest import dial, own_folder, right_clock

__all__ = ["dial", "own_folder", "right_clock"]
