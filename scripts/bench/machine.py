"""The machine that was measured on, and the versions of what ran."""

import importlib.metadata
import os
import platform
import subprocess


def first_line(*command):
    out = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return (out.stdout or out.stderr).strip().splitlines()[0]


def field(path, name):
    with open(path) as file:
        for line in file:
            key, _, value = line.replace("=", ":", 1).partition(":")
            if key.strip() == name:
                return value.strip().strip('"')
    return "unknown"


def filesystem(path):
    """The type of the filesystem that holds `path`."""
    path, best = os.path.realpath(path), ("", "unknown")
    with open("/proc/mounts") as mounts:
        for line in mounts:
            point, kind = line.split()[1:3]
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1]


def machine(fast, disk):
    return {
        "CPU": f"{field('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "system": f"{field('/etc/os-release', 'PRETTY_NAME')}, Linux {platform.release()}",
        "sources and destinations": f"{filesystem(fast)}" + (" (/dev/shm)" if fast.startswith("/dev/shm/") else ""),
        "MinIO's data": f"{filesystem(disk)}, on disk",
    }


def versions(tools, given):
    """By client; `given` are those that only who built them knows."""
    package = importlib.metadata.version
    return {
        **given,
        "s5cmd": first_line(tools["s5cmd"], "version").split("-")[0],
        "rclone": first_line(tools["rclone"], "version").removeprefix("rclone "),
        "aws-cli": package("awscli"),
        "AWS CRT": f"awscrt {package('awscrt')}, s3transfer {package('s3transfer')}, botocore {package('botocore')}",
        "obstore": package("obstore"),
        "curl": " ".join(first_line("curl", "--version").split()[1:2]),
        "OpenSSL (the sink's TLS)": first_line("openssl", "version").split()[1],
        "Python": platform.python_version(),
    }
