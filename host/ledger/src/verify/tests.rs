use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::entry::{self, Entry, Salt};
use crate::key::tests::pair;

const ORIGIN: &str = "sluice.example/acme";

fn key() -> LogKey {
    LogKey::new(ORIGIN, pair(1).public()).unwrap()
}

/// A database as it would be copied, to be tampered with.
#[derive(Debug, Clone)]
struct Copy {
    /// Stream, revision, body, stored leaf; the index is the position.
    revisions: Vec<(String, u64, Vec<u8>, Digest)>,
    /// Stream, revision, leaf.
    log: Vec<(String, u64, Digest)>,
    checkpoints: Vec<String>,
}

fn body(number: usize) -> Vec<u8> {
    let salt = Salt::from_bytes([number as u8; 16]);
    sluice_model::json::canonical(&json!({"act": number, "salt": salt.hex()}))
}

impl Copy {
    /// Each letter of `streams` is a revision of the stream of that name; a `.` is a checkpoint.
    fn of(streams: &str) -> Self {
        let mut copy = Self { revisions: Vec::new(), log: Vec::new(), checkpoints: Vec::new() };
        for step in streams.chars() {
            match step {
                '.' => copy.checkpoint(1),
                stream => copy.append(stream),
            }
        }
        copy
    }

    fn append(&mut self, stream: char) {
        let stream = stream.to_string();
        let revision = self.revisions.iter().filter(|r| r.0 == stream).count() as u64 + 1;
        let body = body(self.revisions.len());
        let leaf = entry::recompute(&stream, revision, &body, 1000).unwrap();
        self.log.push((stream.clone(), revision, leaf));
        self.revisions.push((stream, revision, body, leaf));
    }

    fn signed(&self, by: u8) -> String {
        let leaves: Vec<_> = self.log.iter().map(|entry| entry.2).collect();
        let (size, root) = (leaves.len() as u64, crate::merkle::root(&leaves));
        let number = self.checkpoints.len() as u64 + 1;
        Checkpoint { origin: ORIGIN.to_owned(), size, root, number }.sign(&pair(by)).unwrap()
    }

    fn checkpoint(&mut self, by: u8) {
        let signed = self.signed(by);
        self.checkpoints.push(signed);
    }

    /// Changes a body, and its stored leaf to fit.
    fn rewrite(&mut self, at: usize) {
        let (stream, revision, body, leaf) = &mut self.revisions[at];
        *body = super::tests::body(200);
        *leaf = entry::recompute(stream, *revision, body, 1000).unwrap();
    }

    fn heads(&self) -> BTreeMap<String, u64> {
        self.revisions.iter().map(|r| (r.0.clone(), r.1)).collect()
    }

    fn judge(&self, kept: Option<&str>) -> Result<Verified, Broken> {
        let kept = kept.map(|kept| checkpoint::open(kept.as_bytes(), &key()).unwrap());
        let entries = self.log.iter().enumerate().map(|(index, (stream, revision, leaf))| {
            let there = self.revisions.iter().position(|r| r.0 == *stream && r.1 == *revision);
            let found = match there.map(|at| (at, &self.revisions[at])) {
                None => Found::Missing,
                Some((at, (_, _, body, stored))) => match entry::recompute(stream, *revision, body, 1000) {
                    Err(_) => Found::Unreadable,
                    Ok(recomputed) => Found::There { stored: *stored, recomputed, position: at as u64 + 1 },
                },
            };
            Logged { index: index as u64, stream: stream.clone(), revision: *revision, leaf: *leaf, found }
        });
        let position = |stream: &str, revision| {
            let at = self.revisions.iter().position(|r| r.0 == stream && r.1 == revision);
            at.map(|at| at as u64 + 1)
        };
        let streams = Streams { heads: &self.heads(), position: &position };
        verify(entries, &self.checkpoints, &streams, kept.as_ref(), &key())
    }
}

fn told(result: Result<Verified, Broken>) -> String {
    match result {
        Ok(verified) => format!("whole: {} entries", verified.size),
        Err(broken) => broken.to_string(),
    }
}

#[test]
fn a_whole_log_is_whole() {
    let copy = Copy::of("ab.aac.b.");
    let verified = copy.judge(Some(&copy.checkpoints[1])).unwrap();
    assert_eq!((verified.size, verified.checkpoints, verified.unsigned), (6, 3, 0));
    assert!(verified.kept && verified.unlogged.is_empty());
    assert!(
        copy.checkpoints[2].contains(
            &Checkpoint { origin: ORIGIN.to_owned(), size: 6, root: verified.root, number: 3 }.text()
        )
    );
    assert_eq!(told(Copy::of("").judge(None)), "whole: 0 entries");
    assert_eq!(told(Copy::of(".a.").judge(None)), "whole: 1 entries");
}

#[test]
fn what_an_interrupted_writer_left_is_reported_and_not_blamed() {
    let mut copy = Copy::of("ab.ab");
    copy.append('b');
    copy.append('d');
    copy.log.truncate(4);
    let verified = copy.judge(None).unwrap();
    assert_eq!(verified.unsigned, 2);
    assert_eq!(
        verified.unlogged,
        [
            Unlogged { stream: "b".to_owned(), from: 3, to: 3 },
            Unlogged { stream: "d".to_owned(), from: 1, to: 1 },
        ]
    );
}

/// Each way to tamper, on entries that two checkpoints bracket: `ab.acab.bc.`, checkpoints of 2, 6 and 8.
#[test]
fn the_first_tampered_entry_is_named() {
    type Tamper = fn(&mut Copy);
    let ways: [(&str, Tamper, &str); 27] = [
        ("body", |c| c.revisions[3].2 = body(200), "entry 3: revision 1 of `c` was changed"),
        (
            "body without salt",
            |c| c.revisions[3].2 = b"{}".to_vec(),
            "entry 3: revision 1 of `c` was changed",
        ),
        ("stored leaf", |c| c.revisions[3].3 = Digest::of(b""), "entry 3: revision 1 of `c` was changed"),
        (
            "logged leaf",
            |c| c.log[3].2 = Digest::of(b""),
            "entry 3: the entry for revision 1 of `c` was changed",
        ),
        (
            "both leaves",
            |c| {
                c.log[3].2 = Digest::of(b"");
                c.revisions[3].3 = Digest::of(b"");
            },
            "entry 3: revision 1 of `c` was changed",
        ),
        ("body and stored leaf", |c| c.rewrite(3), "entry 3: the entry for revision 1 of `c` was changed"),
        (
            "body, stored and logged leaf",
            |c| {
                c.rewrite(3);
                c.log[3].2 = c.revisions[3].3;
            },
            "one of the entries 2 to 5: it was changed or removed together with its revision: the signed checkpoint of 6",
        ),
        (
            "the same, in a batch of its own",
            |c| {
                *c = Copy::of("ab.a.c.ab.");
                c.rewrite(3);
                c.log[3].2 = c.revisions[3].3;
            },
            "entry 3: it was changed or removed together with its revision",
        ),
        (
            "swapped leaves",
            |c| {
                let leaf = c.log[3].2;
                c.log[3].2 = c.log[4].2;
                c.log[4].2 = leaf;
            },
            "entry 3: the entry for revision 1 of `c` was changed",
        ),
        (
            "swapped entries of one stream",
            |c| c.log.swap(2, 4),
            "entry 2: the entry for revision 3 of `a` was put before",
        ),
        (
            "swapped entries of two streams",
            |c| c.log.swap(3, 4),
            "entry 3: the entry for revision 3 of `a` was put before",
        ),
        ("swapped across a checkpoint", |c| c.log.swap(1, 2), "one of the entries 0 to 1"),
        ("dropped entry", |c| drop(c.log.remove(2)), "entry 2: an entry for `a` was removed"),
        (
            "dropped entry, the last of its stream so far",
            |c| drop(c.log.remove(3)),
            "entry 3: an entry for `c` was removed",
        ),
        (
            "dropped entry and revision",
            |c| {
                c.log.remove(3);
                c.revisions.remove(3);
            },
            "one of the entries 2 to 5: it was changed or removed together with its revision",
        ),
        (
            "dropped last entry of a stream",
            |c| drop(c.log.remove(6)),
            "entry 6: an entry for `b` was removed",
        ),
        ("dropped revision", |c| drop(c.revisions.remove(4)), "entry 4: revision 3 of `a` was removed"),
        (
            "entry twice",
            |c| c.log.insert(3, c.log[2].clone()),
            "entry 3: the entry for revision 2 of `a` is there twice",
        ),
        (
            "inserted",
            |c| {
                c.log.insert(4, ("x".to_owned(), 1, c.log[0].2));
            },
            "entry 4: revision 1 of `x` was removed",
        ),
        (
            "cut off",
            |c| c.log.truncate(5),
            "one of the entries 5 to 7: the entries from here on were cut off",
        ),
        (
            "cut off with revisions",
            |c| {
                c.log.truncate(7);
                c.revisions.truncate(7);
            },
            "entry 7: the entries from here on were cut off: a signed checkpoint vouches for 8",
        ),
        (
            "forged checkpoint",
            |c| {
                c.checkpoints.pop();
                c.checkpoint(2);
            },
            "one of the entries 6 to 7: checkpoint 3 in the log: the checkpoint has no signature",
        ),
        (
            "checkpoint of another size",
            |c| {
                c.checkpoints[1] = c.checkpoints[1].replace("\n6\n", "\n5\n");
            },
            "one of the entries 2 to 7: checkpoint 2 in the log: the signature of",
        ),
        (
            "checkpoints swapped",
            |c| c.checkpoints.swap(0, 1),
            "one of the entries 0 to 7: what stands in the log as checkpoint 1 is another one",
        ),
        (
            "checkpoint twice",
            |c| c.checkpoints.insert(1, c.checkpoints[0].clone()),
            "one of the entries 2 to 7: what stands in the log as checkpoint 2 is another one",
        ),
        (
            "first checkpoint dropped",
            |c| drop(c.checkpoints.remove(0)),
            "one of the entries 0 to 7: checkpoint 1 was removed from the log",
        ),
        (
            "checkpoint in between dropped",
            |c| drop(c.checkpoints.remove(1)),
            "one of the entries 2 to 7: checkpoint 2 was removed from the log",
        ),
    ];
    let whole = Copy::of("ab.acab.bc.");
    for (name, tamper, expected) in ways {
        let mut copy = whole.clone();
        tamper(&mut copy);
        let said = told(copy.judge(None));
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn what_the_copy_alone_cannot_show_the_kept_checkpoint_shows() {
    let whole = Copy::of("ab.acab.bc.");
    let kept = &whole.checkpoints[2];
    // The newest checkpoint and what it vouches for are cut off.
    let mut cut = whole.clone();
    cut.log.truncate(6);
    cut.revisions.truncate(6);
    cut.checkpoints.pop();
    assert_eq!(told(cut.judge(None)), "whole: 6 entries");
    let broken = cut.judge(Some(kept)).unwrap_err();
    assert_eq!((broken.index, broken.until, broken.what), (6, 8, Wrong::CutOff { size: 8 }));
    // Cut off, and gone on with another history under the same key.
    for on in ["bb.", "b.b.", "bb", "bcaaa.", "bcbaaa"] {
        let mut other = cut.clone();
        other.rewrite(1);
        other.log[1].2 = other.revisions[1].3;
        other.checkpoints.clear();
        for step in on.chars() {
            if step == '.' { other.checkpoint(1) } else { other.append(step) }
        }
        assert!(other.judge(None).is_ok(), "{on}");
        let broken = other.judge(Some(kept)).unwrap_err();
        assert!(broken.index <= 1 && broken.until == 8, "{on}: {broken:?}");
        let signed = matches!(broken.what, Wrong::SignedAnew { size: 8 });
        assert!(signed || matches!(broken.what, Wrong::Rewritten { size: 8 }), "{on}: {broken}");
        assert_eq!(signed, on.ends_with('.'), "{on}: {broken}");
    }
    // Checkpoints dropped, so that none vouches for a change before the kept one.
    let mut bare = whole.clone();
    bare.checkpoints.truncate(1);
    bare.rewrite(4);
    bare.log[4].2 = bare.revisions[4].3;
    assert_eq!(told(bare.judge(None)), "whole: 8 entries");
    let broken = bare.judge(Some(kept)).unwrap_err();
    assert_eq!((broken.index, broken.until, broken.what), (2, 8, Wrong::Rewritten { size: 8 }));
    // The newest checkpoint alone dropped.
    let mut unsigned = whole.clone();
    unsigned.checkpoints.pop();
    assert_eq!(told(unsigned.judge(None)), "whole: 8 entries");
    let broken = unsigned.judge(Some(kept)).unwrap_err();
    assert_eq!((broken.index, broken.until, broken.what), (6, 8, Wrong::CheckpointRemoved { number: 3 }));
    // Everything gone.
    let empty = Copy::of("");
    assert_eq!(empty.judge(Some(kept)).unwrap_err().what, Wrong::CutOff { size: 8 });
}

#[test]
fn another_key_vouches_for_nothing() {
    let copy = Copy::of("ab.");
    let other = LogKey::new(ORIGIN, pair(2).public()).unwrap();
    let streams = Streams { heads: &BTreeMap::new(), position: &|_, _| None };
    let broken = verify(Vec::new(), &copy.checkpoints, &streams, None, &other).unwrap_err();
    assert!(matches!(broken.what, Wrong::Checkpoint { number: 1, .. }), "{broken}");
}

fn a_log() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-c]{1,4}\\.", 1..6).prop_map(|batches| batches.concat())
}

proptest! {
    #[test]
    fn one_tampered_entry_is_within_what_is_named(
        log in a_log(), at in any::<prop::sample::Index>(), way in 0_usize..5,
    ) {
        let whole = Copy::of(&log);
        prop_assert!(whole.judge(whole.checkpoints.last().map(String::as_str)).is_ok());
        let at = at.index(whole.log.len());
        let mut copy = whole;
        match way {
            0 => copy.revisions[at].2 = body(200),
            1 => copy.log[at].2 = Digest::of(b"x"),
            2 => {
                copy.rewrite(at);
                copy.log[at].2 = copy.revisions[at].3;
            }
            3 => drop(copy.log.remove(at)),
            _ => drop(copy.revisions.remove(at)),
        }
        let broken = copy.judge(None).unwrap_err();
        prop_assert!(broken.index <= at as u64 && (at as u64) < broken.until, "{broken:?} at {at}");
        if way != 2 {
            prop_assert_eq!(broken.index, at as u64, "{:?}", broken);
        }
    }

    #[test]
    fn any_order_but_the_right_one_is_noticed(log in a_log(), order in any::<prop::sample::Index>()) {
        let whole = Copy::of(&log);
        let mut copy = whole.clone();
        let at = order.index(copy.log.len());
        copy.log.rotate_left(at);
        prop_assert_eq!(copy.judge(None).is_ok(), copy.log == whole.log);
    }
}

#[test]
fn entries_are_those_of_the_entry_module() {
    let salt = Salt::from_bytes([0; 16]);
    assert_eq!(Copy::of("a").log[0].2, Entry::of("a", 1, salt, &body(0)).leaf());
}
