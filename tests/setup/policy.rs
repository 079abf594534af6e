//! `setup --iam-policy`: exactly what is needed.

use std::io::{Cursor, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storage::event::{Event, Observer};
use storage::{Environment, ErrorKind, Overwrite, RuntimeConfig, S3Config, S3Storage, Transfer};
use tokio::io::AsyncReadExt;

use super::support::bed::{Bed, faulty, minio, said, with};
use super::support::faulty::{Action, Faulty, Operation, Rule};
use super::support::minio::Keys;
use super::{setup, told};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn the_policy_is_all_that_is_printed_and_nothing_is_sent() {
    // Nothing answers there.
    let pairs = [("STORAGE_BACKEND", "s3"), ("CHECKPOINT_BUCKET", "my-ckpts"), ("S3_ENDPOINT", "http://127.0.0.1:1")];
    let bed = with(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
    let said = setup(&bed, &["--iam-policy", "--prefix", "runs/a", "--kms-key", KEY]);
    insta::assert_snapshot!("policy", told(&said, &[]));
    let china = setup(&bed, &["--iam-policy", "--region", "cn-north-1", "--json"]);
    let line = china.json_lines().pop().unwrap();
    assert_eq!(
        (&line["type"], &line["policy"]["Statement"][0]["Resource"]),
        (&"iam_policy".into(), &"arn:aws-cn:s3:::my-ckpts".into())
    );
}

#[test]
fn the_policy_is_enough_for_a_checkpoint_and_for_nothing_beside_the_prefix() {
    let bed = minio();
    let printed = setup(&bed, &["--iam-policy", "--prefix", "runs/a"]);
    let keys = bed.bucket().keys_under(&String::from_utf8(printed.stdout).unwrap());
    let run = |arguments: &[&str]| {
        let mut command = bed.command(arguments);
        command.envs([
            ("CHECKPOINT_PREFIX", "runs/a"),
            ("AWS_ACCESS_KEY_ID", &keys.id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret),
            ("AWS_SESSION_TOKEN", keys.token.as_ref().unwrap()),
        ]);
        command.output().unwrap()
    };
    bed.write("epoch_1/model.bin", &vec![7; 20 << 20]);
    for arguments in
        [&["put", "epoch_1"][..], &["ls"], &["ls", "--verify"], &["get", "epoch_1", "back"], &["rm", "epoch_1"]]
    {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    bed.assert_same_tree("epoch_1", "back");
    assert_eq!(run(&["ls", "--prefix", "runs/ab"]).status.code(), Some(7), "the neighbour is not to be seen");
    assert_eq!(run(&["put", "epoch_1", "--prefix", "runs"]).status.code(), Some(7));
}

/// The printed policy without one of its actions.
fn without(policy: &str, action: &str) -> String {
    let mut policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let mut taken = 0;
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        let before = actions.len();
        actions.retain(|one| one != action);
        taken += before - actions.len();
    }
    assert_eq!(taken, 1, "{action} is in it once");
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement["Action"] != serde_json::json!([]));
    policy.to_string()
}

/// A bucket with a checkpoint and a file, and what every subcommand says under each policy.
struct Trial {
    bed: Bed,
    keys: Keys,
}

impl Trial {
    fn new(action: Option<&str>) -> Self {
        let bed = minio();
        let printed = String::from_utf8(setup(&bed, &["--iam-policy", "--prefix", "runs/a"]).stdout).unwrap();
        let policy = action.map_or(printed.clone(), |action| without(&printed, action));
        let keys = bed.bucket().keys_under(&policy);
        bed.write("epoch_1/model.bin", &vec![7; 20 << 20]);
        bed.write("epoch_1/small", b"small");
        bed.write("notes", b"notes");
        for put in
            [&["put", "epoch_1"][..], &["put", "epoch_1", "epoch_2"], &["put", "epoch_1", "epoch_3"], &["put", "notes"]]
        {
            bed.ok([put, &["--prefix", "runs/a"]].concat());
        }
        Trial { bed, keys }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.bed.command(arguments);
        command.envs([
            ("CHECKPOINT_PREFIX", "runs/a"),
            ("AWS_ACCESS_KEY_ID", &self.keys.id),
            ("AWS_SECRET_ACCESS_KEY", &self.keys.secret),
            ("AWS_SESSION_TOKEN", self.keys.token.as_ref().unwrap()),
        ]);
        command
    }

    /// The command, its exit code and, where it failed, its words.
    fn told(&self, arguments: &[&str]) -> String {
        let said = said(self.command(arguments).output().unwrap());
        let words = match said.code {
            Some(0) => String::new(),
            _ => said
                .stderr
                .lines()
                .filter(|line| !line.starts_with("warning: "))
                .fold(String::new(), |text, line| text + "  " + line + "\n"),
        };
        format!("{}: exit {}\n{}", arguments.join(" "), said.code.unwrap(), self.settled(&words))
    }

    fn settled(&self, words: &str) -> String {
        let words = words.replace(self.bed.bucket().name(), "BUCKET");
        words.replace(self.bed.bucket().server().endpoint(), "ENDPOINT")
    }

    /// A stream that is cancelled when its upload has begun, so that it has to be given up: by the library, which has all
    /// the time that the server takes.
    fn cancelled_put(&self) -> String {
        let Keys { id, secret, token } = self.keys.clone();
        let mut variables = self.bed.bucket().environment();
        let own =
            [("CHECKPOINT_PREFIX", "runs/a".to_owned()), ("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        for (name, value) in own.into_iter().chain([("AWS_SESSION_TOKEN", token.unwrap())]) {
            variables.retain(|(other, _)| other != name);
            variables.push((name.to_owned(), value));
        }
        let config = S3Config::from_environment(self.bed.bucket().name(), &Environment::from_pairs(variables)).unwrap();
        let warnings = Arc::new(Warnings::default());
        let grace = Duration::from_secs(600);
        let runtime = RuntimeConfig { cancel_grace: grace, observer: warnings.clone(), ..RuntimeConfig::default() };
        let cancel = runtime.cancel.clone();
        let putting = async move {
            let store = Arc::new(S3Storage::with_config(config, runtime).await.unwrap());
            // The end never comes.
            let (_open, waiting) = tokio::io::duplex(1);
            let reader = Cursor::new(vec![1; 40 << 20]).chain(waiting);
            Transfer::new(store).put_stream(reader, "stream", Overwrite::Replace).await
        };
        let threads = tokio::runtime::Runtime::new().unwrap();
        let putting = threads.spawn(putting);
        while self.bed.bucket().uploads().is_empty() && !putting.is_finished() {
            std::thread::yield_now();
        }
        cancel.cancel();
        let error = threads.block_on(putting).unwrap().unwrap_err();
        let hint = error.hint().map(|hint| format!("hint: {hint}"));
        let told = warnings.0.lock().unwrap().clone();
        let told = told.into_iter().filter(|line| !line.contains("CRC-64")).map(|line| format!("warning: {line}"));
        // Where it was cancelled differs from run to run.
        let error = match error.kind() {
            ErrorKind::Cancelled => "cancelled".to_owned(),
            _ => format!("error: {error}"),
        };
        let told = told.chain([error]).chain(hint);
        let words = told.fold(String::new(), |text, line| text + "  " + &line + "\n");
        let left = self.bed.bucket().uploads().len();
        format!("put of a stream, cancelled: uploads left: {left}\n{}", self.settled(&words))
    }
}

#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push((*message).to_owned());
        }
    }
}

/// Whatever is missing is said on the first request that needs it, and nothing is taken for absent or done.
#[test]
fn each_subcommand_under_the_policy_and_without_each_of_its_actions() {
    const ACTIONS: [&str; 5] =
        ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject", "s3:AbortMultipartUpload"];
    for action in [None].into_iter().chain(ACTIONS.map(Some)) {
        let trial = Trial::new(action);
        let commands = [
            &["ls"][..],
            &["ls", "--verify"],
            &["ls", "--partial"],
            &["get", "epoch_1", "back"],
            &["get", "notes", "noted"],
            &["get", "--latest"],
            &["put", "notes", "other"],
            &["put", "epoch_1", "epoch_4"],
            &["rm", "notes"],
            &["rm", "epoch_1"],
            &["rm", "--keep-last", "1", "--yes"],
            &["rm", "--partial", "--yes"],
            &["bench", "--size", "5MiB", "--runs", "1", "--part-size", "5MiB", "-j", "2", "--op", "put"],
        ];
        let mut told: String = commands.iter().map(|arguments| trial.told(arguments)).collect();
        told += &trial.cancelled_put();
        let name = action.map_or("policy_all".to_owned(), |action| format!("policy_without_{}", &action[3..]));
        // Which of several requests is refused first differs from run to run.
        let filters = [(r"epoch_[123]/\.strata", "epoch_N/.strata"), (r"\.strata-bench-[0-9a-f]+", ".strata-bench-ID")];
        insta::with_settings!({ filters => filters }, { insta::assert_snapshot!(name, told) });
    }
}

/// The same by the command, which is told to stop by a signal.
#[test]
fn an_interrupted_put_that_may_not_abort_says_what_it_leaves() {
    let server = Faulty::start([Rule::always(Operation::Abort, Action::refuse(403, "AccessDenied"))]);
    let bed = faulty(&server);
    let mut command = bed.command(["put", "-", "stream"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&vec![1; 20 << 20]).unwrap();
    while server.count(Operation::Part) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let said = said(child.wait_with_output().unwrap());
    drop(stdin);
    assert_eq!((said.code, server.uploads().len()), (Some(130), 1), "{said:?}");
    let warning = "warning: the unfinished upload of 'stream' could not be aborted and stays in the store: access to the \
                   bucket 'checkpoints' is denied\nerror: interrupted\n";
    assert!(said.stderr.contains(warning), "{said:?}");
}
