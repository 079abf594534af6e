//! People who write the lifecycle at the same time.

use super::scripted::{EPOCHS, THEIRS, lifecycle, scene};
use super::support::faulty::{Action, Meanwhile, Operation, Rule};
use super::{setup, state};

#[test]
fn somebody_who_overwrites_it_at_the_same_time_loses_nothing_and_neither_do_we() {
    const BOTH: &str = "<LifecycleConfiguration><Rule><ID>theirs</ID><Filter/><Status>Disabled</Status></Rule>\
        <Rule><ID>new</ID><Filter/><Status>Disabled</Status></Rule></LifecycleConfiguration>";
    // Between our write and our reading back; they had read it before we wrote.
    let (server, bed) = scene([Rule::nth(2, Operation::ReadLifecycle, Action::Meanwhile(Meanwhile::Lifecycle(BOTH)))]);
    server.set_lifecycle(&lifecycle(THEIRS));
    let said = setup(&bed, &["--json"]);
    assert_eq!((said.code, state(&said, "abort_uploads").as_str()), (Some(0), "done"), "{said:?}");
    let after = server.lifecycle().unwrap();
    for id in ["theirs", "new", "strata-ckpt"] {
        assert!(after.contains(&format!("<ID>{id}</ID>")), "{id} is not in {after}");
    }
    assert!(String::from_utf8_lossy(&said.stdout).contains("changed at the same time"), "{said:?}");
}

#[test]
fn a_rule_that_is_overwritten_a_little_later_is_put_back_beside_what_is_there_then() {
    const LATER: &str = "<LifecycleConfiguration><Rule><ID>new</ID><Filter/><Status>Disabled</Status></Rule>\
        </LifecycleConfiguration>";
    const CHANGED: &str = "<LifecycleConfiguration><Rule><ID>new</ID><Filter/><Status>Disabled</Status></Rule>\
        <Rule><ID>strata-ckpt</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>\
        <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>\
        </LifecycleConfiguration>";
    for theirs in [LATER, CHANGED] {
        // After the lifecycle was read back as it was written.
        let meddle = Action::Meanwhile(Meanwhile::Lifecycle(theirs));
        let (server, bed) = scene([Rule::nth(3, Operation::ReadLifecycle, meddle)]);
        let said = setup(&bed, &["--json"]);
        assert_eq!((said.code, state(&said, "abort_uploads").as_str()), (Some(0), "done"), "{said:?}");
        let after = server.lifecycle().unwrap();
        assert!(
            after.contains("<ID>new</ID>") && after.contains("<DaysAfterInitiation>7</DaysAfterInitiation>"),
            "{after}"
        );
        assert_eq!(after.matches("<ID>strata-ckpt</ID>").count(), 1, "{after}");
        assert!(String::from_utf8_lossy(&said.stdout).contains("changed at the same time"), "{said:?}");
        assert_eq!(server.requests(Operation::WriteLifecycle).len(), 2);
    }
}

#[test]
fn it_is_looked_once_more_only_after_a_write() {
    let (server, bed) = scene([]);
    // The check at the end asks for it as well, to see whether it may.
    for reads in [3 + 1, 3 + 1 + 1 + 1] {
        assert_eq!(setup(&bed, &[]).code, Some(0));
        assert_eq!(server.requests(Operation::ReadLifecycle).len(), reads);
    }
}

#[test]
fn who_overwrites_it_every_time_is_told_of() {
    const ONE: &str =
        "<LifecycleConfiguration><Rule><ID>a</ID><Filter/><Status>Disabled</Status></Rule></LifecycleConfiguration>";
    const OTHER: &str =
        "<LifecycleConfiguration><Rule><ID>b</ID><Filter/><Status>Disabled</Status></Rule></LifecycleConfiguration>";
    let meddle = |nth: usize| {
        let theirs = if nth.is_multiple_of(2) { ONE } else { OTHER };
        Rule::nth(nth, Operation::ReadLifecycle, Action::Meanwhile(Meanwhile::Lifecycle(theirs)))
    };
    let (server, bed) = scene((2..20).map(meddle));
    let said = setup(&bed, &[]);
    assert!(said.code == Some(5) && said.stderr.contains("others change the lifecycle of the bucket"), "{said:?}");
    assert_eq!(server.requests(Operation::WriteLifecycle).len(), 5);
}

#[test]
fn what_others_write_between_two_attempts_is_kept() {
    const ADDED: &str = "<LifecycleConfiguration><Rule><ID>new</ID><Filter/><Status>Disabled</Status></Rule>\
        </LifecycleConfiguration>";
    let refuse = Rule::first(1, Operation::WriteLifecycle, Action::refuse(400, "InvalidStorageClass"));
    let meddle = Rule::nth(2, Operation::ReadLifecycle, Action::Meanwhile(Meanwhile::Lifecycle(ADDED)));
    let (server, bed) = scene([refuse, meddle]);
    let said = setup(&bed, &[&EPOCHS[..], &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let after = server.lifecycle().unwrap();
    assert!(after.contains("<ID>new</ID>") && after.contains("<ID>strata-ckpt</ID>"), "{after}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("changed at the same time"), "{said:?}");
}
