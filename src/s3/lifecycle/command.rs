//! The flags that a rule of ours comes from, for hints: what they leave out is taken away.

use std::sync::Arc;

use super::super::client::Client;
use super::apply::ours_of;
use super::rule::{Lifecycle, Transition};
use super::{rule_id, store};

impl Lifecycle {
    /// The flags of `strata-ckpt setup` that ask for it, each with a space before it; epochs are days.
    fn flags(&self) -> String {
        let mut flags = String::new();
        let mut add = |flag: &str, value: String| flags.extend([" ", flag, " ", &value]);
        let Lifecycle { abort_days, transition, expire_days, noncurrent_days } = self;
        if let Some(days) = abort_days {
            add("--abort-days", days.to_string());
        }
        if let Some(Transition { days, class }) = transition {
            add("--transition-after-epochs", days.to_string());
            add("--storage-class", class.clone());
        }
        if let Some(days) = expire_days {
            add("--expire-after-epochs", days.to_string());
        }
        if transition.is_some() || expire_days.is_some() {
            add("--epoch-duration", "1d".to_owned());
        }
        if let Some(days) = noncurrent_days {
            add("--noncurrent-days", days.to_string());
        }
        flags
    }
}

/// The command that has old versions deleted and leaves our rule for this prefix otherwise as it is now, as far as that may
/// be read.
pub(crate) async fn to_delete_old_versions(client: &Arc<Client>) -> String {
    let prefix = client.scope();
    let found = store::read(client).await.map(|held| ours_of(&held, &rule_id(&prefix), &prefix));
    match found {
        Ok(Some(Some(ours))) => {
            let rest = Lifecycle { noncurrent_days: None, ..ours };
            format!("strata-ckpt setup{} --noncurrent-days N", rest.flags())
        }
        Ok(None) => "strata-ckpt setup --noncurrent-days N".to_owned(),
        _ => "strata-ckpt setup with the flags that it was given before and --noncurrent-days N".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_rule_does_is_a_flag() {
        let transition = Some(Transition { days: 30, class: "ONEZONE_IA".to_owned() });
        let all = Lifecycle { abort_days: Some(3), transition, expire_days: Some(90), noncurrent_days: Some(5) };
        let flags = " --abort-days 3 --transition-after-epochs 30 --storage-class ONEZONE_IA --expire-after-epochs 90 \
                     --epoch-duration 1d --noncurrent-days 5";
        assert_eq!(all.flags(), flags);
        assert_eq!(Lifecycle { noncurrent_days: Some(5), ..Lifecycle::default() }.flags(), " --noncurrent-days 5");
        assert_eq!(Lifecycle::default().flags(), "");
    }
}
