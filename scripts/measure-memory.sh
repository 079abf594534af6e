#!/usr/bin/env bash
# Peak memory of put and get of one large file at many connections, against a MinIO on this machine.
#   ./scripts/measure-memory.sh [GIB] [CONNECTIONS]      default: 4 64
# Prints a line of the table in docs/performance.md for each operation. Nothing is left behind.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"
gib=${1:-4} connections=${2:-64}

need_rust "$root"
need_build_packages
minio=$(find_minio)
(cd "$root" && cargo build --release --locked --quiet --bin strata-ckpt)
binary=${CARGO_TARGET_DIR:-$root/target}/release/strata-ckpt

scratch=$(mktemp -d)
export MINIO_ROOT_USER=measure MINIO_ROOT_PASSWORD=measure-$RANDOM$RANDOM$RANDOM MINIO_UPDATE=off
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$scratch/data/measure"
"$minio" server --quiet --address "127.0.0.1:$port" "$scratch/data" >"$scratch/log" 2>&1 &
server=$!
trap 'kill "$server"; wait "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
for _ in $(seq 200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done

head -c "$((gib << 30))" /dev/urandom >"$scratch/model.bin"
export STORAGE_BACKEND=s3 CHECKPOINT_BUCKET=measure AWS_REGION=us-east-1 S3_ENDPOINT=http://127.0.0.1:$port
export AWS_ACCESS_KEY_ID=$MINIO_ROOT_USER AWS_SECRET_ACCESS_KEY=$MINIO_ROOT_PASSWORD

# measure NAME ARGUMENT...: runs the command and prints seconds, CPU seconds and peak resident memory.
measure() {
    python3 - "$gib" "$connections" "$@" <<'PYTHON'
import resource, subprocess, sys, time
gib, connections, name, *command = sys.argv[1:]
started = time.monotonic()
subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
seconds = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"| {name} | {gib} GiB | {connections} | {used.ru_maxrss / 1024:.0f} MiB "
      f"| {int(gib) / seconds:.2f} GiB/s | {(used.ru_utime + used.ru_stime) / int(gib):.2f} |")
PYTHON
}

echo '| operation | size | connections | peak memory | throughput | CPU-s/GiB |'
echo '|---|---|---|---|---|---|'
measure put "$binary" put -q -j "$connections" "$scratch/model.bin" model.bin
measure get "$binary" get -q -j "$connections" model.bin "$scratch/again.bin"
cmp "$scratch/model.bin" "$scratch/again.bin"
