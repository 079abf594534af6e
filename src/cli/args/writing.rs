//! How `put` writes objects on S3, beyond their content.

use clap::{Args, ValueEnum};
use storage::{Error, Result};

/// How objects are written. Kept as text: what it means is S3's business.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of S3 stores")]
pub(crate) struct WritingArgs {
    /// Encryption by the server: its own keys, or those of a key management service; else the bucket's default
    #[arg(long, env = "STRATA_SSE", value_enum, ignore_case = true, value_name = "ALGORITHM")]
    pub(crate) sse: Option<Sse>,

    /// KMS key to encrypt with: its id, ARN or alias; by itself it means --sse aws:kms
    #[arg(long, env = "STRATA_SSE_KMS_KEY_ID", value_name = "KEY")]
    pub(crate) sse_kms_key_id: Option<String>,

    /// Storage class of files: STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR or REDUCED_REDUNDANCY.
    /// Manifests are STANDARD always
    #[arg(long, env = "STRATA_PUT_STORAGE_CLASS", value_name = "CLASS")]
    pub(crate) storage_class: Option<String>,

    /// Give each file a metadata header of S3 (x-amz-meta-NAME), up to 2 KB in all; repeatable. In the variable, one a line
    #[arg(long, env = "STRATA_METADATA", value_name = "NAME=VALUE", value_parser = super::put::parse_meta)]
    pub(crate) metadata: Vec<(String, String)>,
}

/// What S3 calls its encryptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sse {
    #[value(name = "AES256")]
    Aes256,
    #[value(name = "aws:kms")]
    Kms,
    #[value(name = "aws:kms:dsse")]
    KmsDsse,
}

impl Sse {
    /// As the header has it.
    #[cfg_attr(not(feature = "s3"), expect(dead_code))]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sse::Aes256 => "AES256",
            Sse::Kms => "aws:kms",
            Sse::KmsDsse => "aws:kms:dsse",
        }
    }
}

impl WritingArgs {
    /// A local store does nothing of it, and must not look as if it did.
    pub(crate) fn refuse_local(&self) -> Result<()> {
        let given = [
            ("--sse", self.sse.is_some()),
            ("--sse-kms-key-id", self.sse_kms_key_id.is_some()),
            ("--storage-class", self.storage_class.is_some()),
            ("--metadata", !self.metadata.is_empty()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(of_s3(flag)),
        }
    }
}

/// The flag is given, and the store is a directory.
pub(crate) fn of_s3(flag: &str) -> Error {
    let variable = super::variable_of(flag);
    Error::invalid(format!("{flag} ({variable}) is for S3 stores, and this one is a local directory"))
        .hint_is("leave it out and unset its variable, or name the bucket with --backend s3 or s3://bucket/key")
}
