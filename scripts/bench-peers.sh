#!/usr/bin/env bash
# Compares strata-ckpt with other S3 clients on this machine, and writes docs/performance.md and its plots.
#   ./scripts/bench-peers.sh                                    everything: about an hour on two cores
#   ./scripts/bench-peers.sh --scenes plain,tls --runs 3        some of it; --add keeps the scenes of earlier runs
#
#   --runs N          how often each client does each thing (5)
#   --scenes A,B      of plain, tls, s3, minio, small-minio, small-s3, no-checksums (all)
#   --only A,B        of strata-ckpt, s5cmd, rclone, mc, aws-cli, AWS CRT, obstore, curl (all)
#   --size SIZE       of the large file, such as 64MiB (1GiB)
#   --files N         how many small files of 64 KiB (10000)
#   --out FILE        the document; its plots go beside it (docs/performance.md)
#   --add             keep what earlier runs on this machine measured of other scenes
#   --report          measure nothing: write the document again from what was measured last
#
# STRATA_BENCH_BINARY is a strata-ckpt to measure instead of one built now. The peers are kept in
# ${XDG_CACHE_HOME:-~/.cache}/strata-ckpt, with bench/results.json, which has the figures of every single run. Sources and
# destinations are in /dev/shm where it has room, else in the temporary directory; nothing of them is left behind.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"
# shellcheck source=scripts/lib/peers.sh
. "$root/scripts/lib/peers.sh"

runs=5 scenes=plain,tls,s3,minio,small-minio,small-s3,no-checksums only='' size=1GiB files=10000
out=$root/docs/performance.md add='' report=''
while (($#)); do
    case $1 in
    --add) add=1 ;;
    --report) report=1 ;;
    --runs | --scenes | --only | --size | --files | --out)
        (($# > 1)) || die "$1 needs a value"
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    *) die "unknown argument '$1'" "$(sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}")" ;;
    esac
    shift
done
bytes=$(numfmt --from=iec-i "${size%B}") || die "--size '$size' is no size" "such as 64MiB or 1GiB"
[[ $runs =~ ^[1-9][0-9]*$ && $files =~ ^[1-9][0-9]*$ ]] || die "--runs and --files are numbers from 1"
for scene in ${scenes//,/ }; do
    [[ ,plain,tls,s3,minio,small-minio,small-s3,no-checksums, == *",$scene,"* ]] || die "there is no scene '$scene'"
done

bench=$CACHE/bench results=$CACHE/bench/results.json
mkdir -p "$bench"
python=$(find_peers)
if [ -n "$report" ]; then
    [ -e "$results" ] || die "nothing was measured yet"
    exec "$python" "$root/scripts/bench/report.py" "$results" "$out"
fi

if [ -n "${STRATA_BENCH_BINARY:-}" ]; then
    ours=$STRATA_BENCH_BINARY
    [ -x "$ours" ] || die "STRATA_BENCH_BINARY is '$ours', which is no program"
    version=$("$ours" --version | cut -d' ' -f2)
else
    need_rust "$root"
    need_build_packages
    say "building strata-ckpt ..."
    (cd "$root" && cargo build --release --locked --quiet --bin strata-ckpt)
    ours=${CARGO_TARGET_DIR:-$root/target}/release/strata-ckpt
    version=$("$ours" --version | cut -d' ' -f2)
    if commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null); then
        version+=", commit $commit"
        git -C "$root" diff --quiet HEAD -- src Cargo.toml Cargo.lock || version+=" and changes"
    fi
fi
need_build_packages
if ! { command -v curl && command -v openssl; } >/dev/null; then
    install_packages "the comparison needs curl and openssl" curl openssl
fi
mc=$(find_mc)
minio=$(find_minio)

# The source, what is got of it, and the small files twice; half as much again to be safe.
room=$(((bytes * 2 + files * 65536 * 2) * 3 / 2))
fast=''
if [ -d /dev/shm ] && (($(df --output=avail -B1 /dev/shm | tail -n 1) > room)); then
    fast=$(mktemp -d /dev/shm/strata-bench.XXXXXX)
else
    fast=$(mktemp -d)
fi
scratch=$(mktemp -d)
servers=()
clean_up() {
    local server
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    for server in "${servers[@]}"; do wait "$server" 2>/dev/null || true; done
    rm -rf "$fast" "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cc -O2 -pthread -o "$scratch/s3sink" "$root/scripts/bench/s3sink.c" -lssl -lcrypto
cc -O2 -o "$scratch/timed" "$root/scripts/bench/timed.c"
make_certificate "$scratch"
head -c "$bytes" /dev/urandom >"$fast/source.bin"

sites=()
# serve NAME SCHEME [VARIABLE=VALUE...] PROGRAM ARGUMENT...: starts a server; @PORT@ in its arguments becomes a free port.
serve() {
    local name=$1 scheme=$2 port
    shift 2
    port=$(free_port)
    env "${@//@PORT@/$port}" >"$scratch/$name.log" 2>&1 &
    servers+=($!)
    wait_for_port "$port" || {
        cat "$scratch/$name.log" >&2
        die "the server for '$name' did not start"
    }
    sites+=(--site "$name=$scheme://127.0.0.1:$port")
}
sink=("$scratch/s3sink" @PORT@ "$fast/source.bin")
serve plain http "${sink[@]}"
serve no-checksums http NO_CHECKSUMS=1 "${sink[@]}"
serve tls https TLS_CERT="$scratch/server.pem" TLS_KEY="$scratch/server.key" "${sink[@]}"
serve s3 http PUT_MBPS=20 GET_MBPS=90 "${sink[@]}" 30000
if [[ $scenes == *minio* ]]; then
    mkdir -p "$scratch/data/bench" "$scratch/mc"
    serve minio http MINIO_ROOT_USER=benchmark MINIO_ROOT_PASSWORD=benchmark-secret MINIO_UPDATE=off MINIO_BROWSER=off \
        "$minio" server --quiet --address 127.0.0.1:@PORT@ "$scratch/data"
    # So that looking and clearing up need no signatures.
    address=${sites[-1]#*://}
    MC_HOST_here=http://benchmark:benchmark-secret@$address \
        quietly "$mc" --config-dir "$scratch/mc" anonymous set public here/bench || die "mc could not open MinIO's bucket"
fi

[ -n "$add" ] || rm -f "$results"
tools=$(dirname "$python")
"$python" "$root/scripts/bench/peers.py" "${sites[@]}" --ca "$scratch/ca.pem" --fast "$fast" --scratch "$scratch" \
    --tool "ours=$ours" --tool "mc=$mc" --tool "timed=$scratch/timed" --tool "python=$python" \
    --tool "s5cmd=$tools/s5cmd" --tool "rclone=$tools/rclone" --tool "aws=$tools/aws" \
    --version "strata-ckpt=$version" --version "mc=$MC_VERSION" --version "MinIO=$(minio_version "$minio")" \
    --runs "$runs" --files "$files" --scenes "$scenes" --only "$only" --results "$results" &
servers+=($!)
wait $!
"$python" "$root/scripts/bench/report.py" "$results" "$out"
