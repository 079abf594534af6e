//! Amazon's own endpoints, which a proxy leads to a server here: the hosts that are asked for, and what is said of names that
//! are no buckets.

use crate::support::bed::Bed;
use crate::support::faulty::{Action, Operation, Response, Rule};
use crate::support::proxy::{Manner, Proxy};
use crate::{BUCKET, Secure, client, ok, round_trip, run, told};

/// Amazon S3, as far as names and TLS go.
fn amazon() -> (Secure, Proxy) {
    let hosts =
        ["s3.us-east-1", "s3.eu-west-3", "s3-fips.us-east-1", "s3.dualstack.us-east-1", "s3-fips.dualstack.us-east-1"];
    let more = ["s3-fips.dualstack.us-west-2", "s3.mars-north-1"];
    let names: Vec<String> = hosts.iter().chain(&more).map(|host| format!("{BUCKET}.{host}.amazonaws.com")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("checkpoints.s3.dualstack.cn-north-1.amazonaws.com.cn");
    let secure = Secure::for_names(&names);
    let proxy = Proxy::start(secure.address, Manner::Open);
    (secure, proxy)
}

fn through<'a>(secure: &'a Secure, proxy: &'a str) -> [(&'a str, &'a str); 2] {
    [("AWS_CA_BUNDLE", secure.ca()), ("HTTPS_PROXY", proxy)]
}

#[test]
fn the_endpoint_follows_region_and_switches() {
    let (secure, _) = amazon();
    let bed = client();
    for (region, dual_stack, fips, host) in [
        ("us-east-1", "", "", "s3.us-east-1.amazonaws.com"),
        ("mars-north-1", "false", "false", "s3.mars-north-1.amazonaws.com"),
        ("us-east-1", "true", "", "s3.dualstack.us-east-1.amazonaws.com"),
        ("us-east-1", "", "TRUE", "s3-fips.us-east-1.amazonaws.com"),
        ("us-east-1", "true", "true", "s3-fips.dualstack.us-east-1.amazonaws.com"),
        ("cn-north-1", "true", "", "s3.dualstack.cn-north-1.amazonaws.com.cn"),
    ] {
        let proxy = Proxy::start(secure.address, Manner::Open);
        let url = format!("http://{}", proxy.address());
        let switches =
            [("AWS_REGION", region), ("AWS_USE_DUALSTACK_ENDPOINT", dual_stack), ("AWS_USE_FIPS_ENDPOINT", fips)];
        round_trip(&bed, &[&through(&secure, &url)[..], &switches].concat());
        assert_eq!(proxy.tunnels(), [format!("{BUCKET}.{host}:443")]);
        let put = secure.server.requests(Operation::Put).pop().unwrap();
        assert_eq!((put.target.as_str(), put.region()), ("/model.bin", region));
        assert_eq!(put.header("host").map(str::to_owned), Some(format!("{BUCKET}.{host}")));
    }
}

#[test]
fn another_region_is_reached_in_the_same_way() {
    let (secure, proxy) = amazon();
    let elsewhere = |request: &crate::support::faulty::Request| {
        let refusal = Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", "us-west-2");
        (request.region() != "us-west-2").then_some(refusal)
    };
    secure.server.add(Rule::always(Operation::Any, Action::judge(elsewhere)));
    let url = format!("http://{}", proxy.address());
    let both = [("AWS_USE_DUALSTACK_ENDPOINT", "true"), ("AWS_USE_FIPS_ENDPOINT", "true")];
    round_trip(&client(), &[&through(&secure, &url)[..], &both].concat());
    let hosts =
        ["us-east-1", "us-west-2"].map(|region| format!("{BUCKET}.s3-fips.dualstack.{region}.amazonaws.com:443"));
    assert_eq!(proxy.tunnels(), hosts);
}

/// An endpoint of Amazon's own form that was given is one of a region: the bucket is followed to its own, and the next command
/// begins there.
#[test]
fn a_given_endpoint_of_amazons_form_follows_as_well() {
    let (secure, _) = amazon();
    let elsewhere = |request: &crate::support::faulty::Request| {
        let host = request.header("host").unwrap_or_default();
        let refusal = Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", "eu-west-3");
        (request.region() != "eu-west-3" || !host.contains("eu-west-3")).then_some(refusal)
    };
    secure.server.add(Rule::always(Operation::Any, Action::judge(elsewhere)));
    let bed = client();
    for (told, regions) in [(1, &["eu-west-3", "us-east-1"][..]), (0, &["eu-west-3"])] {
        let proxy = Proxy::start(secure.address, Manner::Open);
        let url = format!("http://{}", proxy.address());
        let given = [("S3_ENDPOINT", "https://s3.us-east-1.amazonaws.com")];
        let said = ok(&bed, &[&through(&secure, &url)[..], &given].concat(), &["ls"]);
        let advice = "set AWS_REGION=eu-west-3, and S3_ENDPOINT to nothing";
        assert_eq!(said.stderr.matches(advice).count(), told, "{said:?}");
        let hosts: Vec<_> = regions.iter().map(|region| format!("{BUCKET}.s3.{region}.amazonaws.com:443")).collect();
        assert_eq!(proxy.tunnels(), hosts);
    }
}

#[test]
fn a_switch_is_true_or_false() {
    let said = run(&client(), &[("AWS_USE_FIPS_ENDPOINT", "yes")], &["ls"]);
    insta::assert_snapshot!(told(&said, &[]));
}

fn configure(bed: &Bed, config: &str) {
    bed.write("home/.aws/config", config.as_bytes());
}

#[test]
fn the_configuration_files_name_endpoints_and_switches() {
    let (secure, proxy) = amazon();
    let url = format!("http://{}", proxy.address());
    let bed = client();
    configure(&bed, "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n");
    ok(&bed, &through(&secure, &url), &["ls"]);
    assert_eq!(proxy.tunnels(), [format!("{BUCKET}.s3-fips.dualstack.us-east-1.amazonaws.com:443")]);
    // What is in the environment counts first.
    let switched = [("AWS_USE_FIPS_ENDPOINT", "false"), ("AWS_USE_DUALSTACK_ENDPOINT", "false")];
    ok(&bed, &[&through(&secure, &url)[..], &switched].concat(), &["ls"]);
    assert!(proxy.tunnels().contains(&format!("{BUCKET}.s3.us-east-1.amazonaws.com:443")));

    let asked = || secure.server.requests(Operation::Any).len();
    let (tunnels, before) = (proxy.asked().len(), asked());
    let here = secure.server.endpoint();
    configure(
        &bed,
        &format!(
            "[default]\nendpoint_url = {here}\n[profile sections]\nendpoint_url = http://localhost:9\nservices = mine\n\
             [services mine]\ns3 =\n  endpoint_url = {here}\n"
        ),
    );
    ok(&bed, &through(&secure, &url), &["ls"]);
    ok(&bed, &[&through(&secure, &url)[..], &[("AWS_PROFILE", "sections")]].concat(), &["ls"]);
    assert_eq!((proxy.asked().len(), asked() - before), (tunnels, 2), "the endpoint of the files was asked");
    ok(&bed, &[&through(&secure, &url)[..], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]].concat(), &["ls"]);
    assert_eq!(proxy.asked().len(), tunnels + 1, "Amazon's was asked");
    let nobody = [("AWS_ENDPOINT_URL_S3", "http://localhost:9"), ("STRATA_RETRIES", "0")];
    assert_eq!(run(&bed, &nobody, &["ls"]).code, Some(5), "the environment comes before the files");
}

#[test]
fn files_that_are_none_of_a_configuration_are_told() {
    let bed = client();
    configure(&bed, "[default]\nregion = r\ncanary-secret\n");
    let said = run(&bed, &[], &["ls"]);
    assert!(!said.stderr.contains("canary"), "{said:?}");
    insta::assert_snapshot!(told(&said, &[]).replace(bed.path("home").to_str().unwrap(), "HOME"));
}

#[test]
fn names_that_are_no_buckets_are_refused_in_words() {
    let bed = client();
    let mut all = String::new();
    for name in [
        "arn:aws:s3:us-west-2:111122223333:accesspoint/my-point",
        "arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap",
        "arn:aws:s3-object-lambda:us-west-2:111122223333:accesspoint/my-lambda",
        "arn:aws:s3-outposts:us-west-2:111122223333:outpost/op-1/accesspoint/a",
        "arn:aws:s3express:us-west-2:111122223333:bucket/b--usw2-az1--x-s3",
        "arn:aws-cn:s3:::my-bucket",
        "arn:aws:iam::111122223333:role",
        "my-point-metadata-abc123-s3alias",
        "my-lambda-abc123--ol-s3",
        "my-checkpoints--usw2-az1--x-s3",
        "my-point--usw2-az1--xa-s3",
        "mfzwi23gnjvgw.mrap",
        "my-tables--table-s3",
    ] {
        let said = run(&bed, &[("CHECKPOINT_BUCKET", name)], &["put", "model.bin"]);
        assert_eq!(said.code, Some(2), "{name}");
        all += &format!("{}\n", said.stderr);
        let said = run(&bed, &[], &["get", &format!("s3://{name}/model.bin"), "to"]);
        assert_eq!(said.code, Some(2), "{name}: {said:?}");
        assert!(said.stderr.contains("is not supported"), "{name}: {said:?}");
    }
    insta::assert_snapshot!(all);
}
