"""The tests of automations stand on what those of the controls do: real charge points, hung up in time."""

from tests.entities.conftest import dial, own_folder, right_clock

__all__ = ["dial", "own_folder", "right_clock"]
