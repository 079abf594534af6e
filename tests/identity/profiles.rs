//! Profiles of the AWS config files: keys, roles, processes, and those that nobody can use.

use std::fs;

use crate::support::bed::Bed;
use crate::support::faulty::{Answering, Faulty, Response};
use crate::support::minio;
use crate::{CANARY, assert_signed_by, assumed, bed, bed_with, field, refused};

const KEYS: &str = "aws_access_key_id = AKIDBASE\naws_secret_access_key = s3cr=t\n";
const ROLE: &str = "role_arn = arn:aws:iam::123456789012:role/a\n";

fn config(bed: &Bed, text: &str) {
    bed.write("home/.aws/config", text.as_bytes());
}

/// For `/bin/sh`: a program that was written just now cannot be run while another thread's child has it open.
fn script(bed: &Bed, text: &str) -> String {
    bed.write("given/process.sh", format!("{text}\n").as_bytes());
    bed.path("given/process.sh").display().to_string()
}

#[test]
fn both_files_with_comments_and_nested_blocks() {
    let server = Faulty::start([]);
    let bed = bed(&server);
    config(
        &bed,
        "# comment\n[default]\nregion = eu-west-1 ; not a value\ns3 =\n  max_concurrent_requests = 20\n  \
         aws_access_key_id = AKIDNESTED\n\n[profile other]\noutput=json\n",
    );
    bed.write(
        "home/.aws/credentials",
        b"[default]\naws_access_key_id=AKIDDEFAULT\naws_secret_access_key = a=b==\n\n; other\n[other]\n\
          aws_access_key_id = AKIDOTHER\naws_secret_access_key = c#d\n",
    );
    assert_signed_by(&bed, &server, "AKIDDEFAULT");
    bed.ok(["ls", "--profile", "other"]);
    assert_eq!(crate::signer(&server).unwrap(), "AKIDOTHER");
}

/// As with the AWS CLI: what is typed wins over keys in the environment, and those win over AWS_PROFILE.
#[test]
fn a_profile_that_is_typed_wins_over_keys_in_the_environment() {
    let server = Faulty::start([]);
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "other")];
    let bed = bed_with(&server, &keys);
    config(&bed, &format!("[profile other]\n{KEYS}"));
    assert_signed_by(&bed, &server, "AKIDENV");
    bed.ok(["ls", "--profile", "other"]);
    assert_eq!(crate::signer(&server).unwrap(), "AKIDBASE");
}

#[test]
fn a_profile_that_is_not_there_is_named_with_those_that_are() {
    let server = Faulty::start([]);
    let bed = bed(&server);
    config(&bed, &format!("[profile staging]\n{KEYS}\n[profile prod]\n{KEYS}"));
    let said = refused(&bed, &server, &["ls", "--profile", "prd"]);
    assert!(said.contains("'prd' is not in ~/.aws/config or ~/.aws/credentials"), "{said}");
    assert!(said.contains("there are: prod, staging"), "{said}");
}

#[test]
fn a_role_is_assumed_with_all_that_its_profile_says() {
    let sts = Answering::start(|_| Some(assumed("AssumeRole", "ASIAROLE")));
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_ENDPOINT_URL_STS", &sts.endpoint()), ("AWS_PROFILE", "role")]);
    for duration in ["", "duration_seconds = 7200\n"] {
        config(
            &bed,
            &format!(
                "[profile base]\n{KEYS}\n[profile role]\n{ROLE}source_profile = base\nexternal_id = ex/1\n\
                 role_session_name = training\n{duration}"
            ),
        );
        assert_signed_by(&bed, &server, "ASIAROLE");
        let asked = sts.requests().pop().unwrap();
        let said = ["RoleArn", "ExternalId", "RoleSessionName"].map(|name| field(&asked.body, name).unwrap());
        assert_eq!(said, ["arn:aws:iam::123456789012:role/a", "ex/1", "training"]);
        assert!(asked.header("authorization").unwrap().contains("Credential=AKIDBASE/"));
        let expected = (!duration.is_empty()).then(|| "7200".to_owned());
        assert_eq!(field(&asked.body, "DurationSeconds"), expected);
    }
}

#[test]
fn a_role_is_assumed_with_keys_of_the_environment() {
    let sts = Answering::start(|_| Some(assumed("AssumeRole", "ASIAROLE")));
    let server = Faulty::start([]);
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let bed = bed_with(&server, &[&keys[..], &[("AWS_ENDPOINT_URL_STS", &sts.endpoint())]].concat());
    for duration in ["", "duration_seconds = 900\n"] {
        config(&bed, &format!("[profile role]\n{ROLE}credential_source = Environment\n{duration}"));
        bed.ok(["ls", "--profile", "role"]);
        assert_eq!(crate::signer(&server).unwrap(), "ASIAROLE");
        assert!(sts.requests().pop().unwrap().header("authorization").unwrap().contains("Credential=AKIDENV/"));
    }
}

/// The token service of a real server, behind a certificate of a private authority: AWS_CA_BUNDLE counts there too.
#[test]
fn a_role_is_assumed_at_a_real_token_service_over_tls() {
    let bucket = minio::shared_tls().bucket();
    bucket.write("model.bin", b"content");
    let server = minio::shared_tls();
    let mut environment = bucket.environment();
    environment.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SE"));
    let more =
        [("AWS_ENDPOINT_URL_STS", server.endpoint()), ("AWS_PROFILE", "role"), ("AWS_EC2_METADATA_DISABLED", "true")];
    environment.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let bed = crate::support::bed::with(environment);
    let root = server.root();
    for duration in ["", "duration_seconds = 900\n"] {
        config(
            &bed,
            &format!(
                "[profile base]\naws_access_key_id = {}\naws_secret_access_key = {}\n[profile role]\n{ROLE}\
                 source_profile = base\nrole_session_name = x\n{duration}",
                root.id, root.secret
            ),
        );
        assert!(String::from_utf8_lossy(&bed.ok(["ls"]).stdout).contains("model.bin"));
    }
}

#[test]
fn what_a_token_service_does_wrong_is_told_without_its_secrets() {
    let server = Faulty::start([]);
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: me is not authorized to \
                  perform: sts:AssumeRole</Message></Error></ErrorResponse>";
    let cut = assumed("AssumeRole", "ASIAROLE");
    let cut = Response { body: cut.body[..cut.body.len() / 2].to_vec(), ..cut };
    for (answer, expected) in [
        (Response::xml(403, denied), "sts:AssumeRole"),
        (Response::xml(500, "<oops>"), ""),
        (cut, ""),
        (Response::new(200).body(format!("{CANARY} not xml")), ""),
    ] {
        let sts = Answering::start(move |_| Some(answer.clone()));
        let bed = bed_with(&server, &[("AWS_ENDPOINT_URL_STS", &sts.endpoint()), ("AWS_PROFILE", "role")]);
        for duration in ["", "duration_seconds = 900\n"] {
            config(&bed, &format!("[profile base]\n{KEYS}\n[profile role]\n{ROLE}source_profile = base\n{duration}"));
            let said = refused(&bed, &server, &["ls", "-v"]);
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn a_code_from_a_device_is_refused_with_what_to_do() {
    let server = Faulty::start([]);
    let sts = Answering::start(|_| Some(assumed("AssumeRole", "ASIAROLE")));
    let bed = bed_with(&server, &[("AWS_ENDPOINT_URL_STS", &sts.endpoint())]);
    config(
        &bed,
        &format!(
            "[profile base]\n{KEYS}\n[profile dev]\n{ROLE}source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n"
        ),
    );
    let said = refused(&bed, &server, &["ls", "--profile", "dev"]);
    assert!(said.contains("arn:aws:iam::1:mfa/me") && said.contains("export-credentials --profile dev"), "{said}");
    assert!(sts.requests().is_empty());
}

/// Neither the command nor what it has started outlives whoever waits for it.
#[test]
fn a_process_ends_with_the_command() {
    let server = Faulty::start([]);
    for way in ["--deadline", "SIGINT"] {
        let bed = bed_with(&server, &[("AWS_PROFILE", "process")]);
        let path = script(&bed, "sleep 1000 & echo $$ $! >given/started.new; mv given/started.new given/started; wait");
        config(&bed, &format!("[profile process]\ncredential_process = /bin/sh {path}; true\n"));
        let arguments = if way == "SIGINT" { &["ls"][..] } else { &["ls", "--deadline", "3s"] };
        let mut child = bed.command(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
        let started = eventually(|| fs::read_to_string(bed.path("given/started")).ok());
        if way == "SIGINT" {
            let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        }
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(if way == "SIGINT" { 130 } else { 5 }));
        for pid in started.split_whitespace() {
            // An orphan that has ended may wait for somebody to take note of it.
            let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            eventually(|| Some(state()).filter(|state| state.is_empty() || state.contains(") Z ")));
        }
    }
}

/// What is there at last.
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        match look() {
            Some(found) => return found,
            None if std::time::Instant::now() > until => panic!("not within a minute"),
            None => std::thread::park_timeout(std::time::Duration::from_millis(20)),
        }
    }
}

#[test]
fn a_process_gives_credentials_or_fails_without_a_word_of_its_own() {
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_PROFILE", "process")]);
    let given =
        "printf '{\"Version\":1,\"AccessKeyId\":\"ASIAPROCESS\",\"SecretAccessKey\":\"a=b\",\"SessionToken\":\"t\"}'";
    let path = script(&bed, given);
    config(&bed, &format!("[profile process]\ncredential_process = /bin/sh \"{path}\" --flag 'a b'\n"));
    assert_signed_by(&bed, &server, "ASIAPROCESS");
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_PROFILE", "process")]);
    for (text, expected) in [
        (format!("echo '{CANARY}' >&2; exit 3"), "'process' gave no credentials: it failed with exit code 3"),
        (format!("echo '{CANARY}'"), "not the JSON"),
        (format!("printf '{{\"Version\":2,\"SecretAccessKey\":\"{CANARY}\"}}'"), "not the JSON"),
        (format!("printf '{{\"Version\":1,\"AccessKeyId\":\"{CANARY}\",\"Expiration\":\"{CANARY}\"'"), "not the JSON"),
    ] {
        let path = script(&bed, &text);
        config(&bed, &format!("[profile process]\ncredential_process = /bin/sh {path}\n"));
        let said = refused(&bed, &server, &["ls", "-v"]);
        assert!(said.contains(expected), "{said}");
    }
}
