#!/usr/bin/env python3
"""Runs the same puts and gets with every client, interleaved, and keeps the figures of every run as JSON.

bench-peers.sh starts the servers, calls this, and makes the document of it. Each client is a whole process; its seconds,
CPU and memory are those of it and its children. In each run of a scene all clients take their turn, in an order shuffled
by a fixed seed. What was put is counted on the server, what was got is compared with the source.
"""

import argparse
import datetime
import filecmp
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import clients
import machine
from scenes import SCENES
from store import Store

BUCKET = "bench"
SMALL_FILE = 64 << 10
# A client that takes longer has failed.
LIMIT_SECONDS = 300


class Failed(Exception):
    """A client's run that does not count, and why."""


@dataclass
class Site:
    """A server, and what clients need to reach it."""

    name: str
    url: str
    ca: Path | None
    home: Path
    bucket: str = BUCKET

    @property
    def store(self):
        return Store(self.url, self.bucket, self.ca)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", action="append", required=True, metavar="NAME=URL", help="a server")
    parser.add_argument("--tool", action="append", required=True, metavar="NAME=PATH", help="a program")
    parser.add_argument("--version", action="append", default=[], metavar="NAME=TEXT", help="of a program")
    parser.add_argument("--fast", required=True, type=Path, help="directory with source.bin, for sources and destinations")
    parser.add_argument("--scratch", required=True, type=Path, help="directory for everything else")
    parser.add_argument("--ca", type=Path, help="the authority of https servers")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--files", type=int, required=True, help="how many small files")
    parser.add_argument("--scenes", required=True, help="which, separated by commas")
    parser.add_argument("--only", default="", help="clients, separated by commas; all when empty")
    parser.add_argument("--results", type=Path, required=True, help="JSON of all runs; other scenes in it are kept")
    return parser.parse_args()


def pairs(texts):
    return dict(text.split("=", 1) for text in texts)


def last_error(path, status):
    """The last line that speaks of an error, else the last line."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line.lower() for word in ("error", "fail"))]
    said = (errors or lines or ["it said nothing"])[-1]
    return f"exit {status}: {said}"


def timed(site, client, operation, local, key, scratch):
    """Runs a client; its seconds, CPU seconds and peak memory in MiB."""
    command = clients.CLIENTS[client](site, operation, str(local), key)
    figures, errors = scratch / "figures", scratch / "errors"
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(
            [clients.tools["timed"], str(figures), *command],
            env=clients.environment(site, operation),
            cwd=site.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            status = process.wait(LIMIT_SECONDS)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failed(f"not done after {LIMIT_SECONDS} s") from None
            raise
    if status:
        raise Failed(last_error(errors, status))
    wall, cpu, peak = figures.read_text().split()
    return {"wall": float(wall), "cpu": float(cpu), "peak": int(peak) / 1024}


def check_put(site, key, source):
    """Everything is on the server under its name and with its size; what ours adds to a directory is not looked at."""
    there = {name: size for name, size in site.store.sizes(key).items() if "/.strata/" not in name}
    if source.is_dir():
        wanted = {f"{key}/{entry.name}": entry.stat().st_size for entry in os.scandir(source)}
    else:
        wanted = {key: source.stat().st_size}
    if there != wanted:
        raise Failed(f"it ended well, but what the server has is not the source: {len(there)} objects")


def check_got(source, local):
    if source.is_dir():
        names = sorted(os.listdir(source))
        if sorted(os.listdir(local)) != names or any(filecmp.cmpfiles(source, local, names, shallow=False)[1:]):
            raise Failed("it ended well, but the files are not those of the source")
    elif not filecmp.cmp(source, local, shallow=False):
        raise Failed("it ended well, but the file is not the source")


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def one_run(site, client, operation, source, fast, scratch, key):
    """A put to a fresh key, or a get of what was put for all; nothing of it is left."""
    filecmp.clear_cache()
    local = fast / "got"
    if site.name == "minio":
        # What another client has written must not be on its way to the disk while this one is measured.
        os.sync()
    many = "-dir" if source.is_dir() else ""
    try:
        if operation == "put":
            figures = timed(site, client, "put" + many, source, key, scratch)
            check_put(site, key, source)
        else:
            figures = timed(site, client, "get" + many, local, shared_key(client, source), scratch)
            check_got(source, local)
        return figures
    except (Failed, OSError) as error:
        return {"error": str(error)}
    finally:
        remove(local)
        if operation == "put":
            site.store.remove(key)


def shared_key(client, source):
    """What is got. Ours gets a directory that it has put, a checkpoint; the others one without its manifest."""
    if not source.is_dir():
        return "shared/source.bin"
    return "shared/checkpoint" if client == clients.OURS else "shared/files"


def put_shared(site, source, scratch):
    """What all get. A file is put by ours, or by s5cmd if ours fails; a directory by both."""
    many = "-dir" if source.is_dir() else ""
    for client in (clients.OURS, "s5cmd"):
        key = shared_key(client, source)
        try:
            timed(site, client, "put" + many, source, key, scratch)
            check_put(site, key, source)
        except Failed as error:
            if client == "s5cmd":
                sys.exit(f"error: {site.name}: nothing to get: {client} failed: {error}")
            print(f"{site.name}: {client} could not put what is got: {error}", file=sys.stderr)
            continue
        if not many:
            return


def small_files(directory, count):
    directory.mkdir()
    for number in range(count):
        (directory / f"shard-{number:05}.bin").write_bytes(os.urandom(SMALL_FILE))
    return directory


def run_scene(name, site, source, names, options):
    scene, runs = SCENES[name], []
    put_shared(site, source, options.scratch)
    for run in range(1, options.runs + 1):
        order = [client for client in names if client != clients.FLOOR or scene.floor]
        random.Random(f"{name} {run}").shuffle(order)
        for operation in ("put", "get"):
            said = []
            for client in order:
                key = f"{name}/{client.replace(' ', '-')}-{run}"
                figures = one_run(site, client, operation, source, options.fast, options.scratch, key)
                runs.append({"client": client, "operation": operation, "run": run, **figures})
                outcome = f"{figures['wall']:.2f} s" if "wall" in figures else f"FAILED ({figures['error']})"
                said.append(f"{client} {outcome}")
            print(f"{name}: run {run} of {options.runs}: {operation}: {', '.join(said)}", file=sys.stderr, flush=True)
    site.store.remove("shared/")
    return runs


def main():
    options = arguments()
    # So that being ended ends the client, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    clients.tools.update(pairs(options.tool))
    names = options.only.split(",") if options.only else list(clients.CLIENTS)
    unknown = [name for name in names if name not in clients.CLIENTS]
    if unknown:
        sys.exit(f"error: no such client: {', '.join(unknown)}; there are {', '.join(clients.CLIENTS)}")
    home = options.scratch / "home"
    home.mkdir()
    sites = {}
    for name, url in pairs(options.site).items():
        sites[name] = Site(name, url, options.ca if url.startswith("https") else None, home)
    results = json.loads(options.results.read_text()) if options.results.exists() else {"scenes": {}}
    results["machine"] = machine.machine(str(options.fast), str(options.scratch))
    results["versions"] = machine.versions(clients.tools, pairs(options.version))
    large = options.fast / "source.bin"
    for name in options.scenes.split(","):
        scene = SCENES[name]
        small = options.fast / "small"
        if scene.many and not small.exists():
            small_files(small, options.files)
        source = small if scene.many else large
        runs = run_scene(name, sites[scene.server], source, names, options)
        results["scenes"][name] = {
            "ours": results["versions"][clients.OURS],
            "date": datetime.date.today().isoformat(),
            "bytes": options.files * SMALL_FILE if scene.many else large.stat().st_size,
            "files": options.files if scene.many else 1,
            "runs": runs,
        }
        options.results.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
