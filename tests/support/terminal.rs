//! A terminal that a command is shown at.

use std::fs::File;
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A terminal's two ends: ours, and the one that a command writes to.
pub fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(ours), theirs)
}

/// All that was written to the other end, which nobody has any more.
pub fn shown(mut ours: File) -> String {
    let mut shown = Vec::new();
    // Which is an error once everything was read.
    let _ = ours.read_to_end(&mut shown);
    String::from_utf8_lossy(&shown).into_owned()
}
