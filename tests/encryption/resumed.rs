//! An upload that was begun under other settings is not finished under them.

use super::{MIB, content, support};
use support::bed::{Bed, faulty};
use support::faulty::{Action, Faulty, Operation, Rule};

const FLAGS: [[&str; 2]; 3] =
    [["--storage-class", "STANDARD_IA"], ["--storage-class", "GLACIER_IR"], ["--metadata", "team=vision"]];

/// A put that is stopped at the third of five parts by a permission that is gone, which leaves its upload.
fn begun(source: &str, flags: &[&str]) -> (Faulty, Bed) {
    let server = Faulty::start([Rule::always(Operation::Part, Action::refuse(403, "AccessDenied")).part(3)]);
    let bed = faulty(&server);
    bed.write("model.bin", &content(21 * MIB, 1));
    bed.write("run/model.bin", &content(21 * MIB, 1));
    let said = bed.run(["put", source, "--part-size", "5MiB", "-j", "1"].iter().chain(flags));
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    assert_eq!(server.uploads().len(), 1);
    server.heal();
    (server, bed)
}

#[test]
fn under_the_same_settings_it_goes_on() {
    for source in ["model.bin", "run"] {
        let (server, bed) = begun(source, &FLAGS[0]);
        bed.ok(["put", source, "--part-size", "5MiB", "-j", "1"].iter().chain(&FLAGS[0]));
        assert_eq!(server.requests(Operation::Create).len(), 1, "{source}");
    }
}

#[test]
fn under_others_it_starts_over() {
    for source in ["model.bin", "run"] {
        for (first, second) in [(&FLAGS[0][..], &FLAGS[1][..]), (&[], &FLAGS[0]), (&FLAGS[2], &[])] {
            let (server, bed) = begun(source, first);
            let said = bed.ok(["put", source, "--part-size", "5MiB", "-j", "1"].iter().chain(second));
            let words = "was begun with another encryption, storage class or metadata: it starts over";
            assert_eq!(said.stderr.matches(words).count(), 1, "{}", said.stderr);
            let created = server.requests(Operation::Create);
            assert_eq!(created.len(), 2, "{source}");
            let class = |at: usize| created[at].header("x-amz-storage-class").map(str::to_owned);
            let asked =
                |flags: &[&str]| flags.first().filter(|flag| **flag == "--storage-class").map(|_| flags[1].to_owned());
            assert_eq!([class(0), class(1)], [asked(first), asked(second)]);
            assert_eq!(server.uploads(), Vec::<String>::new(), "the first is given up");
            bed.assert_nothing_left();
            assert_eq!(bed.journals(), Vec::<String>::new());
        }
    }
}

/// Another machine has no journal: the claim in the store tells.
#[test]
fn on_another_machine_it_starts_over_as_well() {
    let (server, bed) = begun("run", &FLAGS[0]);
    std::fs::remove_dir_all(bed.path("home")).unwrap();
    let said = bed.ok(["put", "run", "--part-size", "5MiB", "-j", "1"].iter().chain(&FLAGS[1]));
    assert!(said.stderr.contains("it starts over"), "{}", said.stderr);
    assert_eq!(server.requests(Operation::Create).len(), 2);
    assert_eq!(server.uploads(), Vec::<String>::new());
}
