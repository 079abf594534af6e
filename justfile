# Daily work. `just` lists the recipes; https://just.systems

_default:
    @just --list --unsorted

# Format the code
fmt:
    cargo fmt

# Everything but the tests: format, layers, lints
check:
    cargo fmt --check
    ./scripts/check-boundaries.sh
    cargo clippy --locked --all-targets -- -D warnings

# The whole suite, or what `cargo test` is told: just test --test s3_traps
test *ARGS:
    ./scripts/test.sh {{ARGS}}

# Every crash point and every failed call, not a sample of them: some minutes
crash-sweep *ARGS:
    STRATA_CRASH_SWEEP=all ./scripts/test.sh --test crash {{ARGS}} -- --nocapture

# A server that dies and a network that is cut, under 1 GiB
outage *ARGS:
    STRATA_OUTAGE_MIB=1024 ./scripts/test.sh --test faults outage {{ARGS}}

# Compare with other S3 clients, and write docs/performance.md: about an hour
bench-peers *ARGS:
    ./scripts/bench-peers.sh {{ARGS}}

# What one warm gigabyte does not show: cold disk, little memory, holes, local copies, 100,000 objects: ten minutes
measure-extremes *ARGS:
    ./scripts/measure-extremes.sh {{ARGS}}

# Checksums, plans, manifests and journals by themselves
bench-parts *ARGS:
    cargo bench --locked --bench hot -- {{ARGS}}

# Build, and take a small checkpoint there and back
quickstart:
    ./scripts/quickstart.sh

# What CI runs
ci:
    ./.ci/run

# The library's documentation, in a browser
doc:
    cargo doc --locked --no-deps --lib --open

# Generate completions/ anew, after a change of the command line
completions:
    cargo run --quiet --locked -- completions bash > completions/strata-ckpt.bash
    cargo run --quiet --locked -- completions zsh > completions/_strata-ckpt
    cargo run --quiet --locked -- completions fish > completions/strata-ckpt.fish
    cargo run --quiet --locked -- completions powershell > completions/_strata-ckpt.ps1
    cargo run --quiet --locked -- completions man > completions/strata-ckpt.1
