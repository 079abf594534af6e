#!/usr/bin/env bash
# What benchmarks of one warm gigabyte do not show: a cold disk, little memory, a huge file with holes, local copies, and
# very many objects. Prints the tables of docs/performance.md. Needs some 20 GB of disk and ten minutes.
#   ./scripts/measure-extremes.sh [DIRECTORY]      where the files are, on the disk to measure; default: a new one in /tmp
# Peak memory is at least that of the Python that starts the command, some 14 MiB.
# Root is needed to empty the page cache and to limit memory; without it these lines are left out.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"
# shellcheck source=scripts/lib/peers.sh
. "$root/scripts/lib/peers.sh"

need_rust "$root"
need_build_packages
if [ -n "${STRATA_BENCH_BINARY:-}" ]; then
    binary=$STRATA_BENCH_BINARY
else
    (cd "$root" && cargo build --release --locked --quiet --bin strata-ckpt)
    binary=${CARGO_TARGET_DIR:-$root/target}/release/strata-ckpt
fi
scratch=$(mktemp -d "${1:-/tmp}/extremes.XXXXXX")
sink='' group=''
clean_up() {
    [ -z "$sink" ] || kill "$sink" 2>/dev/null || true
    [ -z "$group" ] || rmdir "$group" 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT
cc -O2 -pthread -o "$scratch/s3sink" "$root/scripts/bench/s3sink.c" -lssl -lcrypto
export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=measure AWS_SECRET_ACCESS_KEY=measure CHECKPOINT_BUCKET=measure
export XDG_STATE_HOME=$scratch/state CHECKPOINT_DIR=$scratch/store

# serve FILE: a sink whose large objects are FILE.
serve() {
    local port
    [ -z "$sink" ] || { kill "$sink" && wait "$sink" 2>/dev/null; } || true
    port=$(free_port)
    "$scratch/s3sink" "$port" "$1" >/dev/null 2>&1 &
    sink=$!
    export S3_ENDPOINT=http://127.0.0.1:$port
    wait_for_port "$port" || die "the sink does not answer"
}

# measure WHAT COMMAND...: seconds, processor seconds and peak memory of the command, as a line of a table.
measure() {
    python3 - "$@" <<'PYTHON'
import os, resource, subprocess, sys, time
what, *command = sys.argv[1:]
started = time.monotonic()
subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
seconds = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"| {what} | {seconds:.2f} | {used.ru_utime + used.ru_stime:.2f} | {used.ru_maxrss / 1024:.0f} MiB |", flush=True)
PYTHON
}

cold() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
}

# measure_limited WHAT COMMAND...: with 256 MiB of memory, the page cache included.
measure_limited() {
    local what=$1
    shift
    # shellcheck disable=SC2016 # the inner shell expands it
    measure "$what" sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "$@"
}
make_group() {
    local parent=/sys/fs/cgroup limit=memory.max
    [ ! -d /sys/fs/cgroup/memory ] || parent=/sys/fs/cgroup/memory limit=memory.limit_in_bytes
    mkdir "$parent/strata-extremes.$$" 2>/dev/null || return 1
    group=$parent/strata-extremes.$$
    echo $((256 << 20)) >"$group/$limit" 2>/dev/null
}

echo '| what | seconds | CPU-s | peak memory |'
echo '|---|---|---|---|'
export STORAGE_BACKEND=local
head -c 1G /dev/urandom >"$scratch/one"
sync
for _ in 1 2 3; do
    # shellcheck disable=SC2016 # the inner shell expands it
    measure '1 GiB, local disk: cp, then sync' sh -c 'cp "$0/one" "$0/copy" && sync -f "$0/copy"' "$scratch"
    measure '1 GiB, local disk: put' "$binary" put -q "$scratch/one" one
    measure '1 GiB, local disk: get' "$binary" get -q one "$scratch/got"
    rm -rf "$scratch/store" "$scratch/got" "$scratch/copy"
done

export STORAGE_BACKEND=s3
head -c 4G /dev/urandom >"$scratch/four"
serve "$scratch/four"
measure '4 GiB: put, from the page cache' "$binary" put -q "$scratch/four" warm
measure '4 GiB: get, to disk' "$binary" get -q warm "$scratch/got"
rm "$scratch/got"
if [ "$(id -u)" -eq 0 ]; then
    cold
    measure '4 GiB: dd, from a cold disk' dd if="$scratch/four" of=/dev/null bs=1M status=none
    cold
    measure '4 GiB: put, from a cold disk' "$binary" put -q "$scratch/four" cold
    if make_group; then
        cold
        measure_limited '4 GiB: put, from a cold disk, 256 MiB of memory' "$binary" put -q "$scratch/four" limited
        measure_limited '4 GiB: get, to disk, 256 MiB of memory' "$binary" get -q limited "$scratch/got"
        cmp "$scratch/four" "$scratch/got"
        rm "$scratch/got"
    fi
fi
rm "$scratch/four"

truncate -s 200G "$scratch/sparse"
printf data | dd of="$scratch/sparse" bs=1 seek=100000000000 conv=notrunc 2>/dev/null
serve "$scratch/sparse"
measure '200 GiB of holes: put' "$binary" put -q "$scratch/sparse" huge
measure '200 GiB of holes: get' "$binary" get -q huge "$scratch/got"
[ "$(stat -c %s "$scratch/got")" -eq $((200 << 30)) ] && [ "$(stat -c %b "$scratch/got")" -lt 100000 ]
rm "$scratch/got" "$scratch/sparse"

mkdir "$scratch/many"
python3 - "$scratch/many" <<'PYTHON'
import pathlib, sys
for number in range(100_000):
    pathlib.Path(sys.argv[1], f"shard_{number:06}.bin").write_bytes(number.to_bytes(4, "big"))
PYTHON
serve "$scratch/one"
measure 'one checkpoint of 100,000 files: put' "$binary" put -q "$scratch/many" many
measure 'one checkpoint of 100,000 files: ls' "$binary" ls
measure 'one checkpoint of 100,000 files: ls --files' "$binary" ls --files
measure 'one checkpoint of 100,000 files: rm' "$binary" rm many

export STORAGE_BACKEND=local CHECKPOINT_DIR=$scratch/many
measure '100,000 plain files on disk: ls' "$binary" ls
mkdir "$scratch/few"
find "$scratch/many" -name 'shard_000*' -exec cp -t "$scratch/few" {} +
CHECKPOINT_DIR=$scratch/few measure '1,000 plain files on disk: ls' "$binary" ls
mkdir "$scratch/hundred"
find "$scratch/few" -name 'shard_0000*' -exec cp -t "$scratch/hundred" {} +
export CHECKPOINT_DIR=$scratch/checkpoints
"$binary" put -q "$scratch/hundred" epoch_0 >/dev/null
for number in $(seq 999); do cp -r "$CHECKPOINT_DIR/epoch_0" "$CHECKPOINT_DIR/epoch_$number"; done
measure '1,000 checkpoints of 100 files on disk: ls' "$binary" ls
measure '1,000 checkpoints of 100 files on disk: ls --files' "$binary" ls --files
