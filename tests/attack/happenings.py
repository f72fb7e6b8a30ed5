"""What may happen to a site, in any order: each happening changes the truth and notes what it excuses.

An excuse is given only for what cannot be known beforehand: a jump of a base load that a meter guards, a post that does
not do what it says. Everything else (lost calls, power cuts, restarts, reconfiguration) excuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps
from custom_components.charge_cluster.site.proof import check
from custom_components.charge_cluster.site.settings import CircuitSettings, ConnectorWish, SiteSettings

from .judge import RISES_LATE_S, RUNS_OUT_S, Fault
from .posts import Link, Mood, Post
from .stores import Socket
from .world import CarSpec, World

type Memory = int | None
"""How many flushes ago the disk was written last; None: lost."""


def plug(world: World, post: Post, socket: Socket, car: CarSpec, starts_after_s: float) -> None:
    """Plug a car in, where none is."""
    if socket.outlet.car is None and post.name not in world.removed_at:
        world.disturb(f"plug {socket.outlet_id} {car.phases} phases {car.maximum_a} A after {car.reaction_s} s")
        world.truth.plug(socket.outlet_id, car)
        post.plugged(socket, starts_after_s)


def unplug(world: World, post: Post, socket: Socket) -> None:
    """Pull a plug."""
    if socket.outlet.car is not None:
        world.disturb(f"unplug {socket.outlet_id}")
        world.truth.unplug(socket.outlet_id)
        post.unplugged(socket)


def draw_at_most(world: World, socket: Socket, amps: float | None) -> None:
    """Have a car take less than it is offered, nothing at all, or all that it can again (None)."""
    car = socket.outlet.car
    if car is not None:
        world.disturb(f"{socket.outlet_id} draws at most {amps}")
        car.spec = replace(car.spec, draws_at_most_a=amps)


def take_mood(world: World, post: Post, mood: Mood, late_s: float) -> None:
    """Change how a post takes orders."""
    world.disturb(f"{post.name} {mood}, {late_s} s late")
    if Mood.OBEYS not in (mood, post.mood):
        post.mood = Mood.OBEYS
    if mood in (Mood.IGNORES, Mood.WILD):
        for socket in post.sockets.values():
            socket.changes.clear()
    if mood is Mood.OBEYS and post.mood in (Mood.IGNORES, Mood.WILD):
        for socket in post.sockets.values():
            socket.truth.limit, socket.truth.start_limit = socket.word.limit, socket.word.start_limit
            socket.truth.fallback_a = socket.word.fallback_a
    post.mood, post.late_s = mood, late_s
    post.troubled()


def break_link(world: World, post: Post, link: Link) -> None:
    """Break the way to a post."""
    if post.link is Link.UP:
        world.disturb(f"{post.name} link {link}")
        post.break_link(link)


def reconnect(world: World, post: Post) -> None:
    """Have a post dial in."""
    if post.link is not Link.UP and post.powered and world.host_up:
        world.disturb(f"{post.name} dials in")
        post.connect()


def cut_power(world: World, post: Post, seconds: float, *, resumes: bool, forgets: bool) -> None:
    """Cut the power of a post; it boots after some seconds and dials in two seconds later."""
    if not post.powered:
        return
    world.disturb(f"{post.name} dark for {seconds} s, resumes {resumes}, forgets {forgets}")
    post.forgets_fallback = forgets
    if forgets:
        # That a fallback outlives a power cut is assumed of a model until commissioning shows otherwise.
        for socket in post.sockets.values():
            phases = socket.outlet.spec.rotation
            amps = [socket.outlet.spec.maximum_a if phase in phases else 0.0 for phase in (0, 1, 2)]
            path = world.paths_of_outlets[socket.outlet_id]
            world.judge.excuse(path, (amps[0], amps[1], amps[2]), f"{socket.outlet_id} forgets", late_s=seconds + 15.0)
    post.lose_power()
    world.loop.call_later(seconds, partial(post.power_returns, resumes=resumes))
    world.loop.call_later(seconds + 2.0, partial(post.connect, booted=True))


def jump(world: World, circuit_id: str, parts: tuple[float, float, float]) -> None:
    """Change a base load; where a meter guards a circuit nobody could foresee it."""
    most, before = world.circuits[circuit_id].own_most_a, world.own_base[circuit_id]
    amps: PhaseAmps = (most[0] * parts[0], most[1] * parts[1], most[2] * parts[2])
    world.disturb(f"base load of {circuit_id} {before} -> {amps}")
    world.own_base[circuit_id] = amps
    world.truth.set_base_load(circuit_id, amps)
    rise = (max(0.0, amps[0] - before[0]), max(0.0, amps[1] - before[1]), max(0.0, amps[2] - before[2]))
    excuse_jump(world, circuit_id, rise, "jump")


def excuse_jump(world: World, circuit_id: str, rise: PhaseAmps, what: str) -> None:
    """Excuse a rise of what a meter sees, on the circuits that a meter guards."""
    if max(rise) <= 0.0:
        return
    now = world.loop.time()
    for key in world.paths[circuit_id]:
        meter = world.meters.get(key)
        if meter is None or meter.scope is MeterScope.EVS_ONLY:
            continue
        stale_since = world.judge.stale_since.get(key)
        declared = world.circuits[key].declared_a
        if stale_since is not None and declared is not None and now - stale_since > RUNS_OUT_S:
            continue
        blind = world.judge.timeout_s(key) if meter.silent or meter.lost_phase or not meter.powered else 0.0
        world.judge.excuse((key,), rise, what, extra_s=blind, late_s=RISES_LATE_S)


def trouble_meter(world: World, circuit_id: str, what: str, lag_s: float) -> None:
    """Make a meter late, silent, stuck or short of a phase, or well again."""
    meter = world.meters.get(circuit_id)
    if meter is None:
        return
    world.disturb(f"meter of {circuit_id}: {what} {lag_s}")
    before = meter.lag_s
    if meter.frozen is not None and what != "frozen":
        meter.frozen = None
        seen_by = world.judge.reaction_s(circuit_id) + RISES_LATE_S + 10.0
        world.judge.unjudged_until[circuit_id] = world.loop.time() + seen_by
    meter.silent = what == "silent"
    meter.lost_phase = what == "phase"
    if what == "frozen":
        meter.frozen = meter.last
        world.judge.unjudged_until[circuit_id] = float("inf")
    if what == "lag":
        meter.lag_s = lag_s
    longer = max(0.0, meter.lag_s - before) + world.judge.timeout_s(circuit_id) + 1.0
    now = world.loop.time()
    for excuse in world.judge.excuses:
        if excuse.circuit_id == circuit_id and now <= excuse.until:
            excuse.until += longer
            excuse.runs_out_at += longer


def outage(world: World, seconds: float, *, host_too: bool, memory: Memory) -> None:
    """Cut the power of the whole site, and perhaps of the host."""
    base = dict(world.own_base)
    world.at_once(_go_dark, seconds, host_too=host_too)
    world.run(seconds)
    world.at_once(_light_up, base)
    if host_too:
        revive(world, memory)


def _go_dark(world: World, seconds: float, *, host_too: bool) -> None:
    world.disturb(f"outage of {seconds} s, host too {host_too}")
    for key in world.own_base:
        world.truth.set_base_load(key, (0.0, 0.0, 0.0))
    for meter in world.meters.values():
        meter.powered = False
        meter.go_dark()
    for post in world.posts.values():
        post.lose_power()
    if host_too:
        kill(world)


def _light_up(world: World, base: dict[str, PhaseAmps]) -> None:
    for key, amps in base.items():
        world.truth.set_base_load(key, amps)
    for meter in world.meters.values():
        meter.powered = True
    for index, post in enumerate(world.posts.values()):
        post.power_returns(resumes=index % 2 == 0)
        world.loop.call_later(1.0 + 0.5 * index, partial(post.connect, booted=True))


def kill(world: World) -> None:
    """End the host without a word."""
    site = world.site
    for timer in (site._pass_timer, site._tick_timer):
        if timer is not None:
            timer.cancel()
    site._pass_timer = site._tick_timer = None
    site._started_at = None
    for task in list(site._dispatch._tasks):
        task.cancel()
    for post in world.posts.values():
        post.host_died()
    for meter in world.meters.values():
        meter.report = None
        meter.go_dark()
        meter.told_at = float("-inf")
    world.host_up = False
    world.lose_records()


def revive(world: World, memory: Memory, *, orderly: bool = False) -> None:
    """Start the host anew with what its disk holds."""
    world.find_records(memory, orderly=orderly)
    world.host_up = True
    for _, socket in world.sockets:
        socket.over_a = 0.0  # who disobeys has to be found out anew
    world.site = world.new_site()
    world.wait(world.site.start())
    for index, post in enumerate(world.posts.values()):
        world.loop.call_later(0.2 + 0.7 * index, post.connect)


def restart(world: World, away_s: float, *, orderly: bool, memory: Memory) -> None:
    """Stop or kill the host and start it again later."""
    world.disturb(f"restart after {away_s} s, orderly {orderly}, memory {memory}")
    if orderly:
        world.wait(world.site.stop())
        world.close_records()
    world.at_once(kill)
    world.run(away_s)
    revive(world, memory, orderly=orderly)


def apply(world: World, settings: SiteSettings, what: str) -> bool:
    """Reconfigure, where the settings are possible."""
    if not world.host_up or check(settings):
        return False
    world.disturb(what)
    world.settings = settings
    world.wait(world.site.apply(settings))
    return True


def change_rating(world: World, circuit_id: str, part: float) -> None:
    """Change a rating."""
    plan = next(circuit for circuit in world.plan.circuits if circuit.circuit_id == circuit_id)
    rating: PhaseAmps = (plan.rating_a[0] * part, plan.rating_a[1] * part, plan.rating_a[2] * part)
    before = world.circuits[circuit_id].rating_a
    settings = _with_circuit(world, circuit_id, lambda circuit: replace(circuit, rating_a=rating))
    if apply(world, settings, f"rating of {circuit_id} {before} -> {rating}"):
        fell = (before[0] - rating[0], before[1] - rating[1], before[2] - rating[2])
        world.circuits[circuit_id] = replace(world.circuits[circuit_id], rating_a=rating)
        if max(fell) > 0.0:
            lower: PhaseAmps = (max(0.0, fell[0]), max(0.0, fell[1]), max(0.0, fell[2]))
            world.judge.excuse((circuit_id,), lower, "rating", late_s=RISES_LATE_S)


def change_margin(world: World, circuit_id: str, margin_a: float | None) -> None:
    """Change a margin."""
    settings = _with_circuit(world, circuit_id, lambda circuit: replace(circuit, margin_a=margin_a))
    apply(world, settings, f"margin of {circuit_id} {margin_a}")


def _with_circuit(world: World, circuit_id: str, change: Callable[[CircuitSettings], CircuitSettings]) -> SiteSettings:
    circuits = tuple(
        change(circuit) if circuit.circuit_id == circuit_id else circuit for circuit in world.settings.circuits
    )
    return replace(world.settings, circuits=circuits)


def change_point(world: World, post: Post, *, known: bool, fallback_a: float, name: str) -> None:
    """Tell another rotation, fallback or name of a charge point."""
    plan = world.plan_of(post.name)
    points = []
    for point in world.settings.charge_points:
        if point.identity == post.name:
            told = replace(plan, known=tuple(known for _ in plan.known), fallback_a=fallback_a)
            changed = replace(world.point(told), circuit_id=point.circuit_id, name=name)
            points.append(changed)
        else:
            points.append(point)
    settings = replace(world.settings, charge_points=tuple(points))
    apply(world, settings, f"{post.name}: rotation known {known}, fallback {fallback_a}, called {name}")


def remove_point(world: World, post: Post) -> None:
    """Remove a charge point."""
    points = tuple(point for point in world.settings.charge_points if point.identity != post.name)
    if len(points) == len(world.settings.charge_points) or not points:
        return
    if apply(world, replace(world.settings, charge_points=points), f"remove {post.name}"):
        world.removed_at[post.name] = world.loop.time()


def add_point(world: World, post: Post) -> None:
    """Add a charge point that was removed."""
    if post.name not in world.removed_at:
        return
    points = (*world.settings.charge_points, world.point(world.plan_of(post.name)))
    if apply(world, replace(world.settings, charge_points=points), f"add {post.name}"):
        del world.removed_at[post.name]
        # What it may draw was nobody's until now, and may have been above a rating already.
        for socket in post.sockets.values():
            most = max(*socket.outlet.drawn, socket.outlet.offered_a, socket.truth.fallback_a)
            phases = socket.outlet.spec.rotation
            amps = [most if phase in phases else 0.0 for phase in (0, 1, 2)]
            path = world.paths_of_outlets[socket.outlet_id]
            world.judge.excuse(path, (amps[0], amps[1], amps[2]), f"{socket.outlet_id} is ours again")


def toggle_meter(world: World, circuit_id: str) -> None:
    """Take a meter away, or give it back."""
    meter_id = f"meter of {circuit_id}"
    kept = tuple(meter for meter in world.settings.meters if meter.meter_id != meter_id)
    if len(kept) < len(world.settings.meters):
        if apply(world, replace(world.settings, meters=kept), f"remove {meter_id}"):
            meter = world.meters[circuit_id]
            meter.silent = True
            meter.frozen = None
            world.judge.unjudged_until.pop(circuit_id, None)
        return
    found = next((meter for meter in world.first_settings.meters if meter.meter_id == meter_id), None)
    if found is not None:
        world.meters[circuit_id].silent = False
        apply(world, replace(world.settings, meters=(*kept, found)), f"add {meter_id}")


def regroup(world: World, post: Post) -> None:
    """Put a charge point under a new cluster of its circuit, or back."""
    true_id = world.plan_of(post.name).circuit_id
    extra_id = f"extra of {true_id}"
    points = tuple(
        replace(point, circuit_id=extra_id if point.circuit_id == true_id else true_id)
        if point.identity == post.name
        else point
        for point in world.settings.charge_points
    )
    circuits = [circuit for circuit in world.settings.circuits if circuit.circuit_id != extra_id]
    if any(point.circuit_id == extra_id for point in points):
        above = next(circuit for circuit in circuits if circuit.circuit_id == true_id)
        circuits.append(
            CircuitSettings(
                circuit_id=extra_id, name="Extra", parent_id=true_id, rating_a=above.rating_a, margin_a=above.margin_a
            )
        )
    apply(world, replace(world.settings, charge_points=points, circuits=tuple(circuits)), f"regroup {post.name}")


def wish(world: World, socket: Socket, wished: ConnectorWish) -> None:
    """Set what users set."""
    if world.host_up:
        world.disturb(f"wish {socket.key} {wished}")
        world.wishes[socket.key] = wished
        world.site.wish(socket.key, wished)


def step_host_clock(world: World, seconds: float) -> None:
    """Set the host's wall clock."""
    world.tell(f"host clock by {seconds} s")
    world.clock.offset += seconds


def step_post_clock(world: World, post: Post, seconds: float) -> None:
    """Set a post's clock; it tells the time with its next report."""
    world.tell(f"clock of {post.name} by {seconds} s")
    post.offset_s += seconds


def everything_dies(world: World, *, power_cycle: bool, memory: Memory) -> None:
    """Promise 3: kill everything, plug cars in everywhere, and see whether the figure that was shown holds."""
    if not world.site.circuits:
        return
    shown = {key: view.if_all_dies_a for key, view in world.site.circuits.items() if key in world.circuits}
    fits = {key: view.fallback_fits for key, view in world.site.circuits.items()}
    world.disturb(f"everything dies, power cycle {power_cycle}: {shown}")
    world.at_once(_die)
    world.run(5.0)
    if power_cycle:
        world.at_once(_cut_all)
        world.run(2.0)
        world.at_once(_boot_all)
    world.run(RUNS_OUT_S + 10.0)
    for key, amps in shown.items():
        total, base = world.truth.amps(key), world.truth.base_load(key)
        declared = next(c.declared_base_load_a for c in world.settings.circuits if c.circuit_id == key) or (0.0,) * 3
        foreign = world.judge.foreign_a(key)
        for phase in (0, 1, 2):
            charging = total[phase] - base[phase] - foreign[phase]
            foretold = amps[phase] - declared[phase]
            if charging > foretold + 0.11:
                raise Fault(
                    story=f"promise 3: {key} L{phase + 1} was to draw {foretold:.1f} A if everything dies,"
                    f" and draws {charging:.1f} A (fits {fits[key]})\n{world.picture()}"
                )
    for post, socket in world.sockets:
        world.at_once(unplug, post, socket)
    revive(world, memory)


def _die(world: World) -> None:
    kill(world)
    world.totals_deaths += 1
    for post, socket in world.sockets:
        plug(world, post, socket, CarSpec(name="late", phases=3, maximum_a=32.0, reaction_s=1.0), 1.0)


def _cut_all(world: World) -> None:
    for post in world.posts.values():
        post.lose_power()


def _boot_all(world: World) -> None:
    for post in world.posts.values():
        post.power_returns(resumes=False)


def heal(world: World) -> None:
    """Make everything well: promises of service are judged then."""
    if not world.host_up:
        return
    world.tell("heal")
    for post in world.posts.values():
        if post.mood is not Mood.OBEYS or post.late_s:
            take_mood(world, post, Mood.OBEYS, 0.0)
        post.forgets_fallback = False
        post.raise_after_s = 0.0
        reconnect(world, post)
    for key, meter in world.meters.items():
        configured = any(settings.circuit_id == key for settings in world.settings.meters)
        if configured and (meter.silent or meter.lost_phase or meter.lag_s or meter.frozen is not None):
            trouble_meter(world, key, "lag", 0.0)
