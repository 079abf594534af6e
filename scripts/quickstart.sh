#!/usr/bin/env bash
# From a fresh clone to a checkpoint that was put, listed, fetched and compared, on this machine alone.
# Needs Rust; installs missing build packages where it may, else says which. Leaves nothing but target/.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'
else
    bold='' green='' dim='' plain=''
fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
ok() { printf '   %s✓%s %s\n' "$green" "$plain" "$*"; }
# Shows a command as a person would type it, then runs it.
run() {
    printf '   %s$ strata-ckpt %s%s\n' "$bold" "$*" "$plain"
    "$binary" "$@" 2>&1 | sed 's/^/     /'
}

step "1/5  What building needs"
need_rust "$root"
ok "Rust $(rustc --version | cut -d' ' -f2)"
need_build_packages
ok "a C compiler, pkg-config, OpenSSL's headers"

step "2/5  Building strata-ckpt ${dim}(release; some four minutes the first time, seconds afterwards)${plain}"
started=$SECONDS
binary=$(cd "$root" && cargo build --release --locked --bin strata-ckpt --message-format json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
[ -x "$binary" ] || die "cargo did not say where it put the binary"
ok "$binary ${dim}($((SECONDS - started)) s)${plain}"

# An environment and a directory of its own: no settings of yours are used, nothing of yours is touched.
while read -r name; do
    unset "$name"
done < <(compgen -e | grep -E '^(AWS|CHECKPOINT|S3|STRATA)_' || true)
export STORAGE_BACKEND=local
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

step "3/5  A small checkpoint, as a training run would leave it"
mkdir epoch_1
head -c 9437184 /dev/urandom >epoch_1/model.safetensors
head -c 1500000 /dev/urandom >epoch_1/optimizer.pt
printf '{"step": 1000, "loss": 2.25}\n' >epoch_1/trainer_state.json
for file in epoch_1/*; do
    ok "$file ${dim}($(wc -c <"$file" | tr -d ' ') bytes)${plain}"
done

step "4/5  Put it into a store, list it, get it back"
run put epoch_1
run ls
run get epoch_1 restored

step "5/5  Is it the same?"
diff -r epoch_1 restored || die "what came back is not what was put"
ok "restored is epoch_1, byte for byte"

cat <<END

${bold}The binary:${plain} $binary

${bold}Next:${plain}
   export PATH="${binary%/*}:\$PATH"
   strata-ckpt put path/of/a/checkpoint     ${dim}# a file or a directory, into ./checkpoints${plain}
   strata-ckpt ls
   strata-ckpt --help

   ${dim}# S3 or MinIO instead of ./checkpoints: fill in CHECKPOINT_BUCKET and the keys${plain}
   cp "$root/.env.example" .env
END
