//! Every subcommand at its loudest, with secrets that must not appear in anything it writes or runs.

use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, BUCKET, Faulty, Operation, Request, Response, Rule};
use crate::{assert_silent, bed_with};

const SECRET: &str = "canary-secret/with+signs=";
const TOKEN: &str = "canary-token==";
const PROXY: &str = "canary-proxy-password";
const SSO: &str = "canary-sso-token";
const LOUDEST: [(&str, &str); 5] = [
    ("RUST_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("AWS_LOG_LEVEL", "trace"),
    ("AWS_LOG", "trace"),
    ("STRATA_VERBOSE", "1"),
];

/// All subcommands, in an order in which each has something to do.
const ALL: [&[&str]; 20] = [
    &["put", "epoch_1", "--meta", "step=1"],
    &["put", "epoch_1/model.bin", "single", "--json"],
    &["put", "epoch_2", "--keep-last", "1"],
    &["ls"],
    &["ls", "--json", "--files"],
    &["ls", "--verify"],
    &["ls", "--partial"],
    &["get", "epoch_2", "back"],
    &["get", "single", "-"],
    &["get", "absent"],
    &["rm", "single"],
    &["rm", "--partial"],
    &["rm", "--keep-last", "1", "--yes"],
    &["setup", "--dry-run"],
    &["setup", "--check"],
    &["setup", "--iam-policy"],
    &["completions", "bash"],
    &["bench", "--size", "5MiB", "-j", "1", "--part-size", "5MiB", "--runs", "1"],
    &["setup"],
    // The last one: it writes what the others would read.
    &["setup", "--env"],
];

/// What some of them may end with in any case: there is no such file; a check tells by its code what is bad.
const OWN_ENDINGS: [(&[&str], &[i32]); 2] = [(&["get", "absent"], &[4]), (&["setup", "--check"], &[0])];

fn files(bed: &Bed) {
    for (path, content) in
        [("epoch_1/model.bin", "weights"), ("epoch_1/opt.bin", "moments"), ("epoch_2/model.bin", "more")]
    {
        bed.write(path, content.as_bytes());
    }
}

/// Runs all of it; `endings` are the exit codes that are allowed.
fn run_all(bed: &Bed, secrets: &[&str], endings: &[i32]) {
    files(bed);
    for arguments in ALL {
        let said = bed::said(bed.command(arguments).envs(LOUDEST).output().unwrap());
        let code = said.code.unwrap();
        let own = OWN_ENDINGS.iter().find(|(own, _)| arguments == *own).map_or(&[][..], |(_, own)| *own);
        assert!(endings.contains(&code) || own.contains(&code), "{arguments:?}: {said:?}");
        assert!(!said.stderr.contains("panicked"), "{arguments:?}: {said:?}");
        assert_silent(bed, &said, secrets);
    }
}

fn environment() -> [(&'static str, &'static str); 5] {
    [
        ("AWS_ACCESS_KEY_ID", "AKIDCANARY"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("NO_PROXY", "127.0.0.1"),
        ("HTTPS_PROXY", "http://me:canary-proxy-password@127.0.0.1:9"),
    ]
}

#[test]
fn on_a_store_that_works() {
    let server = Faulty::start([]);
    run_all(&bed_with(&server, &environment()), &[SECRET, TOKEN, PROXY, "Signature="], &[0]);
}

#[test]
fn on_a_store_that_refuses_everything() {
    for code in ["AccessDenied", "SignatureDoesNotMatch", "ExpiredToken", "InternalError"] {
        let status = if code == "InternalError" { 500 } else { 403 };
        let server = Faulty::start([Rule::always(Operation::Any, Action::refuse(status, code))]);
        let bed = bed_with(&server, &[&environment()[..], &[("STRATA_RETRIES", "0")]].concat());
        run_all(&bed, &[SECRET, TOKEN, PROXY, "Signature="], &[0, 2, 3, 5, 7, 8]);
    }
}

/// A server that repeats what it was sent, in a message of its own.
#[test]
fn on_a_store_that_repeats_secrets() {
    let judge = |request: &Request| {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let signature = header("authorization").rsplit_once("Signature=").map(|(_, signature)| signature.to_owned());
        let words = format!("odd {} and {}, {SECRET}", header("x-amz-security-token"), signature.unwrap_or_default());
        let padding = "x".repeat(280);
        let text = format!("<Error><Code>Odd</Code><Message>{words} {padding} {SECRET}</Message></Error>");
        Some(Response::xml(400, &text))
    };
    let server = Faulty::start([Rule::always(Operation::Any, Action::judge(judge))]);
    let bed = bed_with(&server, &environment());
    bed.write("model.bin", b"x");
    for arguments in [&["ls"][..], &["put", "model.bin"], &["ls", "--json"], &["setup", "--check"]] {
        let said = bed.run(arguments);
        assert_ne!(said.code, Some(0));
        assert!(said.stderr.contains("odd [redacted] and [redacted]") || arguments[0] != "ls", "{said:?}");
        assert_silent(&bed, &said, &[SECRET, TOKEN]);
        let long = |word: &&str| word.len() >= 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(!said.stderr.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| long(&word)), "{said:?}");
    }
}

#[test]
fn on_the_local_store() {
    let variables = environment().map(|(name, value)| (name.to_owned(), value.to_owned()));
    run_all(&bed::with(variables.to_vec()), &[SECRET, TOKEN, PROXY], &[0, 2]);
}

/// A proxy that wants a password, and is not there.
#[test]
fn behind_a_proxy_with_a_password() {
    let variables = [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", BUCKET),
        ("S3_ENDPOINT", "http://store.invalid"),
        ("AWS_REGION", "us-east-1"),
        ("STRATA_RETRIES", "0"),
        ("HTTP_PROXY", "http://me:canary-proxy-password@127.0.0.1:9"),
        ("http_proxy", "http://me:canary-proxy-password@127.0.0.1:9"),
    ];
    let variables = variables.into_iter().chain(environment().into_iter().take(3));
    let bed = bed::with(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    run_all(&bed, &[SECRET, TOKEN, PROXY, "Signature="], &[0, 2, 3, 5, 7, 9]);
}

/// The argument lists of the command and of what it runs, as anybody on the machine can read them, while it runs them.
#[test]
fn argument_lists_have_no_secret() {
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_PROFILE", "process"), ("HTTPS_PROXY", environment()[4].1)]);
    bed.write(
        "given/process.sh",
        format!(
            "p=$$\nwhile [ \"$p\" -gt 1 ]; do tr '\\0' ' ' </proc/$p/cmdline >>arguments; echo >>arguments\n\
             case $(tr '\\0' ' ' </proc/$p/cmdline) in *strata-ckpt*) break;; esac\n\
             p=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$p/status); done\n\
             printf '{{\"Version\":1,\"AccessKeyId\":\"AKIDCANARY\",\"SecretAccessKey\":\"{SECRET}\",\"SessionToken\":\"{TOKEN}\"}}'\n"
        )
        .as_bytes(),
    );
    bed.write("home/.aws/config", b"[profile process]\ncredential_process = /bin/sh given/process.sh\n");
    bed.write("home/.aws/sso/cache/0.json", format!(r#"{{"accessToken":"{SSO}"}}"#).as_bytes());
    run_all(&bed, &[SECRET, TOKEN, PROXY, SSO, "Signature="], &[0]);
    let seen = String::from_utf8(bed.read("arguments")).unwrap();
    assert!(seen.contains("strata-ckpt put epoch_1") && seen.contains("process.sh"), "{seen}");
}
