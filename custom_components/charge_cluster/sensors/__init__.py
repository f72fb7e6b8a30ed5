"""Sensors: what is measured, decided and counted, a module for each kind of thing that has them."""
