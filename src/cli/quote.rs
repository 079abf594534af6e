//! Names as they can be typed or shown.

use std::borrow::Cow;

/// A word for a POSIX shell: as it is where that is safe, else in single quotes.
pub(crate) fn shell(word: &str) -> Cow<'_, str> {
    let safe = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(safe) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

/// A name on one line of a terminal: control characters are escaped.
pub(crate) fn visible(name: &str) -> Cow<'_, str> {
    if !name.chars().any(char::is_control) {
        return name.into();
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(escape).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let words =
            ["epoch_10/model.bin", "s3://b/k=1", "a b", "it's", "", "$HOME", "ü", "a\nb", "*", "~x", "=ls", "#"];
        for word in words {
            let script = format!("printf %s {}", shell(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
        assert_eq!(shell("epoch_10/model.bin"), "epoch_10/model.bin");
        assert_eq!(shell("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(visible("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(visible("ü b"), "ü b");
    }
}
