//! What every adapter must do alike. Each check takes an empty store; adapters run them all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use sluice_model::Digest;

use crate::{
    AppendError, Appended, Head, Lease, LeaseState, MemoryStore, NewRevision, Order, Revision, SqliteStore,
    Store, StoreError, StreamName, Watch, WorkspaceId, WriterId,
};

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn new(name: &str, revision: u64, body: &str, writer: &str) -> NewRevision {
    NewRevision {
        stream: stream(name),
        revision,
        body: body.as_bytes().to_vec(),
        leaf: Digest::of(body.as_bytes()),
        writer: WriterId::new(writer).unwrap(),
    }
}

fn numbers(revisions: &[Revision]) -> Vec<u64> {
    revisions.iter().map(|revision| revision.revision).collect()
}

fn only_the_next_number_is_inserted(store: &dyn Store) {
    assert_eq!(store.head(&stream("env/a")).unwrap(), None);
    let first = store.append(&new("env/a", 1, "{}", "w1")).unwrap();
    assert!(!first.repeated);
    store.append(&new("env/a", 2, "[]", "w1")).unwrap();
    for (what, attempt, expected_head) in [
        ("taken by another writer", new("env/a", 2, "[]", "w2"), Some(2)),
        ("taken by other bytes", new("env/a", 2, "[1]", "w1"), Some(2)),
        ("an older number", new("env/a", 1, "[]", "w2"), Some(2)),
        ("a gap", new("env/a", 4, "[]", "w1"), None),
        ("a gap in an empty stream", new("env/b", 2, "[]", "w1"), None),
        ("a number out of range", new("env/a", u64::MAX, "[]", "w1"), None),
    ] {
        match (store.append(&attempt), expected_head) {
            (Err(AppendError::Conflict { head, .. }), Some(expected)) => assert_eq!(head, expected, "{what}"),
            (Err(AppendError::Gap { .. }), None) => {}
            (other, _) => panic!("{what}: {other:?}"),
        }
    }
    let mut other_leaf = new("env/a", 2, "[]", "w1");
    other_leaf.leaf = Digest::of(b"other");
    assert!(matches!(store.append(&other_leaf), Err(AppendError::Conflict { .. })));
    let again = store.append(&new("env/a", 1, "{}", "w1")).unwrap();
    assert_eq!(again, Appended { repeated: true, ..first });
    assert_eq!(store.since(0, 10).unwrap().len(), 2);
    let head = store.head(&stream("env/a")).unwrap().unwrap();
    assert_eq!((head.revision, head.body.as_slice(), head.writer.as_str()), (2, b"[]".as_slice(), "w1"));
    assert_eq!(head.leaf, Digest::of(b"[]"));
    assert_eq!(store.revision(&stream("env/a"), 2).unwrap(), Some(head));
    assert_eq!(store.revision(&stream("env/a"), 3).unwrap(), None);
    assert_eq!(store.revision(&stream("env/a"), 0).unwrap(), None);
}

fn what_is_not_canonical_or_too_large_is_refused(store: &dyn Store) {
    for (revision, body) in
        [(1, "{\"b\":1,\"a\":2}"), (1, "{ }"), (1, "{"), (1, ""), (1, "{\"a\":1,\"a\":1}"), (0, "{}")]
    {
        let refused = store.append(&new("s", revision, body, "w"));
        assert!(
            matches!(refused, Err(AppendError::Store(StoreError::NotCanonical { .. }))),
            "{body}: {refused:?}"
        );
    }
    let long = format!("\"{}\"", "x".repeat(crate::MOST_BODY));
    assert!(store.append(&new("s", 1, &long, "w")).is_err());
    let false_blob = BTreeMap::from([(Digest::of(b"one"), b"two".to_vec())]);
    let refused = store.commit(&false_blob, &new("s", 1, "{}", "w"));
    assert!(matches!(refused, Err(AppendError::Store(StoreError::Damaged { .. }))), "{refused:?}");
    assert!(store.streams("").unwrap().is_empty());
    assert!(!store.has_blob(&Digest::of(b"one")).unwrap());
}

fn many_are_inserted_in_order_up_to_the_first_that_is_refused(store: &dyn Store) {
    let batch = [new("a", 1, "{}", "w"), new("b", 1, "[1]", "w"), new("a", 2, "[2]", "w")];
    store.append_all(&[]).unwrap();
    // A second time it finds all of it there.
    for _ in 0..2 {
        store.append_all(&batch).unwrap();
        let stored = store.since(0, 10).unwrap();
        let places: Vec<_> = stored.iter().map(|r| (r.stream.as_str(), r.revision)).collect();
        assert_eq!(places, [("a", 1), ("b", 1), ("a", 2)]);
    }
    let names = store.streams("").unwrap();
    assert_eq!(names.iter().map(|head| head.revision).collect::<Vec<_>>(), [2, 1]);
    for (what, refused) in [
        ("taken", new("b", 1, "[9]", "w")),
        ("a gap", new("b", 3, "[9]", "w")),
        ("not canonical", new("b", 2, "[ 9]", "w")),
    ] {
        let number = store.head(&stream("a")).unwrap().unwrap().revision + 1;
        let batch = [new("a", number, "[3]", "w"), refused, new("b", 2, "[4]", "w")];
        store.append_all(&batch).unwrap_err();
        assert_eq!(store.head(&stream("b")).unwrap().unwrap().revision, 1, "{what}");
        // What came before it is there or not, and can be inserted all the same.
        store.append(&new("a", number, "[3]", "w")).unwrap();
    }
}

fn ranges_and_positions_are_ordered(store: &dyn Store) {
    for number in 1..=7 {
        for name in ["env/staging", "env/staging/promotions", "env/stagingx"] {
            store.append(&new(name, number, "{}", "w")).unwrap();
        }
    }
    let range = |from, limit, order| {
        numbers(&store.range(&stream("env/staging/promotions"), from, limit, order).unwrap())
    };
    for (from, limit, order, expected) in [
        (u64::MAX, 3, Order::NewestFirst, vec![7, 6, 5]),
        (4, 10, Order::NewestFirst, vec![4, 3, 2, 1]),
        (0, 10, Order::NewestFirst, vec![]),
        (1, 3, Order::OldestFirst, vec![1, 2, 3]),
        (0, 2, Order::OldestFirst, vec![1, 2]),
        (6, 10, Order::OldestFirst, vec![6, 7]),
        (8, 10, Order::OldestFirst, vec![]),
        (u64::MAX, 10, Order::OldestFirst, vec![]),
        (1, 0, Order::OldestFirst, vec![]),
        (1, usize::MAX, Order::OldestFirst, vec![1, 2, 3, 4, 5, 6, 7]),
    ] {
        assert_eq!(range(from, limit, order), expected, "{from} {limit} {order:?}");
    }
    let all = store.since(0, usize::MAX).unwrap();
    assert_eq!(all.len(), 21);
    assert!(all.windows(2).all(|pair| pair[0].position < pair[1].position));
    let middle = all[9].position;
    assert_eq!(store.since(middle, 5).unwrap(), all[10..15]);
    assert_eq!(store.since(all[20].position, 5).unwrap(), []);
    let names = |prefix: &str| {
        store.streams(prefix).unwrap().iter().map(|h| h.stream.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["env/staging", "env/staging/promotions", "env/stagingx"]);
    assert_eq!(names("env/staging/"), ["env/staging/promotions"]);
    assert_eq!(names("env/t"), [""; 0]);
    let heads = store.streams("env/stagingx").unwrap();
    assert_eq!(heads, [Head { stream: stream("env/stagingx"), revision: 7, position: all[20].position }]);
}

fn blobs_are_kept_by_digest(store: &dyn Store) {
    let digest = store.put_blob(b"content").unwrap();
    assert_eq!(digest, Digest::of(b"content"));
    assert_eq!(store.put_blob(b"content").unwrap(), digest);
    assert_eq!(store.blob(&digest).unwrap().as_deref(), Some(b"content".as_slice()));
    assert_eq!(store.blob(&Digest::of(b"other")).unwrap(), None);
    assert_eq!(store.put_blob(b"").unwrap(), Digest::of(b""));
    assert_eq!(store.blob(&Digest::of(b"")).unwrap(), Some(Vec::new()));
    let blobs: BTreeMap<_, _> = [b"content".to_vec(), b"more".to_vec()]
        .into_iter()
        .map(|bytes| (Digest::of(&bytes), bytes))
        .collect();
    store.commit(&blobs, &new("s", 1, "{}", "w")).unwrap();
    assert!(store.commit(&blobs, &new("s", 1, "{}", "w")).unwrap().repeated);
    for digest in blobs.keys() {
        assert!(store.has_blob(digest).unwrap());
    }
}

/// Holders of a lease that stall, lose it, and write on; each step at random. The fencing token is the number of
/// the revision that granted the lease: what a holder writes is numbered on from it, and nothing else protects.
/// Says how often a stale holder was refused.
fn a_stale_holder_writes_nothing(store: &dyn Store, seed: u64, steps: usize) -> usize {
    #[derive(Default, Clone)]
    struct Holder {
        watch: Watch,
        /// The number that its next write gets; it believes to hold the lease while this is there.
        next: Option<u64>,
        clock: u64,
    }
    const HOLDERS: usize = 3;
    let env = stream("env/production");
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) % below
    };
    let lease_of = |revision: &Revision| {
        let value: serde_json::Value = serde_json::from_slice(&revision.body).unwrap();
        serde_json::from_value::<Lease>(value["lease"].clone()).unwrap()
    };
    let record = |holder: usize, revision: u64, write: bool| {
        let writer = WriterId::new(format!("w{holder}")).unwrap();
        let lease = Lease { holder: format!("h{holder}"), writer: writer.clone(), milliseconds: 50 };
        let value = serde_json::json!({"lease": lease, "number": revision, "write": write});
        let body = sluice_model::json::canonical(&value);
        NewRevision { stream: env.clone(), revision, leaf: Digest::of(&body), body, writer }
    };
    let mut holders = vec![Holder::default(); HOLDERS];
    // The reference: who holds it now, and what was written under it.
    let mut owner: Option<usize> = None;
    let mut written = BTreeSet::new();
    let mut refused = 0;
    for _ in 0..steps {
        let who = draw(HOLDERS as u64) as usize;
        // Clocks run at their own pace, and stall.
        holders[who].clock += draw(40);
        let now = Duration::from_millis(holders[who].clock);
        match (draw(3), holders[who].next) {
            (0, _) => {
                let head = store.head(&env).unwrap();
                let free = match &head {
                    None => true,
                    Some(head) => {
                        let lease = lease_of(head);
                        lease.writer.as_str() != format!("w{who}")
                            && holders[who].watch.judge(head.revision, &lease, now) == LeaseState::Expired
                    }
                };
                if free {
                    let number = head.map_or(1, |head| head.revision + 1);
                    store.append(&record(who, number, false)).unwrap();
                    holders[who].next = Some(number + 1);
                    owner = Some(who);
                }
            }
            (_, Some(number)) => match store.append(&record(who, number, true)) {
                Ok(_) => {
                    assert_eq!(
                        owner,
                        Some(who),
                        "holder {who} wrote {number} without the lease (seed {seed})"
                    );
                    written.insert(number);
                    holders[who].next = Some(number + 1);
                }
                Err(AppendError::Conflict { .. }) => {
                    assert_ne!(owner, Some(who), "the holder was refused (seed {seed})");
                    holders[who].next = None;
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            },
            (_, None) => {}
        }
    }
    for revision in store.range(&env, 1, usize::MAX, Order::OldestFirst).unwrap() {
        let value: serde_json::Value = serde_json::from_slice(&revision.body).unwrap();
        assert_eq!(value["write"].as_bool().unwrap(), written.contains(&revision.revision));
    }
    refused
}

#[derive(Debug, Clone)]
enum Step {
    Append { stream: u8, ahead: i8, body: u8, writer: u8, blobs: Vec<u8> },
    Put(u8),
    Streams(u8),
    Range { stream: u8, from: u64, limit: usize, newest: bool },
    Since { back: usize, limit: usize },
    Reopen,
}

const NAMES: [&str; 5] = ["a", "a/b", "a/b/c", "ab", "z/ü"];
const PREFIXES: [&str; 6] = ["", "a", "a/", "a/b", "z/", "zz"];

fn a_step() -> impl Strategy<Value = Step> {
    let append = (
        0..5_u8,
        prop_oneof![6 => Just(1_i8), 1 => Just(0), 1 => Just(-1), 1 => Just(2)],
        0..3_u8,
        0..2_u8,
        prop::collection::vec(any::<u8>(), 0..3),
    )
        .prop_map(|(stream, ahead, body, writer, blobs)| Step::Append {
            stream,
            ahead,
            body,
            writer,
            blobs,
        });
    prop_oneof![
        8 => append,
        1 => any::<u8>().prop_map(Step::Put),
        2 => (0..6_u8).prop_map(Step::Streams),
        1 => (0..5_u8, prop_oneof![0..6_u64, Just(u64::MAX)], 0..5_usize, any::<bool>())
            .prop_map(|(stream, from, limit, newest)| Step::Range { stream, from, limit, newest }),
        1 => (0..6_usize, 0..6_usize).prop_map(|(back, limit)| Step::Since { back, limit }),
        1 => Just(Step::Reopen),
    ]
}

/// What an insert said, in a form that two stores can be compared by: positions are each store's own.
fn said(result: Result<Appended, AppendError>) -> String {
    match result {
        Ok(appended) => format!("{} {}", appended.revision, appended.repeated),
        Err(error) => error.to_string(),
    }
}

fn without_position(mut revisions: Vec<Revision>) -> Vec<Revision> {
    revisions.iter_mut().for_each(|revision| revision.position = 0);
    revisions
}

/// Plays a history on a store and on the reference and compares every answer.
fn agrees_with_the_reference(
    store: &mut Box<dyn Store>,
    history: &[Step],
    reopen: &dyn Fn() -> Option<Box<dyn Store>>,
) {
    let reference = MemoryStore::new();
    for step in history {
        match step {
            Step::Append { stream: at, ahead, body, writer, blobs } => {
                let name = NAMES[usize::from(*at)];
                let head = reference.head(&stream(name)).unwrap().map_or(0, |head| head.revision);
                let number = head.saturating_add_signed(i64::from(*ahead));
                let revision = new(name, number, &body.to_string(), &format!("w{writer}"));
                let blobs: BTreeMap<_, _> = blobs.iter().map(|b| (Digest::of(&[*b]), vec![*b])).collect();
                assert_eq!(said(store.commit(&blobs, &revision)), said(reference.commit(&blobs, &revision)));
                assert_eq!(
                    store.head(&stream(name)).unwrap().map(|h| without_position(vec![h])),
                    reference.head(&stream(name)).unwrap().map(|h| without_position(vec![h]))
                );
            }
            Step::Put(byte) => {
                assert_eq!(store.put_blob(&[*byte]).unwrap(), reference.put_blob(&[*byte]).unwrap());
            }
            Step::Streams(at) => {
                let prefix = PREFIXES[usize::from(*at)];
                let heads = |store: &dyn Store| {
                    let heads = store.streams(prefix).unwrap();
                    heads.into_iter().map(|h| (h.stream, h.revision)).collect::<Vec<_>>()
                };
                assert_eq!(heads(store.as_ref()), heads(&reference));
            }
            Step::Range { stream: at, from, limit, newest } => {
                let name = stream(NAMES[usize::from(*at)]);
                let order = if *newest { Order::NewestFirst } else { Order::OldestFirst };
                let range =
                    |store: &dyn Store| without_position(store.range(&name, *from, *limit, order).unwrap());
                assert_eq!(range(store.as_ref()), range(&reference));
            }
            Step::Since { back, limit } => {
                let since = |store: &dyn Store| {
                    let all = store.since(0, usize::MAX).unwrap();
                    let from = all.iter().rev().nth(*back).map_or(0, |revision| revision.position);
                    without_position(store.since(from, *limit).unwrap())
                };
                assert_eq!(since(store.as_ref()), since(&reference));
            }
            Step::Reopen => {
                if let Some(opened) = reopen() {
                    *store = opened;
                }
            }
        }
    }
    for byte in 0..=u8::MAX {
        let digest = Digest::of(&[byte]);
        // Content of a refused insert may stay or not; what is there is right.
        if reference.has_blob(&digest).unwrap() {
            assert_eq!(store.blob(&digest).unwrap(), Some(vec![byte]));
        }
    }
}

/// Runs every check on the stores that `make` gives, each of them new.
macro_rules! conforms {
    ($module:ident, $make:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn only_the_next_number_is_inserted() {
                super::only_the_next_number_is_inserted($make.1.as_ref());
            }

            #[test]
            fn what_is_not_canonical_or_too_large_is_refused() {
                super::what_is_not_canonical_or_too_large_is_refused($make.1.as_ref());
            }

            #[test]
            fn many_are_inserted_in_order_up_to_the_first_that_is_refused() {
                super::many_are_inserted_in_order_up_to_the_first_that_is_refused($make.1.as_ref());
            }

            #[test]
            fn ranges_and_positions_are_ordered() {
                super::ranges_and_positions_are_ordered($make.1.as_ref());
            }

            #[test]
            fn blobs_are_kept_by_digest() {
                super::blobs_are_kept_by_digest($make.1.as_ref());
            }
        }
    };
}

fn sqlite() -> (tempfile::TempDir, Box<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&folder.path().join("store.db"), acme()).unwrap();
    (folder, Box::new(store))
}

fn memory() -> ((), Box<dyn Store>) {
    ((), Box::new(MemoryStore::new()))
}

fn acme() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

conforms!(in_memory, memory());
conforms!(in_sqlite, sqlite());

#[test]
fn a_stale_holder_writes_nothing_in_10_000_interleavings() {
    let refused: usize =
        (0..9_980).map(|seed| a_stale_holder_writes_nothing(&MemoryStore::new(), seed, 60)).sum();
    assert!(refused > 5_000, "only {refused} stale writes were tried");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(SqliteStore::create(&path, acme()).unwrap());
    for seed in 9_980..10_000 {
        // A workspace of its own for each, in one file.
        let workspace = WorkspaceId::new(format!("w{seed}")).unwrap();
        a_stale_holder_writes_nothing(&SqliteStore::open(&path, workspace).unwrap(), seed, 60);
    }
}

#[test]
fn of_many_writers_at_once_one_gets_each_number() {
    let (folder, first) = sqlite();
    let path = folder.path().join("store.db");
    drop(first);
    let wins: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let path = &path;
                scope.spawn(move || {
                    let store = SqliteStore::open(path, acme()).unwrap();
                    let mut wins = 0;
                    for number in 1..=20 {
                        match store.append(&new("race", number, "{}", &format!("w{writer}"))) {
                            Ok(_) => wins += 1,
                            Err(AppendError::Conflict { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    wins
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(wins, 20);
    let store = SqliteStore::open(&path, acme()).unwrap();
    assert_eq!(numbers(&store.since(0, 100).unwrap()), (1..=20).collect::<Vec<_>>());
    store.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn sqlite_answers_as_the_reference(history in prop::collection::vec(a_step(), 0..40)) {
        let (folder, mut store) = sqlite();
        let path = folder.path().join("store.db");
        let reopen = || Some(Box::new(SqliteStore::open(&path, acme()).unwrap()) as Box<dyn Store>);
        agrees_with_the_reference(&mut store, &history, &reopen);
    }
}
