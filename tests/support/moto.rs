//! A moto server (https://docs.getmoto.org) on loopback: the settings of buckets as AWS has them, where MinIO's hold
//! less. It believes every signature, and is gone when the test process is, however that ends.

use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::minio::client::{Answer, Client};
use super::minio::{Keys, free_port};
use super::tool;

const START_TIMEOUT: Duration = Duration::from_secs(300);
/// Becomes the server, after leaving a process behind that kills it at the end of the pipe to its stdin.
const GUARD: &str = r#"
exec 3<&0
{ read -r _ <&3; kill -9 $$; } &
exec "$@" 3<&- </dev/null >/dev/null 2>&1
"#;

/// A running server.
pub struct Moto {
    endpoint: String,
    client: Client,
    /// Its end tells the shell around the server to kill it.
    _alive: ChildStdin,
}

/// The server that all tests of this binary share; each takes a bucket of its own.
pub fn shared() -> &'static Moto {
    static SHARED: OnceLock<Moto> = OnceLock::new();
    SHARED.get_or_init(Moto::start)
}

/// A name that no bucket has yet.
pub fn new_name() -> String {
    format!("test-{}", uuid::Uuid::new_v4().simple())
}

impl Moto {
    fn start() -> Self {
        let program = tool::find("STRATA_TEST_MOTO", "moto_server", "python/bin/moto_server");
        // A port that was free may be taken before the server binds it.
        for _ in 0..3 {
            let port = free_port();
            let endpoint = format!("http://127.0.0.1:{port}");
            let client = Client::new(&endpoint, None);
            let mut child = Command::new("sh")
                .args(["-c", GUARD, "moto"])
                .arg(&program)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .unwrap();
            let alive = child.stdin.take().unwrap();
            if ready(&client, &mut child) {
                return Moto { endpoint, client, _alive: alive };
            }
            drop(alive);
            let _ = child.wait();
        }
        panic!("{} did not start", program.display());
    }

    /// The page's variables for a bucket of this name, which need not be there.
    pub fn environment(&self, bucket: &str, region: &str) -> Vec<(String, String)> {
        let Keys { id, secret, .. } = keys();
        [
            ("STORAGE_BACKEND", "s3"),
            ("CHECKPOINT_BUCKET", bucket),
            ("S3_ENDPOINT", &self.endpoint),
            ("AWS_REGION", region),
            ("AWS_ACCESS_KEY_ID", &id),
            ("AWS_SECRET_ACCESS_KEY", &secret),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the server answers; `target` begins with the bucket's name.
    pub fn call(&self, method: &str, target: &str, body: &str) -> Answer {
        let xml = [("content-type", "application/xml")];
        let headers = if body.is_empty() { &xml[..0] } else { &xml };
        let answer = self.client.call_with(&keys(), method, &format!("/{target}"), headers, body.as_bytes());
        answer.unwrap_or_else(|| panic!("{method} {target} was not answered"))
    }
}

fn keys() -> Keys {
    Keys { id: "AKIDEXAMPLE".to_owned(), secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(), token: None }
}

/// Waits until the server answers; false when it ended instead.
fn ready(client: &Client, child: &mut Child) -> bool {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        if client.try_call(&keys(), "s3", "GET", "/", &[]).is_some_and(|answer| answer.status == 200) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}
