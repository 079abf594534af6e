//! The page's minimal policy as AWS's IAM takes it.

use serde::Serialize;

use super::config::{S3Config, check_bucket, clean_prefix};
use super::endpoint::DEFAULT_REGION;
use crate::error::{Error, ErrorKind, Result};

/// What is allowed on objects.
const ON_OBJECTS: [&str; 4] = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];
/// What an encrypted bucket needs on its key besides:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuAndPermissions.html>.
const ON_THE_KEY: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_like: Prefixes,
}

#[derive(Serialize)]
struct Prefixes {
    #[serde(rename = "s3:prefix")]
    prefix: Vec<String>,
}

/// The policy that allows the five actions on this bucket and prefix, and nothing else, as indented JSON; with the ARN of a
/// KMS key also the two actions on it that an encrypted bucket needs. Nothing is sent.
///
/// # Errors
/// [`ErrorKind::Invalid`] for an unusable bucket, prefix or ARN.
pub fn iam_policy(config: &S3Config, kms_key: Option<&str>) -> Result<String> {
    check_bucket(&config.bucket)?;
    let prefix = clean_prefix(&config.prefix)?;
    let partition = partition_of(config.region.as_deref().unwrap_or(DEFAULT_REGION));
    let bucket = format!("arn:{partition}:s3:::{}", config.bucket);
    let (objects, condition) = match prefix.as_str() {
        "" => (format!("{bucket}/*"), None),
        prefix => {
            let below = format!("{}/*", literal(prefix));
            let condition = Condition { string_like: Prefixes { prefix: vec![below.clone()] } };
            (format!("{bucket}/{below}"), Some(condition))
        }
    };
    let allow = |sid, action, resource, condition| Statement { sid, effect: "Allow", action, resource, condition };
    let mut statement = vec![
        allow("StrataCkptList", vec!["s3:ListBucket"], bucket, condition),
        allow("StrataCkptObjects", ON_OBJECTS.to_vec(), objects, None),
    ];
    if let Some(key) = kms_key {
        check_key(key)?;
        statement.push(allow("StrataCkptKey", ON_THE_KEY.to_vec(), key.to_owned(), None));
    }
    serde_json::to_string_pretty(&Policy { version: "2012-10-17", statement })
        .map_err(|error| Error::new(ErrorKind::Other, "the policy cannot be written").caused_by(error))
}

/// What stands for itself in a pattern: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.
fn literal(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |text, c| match c {
        '*' | '?' | '$' => text + "${" + c.encode_utf8(&mut [0; 4]) + "}",
        c => text + c.encode_utf8(&mut [0; 4]),
    })
}

/// The part of AWS that a region belongs to, as ARNs name it.
fn partition_of(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    partitions.into_iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, name)| name)
}

/// Aliases name a key to people, not to policies.
fn check_key(arn: &str) -> Result<()> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_key = matches!(parts.as_slice(), ["arn", partition, "kms", region, account, key]
        if partition.starts_with("aws") && !region.is_empty() && !account.is_empty() && key.starts_with("key/") && key.len() > 4);
    match is_key && arn.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Error::invalid(format!("'{}' is not the ARN of a KMS key", arn.escape_default()))
            .hint_is("write it like arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn policy(prefix: &str, region: &str, key: Option<&str>) -> Value {
        let config = S3Config { prefix: prefix.to_owned(), region: Some(region.to_owned()), ..S3Config::new("ckpts") };
        serde_json::from_str(&iam_policy(&config, key).unwrap()).unwrap()
    }

    fn actions(policy: &Value) -> Vec<&str> {
        let mut all: Vec<&str> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap())
            .collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn exactly_the_five_and_the_two_of_a_key() {
        let five = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"];
        assert_eq!(actions(&policy("", "us-east-1", None)), five);
        let with_key = policy("", "us-east-1", Some(KEY));
        assert_eq!(actions(&with_key), [["kms:Decrypt", "kms:GenerateDataKey"].as_slice(), &five].concat());
        assert_eq!(with_key["Statement"][2]["Resource"], KEY);
    }

    #[test]
    fn the_bucket_and_what_is_below_the_prefix() {
        let whole = policy("", "us-east-1", None);
        assert_eq!(whole["Statement"][0]["Resource"], "arn:aws:s3:::ckpts");
        assert_eq!(whole["Statement"][1]["Resource"], "arn:aws:s3:::ckpts/*");
        assert!(whole["Statement"][0]["Condition"].is_null());
        let part = policy("/runs/a/", "us-east-1", None);
        assert_eq!(part["Statement"][0]["Condition"]["StringLike"]["s3:prefix"][0], "runs/a/*");
        assert_eq!(part["Statement"][1]["Resource"], "arn:aws:s3:::ckpts/runs/a/*");
        let odd = policy("a*b?$c", "us-east-1", None);
        assert_eq!(odd["Statement"][1]["Resource"], "arn:aws:s3:::ckpts/a${*}b${?}${$}c/*");
    }

    #[test]
    fn each_part_of_aws_has_its_name() {
        for (region, partition) in [
            ("us-west-2", "aws"),
            ("eu-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let policy = policy("", region, None);
            assert_eq!(policy["Statement"][0]["Resource"], format!("arn:{partition}:s3:::ckpts"), "{region}");
        }
    }

    #[test]
    fn what_is_no_key() {
        assert!(check_key(KEY).is_ok());
        for key in ["1234abcd", "alias/ckpts", "arn:aws:kms:us-east-1:111122223333:alias/ckpts", "arn:aws:s3:::b", ""] {
            assert_eq!(check_key(key).unwrap_err().kind(), ErrorKind::Invalid, "{key}");
        }
    }
}
