//! Flags of every command.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use storage::config::{parse_duration, parse_size};
use storage::throttle::{Throttle, parse_rate};
use storage::{Concurrency, PartSize};

use super::list::{OneOrMore, parse_concurrencies, parse_part_sizes};

/// Flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Kind of store
    #[arg(long, global = true, env = "STORAGE_BACKEND", value_enum, ignore_case = true, default_value = "local")]
    pub(crate) backend: Backend,

    /// Bucket that keys are in
    #[arg(long, global = true, env = "CHECKPOINT_BUCKET", value_name = "NAME")]
    pub(crate) bucket: Option<String>,

    /// Put before every key
    #[arg(long, global = true, env = "CHECKPOINT_PREFIX", value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,

    /// Region of the bucket; else the AWS configuration's, else us-east-1
    #[arg(long, global = true, env = "AWS_REGION", value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Profile of the AWS configuration files
    #[arg(long, global = true, env = "AWS_PROFILE", value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Server to use in place of AWS, such as http://127.0.0.1:9000
    #[arg(long, global = true, env = "S3_ENDPOINT", value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,

    /// Where the bucket's name goes: path for other servers, virtual for AWS, or auto
    #[arg(
        long,
        global = true,
        env = "STRATA_ADDRESSING_STYLE",
        value_enum,
        ignore_case = true,
        value_name = "STYLE",
        default_value = "auto"
    )]
    pub(crate) addressing_style: AddressingStyle,

    /// Agree to pay for the requests where the bucket's owner does not
    #[arg(long, global = true, env = "STRATA_REQUEST_PAYER", value_enum, ignore_case = true, value_name = "WHO")]
    pub(crate) request_payer: Option<Payer>,

    /// Account, twelve digits, that the bucket has to belong to; requests fail otherwise
    #[arg(long, global = true, env = "STRATA_EXPECTED_BUCKET_OWNER", value_name = "ID")]
    pub(crate) expected_bucket_owner: Option<String>,

    /// Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list
    #[arg(
        long,
        global = true,
        allow_negative_numbers = true,
        env = "STRATA_PART_SIZE",
        value_name = "SIZE",
        default_value = "auto",
        value_parser = parse_part_sizes
    )]
    pub(crate) part_size: OneOrMore<PartSize>,

    /// Requests in flight at once, 1 to 1024, or auto. For bench also a list
    #[arg(
        short = 'j',
        long,
        global = true,
        allow_negative_numbers = true,
        env = "STRATA_CONCURRENCY",
        value_name = "N",
        default_value = "auto",
        value_parser = parse_concurrencies
    )]
    pub(crate) concurrency: OneOrMore<Concurrency>,

    /// Bytes a second that all transfers together may move, such as 100MiB
    #[arg(
        long,
        global = true,
        allow_negative_numbers = true,
        env = "STRATA_BWLIMIT",
        value_name = "RATE",
        value_parser = parse_rate
    )]
    pub(crate) bwlimit: Option<Throttle>,

    /// What stdin and stdout may hold in memory
    #[arg(
        long,
        global = true,
        allow_negative_numbers = true,
        env = "STRATA_MAX_MEMORY",
        value_name = "SIZE",
        default_value = "512MiB",
        value_parser = parse_size
    )]
    pub(crate) max_memory: u64,

    /// How often a failed request is repeated
    #[arg(
        long,
        global = true,
        allow_negative_numbers = true,
        env = "STRATA_RETRIES",
        value_name = "N",
        default_value = "8",
        value_parser = parse_retries
    )]
    pub(crate) retries: u32,

    /// Give a request up when not a byte moves for so long
    #[arg(
        long,
        global = true,
        env = "STRATA_STALL_TIMEOUT",
        value_name = "TIME",
        default_value = "30s",
        value_parser = parse_duration
    )]
    pub(crate) stall_timeout: Duration,

    /// How long a put of a directory may show no sign of life before another machine may go on with it
    #[arg(
        long,
        global = true,
        env = "STRATA_CLAIM_EXPIRY",
        value_name = "TIME",
        default_value = "5m",
        value_parser = parse_duration
    )]
    pub(crate) claim_expiry: Duration,

    /// Give the whole command up after so long
    #[arg(long, global = true, env = "STRATA_DEADLINE", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) deadline: Option<Duration>,

    /// File of variables to read in place of ./.env
    #[arg(long, global = true, env = "STRATA_ENV_FILE", value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// Only warnings and errors on stderr
    #[arg(short, long, global = true, env = "STRATA_QUIET", value_parser = BoolishValueParser::new())]
    pub(crate) quiet: bool,

    /// Each file and each retry on stderr
    #[arg(short, long, global = true, env = "STRATA_VERBOSE", value_parser = BoolishValueParser::new())]
    pub(crate) verbose: bool,

    /// No progress on stderr
    #[arg(long, global = true, env = "STRATA_NO_PROGRESS", value_parser = BoolishValueParser::new())]
    pub(crate) no_progress: bool,

    /// One JSON object a line: results on stdout; progress, warnings and the error on stderr
    #[arg(long, global = true, env = "STRATA_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,

    /// When to colour; auto is on a terminal, without NO_COLOR
    #[arg(
        long,
        global = true,
        env = "STRATA_COLOR",
        value_enum,
        ignore_case = true,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Colour,
}

/// Flags that say which store is meant, by their ids: where one was typed, the command that restores needs it too.
pub(crate) const STORE_FLAGS: [&str; 10] = [
    "backend",
    "bucket",
    "prefix",
    "region",
    "profile",
    "endpoint_url",
    "addressing_style",
    "request_payer",
    "expected_bucket_owner",
    "env_file",
];

/// Who pays for requests in place of the bucket's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Payer {
    Requester,
}

/// Kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Local,
    S3,
}

/// Where the bucket's name goes in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddressingStyle {
    Auto,
    Path,
    Virtual,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

fn parse_retries(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("'{text}' is not a whole number"))
}
