//! One part or range far slower than the rest. No other time runs out here: without the rule, these would hang.

use crate::put::{KEY, SIZE, requests, sent};
use crate::stopped::{MIB, assert_clean, content, end, start, until};
use crate::support::bed::faulty;
use crate::support::faulty::{Action, Faulty, Operation, Place, Request, Rule};

const PUT: [&str; 8] = ["put", KEY, "--part-size", "5MiB", "-j", "5", "--stall-timeout", "1h"];
const GET: [&str; 9] = ["get", KEY, "out.bin", "--part-size", "5MiB", "-j", "5", "--stall-timeout", "1h"];

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

/// Of five ranges, the one that is asked for first stops on its way, and is not answered when it is asked for again.
#[test]
fn it_is_fetched_over_another_connection_from_where_it_stopped() {
    let stops = Rule::nth(1, Operation::Get, Action::Stall(Place::Body(MIB))).key(KEY);
    let hangs = Rule::nth(6, Operation::Get, Action::Ignore).key(KEY);
    let server = Faulty::start([stops, hangs]);
    server.put_object(KEY, &content(SIZE, 1));
    let bed = faulty(&server);
    let mut child = start(&bed, &GET);
    until("the end", || child.try_wait().unwrap().is_some());
    let said = end(child);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stderr.contains("its connection is far slower than the others"), "{}", said.stderr);
    assert!(bed.read("out.bin") == content(SIZE, 1));

    let asked = server.requests(Operation::Get);
    let asked = asked.iter().filter(|request| request.key().as_deref() == Some(KEY));
    let asked: Vec<(u64, u64, usize)> = asked.map(range_and_connection).collect();
    assert_eq!(asked.len(), 7, "the others went once: {asked:?}");
    let slow: Vec<_> = asked.iter().filter(|(_, last, _)| *last == asked[6].1).collect();
    let [(first, _, one), (second, _, two), (third, _, three)] = slow[..] else { panic!("{asked:?}") };
    assert!(first < second && second == third, "{asked:?}");
    assert!(one != two && two != three && one != three, "{asked:?}");
    assert_clean(&bed);
}

/// The first and the last byte that are asked for, and where.
fn range_and_connection(request: &Request) -> (u64, u64, usize) {
    let (first, last) = request.header("range").unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    (first.parse().unwrap(), last.parse().unwrap(), request.connection)
}
