"""Makes this folder, and not the one that the test package brings, the one that Home Assistant loads from."""
