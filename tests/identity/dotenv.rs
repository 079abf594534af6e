//! `.env`: what a directory that was made by others can ask for, and who may read it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::bed::Bed;
use crate::support::faulty::{BUCKET, Faulty};
use crate::{CANARY, assert_silent, signer};

fn write(bed: &Bed, text: &str, mode: u32) {
    bed.write(".env", text.as_bytes());
    fs::set_permissions(bed.path(".env"), Permissions::from_mode(mode)).unwrap();
}

fn bed(variables: &[(&str, &str)]) -> Bed {
    let variables = variables.iter().chain(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    crate::support::bed::with(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn settings(server: &Faulty) -> String {
    format!("STORAGE_BACKEND=s3\nCHECKPOINT_BUCKET={BUCKET}\nS3_ENDPOINT={}\nAWS_REGION=us-east-1\n", server.endpoint())
}

/// A byte order mark, CRLF, `export`, quotes, comments, `=` and `#` inside values.
#[test]
fn a_file_as_editors_leave_it() {
    let server = Faulty::start([]);
    let bed = bed(&[]);
    let text = format!(
        "\u{feff}# who\n{}export AWS_ACCESS_KEY_ID=\"AKIDFILE\" # mine\nAWS_SECRET_ACCESS_KEY='a=b#c$d' \nAWS_SESSION_TOKEN=t=#t==\n",
        settings(&server)
    );
    write(&bed, &text.replace('\n', "\r\n"), 0o600);
    let said = bed.ok(["ls"]);
    assert!(
        said.stderr.starts_with("nothing in s3://checkpoints yet\n") && !said.stderr.contains("warning"),
        "{said:?}"
    );
    assert_eq!(signer(&server).unwrap(), "AKIDFILE");
    let request = server.requests(crate::Operation::List).pop().unwrap();
    assert_eq!(request.header("x-amz-security-token"), Some("t=#t=="));
}

#[test]
fn a_secret_that_others_may_read_is_told_of_once() {
    let server = Faulty::start([]);
    let bed = bed(&[]);
    let text = format!("{}AWS_ACCESS_KEY_ID=AKIDFILE\nAWS_SECRET_ACCESS_KEY='{CANARY}'\n", settings(&server));
    for (mode, warnings) in [(0o644, 1), (0o640, 1), (0o600, 0)] {
        write(&bed, &text, mode);
        for arguments in [&["ls"][..], &["ls", "-q"], &["ls", "--json"]] {
            let said = bed.ok(arguments);
            assert_eq!(said.stderr.matches("chmod 600 '.env'").count(), warnings, "{mode:o}: {}", said.stderr);
            assert_silent(&bed, &said, &[CANARY]);
        }
    }
    write(&bed, "CHECKPOINT_PREFIX=a\n", 0o644);
    assert!(!bed.ok(["ls"]).stderr.contains("chmod"), "there is no secret in it");
}

/// Somebody's `.env` could otherwise collect what is signed with the keys of whoever works there.
#[test]
fn an_endpoint_of_the_file_is_said_where_the_credentials_are_others() {
    let server = Faulty::start([]);
    let endpoint = server.endpoint();
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", CANARY)];
    let told = |bed: &Bed, arguments: &[&str]| {
        let said = bed.ok(arguments);
        assert_silent(bed, &said, &[CANARY]);
        said.stderr.matches(&format!("sign to {endpoint}, and they come from elsewhere")).count()
    };
    let of_environment = bed(&keys);
    write(&of_environment, &settings(&server), 0o600);
    assert_eq!(told(&of_environment, &["ls"]), 1);
    assert_eq!(told(&of_environment, &["ls", "-q"]), 1);
    assert_eq!(told(&of_environment, &["ls", "--endpoint-url", &endpoint]), 0, "what is typed is meant");
    let of_files = bed(&[]);
    write(&of_files, &settings(&server), 0o600);
    of_files.write(
        "home/.aws/credentials",
        format!("[default]\naws_access_key_id = AKIDFILES\naws_secret_access_key = {CANARY}\n").as_bytes(),
    );
    assert_eq!(told(&of_files, &["ls"]), 1);
    let own = format!("{}AWS_ACCESS_KEY_ID=AKIDFILE\nAWS_SECRET_ACCESS_KEY={CANARY}\n", settings(&server));
    write(&of_files, &own, 0o600);
    assert_eq!(told(&of_files, &["ls"]), 0, "both are of the file");
    assert_eq!(told(&of_files, &["ls", "--profile", "default"]), 1);
}

/// What stands in a path names nobody, whatever it looks like.
#[test]
fn an_endpoint_is_told_by_the_host_that_is_connected_to() {
    let server = Faulty::start([]);
    server.below("/@s3.us-east-1.amazonaws.com");
    let bed = bed(&[("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")]);
    let forged = format!("{}/@s3.us-east-1.amazonaws.com", server.endpoint());
    write(&bed, &settings(&server).replace(&server.endpoint(), &forged), 0o600);
    let said = bed.ok(["ls"]);
    assert!(said.stderr.contains(&format!("sign to {}, and they", server.endpoint())), "{said:?}");
    // One that does not count is not told of.
    let text = format!("AWS_ENDPOINT_URL_S3={forged}\nAWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true\nSTORAGE_BACKEND=s3\n");
    write(&bed, &format!("{text}CHECKPOINT_BUCKET={BUCKET}\nAWS_REGION=us-east-1\n"), 0o600);
    let said = crate::support::bed::said(bed.command(["ls"]).env("S3_ENDPOINT", server.endpoint()).output().unwrap());
    assert!(!said.stderr.contains("come from elsewhere"), "{said:?}");
}

/// A proxy for http sees every request, and a session token in it; an authority decides who is believed to be the store.
#[test]
fn a_way_of_the_file_is_said_where_the_credentials_are_others() {
    let server = Faulty::start([]);
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", CANARY)];
    let bed = bed(&keys);
    let way = "HTTP_PROXY=http://me:hunter2%2F@127.0.0.1:9\nSSL_CERT_FILE=ca.pem\n";
    // A token that is not in the file is known to nobody who wrote it.
    let keys_alone = "AWS_ACCESS_KEY_ID=AKIDENV\nAWS_SECRET_ACCESS_KEY=s\n".to_owned();
    let whole = format!("{keys_alone}AWS_SESSION_TOKEN={CANARY}\n");
    for (own, told) in [(String::new(), 1), (keys_alone, 1), (whole, 0)] {
        write(&bed, &format!("{}{way}{own}", settings(&server)), 0o600);
        let said = bed.ok(["ls"]);
        let words = "HTTP_PROXY (http://127.0.0.1:9), SSL_CERT_FILE of the .env file: by this way goes what";
        assert_eq!(said.stderr.matches(words).count(), told, "{said:?}");
        assert_silent(&bed, &said, &[CANARY, "hunter2"]);
    }
}

/// The environment comes before the file, also where the one names a profile and the other has keys.
#[test]
fn a_profile_of_the_environment_comes_before_keys_of_the_file() {
    let server = Faulty::start([]);
    let bed = bed(&[("AWS_PROFILE", "mine")]);
    bed.write("home/.aws/credentials", b"[mine]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n");
    write(&bed, &format!("{}AWS_ACCESS_KEY_ID=AKIDFILE\nAWS_SECRET_ACCESS_KEY=s\n", settings(&server)), 0o600);
    let said = bed.ok(["ls"]);
    assert_eq!(signer(&server).unwrap(), "AKIDPROFILE");
    assert!(said.stderr.contains("they come from elsewhere"), "the endpoint is the file's: {said:?}");
}

#[test]
fn a_fifo_is_not_waited_for() {
    let bed = bed(&[]);
    let status = std::process::Command::new("mkfifo").arg(bed.path(".env")).status().unwrap();
    assert!(status.success());
    let said = bed.run(["ls"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("'.env' is not a regular file"), "{said:?}");
}

/// Whatever is wrong with an endpoint, what could be a password in it is not shown, wherever it stands.
#[test]
fn no_password_of_an_endpoint_is_shown() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    for (before, after) in [
        ("http://me:", "@h:9"),
        ("http://me:", "%40x@h:9"),
        ("http://me:", "@h:99999"),
        ("ftp://me:", "@h"),
        ("http://me:", " x@h"),
        ("me:", "@h"),
        ("http:me:", "@h"),
        ("http://me:", "@[::1"),
        ("http://me:", "#x@h:9"),
        ("http://me:", "/x@h:9"),
    ] {
        let endpoint = format!("{before}hunter2{after}");
        let places = [("S3_ENDPOINT", None), ("", Some(".env")), ("", Some("home/.aws/config"))];
        for (variable, file) in places {
            let usual = [("STORAGE_BACKEND", "s3"), ("CHECKPOINT_BUCKET", BUCKET)];
            let set = (!variable.is_empty()).then_some((variable, endpoint.as_str()));
            let bed = bed(&[&usual[..], &keys, set.as_slice()].concat());
            match file {
                Some(".env") => write(&bed, &format!("S3_ENDPOINT='{endpoint}'\n"), 0o600),
                Some(file) => bed.write(file, format!("[default]\nendpoint_url = {endpoint}\n").as_bytes()),
                None => {}
            }
            for arguments in [&["ls"][..], &["ls", "--json"], &["setup", "--check"]] {
                let said = bed.run(arguments);
                assert_eq!(said.code, Some(2), "{endpoint} {said:?}");
                assert_silent(&bed, &said, &["hunter2"]);
            }
        }
    }
}

/// A config file can run commands, so a `.env` names none.
#[test]
fn a_file_of_variables_names_no_file_of_commands() {
    let server = Faulty::start([]);
    let bed = bed(&[]);
    bed.write("evil/config", b"[default]\ncredential_process = touch ran\n");
    write(&bed, &format!("{}AWS_CONFIG_FILE=evil/config\n", settings(&server)), 0o600);
    let said = bed.run(["ls"]);
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    assert!(said.stderr.contains("AWS_CONFIG_FILE of the .env file: not used"), "{}", said.stderr);
    assert!(!bed.path("ran").exists() && server.requests(crate::Operation::Any).is_empty());
}
