#!/usr/bin/env bash
# Prepares a bucket for checkpoints: creates it where it is missing, applies the lifecycle, checks everything. On AWS, MinIO
# and other S3; running it again changes nothing that is as it should be. No AWS CLI is needed.
#
#   CHECKPOINT_BUCKET=my-checkpoints AWS_REGION=us-west-2 ./scripts/setup-aws.sh
#   ./scripts/setup-aws.sh --dry-run
#
# Which bucket, where, and who you are comes from the environment, from .env in this directory, and from the AWS
# configuration files, as for every strata-ckpt command. What follows on the command line goes to `strata-ckpt setup`.

# --- Settings: change them here, or set them in the environment ---------------------------------------------------

# How long one training epoch takes: 45m, 6h, 2d.
: "${EPOCH_DURATION=6h}"
# Checkpoints move to infrequent access so many epochs after they were written. 120 epochs of 6h are 30 days, the least
# that S3 allows. Empty: never.
: "${TRANSITION_AFTER_EPOCHS=120}"
# Checkpoints are deleted so many epochs after they were written; the newest as well, when training pauses that long.
# Empty: never. `strata-ckpt rm --keep-last N` deletes by count instead.
: "${EXPIRE_AFTER_EPOCHS=}"
# Unfinished uploads are aborted after so many days. A put that was interrupted longer ago starts over. Empty: 7.
: "${ABORT_DAYS=7}"
# Where checkpoints move: STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR. Empty: STANDARD_IA.
: "${STORAGE_CLASS=}"
# Old versions in a bucket with versioning are deleted so many days after they were replaced or removed. Empty: never.
: "${NONCURRENT_DAYS=}"

# -------------------------------------------------------------------------------------------------------------------
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# find_binary: $STRATA_CKPT, what was built here, the one on PATH, or one that is built now.
find_binary() {
    local target=${CARGO_TARGET_DIR:-$root/target}
    if [ -n "${STRATA_CKPT:-}" ]; then
        if ! command -v "$STRATA_CKPT"; then
            printf "error: STRATA_CKPT is '%s', which is no program\n" "$STRATA_CKPT" >&2
            return 1
        fi
    elif [ -x "$target/release/strata-ckpt" ]; then
        printf '%s\n' "$target/release/strata-ckpt"
    elif ! command -v strata-ckpt; then
        # shellcheck source=scripts/lib/setup.sh
        . "$root/scripts/lib/setup.sh"
        need_rust "$root"
        need_build_packages
        say "building strata-ckpt (some four minutes the first time) ..."
        (cd "$root" && cargo build --release --locked --bin strata-ckpt --message-format json-render-diagnostics) |
            sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
    fi
}

binary=$(find_binary)
if [ ! -x "$binary" ]; then
    printf 'error: no strata-ckpt was found or built\n' >&2
    exit 1
fi

arguments=()
# add FLAG VALUE: where there is a value.
add() { [ -z "$2" ] || arguments+=("$1" "$2"); }
add --abort-days "$ABORT_DAYS"
add --transition-after-epochs "$TRANSITION_AFTER_EPOCHS"
add --expire-after-epochs "$EXPIRE_AFTER_EPOCHS"
add --noncurrent-days "$NONCURRENT_DAYS"
if [ -n "$TRANSITION_AFTER_EPOCHS$EXPIRE_AFTER_EPOCHS" ]; then
    add --epoch-duration "$EPOCH_DURATION"
fi
if [ -n "$TRANSITION_AFTER_EPOCHS" ]; then
    add --storage-class "$STORAGE_CLASS"
fi
exec "$binary" setup --backend s3 "${arguments[@]}" "$@"
