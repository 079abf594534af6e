#!/usr/bin/env bash
# Prepares a bucket for checkpoints: creates it where it is missing, applies the lifecycle, checks everything. On AWS, MinIO
# and other S3; running it again changes nothing that is as it should be. No AWS CLI is needed.
#
#   CHECKPOINT_BUCKET=my-checkpoints AWS_REGION=us-west-2 ./scripts/setup-aws.sh
#   ./scripts/setup-aws.sh --dry-run
#
# Which bucket, where, and who you are comes from the environment, from .env in this directory, and from the AWS
# configuration files, as for every strata-ckpt command. What follows on the command line goes to `strata-ckpt setup` and wins
# over the settings here:
#
#   ./scripts/setup-aws.sh --check
#   ./scripts/setup-aws.sh --transition-after-epochs 200 --epoch-duration 12h

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
# Where checkpoints move: STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR. Empty: STANDARD_IA. Refused where they do
# not move at all.
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

# As the variables of the flags: a flag on the command line wins, and --check, --iam-policy and --env take no notice of them.
# An empty one counts as unset.
export STORAGE_BACKEND=s3
export STRATA_EPOCH_DURATION=$EPOCH_DURATION
export STRATA_TRANSITION_AFTER_EPOCHS=$TRANSITION_AFTER_EPOCHS
export STRATA_EXPIRE_AFTER_EPOCHS=$EXPIRE_AFTER_EPOCHS
export STRATA_ABORT_DAYS=$ABORT_DAYS
export STRATA_STORAGE_CLASS=$STORAGE_CLASS
export STRATA_NONCURRENT_DAYS=$NONCURRENT_DAYS
exec "$binary" setup "$@"
