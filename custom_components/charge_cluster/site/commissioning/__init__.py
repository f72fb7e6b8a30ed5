"""Commissioning: guided tests of charge points and meters against the truth of the wires, and what they found."""
