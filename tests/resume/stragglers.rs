//! One part far slower than the rest. No other time runs out here: without the rule, these would hang.

use crate::put::{KEY, SIZE, requests, sent};
use crate::stopped::{assert_clean, content, end, start, until};
use crate::support::bed::faulty;
use crate::support::faulty::{Action, Faulty, Operation, Request, Rule};

const PUT: [&str; 8] = ["put", KEY, "--part-size", "5MiB", "-j", "5", "--stall-timeout", "1h"];

#[test]
fn it_is_sent_again_over_another_connection() {
    for slow in [Action::Ignore, Action::Deaf] {
        let server = Faulty::start([Rule::first(2, Operation::Part, slow.clone()).part(2)]);
        let bed = faulty(&server);
        bed.write(KEY, &content(SIZE, 1));
        let mut child = start(&bed, &PUT);
        until("the end", || child.try_wait().unwrap().is_some());
        let said = end(child);
        assert_eq!(said.code, Some(0), "{slow:?}: {}", said.stderr);
        assert!(said.stderr.contains("its connection is far slower than the others"), "{slow:?}: {}", said.stderr);
        assert!(server.object(KEY).unwrap() == bed.read(KEY));
        let is_second = |request: &&Request| request.param("partNumber") == Some("2");
        let mut connections: Vec<usize> =
            requests(&server).iter().filter(is_second).map(|request| request.connection).collect();
        connections.dedup();
        assert_eq!(connections.len(), 3, "{slow:?}");
        assert_eq!(sent(&server).len(), 7, "{slow:?}: the others went once");
        assert_clean(&bed);
    }
}
