//! Settings: how transfers run, and every environment variable's name, default and parsing.

mod caution;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::descriptors;
use crate::error::{Error, Result};
use crate::event::{Observer, Silent};
use crate::retry::RetryBudget;

/// One mebibyte in bytes.
pub const MIB: u64 = 1 << 20;
/// The default part size in bytes: 8 MiB.
pub const DEFAULT_PART_SIZE: u64 = 8 * MIB;
/// The most requests in flight that [`Concurrency::Auto`] comes to.
pub const MOST_AUTO_CONCURRENCY: usize = 256;
/// How long a put of a directory may show no sign of life: it shows one three times in this time.
pub const DEFAULT_CLAIM_EXPIRY: Duration = Duration::from_secs(300);

/// How large the parts of a multipart transfer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartSize {
    /// [`DEFAULT_PART_SIZE`], or more where an object would need more than 10,000 parts.
    Auto,
    /// This many bytes, 5 MiB to 5 GiB. An object that would need more than 10,000 of them is refused before the first byte.
    Fixed(u64),
}

/// How many requests are in flight at once, over all files of a [`Transfer`](crate::Transfer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as are found to help: more while throughput grows with them, fewer where the server asks for less; 1 to
    /// [`MOST_AUTO_CONCURRENCY`].
    Auto,
    /// This many, at least 1.
    Fixed(usize),
}

impl Concurrency {
    /// The most that it can come to.
    pub(crate) fn most(self) -> usize {
        match self {
            Concurrency::Auto => MOST_AUTO_CONCURRENCY,
            Concurrency::Fixed(n) => n,
        }
    }
}

/// How transfers run. Cheap to clone; clones share the retry budget, the observer and the cancel token.
#[derive(Clone)]
pub struct RuntimeConfig {
    /// Part size of uploads and range size of downloads. Default: [`PartSize::Auto`].
    pub part_size: PartSize,
    /// Requests in flight at once over all files; fewer where the process may not have six descriptors for each.
    /// Default: [`Concurrency::Auto`].
    pub concurrency: Concurrency,
    /// Bytes that streams (stdin, stdout) may hold in memory. Default: 512 MiB.
    pub max_memory: u64,
    /// How often a failed request is repeated. Default: 8, which spans about 20 seconds of outage.
    pub retries: u32,
    /// How long a connection, with its TLS handshake, may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long the answer to a request that was sent may take to begin. Default: 60 s.
    pub first_byte_timeout: Duration,
    /// How long a body may pass without a single byte moving. Default: 30 s.
    pub stall_timeout: Duration,
    /// Where transfers keep what they have done, so that the same one goes on after an interruption: below
    /// `strata-ckpt/` in this directory. Default: nowhere, so that a failed transfer cleans up and starts over.
    pub state_dir: Option<PathBuf>,
    /// Whether to go on where an earlier transfer stopped; otherwise what it left is given up. Default: true.
    pub resume: bool,
    /// How long a put of a directory may show no sign of life before another host may take it over. Default: 5 min.
    pub claim_expiry: Duration,
    /// Retries left to all transfers together.
    pub retry_budget: RetryBudget,
    /// Stops every transfer that runs under this configuration; they clean up and return [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    pub cancel: CancellationToken,
    /// Told of progress, retries and warnings.
    pub observer: Arc<dyn Observer>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        RuntimeConfig {
            part_size: PartSize::Auto,
            concurrency: Concurrency::Auto,
            max_memory: 512 * MIB,
            retries: 8,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            state_dir: None,
            resume: true,
            claim_expiry: DEFAULT_CLAIM_EXPIRY,
            retry_budget: RetryBudget::default(),
            cancel: CancellationToken::new(),
            observer: Arc::new(Silent),
        }
    }
}

impl RuntimeConfig {
    /// The most that [`concurrency`](Self::concurrency) comes to, as far as descriptors suffice, and never nothing.
    pub(crate) fn in_flight(&self) -> usize {
        self.concurrency.most().min(descriptors::suffice_for()).max(1)
    }

    /// The same, where the caller's token ends nothing.
    #[cfg(feature = "s3")]
    pub(crate) fn undisturbed(&self) -> Self {
        RuntimeConfig { cancel: CancellationToken::new(), ..self.clone() }
    }

    /// The defaults, with `STRATA_PART_SIZE`, `STRATA_CONCURRENCY`, `STRATA_MAX_MEMORY`, `STRATA_RETRIES`,
    /// `STRATA_STALL_TIMEOUT` and `STRATA_CLAIM_EXPIRY` applied where they are set, and [`state_dir`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the variable whose value does not parse.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let mut config = RuntimeConfig::default();
        let mut apply =
            |name: &str, set: &mut dyn FnMut(&mut RuntimeConfig, &str) -> Result<(), String>| match environment
                .get(name)
            {
                Some(text) => set(&mut config, &text).map_err(|why| Error::invalid(format!("{name}: {why}"))),
                None => Ok(()),
            };
        apply("STRATA_PART_SIZE", &mut |config, text| parse_part_size(text).map(|size| config.part_size = size))?;
        apply("STRATA_CONCURRENCY", &mut |config, text| parse_concurrency(text).map(|n| config.concurrency = n))?;
        apply("STRATA_MAX_MEMORY", &mut |config, text| parse_size(text).map(|size| config.max_memory = size))?;
        apply("STRATA_STALL_TIMEOUT", &mut |config, text| {
            parse_duration(text).map(|time| config.stall_timeout = time)
        })?;
        apply("STRATA_CLAIM_EXPIRY", &mut |config, text| parse_duration(text).map(|time| config.claim_expiry = time))?;
        apply("STRATA_RETRIES", &mut |config, text| {
            text.parse().map(|n| config.retries = n).map_err(|_| format!("'{text}' is not a whole number"))
        })?;
        Ok(RuntimeConfig { state_dir: state_dir(environment), ..config })
    }
}

/// Where the state of programs is kept: `$XDG_STATE_HOME`, else `$HOME/.local/state`
/// (<https://specifications.freedesktop.org/basedir/latest/>). Relative ones do not count.
pub fn state_dir(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

impl fmt::Debug for RuntimeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeConfig")
            .field("part_size", &self.part_size)
            .field("concurrency", &self.concurrency)
            .field("max_memory", &self.max_memory)
            .field("retries", &self.retries)
            .field("connect_timeout", &self.connect_timeout)
            .field("first_byte_timeout", &self.first_byte_timeout)
            .field("stall_timeout", &self.stall_timeout)
            .field("state_dir", &self.state_dir)
            .field("resume", &self.resume)
            .field("claim_expiry", &self.claim_expiry)
            .finish_non_exhaustive()
    }
}

/// Bytes from a size such as `8MiB`, `8M`, `8MB` or `8388608`; units are IEC (powers of 1,024).
///
/// # Errors
/// Why the text is not such a size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|_| format!("'{text}' is not a size; write it like 8MiB, 512KiB or 1GiB"))
}

/// A part size: `auto`, or 5 MiB to 5 GiB, S3's bounds
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
///
/// # Errors
/// Why the text is not such a size.
pub fn parse_part_size(text: &str) -> Result<PartSize, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(PartSize::Auto);
    }
    match parse_size(text)? {
        bytes @ 5_242_880..=5_368_709_120 => Ok(PartSize::Fixed(bytes)),
        _ => Err(format!("'{text}' is outside S3's bounds for a part, 5MiB to 5GiB")),
    }
}

/// Requests in flight: `auto`, or 1 to 1,024.
///
/// # Errors
/// Why the text is not such a number.
pub fn parse_concurrency(text: &str) -> Result<Concurrency, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Concurrency::Auto);
    }
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(Concurrency::Fixed(n)),
        _ => Err(format!("'{text}' is not a number of connections, 1 to 1024, or auto")),
    }
}

/// A duration such as `500ms`, `90s`, `2m` or `7d`, longer than zero.
///
/// # Errors
/// Why the text is not such a duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err(format!("'{text}' is no time at all; write at least 1ms, or leave it out")),
        _ => Err(format!("'{text}' is not a duration; write it like 30s, 2m or 1h")),
    }
}

/// Any of them may be a secret: zeroed when they are freed.
type Values = HashMap<String, Zeroizing<String>>;

/// The process's environment with a `.env` file behind it. An empty variable counts as unset.
#[derive(Clone, Default)]
pub struct Environment {
    real: Values,
    dotenv: Values,
    /// The file, where its mode lets others read it.
    readable_by_others: Option<PathBuf>,
}

impl Environment {
    /// The process's environment, then `.env` in the working directory if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the file exists and cannot be read or parsed.
    pub fn load() -> Result<Self> {
        Environment::process().with_dotenv(Path::new(".env"), false)
    }

    /// The process's environment alone. Values that are not UTF-8 are left out.
    pub fn process() -> Self {
        let real =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment::from_pairs(real)
    }

    /// An environment of exactly these variables.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let set = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        Environment { real: set.map(|(name, value)| (name, value.into())).collect(), ..Environment::default() }
    }

    /// Puts the variables of a `.env` file behind the ones that are set. The file is parsed, never executed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when it cannot be read or parsed, or is missing and `required`.
    /// The text names the line, never its content.
    pub fn with_dotenv(mut self, path: &Path, required: bool) -> Result<Self> {
        let (bytes, mode) = match contents(path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(self),
            Err(error) => {
                let shown = path.display();
                return Err(Error::local(format!("read the environment file '{shown}'"), error)
                    .kind_is(crate::ErrorKind::Invalid));
            }
        };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let text = literal_dollars(&Zeroizing::new(String::from_utf8_lossy(bytes).into_owned()));
        if mode & 0o044 != 0 {
            self.readable_by_others = Some(path.to_owned());
        }
        for pair in dotenvy::from_read_iter(text.as_bytes()) {
            let (name, value) = pair.map_err(|error| {
                // The error has the line, or its value where that is what is wrong.
                let bad = match &error {
                    dotenvy::Error::LineParse(bad, _) => bad.lines().next().unwrap_or_default().trim(),
                    _ => "",
                };
                let at = text.lines().position(|line| !bad.is_empty() && line.trim_end().ends_with(bad));
                let at = at.map(|index| format!(":{}", index + 1)).unwrap_or_default();
                Error::invalid(format!("'{}{at}' is not of the form NAME=value", path.display()))
                    .hint_is("quote values that have spaces; the line is not shown because it may hold a secret")
            })?;
            if !value.is_empty() {
                self.dotenv.insert(name, value.into());
            }
        }
        Ok(self)
    }

    /// The variable's value, from the process first, then from `.env`; `None` when unset or empty.
    pub fn get(&self, name: &str) -> Option<String> {
        self.real.get(name).or_else(|| self.dotenv.get(name)).map(|value| value.to_string())
    }

    /// The names of all variables that `.env` sets, in their order. Values may be secrets.
    pub fn names_in_dotenv(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.dotenv.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Whether the variable is set in the process itself, so that `.env` does not count.
    pub fn is_of_process(&self, name: &str) -> bool {
        self.real.contains_key(name)
    }

    /// The first of these variables that is set, with its name.
    pub fn first_of<'a>(&self, names: &[&'a str]) -> Option<(&'a str, String)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// The variables `names` from one source: all from the process if it has the first of them, else all from `.env`.
    /// For key id, secret and token, which must come from one source together.
    pub fn together<const N: usize>(&self, names: [&str; N]) -> [Option<String>; N] {
        let source =
            if names.first().is_some_and(|name| self.real.contains_key(*name)) { &self.real } else { &self.dotenv };
        names.map(|name| source.get(name).map(|value| value.to_string()))
    }
}

/// What is in a file, and its mode.
fn contents(path: &Path) -> std::io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    // Room for all of it, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1));
    file.read_to_end(&mut bytes)?;
    Ok((bytes, metadata.permissions().mode()))
}

/// Secrets have `$` in them, and a file that is parsed and never executed has no variables to expand: every `$` that
/// dotenvy would expand is escaped. It expands none between single quotes.
fn literal_dollars(text: &str) -> Zeroizing<String> {
    let mut literal = Zeroizing::new(String::with_capacity(2 * text.len()));
    let (mut quote, mut comment, mut before) = (None, false, '\n');
    for c in text.chars() {
        let escaped = before == '\\' && quote != Some('\'');
        match c {
            '\n' if quote.is_none() => comment = false,
            '#' if quote.is_none() && before.is_whitespace() => comment = true,
            '\'' | '"' if !comment && !escaped => match quote {
                None => quote = Some(c),
                Some(open) if open == c => quote = None,
                Some(_) => {}
            },
            '$' if !comment && !escaped && quote != Some('\'') => literal.push('\\'),
            _ => {}
        }
        literal.push(c);
        before = if escaped { ' ' } else { c };
    }
    literal
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("real", &self.real.len())
            .field("dotenv", &self.dotenv.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn sizes_are_iec() {
        for (text, bytes) in
            [("8MiB", 8 << 20), ("8M", 8 << 20), ("8MB", 8 << 20), ("1 GiB", 1 << 30), ("5242880", 5_242_880)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "abc", "-1", "8 parts", "99999999999999999999"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn part_sizes_keep_to_the_limits_of_s3() {
        assert_eq!(parse_part_size("AUTO"), Ok(PartSize::Auto));
        assert_eq!(parse_part_size("5MiB"), Ok(PartSize::Fixed(5 << 20)));
        assert_eq!(parse_part_size("5GiB"), Ok(PartSize::Fixed(5 << 30)));
        assert!(parse_part_size("4MiB").is_err() && parse_part_size("6GiB").is_err());
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let environment = environment(&[("A", ""), ("B", "b")]);
        assert_eq!(environment.first_of(&["A", "B"]), Some(("B", "b".to_owned())));
    }

    #[test]
    fn state_is_kept_where_the_system_says() {
        let place = |pairs: &[(&str, &str)]| state_dir(&environment(pairs));
        assert_eq!(place(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Some("/s".into()));
        assert_eq!(place(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")]), Some("/h/.local/state".into()));
        assert_eq!((place(&[("HOME", "h")]), place(&[])), (None, None));
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = RuntimeConfig::from_environment(&environment(&[("STRATA_PART_SIZE", "tiny")])).unwrap_err();
        assert_eq!(error.to_string(), "STRATA_PART_SIZE: 'tiny' is not a size; write it like 8MiB, 512KiB or 1GiB");
    }

    #[test]
    fn a_dotenv_file_is_taken_literally_and_its_bad_line_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".env");
        let load = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Environment::default().with_dotenv(&file, true)
        };
        let text = "# don't expand\nA=a$ecret\nB=\"b${HOME}$x\"\nC='c$HOME'\nD=d\\$e # it's $HOME\nE=$A\n";
        let environment = load(text).unwrap();
        let values = ["A", "B", "C", "D", "E"].map(|name| environment.get(name).unwrap());
        assert_eq!(values, ["a$ecret", "b${HOME}$x", "c$HOME", "d$e", "$A"]);
        let error = load("# c\n\nA=1\nB=2\n# x\nFOO=hello world\n").unwrap_err();
        assert!(error.to_string().contains(".env:6'"), "{error}");
        assert!(!error.to_string().contains("hello"), "{error}");
    }

    #[test]
    fn credentials_come_from_one_source_together() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".env");
        std::fs::write(&file, "\u{feff}export ID='in file'\r\nSECRET=abc=def\nTOKEN=\"old\"\n# comment\n").unwrap();
        let real = environment(&[("ID", "real"), ("SECRET", "real secret")]).with_dotenv(&file, true).unwrap();
        assert_eq!(real.together(["ID", "SECRET", "TOKEN"]), [Some("real".into()), Some("real secret".into()), None]);
        let file = Environment::default().with_dotenv(&file, true).unwrap();
        assert_eq!(
            file.together(["ID", "SECRET", "TOKEN"]),
            [Some("in file".into()), Some("abc=def".into()), Some("old".into())]
        );
    }

    proptest! {
        #[test]
        fn any_dotenv_is_variables_or_an_error_that_shows_nothing(text in proptest::collection::vec(any::<u8>(), 0..200), line in "[A-Z]{1,5}=['\"$#\\\\ a-z]{0,20}\n") {
            let file = tempfile::NamedTempFile::new().unwrap();
            for content in [&text[..], line.as_bytes(), &[&text[..], b"\nhunter2 ", line.as_bytes()].concat()] {
                std::fs::write(file.path(), content).unwrap();
                if let Err(error) = environment(&[]).with_dotenv(file.path(), true) {
                    prop_assert_eq!(error.kind(), crate::ErrorKind::Invalid);
                    prop_assert!(!error.to_string().contains("hunter2"));
                }
            }
        }
    }
}
