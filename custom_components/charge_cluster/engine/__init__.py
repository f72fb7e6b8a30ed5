"""Decisions about current as pure functions.

Nothing here knows Home Assistant, a socket, a file or a clock: facts and time come in, decisions go out. The same code
runs live, in a replay with a virtual clock, in the planner and in the benchmarks.
"""
