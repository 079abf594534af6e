//! Clocks that are wrong: the server's date corrects them, once, and it is said once.

use std::process::Command;

use crate::support::bed::{self, BINARY, Bed, Said};
use crate::support::faulty::{Action, Answering, Faulty, Operation, Response, Rule};
use crate::support::tool;

/// The command with its clock off by so much, such as `-20m`. Pauses are real.
fn at(bed: &Bed, off: &str, arguments: &[&str]) -> Said {
    let faketime = tool::find("STRATA_TEST_FAKETIME", "faketime", "bin/faketime");
    let mut command = bed.dressed(Command::new(faketime));
    command.args(["-f", off, BINARY]).args(arguments).env("DONT_FAKE_MONOTONIC", "1");
    bed::said(command.output().unwrap())
}

#[test]
fn a_clock_that_is_twenty_minutes_off_is_corrected() {
    for (off, told) in [("-20m", "behind that of the server"), ("+20m", "ahead of that of the server")] {
        let bed = bed::minio();
        bed.write("epoch_1/model.bin", &vec![7; 24 << 20]);
        bed.write("epoch_1/optimizer.bin", b"moments");
        for arguments in [&["put", "epoch_1"][..], &["ls", "--verify"], &["get", "epoch_1", "back"], &["rm", "epoch_1"]]
        {
            let said = at(&bed, off, arguments);
            assert_eq!(said.code, Some(0), "{off} {arguments:?}: {}", said.stderr);
            assert_eq!(said.stderr.matches("warning: this machine's clock is").count(), 1, "{}", said.stderr);
            assert!(said.stderr.contains(told), "{}", said.stderr);
        }
        bed.assert_same_tree("epoch_1", "back");
        assert!(bed.stored_keys().is_empty());
    }
}

#[test]
fn a_few_minutes_are_no_reason_to_say_anything() {
    let bed = bed::minio();
    let said = at(&bed, "-4m", &["ls"]);
    assert_eq!((said.code, said.stderr.contains("clock")), (Some(0), false), "{}", said.stderr);
}

/// The token service is not asked again with another time; it is said that the clock is the trouble.
#[test]
fn a_token_service_that_refuses_the_time_is_told_by_the_clock() {
    let refusal = Response::xml(
        403,
        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>",
    );
    let sts = Answering::start(move |_| {
        Some(refusal.clone().header("date", httpdate::fmt_http_date(std::time::SystemTime::now())))
    });
    let server = Faulty::start([]);
    let bed = crate::bed_with(&server, &[("AWS_ENDPOINT_URL_STS", &sts.endpoint()), ("AWS_PROFILE", "r")]);
    bed.write(
        "home/.aws/config",
        b"[profile r]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\n[profile b]\naws_access_key_id = i\n\
          aws_secret_access_key = s\n",
    );
    let said = at(&bed, "-20m", &["ls"]);
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    assert!(
        said.stderr.contains("this machine's clock is ") && said.stderr.contains("behind that of http"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("hint: set this machine's clock"), "{}", said.stderr);
}

/// A server whose date helps nothing is not asked for ever.
#[test]
fn a_clock_that_cannot_be_corrected_is_an_error() {
    for date in [None, Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some("no date")] {
        let mut refusal = Response::error(403, "RequestTimeTooSkewed");
        if let Some(date) = date {
            refusal = refusal.header("date", date);
        }
        let server = Faulty::start([Rule::always(Operation::Any, Action::Answer(refusal))]);
        let said = bed::faulty(&server).run(["ls"]);
        assert_eq!(said.code, Some(7), "{}", said.stderr);
        assert!(server.requests(Operation::Any).len() <= 2, "{date:?}");
    }
}
