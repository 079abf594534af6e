//! Sizes, rates and times as people read them.

use std::time::Duration;

use humansize::{BINARY, FormatSizeOptions, format_size};
use storage::config::MIB;

use super::schema::Tally;

/// `3.2 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    format_size(bytes, FormatSizeOptions::from(BINARY).decimal_places(1))
}

/// `800 MiB/s`.
pub(crate) fn rate(bytes: u64, time: Duration) -> String {
    rate_of(bytes as f64 / time.as_secs_f64().max(0.001))
}

/// The same of bytes a second.
pub(crate) fn rate_of(bytes_per_second: f64) -> String {
    format!("{}/s", size(bytes_per_second as u64))
}

/// `120 ms`, `4.1 s`, `2m 5s`.
pub(crate) fn taken(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

/// The largest unit of a time: `12s`, `5m`, `3h`, `9d`, `2y`.
pub(crate) fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(365 * 86_400, "y"), (86_400, "d"), (3_600, "h"), (60, "m")];
    match units.into_iter().find(|(unit, _)| seconds >= *unit) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// `1 file`, `12 files`.
pub(crate) fn files(count: u64) -> String {
    match count {
        1 => "1 file".to_owned(),
        _ => format!("{count} files"),
    }
}

/// `put 12 files, 3.2 GiB in 4.1 s (800 MiB/s); 3 files were there already`.
pub(crate) fn summary(verb: &str, tally: &Tally, time: Duration) -> String {
    let Tally { files: all, bytes, moved_files, moved_bytes, resumed_bytes, again_bytes } = *tally;
    let speed = match moved_bytes {
        // The speed of little says nothing.
        0..MIB => String::new(),
        _ => format!(" ({})", rate(moved_bytes, time)),
    };
    let there = match all.saturating_sub(moved_files) {
        0 => String::new(),
        1 => "; 1 file was there already".to_owned(),
        same => format!("; {} were there already", files(same)),
    };
    let resumed = match resumed_bytes {
        0 => String::new(),
        _ => format!("; {} were there from before", size(resumed_bytes)),
    };
    let again = match again_bytes {
        0 => String::new(),
        _ => format!("; {} went again", size(again_bytes)),
    };
    format!("{verb} {}, {} in {}{speed}{there}{resumed}{again}", files(all), size(bytes), taken(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_iec() {
        assert_eq!((size(0), size(8 << 20), size(3_435_973_837)), ("0 B".into(), "8 MiB".into(), "3.2 GiB".into()));
        assert_eq!(rate(1 << 30, Duration::from_secs(2)), "512 MiB/s");
        assert_eq!(
            (taken(Duration::from_millis(4_120)), taken(Duration::from_secs(125))),
            ("4.1 s".into(), "2m 5s".into())
        );
        let ages = [59, 60, 7_200, 86_400 * 9, 86_400 * 800].map(|seconds| about(Duration::from_secs(seconds)));
        assert_eq!(ages, ["59s", "1m", "2h", "9d", "2y"]);
    }

    #[test]
    fn a_summary_tells_what_was_there_already() {
        let tally = Tally::of(12, 3 << 30, 9, 2 << 30);
        let text = summary("put", &tally, Duration::from_millis(4_100));
        assert_eq!(text, "put 12 files, 3 GiB in 4.1 s (499.5 MiB/s); 3 files were there already");
        let tally = Tally { resumed_bytes: 512 << 20, again_bytes: 16 << 20, ..Tally::of(1, 1 << 30, 1, 512 << 20) };
        let text = summary("put", &tally, Duration::from_secs(2));
        assert_eq!(text, "put 1 file, 1 GiB in 2.0 s (256 MiB/s); 512 MiB were there from before; 16 MiB went again");
        assert_eq!(summary("got", &Tally::one(5, true), Duration::from_millis(3)), "got 1 file, 5 B in 3 ms");
    }
}
