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

/// Sourced in a real bash, and asked as the shell asks.
#[test]
fn bash_completes_subcommands_flags_and_values() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/strata-ckpt.bash");
    for (words, expected) in [
        ("strata-ckpt p", "put"),
        ("strata-ckpt put --no-c", "--no-clobber"),
        ("strata-ckpt get --lat", "--latest"),
        ("strata-ckpt put --color al", "always"),
        ("strata-ckpt completions pow", "powershell"),
    ] {
        let ask = format!(
            "source '{script}'; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _strata__ckpt strata-ckpt \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let told = std::process::Command::new("bash").args(["-c", &ask]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), expected, "{words}: {told:?}");
    }
}
