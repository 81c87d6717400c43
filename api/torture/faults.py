"""What may happen to a network: how it begins, and how it ends."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

from api.torture.network import Network

AWAY_SECONDS = (0.1, 1.5)  # that it lasts
LONG_SECONDS = (0.5, 4.0)  # what hurts only if it lasts
SKEW = timedelta(hours=3)
STEPS_MAX = 12  # of a move


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    where: str
    begin: Callable[[], None]
    end: Callable[[], None] = _nothing  # before all that is down is started again
    lasts: tuple[float, float] = AWAY_SECONDS
    weight: int = 1  # of the chance that this one happens

    def happen(self, network: Network, random: Random) -> None:
        self.begin()
        time.sleep(random.uniform(*self.lasts))
        self.end()
        network.start()


def any_fault(network: Network, random: Random) -> Fault:
    faults = [*_of_machines(network), *_of_lines(network), *_of_clocks(network, random)]
    faults += [*_of_slots(network), *_of_moves(network, random), _of_all(network, random)]
    return random.choices(faults, [fault.weight for fault in faults])[0]


def _of_machines(network: Network) -> Iterator[Fault]:
    for name, machine in network.machines.items():
        yield Fault("kill server", name, machine.kill_server, weight=2)
        for command in machine.processes:
            yield Fault(f"kill {command}", name, partial(machine.kill, command))


def _of_lines(network: Network) -> Iterator[Fault]:
    for name, line in network.lines.items():
        yield Fault("cut line", name, line.cut, line.mend, weight=2)
        yield Fault("slow line", name, line.slow_down, line.mend, LONG_SECONDS)
        yield Fault("hub hears nothing", name, line.swallow_answers, line.mend, LONG_SECONDS)
        yield Fault("hub is not heard", name, line.swallow_questions, line.mend, LONG_SECONDS)


def _of_clocks(network: Network, random: Random) -> Iterator[Fault]:
    for name in network.skews:
        skew = random.choice((-SKEW, SKEW))
        direction = "back" if skew < timedelta() else "forward"

        begin, end = (partial(network.skews.update, {name: by}) for by in (skew, timedelta()))
        yield Fault(f"clock goes {direction}", name, begin, end, LONG_SECONDS)


def _of_slots(network: Network) -> Iterator[Fault]:
    """The hub is away for so long that the node keeps nothing more for it."""
    name = network.short_of_room
    line = network.lines[name]

    def begin() -> None:
        line.cut()
        network.fill_log(name)

    yield Fault("lose slot", name, begin, line.mend, weight=2)


def _of_moves(network: Network, random: Random) -> Iterator[Fault]:
    """Broken off somewhere, by its own death or that of a server; then brought to its end."""
    may_give = [name for name, regions in network.parts.items() if len(regions) > 1]
    if not may_give or len(network.parts) == 1:
        return
    old = random.choice(may_give)
    others = [name for name in network.parts if name != old]
    region, to = random.choice(network.parts[old]), random.choice(others)
    steps, victim = random.randrange(STEPS_MAX), random.choice(("mover", "hub", old, to))

    def begin() -> None:
        killed = network.machines.get(victim)
        network.begin_move(region, to, steps, killed.kill_server if killed else _nothing)

    def end() -> None:
        network.start()
        network.end_move(region, to, random)

    where = f"{region} from {old} to {to}, {victim} killed after {steps} steps"
    yield Fault("break off move", where, begin, end, weight=3)


def _of_all(network: Network, random: Random) -> Fault:
    """A power cut in every place, and machines that come back in any order."""
    machines = [*network.machines.values()]
    in_any_order = random.sample(machines, len(machines))

    def begin() -> None:
        for machine in machines:
            machine.kill_all()

    def end() -> None:
        for machine in in_any_order:
            machine.start()

    return Fault("kill all", "everywhere", begin, end)
