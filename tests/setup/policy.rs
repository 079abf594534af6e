//! `setup --iam-policy`: exactly what is needed.

use super::support::bed::{minio, with};
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
