//! How a removal ends.

use super::context::Context;
use super::units::size;

/// Says how many bytes are freed, or why none are.
pub(crate) fn tell(context: &Context, bytes: u64, dry_run: bool) {
    let amount = size(bytes);
    match (context.progress.versions_kept(), dry_run) {
        (true, _) => {
            let are = if dry_run { "would be" } else { "are" };
            context.output.warning(&format!(
                "{amount} {are} hidden, not freed: the bucket keeps old versions until a lifecycle rule removes them \
                 (strata-ckpt setup with the flags that it was given before and --noncurrent-days N)"
            ));
        }
        (false, true) => context.output.note(&format!("would free {amount}")),
        (false, false) => context.output.note(&format!("freed {amount}")),
    }
}
