#!/usr/bin/env python3
"""Writes the comparison into docs/performance.md, between its two markers, and the plots beside it."""

import argparse
import json
import math
from pathlib import Path

from clients import FLOOR, OURS
from figures import floor_ratio, ratios, summaries
from plot import plot
from scenes import FLOOR_TARGETS, SCENES, TARGETS

BEGIN = "<!-- The comparison begins; scripts/bench-peers.sh writes all of it anew. -->"
END = "<!-- The comparison ends. -->"

METHOD = """\
Every client is a whole process, started as a user would start it. In each run of a scene all clients take their turn, first
with the put, then with the get, in an order that is shuffled (by a fixed seed) for each run. Seconds are of the wall clock,
CPU is user and system time of the process and its children, memory is the peak of its largest process. Tables show the
median of the runs and in brackets the lowest and highest; of memory the highest. Ratios are of medians: to the fastest peer's
throughput, and to the leanest peer's CPU. Every put goes to a fresh key and is counted on the server afterwards, by names and
sizes; every get goes to a fresh path and is compared byte by byte with the source. All of it is removed after each run, and
neither is timed.

The scenes:

- **plain** and **TLS**: an endpoint on the loopback that costs almost nothing (`scripts/bench/s3sink.c`). It discards parts
  in the kernel and sends the bytes of one file. Checksums come back as S3 and MinIO would send them, but nothing is checked.
  Its certificate is a throw-away one; each of the clients was seen to refuse it without its authority.
- **like S3**: the same without TLS, 30 ms before each answer, each connection held to 20 MB/s up and 90 MB/s down.
- **MinIO on the same machine**: one server with one directory, on the disk. Its CPU is not counted, but it takes its share of
  the same cores. What is got comes from the page cache. Before each run, all that is on its way to the disk is waited for.
- **small files**: {files} files of 64 KiB in one directory, against MinIO and like S3. Ours puts and gets a checkpoint, which
  has a claim and a manifest besides; the peers put and get the files alone.
- **plain, no checksums confirmed**: *plain* as a server that knows no checksums. Ours then sends a Content-MD5 with each body.
  There is no goal for it.

Sources and destinations are where the machine's table says; sources were just written, so they are read from memory. The file
that all get was put by strata-ckpt, so that ours has a checksum to verify; the directory that the peers get, by s5cmd.

Each client runs with its own defaults but for these: rclone sends and gets 16 parts at once (its defaults are 4); obstore, a
library, moves 16 parts or ranges of 8 MiB at once; AWS CRT, a library too, uses parts of 8 MiB and aims at 100 Gbit/s; with
small files, rclone, aws-cli and obstore move 64 at once. None is told to leave out a check, but rclone its comparison of
ETags with MD5s where the endpoint computes none. curl, on one connection, is the floor and no peer. The commands are in
`scripts/bench/clients.py`.
"""


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def spread(values, digits):
    median, low, high = (f"{value:.{digits}f}" for value in (values.median, values.low, values.high))
    return median if low == median == high else f"{median} ({low}–{high})"


def plain_text(error):
    """An error as a table can hold it."""
    return error.replace("|", "/").replace("`", "'").replace("<", "‹")[:160]


def verdict(target, reached):
    missed = []
    if reached.speed < target.speed:
        missed.append("speed")
    if reached.cpu > target.cpu:
        missed.append("CPU")
    if reached.memory > target.memory:
        missed.append("memory")
    return "missed: " + ", ".join(missed) if missed else "reached"


def at_least(ratio):
    """Rounded down, so that nothing looks reached that is not."""
    return f"{math.floor(ratio * 100) / 100:.2f} ×"


def at_most(ratio):
    return f"{math.ceil(ratio * 100) / 100:.2f} ×"


def target_rows(results):
    for target in TARGETS:
        title = f"{target.operation}, {SCENES[target.scene].title}"
        goals = [f"{target.speed} ×", f"{target.cpu} ×", f"{target.memory} MiB"]
        cells, result = ["–", "–", "–"], "not measured"
        if target.scene in results["scenes"]:
            clients = summaries(results["scenes"][target.scene], target.operation)
            ours, reached = clients.get(OURS), ratios(clients)
            if reached:
                speed, cpu = at_least(reached.speed), at_most(reached.cpu)
                cells = [f"{speed} ({reached.fastest})", f"{cpu} ({reached.leanest})", f"{math.ceil(reached.memory)} MiB"]
                result = verdict(target, reached)
                if ours.failures:
                    result += f"; failed in {ours.failures} of {ours.runs} runs"
            elif ours:
                result = "no peer to compare with" if ours.wall else "failed"
        yield [title, cells[0], goals[0], cells[1], goals[1], cells[2], goals[2], result]


def floor_rows(results):
    scene = results["scenes"].get("plain")
    for operation, goal in FLOOR_TARGETS.items():
        ratio = floor_ratio(summaries(scene, operation)) if scene else None
        result = "not measured" if ratio is None else "reached" if ratio <= goal else "missed"
        yield [f"{operation}, plain", "–" if ratio is None else at_most(ratio), f"{goal} ×", result]


def scene_rows(clients):
    """One row a client, the fastest first, failures last."""
    measured = [name for name in clients if clients[name].wall]
    peers = [name for name in measured if name not in (OURS, FLOOR)]
    fastest = max((clients[name].speed.median for name in peers), default=None)
    leanest = min((clients[name].cpu.median for name in peers), default=None)
    for name in sorted(measured, key=lambda name: -clients[name].speed.median):
        client = clients[name]
        label = f"**{name}**" if name == OURS else f"{name} (floor)" if name == FLOOR else name
        if client.error:
            label += f", failed in {client.failures} of {client.runs} runs: {plain_text(client.error)}"
        yield [
            label,
            spread(client.speed, 3),
            spread(client.wall, 2),
            spread(client.cpu, 2),
            f"{client.peak:.0f}",
            f"{client.speed.median / fastest:.2f}" if fastest else "–",
            f"{client.cpu.median / leanest:.2f}" if leanest else "–",
        ]
    for name in clients:
        if not clients[name].wall:
            yield [name, f"failed: {plain_text(clients[name].error)}", "", "", "", "", ""]


def scene_section(name, scene):
    runs = max(run["run"] for run in scene["runs"])
    size, title = f"{scene['bytes'] / 2**20:.0f} MiB", SCENES[name].title
    what = f"{scene['files']} files, {size}" if scene["files"] > 1 else f"One file of {size}"
    yield f"#### {title[0].upper()}{title[1:]}"
    yield f"{what}, {runs} run{'s' * (runs > 1)}, {scene['date']}, strata-ckpt {scene['ours']}."
    header = ["GiB/s", "seconds", "CPU-s/GiB", "peak MiB", "of the fastest peer's speed", "of the leanest peer's CPU"]
    for operation in ("put", "get"):
        yield table([operation, *header], scene_rows(summaries(scene, operation)))


def panels(results, figure):
    for name, scene in ordered(results):
        for operation in ("put", "get"):
            bars = []
            for client, summary in summaries(scene, operation).items():
                kind = "ours" if client == OURS else "floor" if client == FLOOR else "peer"
                values = getattr(summary, figure)
                bars.append((client, kind, *(values if values else (None, None, None))))
            yield f"{operation}, {SCENES[name].title}", bars


def ordered(results):
    return [(name, results["scenes"][name]) for name in SCENES if name in results["scenes"]]


def comparison(results, stem):
    files = max((scene["files"] for scene in results["scenes"].values()), default=1)
    yield BEGIN
    yield "### What was reached"
    yield (
        "Speed as a multiple of the fastest peer's, CPU as a multiple of the leanest peer's, each with that peer's name,\n"
        "and peak memory; beside each of them the goal."
    )
    yield table(["scene", "speed", "at least", "CPU", "at most", "memory", "at most", "result"], target_rows(results))
    yield "CPU as a multiple of curl's on one connection:"
    yield table(["scene", "CPU", "at most", "result"], floor_rows(results))
    yield f"![Throughput of all clients in all scenes]({stem}-throughput.svg)"
    yield f"![CPU of all clients in all scenes]({stem}-cpu.svg)"
    yield "### How it was measured"
    yield METHOD.format(files=f"{files:,}" if files > 1 else "many").strip()
    yield "```sh\n./scripts/bench-peers.sh\n```"
    yield table(["machine", ""], [[key, value] for key, value in results["machine"].items()])
    yield table(["program", "version"], [[key, value] for key, value in results["versions"].items()])
    yield "### All figures"
    for name, scene in ordered(results):
        yield from scene_section(name, scene)
    yield END


def into(document, text):
    """`text` in the place of what is between the markers, or at the end."""
    if BEGIN in document and END in document:
        return document[: document.index(BEGIN)] + text + document[document.index(END) + len(END) :]
    return (document.rstrip() + "\n\n## Against other clients\n\n" + text + "\n").lstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="what peers.py has kept")
    parser.add_argument("document", type=Path)
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    stem = options.document.stem
    plots = {
        "throughput": ("speed", "GiB/s", "longer is faster"),
        "cpu": ("cpu", "CPU seconds per GiB", "shorter is leaner"),
    }
    for name, (figure, unit, meaning) in plots.items():
        plot(options.document.with_name(f"{stem}-{name}.svg"), list(panels(results, figure)), unit, meaning)
    document = options.document.read_text() if options.document.exists() else ""
    options.document.write_text(into(document, "\n\n".join(comparison(results, stem))))
    print(options.document)


if __name__ == "__main__":
    main()
