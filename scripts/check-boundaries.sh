#!/usr/bin/env bash
# The layers of ARCHITECTURE.md, checked: each knows only the one below it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=0

# only_in WHERE NAMES: identifiers that match NAMES occur in src/ only in files whose path matches WHERE.
only_in() {
    local found
    found=$(grep -rnwE --include='*.rs' "$2" src | grep -vE "^($1)" | grep -vE '^[^:]+:[0-9]+: *//' || true)
    if [ -n "$found" ]; then
        printf 'error: only %s may name %s:\n%s\n' "$1" "$2" "$found" >&2
        failed=1
    fi
}

# never DIRECTORY NAMES: no file under DIRECTORY names these modules.
never() {
    local found
    [ -e "$1" ] || return 0
    found=$(grep -rnE --include='*.rs' "crate::($2)\b" "$1" | grep -vE '^[^:]+:[0-9]+: *//' || true)
    if [ -n "$found" ]; then
        printf 'error: %s may not know %s:\n%s\n' "$1" "$2" "$found" >&2
        failed=1
    fi
}

only_in 'src/s3/' 'rusoto(_[a-z0-9]+)?'
only_in 'src/cli/|src/main\.rs:' 'clap(_[a-z]+)?|indicatif|anyhow|humansize'
never src/s3 'local|transfer|checkpoint'
never src/local 'transfer|checkpoint|s3'
never src/local.rs 'transfer|checkpoint|s3'
never src/transfer 'checkpoint|s3|local'
never src/checkpoint 's3|local'
never src/bench 's3|local'

# The library alone is local-only and free of the command line's crates.
cargo clippy --locked --quiet --lib --no-default-features -- -D warnings
tree=$(cargo tree --locked -e normal --no-default-features --prefix none)
if found=$(grep -E '^(clap|indicatif|anyhow|humansize|rusoto|hyper|aws-)' <<<"$tree"); then
    printf 'error: the library without features depends on:\n%s\n' "$found" >&2
    failed=1
fi

exit "$failed"
