//! What `completions/` holds is what the command generates.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::bed::local;

#[test]
fn the_committed_files_are_fresh() {
    let files = [
        ("bash", "strata-ckpt.bash"),
        ("zsh", "_strata-ckpt"),
        ("fish", "strata-ckpt.fish"),
        ("powershell", "_strata-ckpt.ps1"),
        ("man", "strata-ckpt.1"),
    ];
    let bed = local();
    for (shell, file) in files {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file);
        let committed = std::fs::read(&path).unwrap_or_default();
        let mut command = bed.command(["completions", shell]);
        // None of these may show in what is generated.
        let output = command.envs([("STRATA_PART_SIZE", "16MiB"), ("COLUMNS", "40")]).output().unwrap();
        assert!(
            output.stdout == committed,
            "completions/{file} is stale; run: cargo run -q -- completions {shell} > completions/{file}"
        );
    }
}
