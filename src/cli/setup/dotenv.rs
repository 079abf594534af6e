//! `setup --env`: the settings as a file, as `.env.example` explains them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use storage::{Environment, Error, ErrorKind, Result};

use super::super::args::{AddressingStyle, Backend, SetupArgs};
use super::super::context::Context;
use super::line::Line;

const EXAMPLE: &str = include_str!("../../../.env.example");
/// Where the page's variables end in it.
const REST: &str = "# --- How it runs";
/// Key id, secret and token: only what was in the environment, and all from one source.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Writes the file, readable by its owner alone. One that is there is left alone without `--force`.
pub(super) fn write(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    let path = context.common.env_file.clone().unwrap_or_else(|| PathBuf::from(".env"));
    let shown = path.display().to_string();
    let values = values(context)?;
    let text = render(&values);
    let is_there = path.symlink_metadata().is_ok();
    if is_there && !args.force {
        return Err(exists(&shown).into());
    }
    refuse_special(&path)?;
    let dropped = if is_there { dropped(&path, &values) } else { String::new() };
    let names = values.keys().copied().collect::<Vec<_>>().join(", ");
    let (state, verb) = match (args.dry_run, is_there) {
        (true, false) => ("would do", "written"),
        (true, true) => ("would do", "replaced"),
        (false, false) => ("done", "written"),
        (false, true) => ("done", "replaced"),
    };
    if !args.dry_run {
        save(&path, &text, args.force)?;
    }
    let detail = format!("{shown} {verb}, for its owner alone, with {names}{dropped}");
    let published = is_published(&path)
        .then(|| format!("git does not ignore '{shown}', and secrets belong into no repository: add it to .gitignore"));
    let is_s3 = context.common.backend == Backend::S3;
    let nameless = (is_s3 && context.common.bucket.is_none()).then(|| {
        format!("no bucket is named: set CHECKPOINT_BUCKET in '{shown}', or give --bucket NAME, with --force")
    });
    let hints: Vec<String> = nameless.into_iter().chain(published).collect();
    let hint = (!hints.is_empty()).then(|| hints.join("; "));
    Ok(Line { hint: hint.as_deref(), ..Line::new("settings", state, &detail) }.print(context)?)
}

/// Refuses to write where anything but a regular file is. To replace a device would take it from all who use it, and to read a
/// FIFO may wait for ever, so it is asked before the file is opened.
///
/// # Errors
/// [`ErrorKind::Exists`] for a symbolic link, [`ErrorKind::Invalid`] for anything else that is no regular file.
pub(crate) fn refuse_special(path: &Path) -> Result<()> {
    let shown = path.display().to_string();
    let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
    let kind = metadata.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_symlink() => return Err(is_a_link(&shown, &path.read_link().unwrap_or_default())),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(Error::invalid(format!("'{shown}' is {what}, and only a regular file is replaced"))
        .hint_is("name another file with --env-file"))
}

/// The settings of the former file that are not in the new one, in words and by their names alone.
fn dropped(path: &Path, values: &BTreeMap<&'static str, String>) -> String {
    let Ok(former) = Environment::default().with_dotenv(path, true) else {
        return "; what was in it cannot be read".to_owned();
    };
    let gone: Vec<&str> = former.names_in_dotenv().into_iter().filter(|name| !values.contains_key(name)).collect();
    match gone.as_slice() {
        [] => String::new(),
        [one] => format!("; 1 setting of the former is dropped: {one}"),
        more => format!("; {} settings of the former are dropped: {}", more.len(), more.join(", ")),
    }
}

/// What was given or found, by name.
fn values(context: &Context) -> Result<BTreeMap<&'static str, String>> {
    let environment = &context.environment;
    let common = &context.common;
    let style = match common.addressing_style {
        AddressingStyle::Auto => None,
        AddressingStyle::Path => Some("path".to_owned()),
        AddressingStyle::Virtual => Some("virtual".to_owned()),
    };
    let backend = if common.backend == Backend::S3 { "s3" } else { "local" };
    let first = |names: &[&str]| environment.first_of(names).map(|(_, value)| value);
    let region = common.region.clone().or_else(|| first(&["AWS_DEFAULT_REGION"]));
    let endpoint = common.endpoint_url.clone().or_else(|| first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
    let mut values: BTreeMap<&str, String> = [
        ("STORAGE_BACKEND", Some(backend.to_owned())),
        ("CHECKPOINT_DIR", environment.get("CHECKPOINT_DIR")),
        ("CHECKPOINT_BUCKET", common.bucket.clone()),
        ("CHECKPOINT_PREFIX", common.prefix.clone()),
        ("AWS_REGION", region),
        ("S3_ENDPOINT", endpoint),
        ("STRATA_ADDRESSING_STYLE", style),
        ("STRATA_EXPECTED_BUCKET_OWNER", common.expected_bucket_owner.clone()),
        ("STRATA_REQUEST_PAYER", common.request_payer.map(|_| "requester".to_owned())),
        ("AWS_CA_BUNDLE", environment.get("AWS_CA_BUNDLE")),
        ("AWS_PROFILE", common.profile.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    keys(environment, &mut values)?;
    Ok(values)
}

/// The keys, where they are in the environment.
fn keys(environment: &Environment, values: &mut BTreeMap<&'static str, String>) -> Result<()> {
    let found = environment.together(KEYS);
    match &found {
        [Some(_), Some(_), _] | [None, None, _] => {}
        [id, ..] => {
            let (set, missing) = if id.is_some() { (KEYS[0], KEYS[1]) } else { (KEYS[1], KEYS[0]) };
            return Err(Error::new(ErrorKind::Denied, format!("{set} is set, but {missing} is not"))
                .hint_is("set both, or neither"));
        }
    }
    if found[0].is_some() {
        values.extend(KEYS.into_iter().zip(found).filter_map(|(name, value)| Some((name, value?))));
    }
    Ok(())
}

/// The beginning of the example with these values; what has none is a comment.
fn render(values: &BTreeMap<&'static str, String>) -> String {
    // The first line tells how to copy the example.
    let mut text = "# Written by `strata-ckpt setup --env`. It may hold secrets: keep it to yourself.\n".to_owned();
    for line in EXAMPLE.lines().skip(1).take_while(|line| !line.starts_with(REST)) {
        let variable = line.strip_prefix('#').unwrap_or(line).split_once('=').filter(|(name, _)| is_variable(name));
        match variable {
            Some((name, _)) => match values.get(name) {
                Some(value) => text.extend([name, "=", &quoted(value)]),
                None => text.extend(["#", line.trim_start_matches('#')]),
            },
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text + "# All other variables: strata-ckpt --help\n"
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A value as this program's own reader takes it: literally, and never as a variable or a comment.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    // A backslash at the end of one would take the quote with it.
    if !value.contains(['\'', '\\', '\n', '\r']) {
        return format!("'{value}'");
    }
    let escaped = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    format!("\"{escaped}\"")
}

/// Beside its place first, and for its owner alone from the first byte.
fn save(path: &Path, text: &str, force: bool) -> Result<()> {
    let shown = path.display();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(&shown.to_string()),
        std::io::ErrorKind::NotFound => {
            let why = format!("cannot write '{shown}': its directory does not exist");
            Error::new(ErrorKind::LocalIo, why).hint_is("make the directory, or name another file with --env-file")
        }
        _ => Error::local(format!("write '{shown}'"), error),
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Mode 0600.
    let mut file = tempfile::Builder::new().prefix(".env.").tempfile_in(parent).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match force {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    }
    .map_err(|error| failed(error.error))?;
    // The name lasts as well; file systems that cannot say so are as good as they are.
    let _ = File::open(parent).and_then(|directory| directory.sync_all());
    Ok(())
}

fn exists(shown: &str) -> Error {
    Error::new(ErrorKind::Exists, format!("'{shown}' exists already"))
        .hint_is("add --force to replace it, or --env-file FILE to write another")
}

/// Others may use the file that it leads to, and who made the link is not known.
fn is_a_link(shown: &str, target: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("'{shown}' is a symbolic link to '{}' and is not replaced", target.display()))
        .hint_is("name the file itself with --env-file, or remove the link")
}

/// Whether the file lies in a git work tree that does not ignore it. Without git nobody publishes it.
fn is_published(path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return false };
    let asked = Command::new("git")
        .arg("-C")
        .arg(parent)
        .args(["check-ignore", "--quiet", "--"])
        .arg(name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // 0: ignored; 128: no work tree.
    asked.is_ok_and(|status| status.code() == Some(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_back(text: &str) -> Environment {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("env");
        std::fs::write(&file, text).unwrap();
        Environment::default().with_dotenv(&file, true).unwrap()
    }

    #[test]
    fn what_has_a_value_is_set_and_the_rest_explained() {
        let values = BTreeMap::from([
            ("STORAGE_BACKEND", "s3".to_owned()),
            ("CHECKPOINT_BUCKET", "ckpts".to_owned()),
            ("CHECKPOINT_PREFIX", "runs/a b".to_owned()),
        ]);
        let text = render(&values);
        let set: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(set, ["STORAGE_BACKEND=s3", "CHECKPOINT_BUCKET=ckpts", "CHECKPOINT_PREFIX='runs/a b'"]);
        for name in KEYS.into_iter().chain(["AWS_REGION", "S3_ENDPOINT", "AWS_PROFILE"]) {
            assert!(text.contains(&format!("\n#{name}=")), "{name}: {text}");
        }
        assert!(!text.contains("chmod") && !text.contains("STRATA_RETRIES"), "{text}");
    }

    proptest! {
        #[test]
        fn every_value_reads_back_as_it_is(
            value in proptest::collection::vec(
                prop_oneof![
                    Just('\''), Just('"'), Just('\\'), Just('$'), Just('#'), Just(' '), Just('\n'), Just('='), Just('{'),
                    Just('`'), Just('\r'), Just('\t'), proptest::char::range('!', '~'), any::<char>().prop_filter("env", |c| *c != '\0'),
                ],
                1..40,
            ),
            before in "[a-z]{1,8}",
        ) {
            let value: String = value.into_iter().collect();
            let values = BTreeMap::from([
                ("CHECKPOINT_BUCKET", before.clone()),
                ("AWS_ACCESS_KEY_ID", value.clone()),
                ("AWS_SECRET_ACCESS_KEY", value.clone()),
                ("AWS_PROFILE", before.clone()),
            ]);
            let read = read_back(&render(&values));
            prop_assert_eq!(read.get("AWS_ACCESS_KEY_ID"), Some(value.clone()));
            prop_assert_eq!(read.get("AWS_SECRET_ACCESS_KEY"), Some(value));
            prop_assert_eq!(read.get("CHECKPOINT_BUCKET"), Some(before.clone()));
            prop_assert_eq!(read.get("AWS_PROFILE"), Some(before));
            prop_assert_eq!(read.get("AWS_REGION"), None);
        }
    }
}
