#!/usr/bin/env bash
# Records the first five minutes with a new bucket, on a MinIO of its own: docs/first-five-minutes.cast for
# `asciinema play`, and docs/first-five-minutes.svg for browsers. Nothing in it is written by hand but the commands.
#   ./scripts/record-first-minutes.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

# What is recorded: this script again, in the recorder's terminal.
if [ "${1:-}" = --session ]; then
    type() {
        printf '\e[1;32m$\e[0m '
        for ((i = 0; i < ${#1}; i++)); do
            printf '%s' "${1:i:1}"
            sleep 0.03
        done
        sleep 0.4
        printf '\n'
        eval "$1" || true
        sleep "${2:-1.5}"
        printf '\n'
    }
    type '# keys are in the environment; the rest becomes a .env' 0.5
    type 'strata-ckpt setup --env --backend s3 --bucket my-checkpoints --prefix runs/a --endpoint-url http://localhost:9000' 2
    type 'strata-ckpt setup --expire-after-epochs 400 --epoch-duration 6h --dry-run' 3
    type 'strata-ckpt setup --expire-after-epochs 400 --epoch-duration 6h' 4
    # shellcheck disable=SC2016 # the session expands it
    type 'for n in 1 2 3; do strata-ckpt put -q epoch_1 epoch_$n; done' 1
    type 'strata-ckpt put epoch_1 epoch_4 --meta step=4000' 2
    type 'strata-ckpt ls' 3
    type 'strata-ckpt get epoch_4 restored && diff -r epoch_1 restored && echo the same' 2
    type 'strata-ckpt rm --keep-last 2 --dry-run' 3
    type 'strata-ckpt rm --keep-last 2 --yes' 2
    type 'strata-ckpt setup --iam-policy' 4
    exit
fi

need_rust "$root"
minio=$(find_minio)
recorder=$(wheel_tool asciinema "asciinema==2.4.0" --version)
painter=$(wheel_tool termtosvg "termtosvg==1.1.0" --help)
(cd "$root" && cargo build --release --locked --quiet --bin strata-ckpt)
PATH=${CARGO_TARGET_DIR:-$root/target}/release:$PATH

scratch=$(mktemp -d)
export MINIO_ROOT_USER=first-minutes MINIO_ROOT_PASSWORD=first-minutes-$RANDOM$RANDOM MINIO_UPDATE=off
mkdir "$scratch/data" "$scratch/work"
"$minio" server --quiet --address 127.0.0.1:9000 "$scratch/data" >"$scratch/log" 2>&1 &
server=$!
trap 'kill "$server"; wait "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
for _ in $(seq 200); do
    (exec 3<>/dev/tcp/127.0.0.1/9000) 2>/dev/null && break
    sleep 0.1
done

cd "$scratch/work"
mkdir epoch_1
head -c 220M /dev/urandom >epoch_1/model.safetensors
head -c 40M /dev/urandom >epoch_1/optimizer.pt
printf '{"step": 1000, "loss": 2.25}\n' >epoch_1/trainer_state.json
while read -r name; do
    unset "$name"
done < <(compgen -e | grep -E '^(AWS|CHECKPOINT|S3|STORAGE|STRATA)_' || true)
export AWS_ACCESS_KEY_ID=$MINIO_ROOT_USER AWS_SECRET_ACCESS_KEY=$MINIO_ROOT_PASSWORD XDG_STATE_HOME=$scratch/state
unset MINIO_ROOT_USER MINIO_ROOT_PASSWORD
"$recorder" rec --quiet --overwrite --cols 120 --rows 46 --idle-time-limit 3 --command "bash '$root/scripts/record-first-minutes.sh' --session" \
    "$root/docs/first-five-minutes.cast"
"$painter" render -m 150 "$root/docs/first-five-minutes.cast" "$root/docs/first-five-minutes.svg"
if grep -qF "$AWS_SECRET_ACCESS_KEY" "$root/docs/first-five-minutes.cast" "$root/docs/first-five-minutes.svg"; then
    die "the secret key is in the recording"
fi
say "docs/first-five-minutes.cast and docs/first-five-minutes.svg are written"
