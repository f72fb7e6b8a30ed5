"""The demo: a simulated car park beside a real Home Assistant, with the integration set up as a person would do it.

Everything here stands outside: it drives Home Assistant through its own web interfaces, and plays the car park with the
`simulator` package. The end-to-end tests use the same parts.
"""
