"""Medians, and the ratios that they are judged by."""

import statistics
from collections import namedtuple
from dataclasses import dataclass

from clients import CLIENTS, FLOOR, OURS

Spread = namedtuple("Spread", "median low high")
Ratios = namedtuple("Ratios", "speed fastest cpu leanest memory")


@dataclass
class Summary:
    """A client's runs of one operation; without `wall` none of them did well."""

    speed: Spread | None = None
    wall: Spread | None = None
    cpu: Spread | None = None
    peak: float = 0
    runs: int = 0
    failures: int = 0
    error: str = ""


def spread(values):
    return Spread(statistics.median(values), min(values), max(values))


def summaries(scene, operation):
    """By client, in the order of CLIENTS."""
    gib = scene["bytes"] / 2**30
    found = {}
    for client in CLIENTS:
        runs = [run for run in scene["runs"] if run["client"] == client and run["operation"] == operation]
        good = [run for run in runs if "wall" in run]
        bad = [run["error"] for run in runs if "error" in run]
        if not runs:
            continue
        found[client] = Summary(runs=len(runs), failures=len(bad), error=bad[-1] if bad else "")
        if good:
            found[client].speed = spread([gib / run["wall"] for run in good])
            found[client].wall = spread([run["wall"] for run in good])
            found[client].cpu = spread([run["cpu"] / gib for run in good])
            found[client].peak = max(run["peak"] for run in good)
    return found


def ratios(clients):
    """Ours against the fastest and the leanest peer; None where one side is missing."""
    peers = {name: client for name, client in clients.items() if name not in (OURS, FLOOR) and client.wall}
    ours = clients.get(OURS)
    if not peers or not ours or not ours.wall:
        return None
    fastest = max(peers, key=lambda name: peers[name].speed.median)
    leanest = min(peers, key=lambda name: peers[name].cpu.median)
    speed = ours.speed.median / peers[fastest].speed.median
    return Ratios(speed, fastest, ours.cpu.median / peers[leanest].cpu.median, leanest, ours.peak)


def floor_ratio(clients):
    ours, floor = clients.get(OURS), clients.get(FLOOR)
    if not ours or not floor or not ours.wall or not floor.wall:
        return None
    return ours.cpu.median / floor.cpu.median
