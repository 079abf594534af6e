//! Credentials that expire under way, and permissions that are missing.

use crate::promises::{ALL, FILE, GETS, Job, PUTS, content, environment, fault, hold, run};
use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Rule};

#[test]
fn credentials_that_expire_and_are_not_renewed() {
    hold(&[fault("ExpiredToken from the second piece on", ALL, &[7], |job: Job| {
        vec![Rule::from_nth(2, job.hot(), Action::refuse(400, "ExpiredToken"))]
    })]);
}

/// A credential process gives new ones each time that it is asked.
#[test]
fn credentials_that_expire_and_are_renewed() {
    let server = Faulty::start([Rule::nth(2, Operation::Part, Action::refuse(400, "ExpiredToken"))]);
    let given = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let mut variables = environment(&server.endpoint());
    variables.retain(|(name, _)| !given.contains(&name.as_str()));
    variables.push(("AWS_PROFILE".to_owned(), "renewed".to_owned()));
    variables.push(("PATH".to_owned(), std::env::var("PATH").unwrap()));
    let bed = bed::with(variables);
    let process = bed.path("credentials.sh");
    bed.write(
        "credentials.sh",
        b"echo x >>\"$HOME/asked\"\nn=$(wc -l <\"$HOME/asked\" | tr -d ' ')\n\
          printf '{\"Version\":1,\"AccessKeyId\":\"AKID%s\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t%s\"}' \"$n\" \"$n\"\n",
    );
    bed.write(
        "home/.aws/config",
        format!("[profile renewed]\ncredential_process = /bin/sh {}\n", process.display()).as_bytes(),
    );
    bed.write("model.bin", content());
    let said = run(&bed, &["put", "model.bin"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(server.object(FILE).unwrap() == content() && server.uploads().is_empty());
    let last = server.requests(Operation::Complete).pop().unwrap();
    assert!(last.header("authorization").unwrap().contains("Credential=AKID2/"), "the new ones are used");
}

/// Without s3:ListBucket S3 answers 403 where nothing is: that is not absence.
#[test]
fn no_permission_to_look() {
    let forbidden = || Action::refuse(403, "AccessDenied");
    hold(&[
        fault("HEAD is forbidden", GETS, &[7], move |_| vec![Rule::always(Operation::Head, forbidden())]),
        fault("HEAD and GET are forbidden", ALL, &[7], move |_| {
            vec![Rule::always(Operation::Head, forbidden()), Rule::always(Operation::Get, forbidden())]
        }),
        fault("LIST is forbidden", PUTS, &[7], move |_| vec![Rule::always(Operation::List, forbidden())]),
        fault("the second piece is forbidden", ALL, &[7], move |job: Job| {
            vec![Rule::from_nth(2, job.hot(), forbidden())]
        }),
    ]);
}
