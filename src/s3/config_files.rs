//! The AWS config files: found, read and cut into sections by AWS's own parser, or an error that says why they cannot be.
//!
//! That parser takes a file that is not UTF-8, or cannot be read, for an empty one, and passes sections over whose names have
//! spaces. Either would hide somebody's profile behind the role of a machine, so the files are read here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use aws_config::profile::{ProfileFileLoadError, ProfileSet, load};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};

use crate::body::blocking;
use crate::config::PROFILE;
use crate::error::{Error, Result};

/// The files, by the variable that names another one, and their usual place below the home directory.
const FILES: [(&str, &str); 2] =
    [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];

/// A variable of the process; an empty one counts as unset.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Both files as they are now.
#[derive(Debug)]
pub(super) struct ConfigFiles {
    sections: ProfileSet,
    selected: String,
    /// Config, credentials.
    places: [String; 2],
}

impl ConfigFiles {
    /// Reads them. The profile is the one that is named, else the one that the process's variables name, else `default`.
    /// Files that are not there are empty.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the file that cannot be read or is none of that kind, and the
    /// line, never what is in it.
    pub(super) async fn read(named: Option<&str>) -> Result<Self> {
        let selected = named.map(str::to_owned).or_else(|| PROFILE.iter().find_map(|name| variable(name)));
        let texts = blocking(|| {
            let [config, credentials] = FILES.map(|(name, usual)| place(name, usual));
            Ok([(text(&config)?, config), (text(&credentials)?, credentials)])
        });
        let [(config, at_config), (credentials, at_credentials)] = texts.await?;
        let places = [at_config, at_credentials];
        ConfigFiles::parse(&config, &credentials, selected.as_deref().unwrap_or("default"), places).await
    }

    /// Of these texts.
    pub(super) async fn parse(config: &str, credentials: &str, selected: &str, places: [PathBuf; 2]) -> Result<Self> {
        let names = places.each_ref().map(|path| path.to_string_lossy().into_owned());
        let prepared = [prepared(config, true), prepared(credentials, false)];
        let content: HashMap<String, String> = names.iter().cloned().zip(prepared).collect();
        let variables = FILES.iter().zip(&names).map(|((variable, _), name)| ((*variable).to_owned(), name.clone()));
        let environment = Env::from(variables.collect::<HashMap<_, _>>());
        let chosen = Some(Cow::Owned(encoded(selected).into_owned()));
        let sections = load(&Fs::from_map(content), &environment, &EnvConfigFiles::default(), chosen).await;
        let sections = sections.map_err(unreadable)?;
        Ok(ConfigFiles { sections, selected: selected.to_owned(), places: names })
    }

    /// The profile that counts.
    pub(super) fn selected(&self) -> &str {
        &self.selected
    }

    /// Where the files are, as people write it: config, credentials.
    pub(super) fn places(&self) -> [String; 2] {
        let home = variable("HOME").map(|home| home.trim_end_matches('/').to_owned() + "/");
        let below = |place: &String| place.strip_prefix(home.as_deref()?).map(|rest| format!("~/{rest}"));
        self.places.each_ref().map(|place| below(place).unwrap_or_else(|| place.clone()))
    }

    /// A value of a profile; `None` for one that is not there.
    pub(super) fn get(&self, profile: &str, name: &str) -> Option<&str> {
        full(self.sections.get_profile(&encoded(profile))?.get(name))
    }

    pub(super) fn has(&self, profile: &str) -> bool {
        self.sections.get_profile(&encoded(profile)).is_some()
    }

    /// The names of all profiles, in order.
    pub(super) fn profiles(&self) -> Vec<String> {
        let mut names: Vec<String> = self.sections.profiles().map(decoded).collect();
        names.sort_unstable();
        names
    }

    /// A value of an `[sso-session NAME]`; `None` where there is no such section, and inside where it has no such value.
    pub(super) fn of_session(&self, session: &str, name: &str) -> Option<Option<&str>> {
        Some(full(self.sections.sso_session(&encoded(session))?.get(name)))
    }

    /// `endpoint_url` of a service for a profile: in the profile's section of services, else its own for all services
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
    pub(super) fn endpoint(&self, profile: &str, service: &str) -> Option<&str> {
        let of_service = |services: &str| {
            let key = PropertiesKey::builder()
                .section_key("services")
                .section_name(encoded(services))
                .property_name(service)
                .sub_property_name("endpoint_url")
                .build();
            full(self.sections.other_sections().get(&key.ok()?).map(String::as_str))
        };
        self.get(profile, "services").and_then(of_service).or_else(|| self.get(profile, "endpoint_url"))
    }
}

fn full(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// Where a file is, with `~` for the home directory.
fn place(name: &str, usual: &str) -> PathBuf {
    let home = variable("HOME").map(PathBuf::from);
    match (variable(name), home) {
        (Some(path), Some(home)) => {
            path.strip_prefix("~/").map_or_else(|| PathBuf::from(&path), |rest| home.join(rest))
        }
        (Some(path), None) => path.into(),
        (None, home) => home.unwrap_or_else(|| "~".into()).join(usual),
    }
}

/// What is in a file; nothing where there is none, or none that we may know of.
fn text(path: &Path) -> Result<String> {
    let unusable = |why: &str| Error::invalid(format!("the AWS configuration file '{}' {why}", path.display()));
    let of_io = |error: io::Error| {
        unusable(&format!("cannot be read: {}", error.kind())).hint_is("check its owner and its mode").caused_by(error)
    };
    match std::fs::metadata(path) {
        Err(_) => return Ok(String::new()),
        Ok(metadata) if metadata.is_dir() => {
            return Err(
                unusable("is a directory").hint_is("AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name files")
            );
        }
        // A FIFO may be what a shell gives in place of a file.
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(of_io)?;
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        unusable(&format!("is not UTF-8: see line {line}"))
            .hint_is("save it as UTF-8; it is not shown because it may hold a secret")
    })
}

/// The text as AWS's parser takes it: without a byte order mark, and with names of sections in the characters that it knows.
fn prepared(text: &str, is_config: bool) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut prepared = String::with_capacity(text.len() + 1);
    for line in text.lines() {
        let name = line.strip_prefix('[').and_then(|line| line.split_once(']')).map(|(name, _)| name.trim());
        let changed = name.and_then(|name| match (is_config, name.split_once([' ', '\t'])) {
            (true, Some((kind, quoted))) => Some(format!("[{kind} {}]", encoded(unquoted(quoted.trim())?))),
            (false, _) if !name.starts_with("profile ") => Some(format!("[{}]", encoded(name))),
            _ => None,
        });
        prepared.push_str(changed.as_deref().unwrap_or(line));
        prepared.push('\n');
    }
    prepared
}

/// What is between quotes; `None` where there are none.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// A name in the characters that AWS's parser allows for: others as their bytes in hexadecimal, after a `%`.
fn encoded(name: &str) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&byte);
    if name.bytes().all(fits) {
        return name.into();
    }
    let mut encoded = String::new();
    for byte in name.bytes() {
        match fits(byte) && byte != b'%' {
            true => encoded.push(char::from(byte)),
            false => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded.into()
}

/// As it was written, for people to read.
fn decoded(name: &str) -> String {
    percent_encoding::percent_decode_str(name).decode_utf8().map_or_else(|_| name.to_owned(), Cow::into_owned)
}

/// The cause names the file and the line, and not what is in it.
fn unreadable(error: ProfileFileLoadError) -> Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    // It has the two characters of an escaped line break in it.
    let cause = cause.replace("\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    Error::invalid(format!("the AWS configuration files cannot be used: {cause}"))
        .hint_is("correct ~/.aws/config and ~/.aws/credentials, or name others with AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE")
        .caused_by(error)
}

#[cfg(test)]
impl ConfigFiles {
    /// Of a config file alone.
    pub(super) async fn of(config: &str, selected: &str) -> Result<Self> {
        ConfigFiles::parse(config, "", selected, ["config".into(), "credentials".into()]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn both(config: &str, credentials: &str) -> ConfigFiles {
        ConfigFiles::parse(config, credentials, "default", ["a".into(), "b".into()]).await.unwrap()
    }

    #[tokio::test]
    async fn names_with_spaces_and_a_byte_order_mark() {
        let files = both(
            "\u{feff}[profile \"my team\"]\r\nregion = r1\r\n[profile 'a']\nregion = r2\n[profile not quoted]\nregion = r3\n\
             [sso-session \"the corp\"]\nsso_region = r4\n",
            "\u{feff}[my team]\naws_access_key_id = id\n[default]\naws_access_key_id =\n",
        )
        .await;
        assert_eq!(files.get("my team", "region"), Some("r1"));
        assert_eq!(files.get("my team", "aws_access_key_id"), Some("id"));
        assert_eq!((files.get("a", "region"), files.get("default", "aws_access_key_id")), (Some("r2"), None));
        assert_eq!(files.of_session("the corp", "sso_region"), Some(Some("r4")));
        assert_eq!(files.of_session("corp", "sso_region"), None);
        assert_eq!(files.profiles(), ["a", "default", "my team"]);
    }

    #[test]
    fn a_file_that_would_be_passed_over_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        assert_eq!(text(&path).unwrap(), "");
        assert!(text(directory.path()).unwrap_err().to_string().ends_with("is a directory"));
        std::fs::write(&path, b"[default]\n# J\xfcrgen\nsecret").unwrap();
        let error = text(&path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.ends_with("is not UTF-8: see line 2"), "{error}");
    }

    proptest! {
        #[test]
        fn names_come_back_as_they_were(name in "\\PC{1,20}") {
            let encoded = encoded(&name);
            prop_assert!(encoded.is_ascii());
            if encoded != name {
                prop_assert_eq!(decoded(&encoded), name);
            }
        }
    }
}
