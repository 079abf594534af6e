//! A real MinIO on loopback: a data directory of its own, and gone when the test process is, however that ends.
//!
//! ```no_run
//! let bucket = support::minio::shared().bucket();
//! command.envs(bucket.environment());        // the five permissions on this bucket, and nothing else
//! assert!(bucket.uploads().is_empty());      // asked as root
//! ```

pub mod authority;
mod bucket;
pub(super) mod client;

use std::env;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use self::authority::Authority;
pub use self::bucket::Bucket;
use self::client::Client;
use super::tool;

/// The only key of the servers' key management service. It encrypts nothing but what these tests make.
pub const KMS_KEY: &str = "strata-test-key";
const KMS_SECRET: &str = "IyqsU3kMFloCNup4BsZtf/rmfHVcTgznO2F25CkEH1g=";

/// How long a MinIO may take to answer, on a machine that is busy with other things.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Who asks.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.id)
    }
}

/// A running server.
pub struct Minio {
    endpoint: String,
    root: Keys,
    authority: Option<Authority>,
    client: Client,
    directory: PathBuf,
    /// Its end tells the shell around the server to kill it and to remove its directory.
    _alive: ChildStdin,
}

/// The server that all tests of this binary share; each takes a bucket of its own.
pub fn shared() -> &'static Minio {
    static SHARED: OnceLock<Minio> = OnceLock::new();
    SHARED.get_or_init(|| Minio::start(None, GUARD))
}

/// The same behind TLS with a certificate that only [`Minio::ca`] vouches for.
pub fn shared_tls() -> &'static Minio {
    static SHARED: OnceLock<Minio> = OnceLock::new();
    SHARED.get_or_init(|| Minio::start(Some(Authority::new()), GUARD))
}

/// One of a single test's own, which comes back on the same port with the same data whenever it dies.
pub fn own() -> &'static Minio {
    Box::leak(Box::new(Minio::start(None, PHOENIX)))
}

impl Minio {
    fn start(authority: Option<Authority>, guard: &str) -> Self {
        let binary = tool::find("STRATA_TEST_MINIO", "minio", "bin/minio");
        // A secret as AWS makes them, with the characters that careless parsers stumble over.
        let root = Keys { id: random_name("root"), secret: random_name("s=/+") + "=", token: None };
        let mut complaints = String::new();
        // A port that was free may be taken before the server binds it.
        for _ in 0..3 {
            let port = free_port();
            let scheme = if authority.is_some() { "https" } else { "http" };
            let endpoint = format!("{scheme}://127.0.0.1:{port}");
            let client = Client::new(&endpoint, authority.as_ref());
            let directory = tempfile::Builder::new().prefix("strata-minio-").tempdir().unwrap().keep();
            let (mut child, alive) = launch(guard, &binary, &directory, port, &root, authority.as_ref());
            if ready(&client, &root, &mut child) {
                return Minio { endpoint, root, authority, client, directory, _alive: alive };
            }
            complaints += &fs::read_to_string(directory.join("log")).unwrap_or_default();
            drop(alive);
            let _ = child.wait();
        }
        panic!("{} did not start:\n{complaints}", binary.display());
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The file with the certificate of the authority behind a TLS server.
    pub fn ca(&self) -> Option<&Path> {
        self.authority.as_ref().map(Authority::ca)
    }

    /// The identity that may do everything; for set-up and assertions only.
    pub fn root(&self) -> &Keys {
        &self.root
    }

    /// Sends a signal to a server of [`own`].
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = fs::read_to_string(self.directory.join("pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// A new, empty bucket.
    pub fn bucket(&'static self) -> Bucket {
        self.bucket_named(&random_name("test"))
    }

    /// A new, empty bucket with Object Lock.
    pub fn locked_bucket(&'static self) -> Bucket {
        self.locked_bucket_in("GOVERNANCE")
    }

    /// The same in this mode.
    pub fn locked_bucket_in(&'static self, mode: &str) -> Bucket {
        Bucket::create_locked(self, random_name("locked"), mode)
    }

    /// A new, empty bucket that keeps old versions.
    pub fn versioned_bucket(&'static self) -> Bucket {
        let bucket = self.bucket_named(&random_name("versioned"));
        let versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let kept = bucket.as_root("PUT", "?versioning=", versioning);
        assert_eq!(kept.status, 200, "{kept:?}");
        bucket
    }

    /// A new, empty bucket of this name.
    pub fn bucket_named(&'static self, name: &str) -> Bucket {
        Bucket::create(self, name.to_owned())
    }
}

/// Becomes the server, after leaving a process behind that waits for the end of the pipe to its stdin, which comes when
/// this test process ends, however that happens; then it kills the server and removes its directory.
const GUARD: &str = r#"
directory=$1; shift
exec 3<&0
{ read -r _ <&3; kill -9 $$; rm -rf "$directory"; } &
exec "$@" 3<&- </dev/null >"$directory/log" 2>&1
"#;

/// The same, but the server is a child, and is started again when it ends.
const PHOENIX: &str = r#"
directory=$1; shift
exec 3<&0
{
    while :; do
        "$@" 3<&- </dev/null >>"$directory/log" 2>&1 &
        echo $! >"$directory/pid"
        wait $!
    done
} &
loop=$!
read -r _ <&3
kill -9 $loop
kill -9 "$(cat "$directory/pid")"
rm -rf "$directory"
"#;

fn launch(
    guard: &str,
    binary: &Path,
    directory: &Path,
    port: u16,
    root: &Keys,
    authority: Option<&Authority>,
) -> (Child, ChildStdin) {
    let certificates = directory.join("certs");
    fs::create_dir(&certificates).unwrap();
    if let Some(authority) = authority {
        authority.certify_loopback(&certificates.join("public.crt"), &certificates.join("private.key"));
    }
    let mut child = Command::new("sh")
        .args(["-c", guard, "minio"])
        .arg(directory)
        .arg(binary)
        .args(["server", "--quiet", "--address"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("--certs-dir")
        .arg(&certificates)
        .arg(directory.join("data"))
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .envs([("MINIO_ROOT_USER", &root.id), ("MINIO_ROOT_PASSWORD", &root.secret)])
        .env("MINIO_KMS_SECRET_KEY", format!("{KMS_KEY}:{KMS_SECRET}"))
        .envs([("MINIO_BROWSER", "off"), ("MINIO_UPDATE", "off"), ("MINIO_CI_CD", "on")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in a terminal reaches the tests alone; the server follows them in an orderly way.
        .process_group(0)
        .spawn()
        .unwrap();
    let alive = child.stdin.take().unwrap();
    (child, alive)
}

/// Waits until the server is up and is ours: it knows the root keys. False when it ended instead.
fn ready(client: &Client, root: &Keys, child: &mut Child) -> bool {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        let live = client.try_call(root, "s3", "GET", "/minio/health/live", &[]);
        if live.is_some_and(|answer| answer.status == 200) {
            let ours = client.try_call(root, "s3", "GET", "/", &[]);
            // Identities are ready a moment later than buckets.
            let form = b"Action=AssumeRole&Version=2011-06-15";
            let identities = || client.try_call(root, "sts", "POST", "/", form);
            if ours.is_some_and(|answer| answer.status == 200)
                && identities().is_some_and(|answer| answer.status == 200)
            {
                return true;
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Not one of those that the kernel gives to whoever asks for any: a server that is started again finds it free.
pub(super) fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(15_000..30_000)).find(is_free).unwrap()
}

fn random_name(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::new_v4().simple())
}
