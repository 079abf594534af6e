//! Servers that do something else than they were told.

use base64::Engine;
use md5::{Digest, Md5};

use super::support::bed::{Bed, faulty};
use super::support::faulty::{Action, Faulty, Operation, Request, Response, Rule};
use super::{setup, state, told};

const MINIMUM: &str = "x-amz-transition-default-minimum-object-size";
pub(super) const THEIRS: &str = "<Rule>\n  <ID>theirs</ID><Filter><ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></Filter>\
    <Status>Enabled</Status><!-- do not touch --><Expiration><Days>1</Days></Expiration><FromTheFuture x=\"1\"/></Rule>";
pub(super) const EPOCHS: [&str; 4] = ["--transition-after-epochs", "120", "--epoch-duration", "6h"];

pub(super) fn scene(rules: impl IntoIterator<Item = Rule>) -> (Faulty, Bed) {
    let server = Faulty::start(rules);
    let bed = faulty(&server);
    (server, bed)
}

pub(super) fn lifecycle(rules: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>"
    )
}

#[test]
fn all_but_our_rule_goes_back_byte_for_byte() {
    let say = Action::change(|response| response.set(MINIMUM, "varies_by_storage_class"));
    let (server, bed) = scene([Rule::always(Operation::ReadLifecycle, say)]);
    let before = lifecycle(THEIRS);
    server.set_lifecycle(&before);
    let said = setup(&bed, &[&EPOCHS[..], &["--json"]].concat());
    assert_eq!((said.code, state(&said, "transition").as_str()), (Some(0), "done"), "{said:?}");
    let (start, end) = before.split_at(before.find("</LifecycleConfiguration>").unwrap());
    let after = server.lifecycle().unwrap();
    assert!(after.starts_with(start) && after.ends_with(end), "{after}");

    let written = server.requests(Operation::WriteLifecycle);
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].header(MINIMUM), Some("varies_by_storage_class"), "a write without it would reset it");
    let md5 = base64::engine::general_purpose::STANDARD.encode(Md5::digest(&written[0].body));
    assert_eq!(written[0].header("content-md5"), Some(md5.as_str()));

    let again = setup(&bed, &[&EPOCHS[..], &["--json"]].concat());
    assert_eq!(
        (again.code, server.requests(Operation::WriteLifecycle).len()),
        (Some(0), 1),
        "the same is not written again"
    );
}

#[test]
fn a_rule_of_the_older_form_has_ours_written_in_the_same_form() {
    let (server, bed) = scene([]);
    server.set_lifecycle(&lifecycle("<Rule><ID>old</ID><Prefix>x</Prefix><Status>Enabled</Status></Rule>"));
    assert_eq!(setup(&bed, &["--prefix", "runs"]).code, Some(0));
    let after = server.lifecycle().unwrap();
    assert!(
        after.contains("<ID>strata-ckpt:runs/</ID><Prefix>runs/</Prefix>") && !after.contains("<Filter>"),
        "{after}"
    );
}

#[test]
fn rules_that_delete_what_is_under_our_prefix_are_named() {
    let (server, bed) = scene([]);
    let rule = |id: &str, prefix: &str, days: u32| {
        format!(
            "<Rule><ID>{id}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status><Expiration><Days>{days}</Days></Expiration></Rule>"
        )
    };
    let harmless = rule("logs", "logs/", 1);
    server
        .set_lifecycle(&lifecycle(&[harmless, rule("theirs", "", 1), rule("strata-ckpt:runs/", "runs/", 9)].concat()));
    let said = setup(&bed, &["--prefix", "runs/a"]);
    insta::assert_snapshot!("scripted_expiring", told(&said, &[(&server.endpoint(), "ENDPOINT")]));
}

/// A right that was missing when the bucket was made is missed until it is there, and the bucket closed then.
#[test]
fn a_bucket_that_could_not_be_closed_is_not_taken_for_an_open_one() {
    const RIGHT: &str = "s3:PutBucketPublicAccessBlock";
    let is_about =
        |request: &Request, method: &str| request.method == method && request.param("publicAccessBlock").is_some();
    let judged = |answer: fn() -> Response| {
        let judge = move |request: &Request| match (is_about(request, "GET"), is_about(request, "PUT")) {
            (true, _) => Some(Response::error(404, "NoSuchPublicAccessBlockConfiguration")),
            (_, true) => Some(answer()),
            _ => None,
        };
        Rule::always(Operation::Any, Action::judge(judge))
    };
    let puts =
        |server: &Faulty| server.requests(Operation::Any).iter().filter(|request| is_about(request, "PUT")).count();
    let (server, bed) = scene([judged(|| Response::error(403, "AccessDenied"))]);
    for _ in 0..2 {
        let said = setup(&bed, &["--json"]);
        assert_eq!((said.code, state(&said, "public_access").as_str()), (Some(7), "denied"), "{said:?}");
        assert_eq!(super::summary(&said)["missing_rights"], serde_json::json!([RIGHT]));
    }
    server.put_object("site/index.html", b"<p>");
    let said = setup(&bed, &["--json", "--prefix", "runs"]);
    assert_eq!((state(&said, "public_access").as_str(), puts(&server)), ("found", 2), "what is in use stays as it is");
    server.remove_object("site/index.html");
    server.set_rules([judged(|| Response::new(200))]);
    let said = setup(&bed, &["--json"]);
    assert_eq!((said.code, state(&said, "public_access").as_str()), (Some(0), "done"), "{said:?}");
}

#[test]
fn a_server_that_widens_our_rule_is_found_out() {
    let widen = Action::alter(|request| {
        let text = String::from_utf8(request.body.clone()).unwrap();
        request.body = text.replace("<Prefix>runs/</Prefix>", "<Prefix></Prefix>").into_bytes();
    });
    let (server, bed) = scene([Rule::always(Operation::WriteLifecycle, widen)]);
    server.set_lifecycle(&lifecycle(THEIRS));
    let said = setup(&bed, &["--prefix", "runs", "--expire-after-epochs", "9", "--epoch-duration", "1d"]);
    insta::assert_snapshot!("scripted_widened", told(&said, &[(&server.endpoint(), "ENDPOINT")]));
    assert_eq!(server.lifecycle(), Some(lifecycle(THEIRS)), "it does not stay");
}

const OURS: &str = "<Rule><ID>strata-ckpt</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>\
    <Expiration><Days>90</Days></Expiration><!-- as it was --></Rule>";

#[test]
fn an_earlier_rule_stays_where_the_server_refuses_the_new_one() {
    let (server, bed) = scene([Rule::always(Operation::WriteLifecycle, Action::refuse(400, "MalformedXML"))]);
    let before = lifecycle(&format!("{THEIRS}{OURS}"));
    server.set_lifecycle(&before);
    let said = setup(&bed, &["--expire-after-epochs", "3", "--epoch-duration", "1d"]);
    insta::assert_snapshot!("scripted_refused_over_earlier", told(&said, &[(&server.endpoint(), "ENDPOINT")]));
    let written = server.requests(Operation::WriteLifecycle);
    assert!(written.iter().all(|request| request.method == "PUT"), "nothing is deleted");
    assert_eq!(server.lifecycle(), Some(before));
}

#[test]
fn what_is_not_wished_any_more_goes_where_the_rest_is_refused() {
    let is_put = |request: &&Request| request.method == "PUT";
    let refuse = Action::refuse(400, "MalformedXML");
    let (server, bed) = scene([Rule::first(1, Operation::WriteLifecycle, refuse)]);
    server.set_lifecycle(&lifecycle(OURS));
    let said = setup(&bed, &["--json"]);
    assert_eq!((said.code, state(&said, "expiration").as_str()), (Some(0), "done"), "{said:?}");
    assert_eq!(state(&said, "abort_uploads"), "cannot_hold");
    assert_eq!(server.requests(Operation::WriteLifecycle).iter().filter(is_put).count(), 1);
    assert_eq!(server.lifecycle(), None);
}

#[test]
fn an_earlier_rule_takes_the_place_of_one_that_was_widened() {
    let widen = Action::alter(|request| {
        let text = String::from_utf8(request.body.clone()).unwrap();
        request.body = text.replace("<Days>9</Days>", "<Days>1</Days>").into_bytes();
    });
    let (server, bed) = scene([Rule::first(1, Operation::WriteLifecycle, widen)]);
    let before = lifecycle(&format!("{OURS}{THEIRS}"));
    server.set_lifecycle(&before);
    let said = setup(&bed, &["--expire-after-epochs", "9", "--epoch-duration", "1d"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("the earlier rule was put back"), "{said:?}");
    assert_eq!(server.lifecycle(), Some(before));
}

#[test]
fn a_rule_of_our_name_that_was_changed_by_hand_is_not_replaced_without_a_word() {
    let (server, bed) = scene([]);
    let disabled = lifecycle(&OURS.replace("Enabled", "Disabled"));
    for (flags, done) in [(&["--dry-run"][..], "would_do"), (&[], "done")] {
        server.set_lifecycle(&disabled);
        let said = setup(&bed, &[flags, &["--json"]].concat());
        assert_eq!((said.code, state(&said, "abort_uploads").as_str()), (Some(0), done), "{said:?}");
        let lines = said.json_lines();
        let line = lines.iter().find(|line| line["step"] == "abort_uploads").unwrap();
        assert_eq!(line["before"], "a rule of this name that did something else");
    }
}

#[test]
fn a_policy_that_allows_a_listing_and_no_head_is_enough_to_see_the_bucket() {
    let (_server, bed) = scene([Rule::always(Operation::HeadBucket, Action::refuse(403, "AccessDenied"))]);
    let said = setup(&bed, &["--json"]);
    assert_eq!((said.code, state(&said, "bucket").as_str()), (Some(0), "found"), "{said:?}");
}

#[test]
fn what_a_server_refuses_is_left_out_and_said() {
    let (server, bed) = scene([Rule::first(1, Operation::WriteLifecycle, Action::refuse(400, "InvalidStorageClass"))]);
    let said = setup(&bed, &EPOCHS);
    insta::assert_snapshot!("scripted_refused", told(&said, &[(&server.endpoint(), "ENDPOINT")]));
    let after = server.lifecycle().unwrap();
    assert!(after.contains("AbortIncomplete") && !after.contains("Transition"), "{after}");
}

#[test]
fn a_server_without_lifecycles_is_no_failure() {
    let refuse = || Action::refuse(501, "NotImplemented");
    let rules = [Rule::always(Operation::ReadLifecycle, refuse()), Rule::always(Operation::WriteLifecycle, refuse())];
    let (server, bed) = scene(rules);
    let said = setup(&bed, &["--json", "--versioning"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for step in ["public_access", "ownership", "versioning", "abort_uploads"] {
        assert_eq!(state(&said, step), "cannot_hold", "{step}");
    }
    assert!(server.keys().is_empty(), "the check leaves nothing behind");
}

#[test]
fn what_is_no_lifecycle_is_left_alone() {
    let (server, bed) = scene([]);
    for text in ["<LifecycleConfiguration><Rule>", "<Other/>", "<n:LifecycleConfiguration xmlns:n=\"x\"/>"] {
        server.set_lifecycle(text);
        let said = setup(&bed, &["--json"]);
        assert_eq!((said.code, state(&said, "lifecycle").as_str()), (Some(1), "failed"), "{said:?}");
        assert_eq!(server.lifecycle().as_deref(), Some(text));
    }
    assert!(server.requests(Operation::WriteLifecycle).is_empty());
}

#[test]
fn a_name_that_is_taken() {
    let missing = |operation| Rule::always(operation, Action::refuse(404, "NoSuchBucket"));
    let taken = Rule::always(Operation::CreateBucket, Action::refuse(409, "BucketAlreadyExists"));
    let (server, bed) = scene([missing(Operation::HeadBucket), missing(Operation::List), taken]);
    insta::assert_snapshot!("scripted_taken", told(&setup(&bed, &[]), &[(&server.endpoint(), "ENDPOINT")]));
    let (server, bed) = scene([missing(Operation::HeadBucket), missing(Operation::List)]);
    let said = setup(&bed, &["--json"]);
    // The check at the end goes by the listing, which this server never has.
    assert_eq!((said.code, state(&said, "bucket").as_str()), (Some(4), "done"), "ours since just now: {said:?}");
    assert_eq!(
        server.requests(Operation::CreateBucket)[0].header("x-amz-object-ownership"),
        Some("BucketOwnerEnforced")
    );
}

#[test]
fn a_bucket_of_somebody_else() {
    let deny = |operation| Rule::always(operation, Action::refuse(403, "AccessDenied"));
    let operations = [Operation::HeadBucket, Operation::List, Operation::Ask, Operation::ReadLifecycle];
    let (server, bed) = scene(operations.map(deny).into_iter().chain([deny(Operation::Put)]));
    let said = setup(&bed, &["--json"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    for step in ["bucket", "public_access", "ownership", "versioning", "lifecycle"] {
        assert_eq!(state(&said, step), "denied", "{step}");
    }
    assert!(String::from_utf8_lossy(&said.stdout).contains("it belongs to somebody else"), "{said:?}");
    assert!(
        server.requests(Operation::WriteLifecycle).is_empty() && server.requests(Operation::CreateBucket).is_empty()
    );
}

#[test]
fn a_bucket_in_another_region_is_found_and_used() {
    let moved = Action::change(|response| {
        response.status = 301;
        response.set("x-amz-bucket-region", "eu-west-1");
    });
    let (server, bed) = scene([Rule::first(1, Operation::HeadBucket, moved)]);
    let said = setup(&bed, &["--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(super::summary(&said)["region"], "eu-west-1");
    assert!(said.stderr.contains("set AWS_REGION=eu-west-1"), "{said:?}");
    let signed = server.requests(Operation::ReadLifecycle);
    assert!(signed[0].header("authorization").unwrap().contains("/eu-west-1/s3/"));
}

#[test]
fn a_server_that_does_not_answer_is_one_error() {
    let (server, bed) = scene([]);
    let endpoint = server.endpoint();
    drop(server);
    let said = setup(&bed, &["--retries", "0"]);
    assert_eq!((said.code, said.stdout.len()), (Some(5), 0), "{endpoint}: {said:?}");
}
