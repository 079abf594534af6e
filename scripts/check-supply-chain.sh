#!/usr/bin/env bash
# Dependencies against deny.toml: licences, bans and sources. And that no code of this crate is unsafe.
#   ./scripts/check-supply-chain.sh [--advisories]      with it, advisories and yanked versions are a failure as well
# Without it they are told: they depend on the day and not on the change that is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
. scripts/lib/setup.sh

need_rust .
deny=$(find_cargo_deny)

if found=$(grep -rnw --include="*.rs" unsafe src | grep -vE '^[^:]+:[0-9]+: *//'); then
    die "unsafe code in src/:" "$found"
fi
grep -q '^unsafe_code = "forbid"' Cargo.toml || die "Cargo.toml does not forbid unsafe code"

"$deny" --locked --all-features check licenses bans sources

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if "$deny" --locked --all-features check advisories >"$log" 2>&1; then
    tail -n 1 "$log"
else
    cat "$log" >&2
    [ "${1:-}" != --advisories ] || exit 1
    say "warning: there are advisories, or their database cannot be fetched from here"
fi
