//! `credential_process`: a command of a profile that prints credentials
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>). AWS's own provider leaves it running
//! when nobody waits for it any more.

use std::io::IsTerminal;
use std::process::Stdio;

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::given;
use super::unidentified::{Failed, tagged};
use crate::error::Result;

/// The most bytes of its output: credentials have a few hundred, tokens some thousand.
const LONGEST: u64 = 1 << 20;

/// What the command gives. What it says is never shown: it may be the secret.
pub(super) async fn ask(profile: &str, command: &str) -> Result<Credentials> {
    let failed = Failed {
        what: format!("the credential_process of the AWS profile '{profile}' gave no credentials"),
        hint: "run its command by hand to see what it says; it is not shown because it may hold a secret".to_owned(),
    };
    // At a terminal it may ask a person; else what is there is not for it.
    let stdin = if std::io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() };
    let child = Command::new("sh")
        .args(["-c", command])
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut running =
        Running(child.map_err(|error| failed.because(&format!("it could not be run: {}", error.kind())))?);
    let mut output = Zeroizing::new(Vec::new());
    if let Some(stdout) = running.0.stdout.take() {
        let read = stdout.take(LONGEST).read_to_end(&mut output).await;
        read.map_err(|error| failed.because(&format!("its output could not be read: {}", error.kind())))?;
    }
    let status = running.0.wait().await.map_err(|error| failed.because(&error.kind().to_string()))?;
    match status.code() {
        Some(0) => {}
        Some(126 | 127) => return Err(failed.because("it could not be run")),
        Some(code) => return Err(failed.because(&format!("it failed with exit code {code}"))),
        None => return Err(failed.because("it was killed")),
    }
    let given = given::of_process(&output).and_then(|given| tagged(given, Feature::CredentialsProcess));
    given.ok_or_else(|| failed.because("its output is not the JSON that AWS documents"))
}

/// A command that ends with whoever waits for it, along with those that it has started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Once it has ended, its number may be somebody else's.
        let Some(id) = self.0.id() else { return };
        for started in below(id) {
            if let Some(pid) = i32::try_from(started).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let _ = self.0.start_kill();
    }
}

/// The processes that a process has started, and those that these have, as Linux tells; elsewhere nobody does.
fn below(id: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut asked = vec![id];
    while let Some(parent) = asked.pop() {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let children: Vec<u32> = children.split_whitespace().filter_map(|id| id.parse().ok()).collect();
        asked.extend(&children);
        found.extend(children);
    }
    found
}
