//! `scripts/setup-aws.sh`, the page's script, with the binary under test.

use std::process::Command;

use super::support::bed::{BINARY, Bed, Said, on, said, with};
use super::support::{minio, moto};
use super::{state, summary};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/setup-aws.sh");

fn run(bed: &Bed, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let mut command = bed.dressed(Command::new(SCRIPT));
    // No aws CLI, no cargo: what POSIX has is enough.
    command.env("PATH", "/usr/bin:/bin").env("STRATA_CKPT", BINARY).envs(variables.iter().copied()).args(arguments);
    said(command.output().unwrap())
}

#[test]
fn twice_on_minio() {
    let bucket = minio::shared().bucket();
    let root = bucket.server().root();
    let mut environment = bucket.environment();
    // The script says that it is about S3.
    environment.retain(|(name, _)| name != "AWS_SESSION_TOKEN" && name != "STORAGE_BACKEND");
    let bed = with(environment);
    let keys = [("AWS_ACCESS_KEY_ID", root.id.as_str()), ("AWS_SECRET_ACCESS_KEY", &root.secret)];
    for (epochs, expected) in [("400", "done"), ("400", "found")] {
        let said = run(&bed, &[&keys[..], &[("EXPIRE_AFTER_EPOCHS", epochs)]].concat(), &["--json"]);
        assert_eq!((said.code, state(&said, "expiration").as_str()), (Some(0), expected), "{said:?}");
        assert_eq!(state(&said, "transition"), "cannot_hold");
    }
}

#[test]
fn its_settings_are_an_abort_after_a_week_and_a_transition_and_no_deletion() {
    let (server, name) = (moto::shared(), moto::new_name());
    let bed = with(server.environment(&name, "us-west-2"));
    let made = run(&bed, &[], &["--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let held = server.call("GET", &format!("{name}?lifecycle="), "");
    assert_eq!((held.texts("DaysAfterInitiation"), held.texts("Days")), (vec!["7".to_owned()], vec!["30".to_owned()]));
    assert_eq!(held.texts("Expiration"), Vec::<String>::new());
    assert_eq!(summary(&run(&bed, &[], &["--json"]))["changed"], false);

    let settings = [("EPOCH_DURATION", "12h"), ("TRANSITION_AFTER_EPOCHS", "80"), ("ABORT_DAYS", "2")];
    assert_eq!(run(&bed, &settings, &[]).code, Some(0));
    let held = server.call("GET", &format!("{name}?lifecycle="), "");
    assert_eq!((held.texts("DaysAfterInitiation"), held.texts("Days")), (vec!["2".to_owned()], vec!["40".to_owned()]));
    let refused = run(&bed, &[("TRANSITION_AFTER_EPOCHS", "1")], &[]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn what_follows_on_the_command_line_wins_over_its_settings() {
    let (server, name) = (moto::shared(), moto::new_name());
    let bed = with(server.environment(&name, "us-east-1"));
    for (arguments, abort, transition) in [
        (&["--abort-days", "3"][..], "3", "30"),
        (&["--transition-after-epochs", "200"], "7", "50"),
        (&["--epoch-duration", "12h"], "7", "60"),
        (&["--transition-after-epochs=40", "--epoch-duration=1d", "--storage-class=GLACIER_IR"], "7", "40"),
    ] {
        let said = run(&bed, &[], arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        let held = server.call("GET", &format!("{name}?lifecycle="), "");
        let days = (held.texts("DaysAfterInitiation"), held.texts("Days"));
        assert_eq!(days, (vec![abort.to_owned()], vec![transition.to_owned()]), "{arguments:?}");
    }
    let local = run(&bed, &[], &["--backend", "local", "--json"]);
    assert_eq!((local.code, state(&local, "directory").as_str()), (Some(0), "done"), "{local:?}");
}

#[test]
fn the_modes_of_setup_are_its_own_as_well() {
    let bed = on(minio::shared().bucket());
    let settings = [("STORAGE_CLASS", "GLACIER_IR"), ("EXPIRE_AFTER_EPOCHS", "400"), ("NONCURRENT_DAYS", "4")];
    let checked = run(&bed, &settings, &["--check", "--json"]);
    let last = checked.json_lines().pop().unwrap();
    assert_eq!((checked.code, &last["type"], &last["bad"]), (Some(0), &"checked".into(), &0.into()), "{checked:?}");
    let policy = run(&bed, &settings, &["--iam-policy"]);
    assert!(policy.code == Some(0) && policy.stdout_line().contains(bed.bucket().name()), "{policy:?}");
    let env = run(&bed, &settings, &["--env"]);
    assert_eq!(env.code, Some(0), "{env:?}");
    let written = String::from_utf8(bed.read(".env")).unwrap();
    assert!(written.contains(&format!("CHECKPOINT_BUCKET={}\n", bed.bucket().name())), "{written}");
    let dry = run(&bed, &settings, &["--dry-run", "--json"]);
    assert!(dry.json_lines().iter().any(|line| line["type"] == "setup" && line["dry_run"] == true), "{dry:?}");
}

#[test]
fn a_class_to_move_to_without_a_move_is_no_setting() {
    let (server, name) = (moto::shared(), moto::new_name());
    let bed = with(server.environment(&name, "us-east-1"));
    let said = run(&bed, &[("STORAGE_CLASS", "GLACIER_IR"), ("TRANSITION_AFTER_EPOCHS", "")], &[]);
    assert!(said.code == Some(2) && said.stderr.contains("nothing says when"), "{said:?}");
    assert_eq!(server.call("HEAD", &name, "").status, 404);
}

#[test]
fn a_program_that_is_not_there() {
    let bed = with(Vec::new());
    let mut command = bed.dressed(Command::new(SCRIPT));
    let said = said(command.env("PATH", "/usr/bin:/bin").env("STRATA_CKPT", "/nowhere").output().unwrap());
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("STRATA_CKPT"), "{said:?}");
}
