//! From flags, which count epochs, to the lifecycle, which counts days.

use std::num::NonZeroU32;
use std::time::Duration;

use storage::s3::setup::{Lifecycle, Topic, Transition, days_of, epochs_of};
use storage::{Error, Result};

use super::super::args::SetupArgs;

const ABORT_DAYS: u32 = 7;
const STORAGE_CLASS: &str = "STANDARD_IA";

/// What the flags ask for. `amazon` is false where another endpoint is named.
pub(super) fn wished(args: &SetupArgs, amazon: bool) -> Result<Lifecycle> {
    let days = |epochs: NonZeroU32, flag: &str| {
        let Some(length) = args.epoch_duration else {
            return Err(Error::invalid(format!("{flag} counts epochs, and it is not said how long one is"))
                .hint_is("add --epoch-duration, such as --epoch-duration 6h"));
        };
        days_of(epochs.get(), length).ok_or_else(|| {
            Error::invalid(format!("{flag} {epochs} are more days than S3 can count")).hint_is("use a smaller number")
        })
    };
    let class = || args.storage_class.clone().unwrap_or_else(|| STORAGE_CLASS.to_owned());
    let transition = match args.transition_after_epochs {
        Some(epochs) => Some(Transition { days: days(epochs, "--transition-after-epochs")?, class: class() }),
        None if args.storage_class.is_some() => {
            return Err(Error::invalid("--storage-class says where checkpoints move, and nothing says when")
                .hint_is("add --transition-after-epochs N --epoch-duration TIME, or leave the storage class out"));
        }
        None => None,
    };
    let lifecycle = Lifecycle {
        abort_days: Some(args.abort_days.map_or(ABORT_DAYS, NonZeroU32::get)),
        transition,
        expire_days: args.expire_after_epochs.map(|epochs| days(epochs, "--expire-after-epochs")).transpose()?,
        noncurrent_days: args.noncurrent_days.map(NonZeroU32::get),
    };
    lifecycle.check(amazon).map_err(|error| match (error.hint(), args.epoch_duration) {
        (None, Some(length)) => error.hint_is(format!(
            "30 days are {} epochs of {}: --transition-after-epochs {0}",
            epochs_of(30, length),
            humantime::format_duration(length)
        )),
        _ => error,
    })?;
    Ok(lifecycle)
}

/// The epochs that a line's days come from, in words.
pub(super) fn in_epochs(args: &SetupArgs, topic: Topic) -> Option<String> {
    let epochs = match topic {
        Topic::Transition => args.transition_after_epochs?,
        Topic::Expiration => args.expire_after_epochs?,
        _ => return None,
    };
    let length = humantime::format_duration(args.epoch_duration?);
    Some(format!("{epochs} {} of {length}", if epochs.get() == 1 { "epoch" } else { "epochs" }))
}

/// The flags that ask for the same, each with a space before it, for a shell.
pub(super) fn flags(args: &SetupArgs) -> String {
    let duration = |length: Duration| humantime::format_duration(length).to_string().replace(' ', "");
    let number = |count: Option<NonZeroU32>| count.map(|count| count.to_string());
    let pairs = [
        ("--abort-days", number(args.abort_days)),
        ("--transition-after-epochs", number(args.transition_after_epochs)),
        ("--expire-after-epochs", number(args.expire_after_epochs)),
        ("--epoch-duration", args.epoch_duration.map(duration)),
        ("--storage-class", args.storage_class.clone()),
        ("--noncurrent-days", number(args.noncurrent_days)),
    ];
    let given =
        pairs.into_iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", super::super::quote::shell(&value?))));
    given.collect::<String>() + if args.versioning { " --versioning" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Action, Arguments};
    use clap::Parser;

    fn parsed(line: &str) -> SetupArgs {
        let words = ["strata-ckpt", "setup"].into_iter().chain(line.split_whitespace());
        let Action::Setup(args) = Arguments::parse_from(words).command else { panic!("{line}") };
        *args
    }

    #[test]
    fn epochs_become_days() {
        let wish = wished(&parsed("--transition-after-epochs 120 --expire-after-epochs 481 --epoch-duration 6h"), true);
        let transition = Some(Transition { days: 30, class: "STANDARD_IA".to_owned() });
        let expected = Lifecycle { abort_days: Some(7), transition, expire_days: Some(121), noncurrent_days: None };
        assert_eq!(wish.unwrap(), expected);
        assert_eq!(wished(&parsed(""), true).unwrap(), Lifecycle { abort_days: Some(7), ..Lifecycle::default() });
    }

    #[test]
    fn too_early_is_refused_with_the_epochs_that_would_do() {
        let error = wished(&parsed("--transition-after-epochs 116 --epoch-duration 6h"), true).unwrap_err();
        assert_eq!(error.to_string(), "S3 moves objects to STANDARD_IA after 30 days at the earliest, not after 29");
        assert_eq!(error.hint(), Some("30 days are 120 epochs of 6h: --transition-after-epochs 120"));
    }

    #[test]
    fn the_same_flags_come_out_again() {
        let line = " --abort-days 3 --transition-after-epochs 9 --expire-after-epochs 99 --epoch-duration 90h \
                    --storage-class GLACIER_IR --noncurrent-days 2 --versioning";
        let again = flags(&parsed(line));
        assert_eq!(again, line.replace("90h", "3days18h"));
        assert_eq!(wished(&parsed(&again), true).unwrap(), wished(&parsed(line), true).unwrap());
        assert_eq!(flags(&parsed("")), "");
    }
}
