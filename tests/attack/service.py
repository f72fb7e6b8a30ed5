"""Promises of service, judged where everything is well and has been for a while: 2, 4, 5 and 6."""

from __future__ import annotations

from custom_components.charge_cluster.engine.model import MeterScope, Reason, SiteModel
from custom_components.charge_cluster.site.proof import model_of
from custom_components.charge_cluster.site.settings import ConnectorWish

from . import happenings
from .judge import Fault
from .posts import Post
from .stores import Socket
from .world import World

SETTLES_S = 150.0
"""What cars leave over is given to others 60 s later, small raises come 30 s after a change, places 60 s later."""
WATCHED_S = 40.0
SLACK_A = 1.5
"""A vehicle that was just paused needs 1 A more to come back; the rest is for whole steps."""


def calm(world: World, away_s: float) -> None:
    """Make everything well and judge the service."""
    world.at_once(mend)
    for post in world.posts.values():
        happenings.add_point(world, post)
    world.run(SETTLES_S)
    if any(settings.circuit_id in world.judge.stale_since for settings in world.settings.meters):
        raise Fault(story=f"a meter that is well is not heard\n{world.picture()}")
    wanting = [(post, socket) for post, socket in world.sockets if _wants(world, post, socket)]
    # A car that has had enough is not told of by its post, and keeps its place.
    fits = not tight_rows(world, {socket.key for _, socket in world.sockets if socket.transaction is not None})
    _judge_staleness(world)
    if not fits:
        world.run(5.0)
        return
    before = world.diary.changes
    world.run(WATCHED_S)
    changes = world.diary.changes - before
    if changes > len(world.sockets):
        raise Fault(story=f"promise 2: {changes} limits changed in {WATCHED_S} s of constant load\n{world.picture()}")
    for _post, socket in wanting:
        car = socket.outlet.car
        if car is not None and not car.sated and max(socket.outlet.drawn) < 6.0 - 0.01:
            raise Fault(
                story=f"promise 5: {socket.outlet_id} draws {max(socket.outlet.drawn):.1f} A, though the minima fit"
                f"\n{world.picture()}"
            )
    if away_s:
        _judge_restart(world, wanting, away_s)


def mend(world: World) -> None:
    """Make everything well, and let everybody want what they want."""
    happenings.heal(world)
    for _, socket in world.sockets:
        happenings.draw_at_most(world, socket, None)
        happenings.wish(world, socket, ConnectorWish())


def tight_rows(world: World, wanting: set[str]) -> list[tuple[str, int]]:
    """Return the phases of circuits where the minima of all do not fit surely."""
    model = model_of(world.settings, {})
    tight = []
    for circuit_id, circuit in model.circuits.items():
        meter = next((m for m in world.settings.meters if m.circuit_id == circuit_id), None)
        declared = circuit.declared_base_load_a or (0.0, 0.0, 0.0)
        base = declared
        if meter is not None and meter.scope is not MeterScope.EVS_ONLY:
            base = world.truth.base_load(circuit_id)
        elif circuit_id in world.circuits and world.judge.lost_its_meter(circuit_id):
            base = circuit.rating_a
        if meter is not None and meter.scope is not MeterScope.ALL_BUT_EVS:
            lost = _drawn_nowhere_for_sure(world, model, circuit_id)
            base = (base[0] + lost, base[1] + lost, base[2] + lost)
        foreign = world.judge.foreign_a(circuit_id) if circuit_id in world.circuits else (0.0, 0.0, 0.0)
        for phase in (0, 1, 2):
            needed = base[phase] + foreign[phase] + circuit.margin_a[phase] + SLACK_A
            for key, connector in model.connectors.items():
                if phase in connector.phases and circuit_id in model.paths[connector.circuit_id]:
                    needed += max(6.0, connector.fallback_a) if key in wanting else connector.fallback_a
            if needed > circuit.rating_a[phase]:
                tight.append((circuit_id, phase))
    return tight


def _drawn_nowhere_for_sure(world: World, model: SiteModel, circuit_id: str) -> float:
    """Return what is drawn on phases that nobody knows: where the meter shows it, it passes for base load."""
    lost = 0.0
    for _, socket in world.sockets:
        connector = model.connectors.get(socket.key)
        if connector is not None and connector.rotation is None and circuit_id in model.paths[connector.circuit_id]:
            drawn = world.judge.drawn_of(socket)
            lost += max(drawn) - min(drawn)
    return lost


def _wants(world: World, post: Post, socket: Socket) -> bool:
    car = socket.outlet.car
    return car is not None and not car.sated and socket.transaction is not None and post.name not in world.removed_at


def _judge_staleness(world: World) -> None:
    """Promise 4: nobody waits for a meter that is well."""
    for key, view in world.site.connectors.items():
        if view.reason is Reason.METER_STALE and not _has_lost_meter(world):
            raise Fault(story=f"promise 4: {key} waits for a meter that is well\n{world.picture()}")


def _has_lost_meter(world: World) -> bool:
    return any(view.stale for view in world.site.circuits.values())


def _judge_restart(world: World, wanting: list[tuple[Post, Socket]], away_s: float) -> None:
    """Promise 6: a restart that is shorter than the validity changes nothing for the cars."""
    before = {socket.outlet_id: max(socket.outlet.drawn) for _, socket in wanting}
    happenings.restart(world, away_s, orderly=True, memory=0)
    for _ in range(60):
        world.run(0.5)
        for _, socket in wanting:
            car = socket.outlet.car
            if car is None or car.sated:
                continue
            drawn, was = max(socket.outlet.drawn), before[socket.outlet_id]
            if drawn < min(was, 6.0) - 0.01 or drawn < was - 2.01:
                raise Fault(
                    story=f"promise 6: {socket.outlet_id} drew {was:.1f} A before a restart of {away_s} s and"
                    f" {drawn:.1f} A after it\n{world.picture()}"
                )
