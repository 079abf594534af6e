//! The variables that settings come from: the process's, and a `.env` file behind them.

mod caution;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// What names a profile of the AWS config files, the first that is set; the AWS CLI knows the second one as well.
pub(crate) const PROFILE: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];

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
        // A FIFO that lies there would be waited for; one that is asked for by name, as a shell makes them, is meant.
        if !required && std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Error::invalid(format!("'{}' is not a regular file", path.display()))
                .hint_is("settings are read from a file of this name; --env-file /dev/null reads none"));
        }
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

    /// Whether the process names a profile, and only `.env` has keys: the environment comes first.
    pub fn has_profile_before_keys(&self) -> bool {
        !self.is_of_process("AWS_ACCESS_KEY_ID") && PROFILE.iter().any(|name| self.is_of_process(name))
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
    fn an_empty_variable_is_unset() {
        let environment = environment(&[("A", ""), ("B", "b")]);
        assert_eq!(environment.first_of(&["A", "B"]), Some(("B", "b".to_owned())));
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
