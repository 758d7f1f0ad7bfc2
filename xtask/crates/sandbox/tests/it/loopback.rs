//! Runs that share a network.

use std::fs;

use sandbox::{Loopback, Network, Spec};

use crate::bench::{Bench, says};

/// The network namespace, and whether the loopback address is there.
const WHERE: &str = "readlink /proc/self/ns/net; grep -c -m 1 127.0.0.1 /proc/net/fib_trie; grep -c : /proc/net/dev";

#[test]
fn runs_that_join_a_network_share_it_and_nobody_else_does() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let spec =
        |network, uid| Spec { network, user: sandbox::Identity::unknown(uid), ..bench.spec([], &["sh", "-c", WHERE]) };
    let loopback = Loopback::new(&sandbox).unwrap();
    let one = says(&sandbox, spec(loopback.network(), 0));
    assert_eq!(one, says(&sandbox, spec(loopback.network(), 1_000_650_000)), "another user of the same network");
    assert!(one.ends_with("\n1\n1\n"), "the loopback interface is up, and alone: {one}");
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let other = says(&sandbox, spec(Loopback::new(&sandbox).unwrap().network(), 0));
    for elsewhere in [says(&sandbox, spec(Network::None, 0)), other, own.to_string_lossy().into_owned()] {
        assert_ne!(one.lines().next(), elsewhere.lines().next());
    }
}

#[test]
fn a_network_that_is_dropped_has_no_process_left() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let loopback = Loopback::new(&sandbox).unwrap();
    let Network::Of { pid } = loopback.network() else { panic!("no process holds it") };
    let there = || fs::exists(format!("/proc/{pid}")).unwrap();
    assert!(there());
    drop(loopback);
    assert!(!there());
}

#[test]
fn further_names_are_of_the_loopback_address() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mut spec = bench.spec([], &["grep", "-o", "-w", "bucket.s3.test", "/etc/hosts"]);
    spec.names = vec!["s3.test".to_owned(), "bucket.s3.test".to_owned()];
    assert_eq!(says(&sandbox, spec), "bucket.s3.test\n");
    let mut spec = bench.spec([], &["true"]);
    spec.names = vec!["two words".to_owned()];
    let error = sandbox.run(spec, &sandbox::Cancel::new()).unwrap_err();
    assert_eq!(error.to_string(), "`two words` cannot be a host name");
}
