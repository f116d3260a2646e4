//! Content as a tree of content-addressed nodes.
//!
//! A map from keys to digests, kept as a trie over the SHA-256 of the key with a fan-out of 16.
//! The shape follows from the entries alone (few entries are one leaf, more are a branch, and
//! deleting collapses a branch again), so equal maps have equal roots, changing k entries writes
//! O(k · log n) nodes, and comparing two maps costs O(difference). The idea is the Merkle search
//! structure of Git's trees and of hash array mapped tries (Bagwell, 2001).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Digest;
use crate::json::canonical;

/// Entries that one leaf holds at most; chosen so that a leaf, at about 120 bytes an entry,
/// stays within one database page of 4 KiB for the most part.
const LEAF_MOST: usize = 32;

/// Children of a branch: one hex digit of the key's hash each.
const FAN_OUT: usize = 16;

/// Where nodes and other content lie, by digest.
pub trait Blobs {
    /// Why content could not be read or kept.
    type Error;

    /// The bytes with this digest, or `None` when there are none.
    ///
    /// # Errors
    /// When they cannot be read, or no longer have this digest.
    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Keeps the bytes and answers their digest.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn put(&mut self, bytes: Vec<u8>) -> Result<Digest, Self::Error>;
}

/// Content in memory: for tests, and for work that is not committed yet.
#[derive(Debug, Clone, Default)]
pub struct MemoryBlobs(BTreeMap<Digest, Vec<u8>>);

impl MemoryBlobs {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All that was put, by digest.
    #[must_use]
    pub fn into_inner(self) -> BTreeMap<Digest, Vec<u8>> {
        self.0
    }

    /// How many pieces of content there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was put.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Blobs for MemoryBlobs {
    type Error = std::convert::Infallible;

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(digest).cloned())
    }

    fn put(&mut self, bytes: Vec<u8>) -> Result<Digest, Self::Error> {
        let digest = Digest::of(&bytes);
        self.0.insert(digest, bytes);
        Ok(digest)
    }
}

/// Why a tree could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The blobs could not be reached.
    #[error("tree node could not be reached: {0}")]
    Blobs(E),
    /// A node is not there.
    #[error("tree node {0} is missing")]
    Missing(Digest),
    /// A node does not have the form of one.
    #[error("tree node {0} is damaged")]
    Damaged(Digest),
}

/// One entry that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The entry's key.
    pub key: String,
    /// What the first tree has.
    pub before: Option<Digest>,
    /// What the second tree has.
    pub after: Option<Digest>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Node {
    Leaf(BTreeMap<String, Digest>),
    Branch { count: u64, children: Vec<Option<Digest>> },
}

/// A tree's root in some blobs. The empty tree has a root too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree {
    root: Digest,
}

/// The 64 hex digits by which the trie branches.
fn path(key: &str) -> Vec<u8> {
    Digest::of(key.as_bytes()).as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

fn slot(key: &str, depth: usize) -> usize {
    path(key).get(depth).copied().unwrap_or_default().into()
}

type Changes<'c> = Vec<(&'c str, Option<Digest>)>;

impl Tree {
    /// The tree without entries.
    ///
    /// # Errors
    /// When its node cannot be kept.
    pub fn empty<B: Blobs>(blobs: &mut B) -> Result<Self, TreeError<B::Error>> {
        put(blobs, &Node::Leaf(BTreeMap::new())).map(|root| Self { root })
    }

    /// The tree with this root.
    #[must_use]
    pub const fn at(root: Digest) -> Self {
        Self { root }
    }

    /// The root's digest: equal for equal entries, and only for them.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn len<B: Blobs>(&self, blobs: &B) -> Result<u64, TreeError<B::Error>> {
        get(blobs, self.root).map(|node| count(&node))
    }

    /// Whether there are no entries.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn is_empty<B: Blobs>(&self, blobs: &B) -> Result<bool, TreeError<B::Error>> {
        self.len(blobs).map(|len| len == 0)
    }

    /// What `key` is mapped to.
    ///
    /// # Errors
    /// When a node on the way cannot be read.
    pub fn lookup<B: Blobs>(&self, blobs: &B, key: &str) -> Result<Option<Digest>, TreeError<B::Error>> {
        let mut at = self.root;
        for digit in path(key) {
            match get(blobs, at)? {
                Node::Leaf(entries) => return Ok(entries.get(key).copied()),
                Node::Branch { children, .. } => match children.get(usize::from(digit)).copied().flatten() {
                    Some(child) => at = child,
                    None => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    /// All entries by key.
    ///
    /// # Errors
    /// When a node cannot be read.
    pub fn entries<B: Blobs>(&self, blobs: &B) -> Result<BTreeMap<String, Digest>, TreeError<B::Error>> {
        let mut entries = BTreeMap::new();
        collect(blobs, self.root, &mut entries)?;
        Ok(entries)
    }

    /// This tree with each key set to a digest, or removed where there is none.
    ///
    /// # Errors
    /// When a node cannot be read or kept.
    pub fn with<'c, B: Blobs>(
        &self,
        blobs: &mut B,
        changes: impl IntoIterator<Item = (&'c str, Option<Digest>)>,
    ) -> Result<Self, TreeError<B::Error>> {
        // The last change of a key counts.
        let changes: BTreeMap<&str, Option<Digest>> = changes.into_iter().collect();
        let (root, _) = rebuild(blobs, Some(self.root), changes.into_iter().collect(), 0)?;
        match root {
            Some(root) => Ok(Self { root }),
            None => Self::empty(blobs),
        }
    }

    /// What `each` answers for all entries, in the order of the tree; a subtree that `memo` knows
    /// by its digest is not read, so that after a change only the change is looked at.
    ///
    /// # Errors
    /// When a node cannot be read, or `each` fails.
    pub fn fold<B: Blobs, T: Clone, E: From<TreeError<B::Error>>>(
        &self,
        blobs: &B,
        memo: &mut BTreeMap<Digest, Vec<T>>,
        each: &mut impl FnMut(&str, &Digest) -> Result<Vec<T>, E>,
    ) -> Result<Vec<T>, E> {
        if let Some(known) = memo.get(&self.root) {
            return Ok(known.clone());
        }
        let mut found = Vec::new();
        match get(blobs, self.root)? {
            Node::Leaf(entries) => {
                for (key, digest) in &entries {
                    found.extend(each(key, digest)?);
                }
            }
            Node::Branch { children, .. } => {
                for child in children.into_iter().flatten() {
                    found.extend(Self::at(child).fold(blobs, memo, each)?);
                }
            }
        }
        memo.insert(self.root, found.clone());
        Ok(found)
    }

    /// The entries in which two trees differ, by key; subtrees with equal digests are not read.
    ///
    /// # Errors
    /// When a node cannot be read.
    pub fn diff<B: Blobs>(&self, other: &Self, blobs: &B) -> Result<Vec<Entry>, TreeError<B::Error>> {
        let mut found = Vec::new();
        differ(blobs, Some(self.root), Some(other.root), &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn get<B: Blobs>(blobs: &B, digest: Digest) -> Result<Node, TreeError<B::Error>> {
    let bytes = blobs.get(&digest).map_err(TreeError::Blobs)?.ok_or(TreeError::Missing(digest))?;
    match serde_json::from_slice(&bytes) {
        Ok(Node::Branch { children, .. }) if children.len() != FAN_OUT => Err(TreeError::Damaged(digest)),
        Ok(node) => Ok(node),
        Err(_) => Err(TreeError::Damaged(digest)),
    }
}

fn put<B: Blobs>(blobs: &mut B, node: &Node) -> Result<Digest, TreeError<B::Error>> {
    let text = |digest: &Digest| Value::from(digest.to_string());
    let value = match node {
        Node::Leaf(entries) => {
            let entries: Map<String, Value> =
                entries.iter().map(|(key, digest)| (key.clone(), text(digest))).collect();
            json!({ "leaf": entries })
        }
        Node::Branch { count, children } => {
            let children: Vec<Value> =
                children.iter().map(|child| child.as_ref().map_or(Value::Null, text)).collect();
            json!({ "branch": { "count": count, "children": children } })
        }
    };
    blobs.put(canonical(&value)).map_err(TreeError::Blobs)
}

fn count(node: &Node) -> u64 {
    match node {
        Node::Leaf(entries) => entries.len() as u64,
        Node::Branch { count, .. } => *count,
    }
}

fn collect<B: Blobs>(
    blobs: &B,
    at: Digest,
    into: &mut BTreeMap<String, Digest>,
) -> Result<(), TreeError<B::Error>> {
    match get(blobs, at)? {
        Node::Leaf(entries) => into.extend(entries),
        Node::Branch { children, .. } => {
            for child in children.into_iter().flatten() {
                collect(blobs, child, into)?;
            }
        }
    }
    Ok(())
}

/// The subtree `at`, `depth` digits down, with `changes`, `None` when nothing is left; and how many
/// entries it has more than before. Only what is on the way to a change is read.
fn rebuild<B: Blobs>(
    blobs: &mut B,
    at: Option<Digest>,
    changes: Changes<'_>,
    depth: usize,
) -> Result<(Option<Digest>, i64), TreeError<B::Error>> {
    if changes.is_empty() {
        return Ok((at, 0));
    }
    let node = at.map(|at| get(blobs, at)).transpose()?.unwrap_or(Node::Leaf(BTreeMap::new()));
    let (before, mut children) = match node {
        Node::Leaf(mut entries) => {
            let mut more = 0;
            for (key, digest) in changes {
                let (there, stays) = (entries.contains_key(key), digest.is_some());
                more += i64::from(stays) - i64::from(there);
                match digest {
                    Some(digest) => entries.insert(key.to_owned(), digest),
                    None => entries.remove(key),
                };
            }
            return Ok((leaf_or_branch(blobs, entries, depth)?, more));
        }
        Node::Branch { count, children } => (count, children),
    };
    let mut by_child: Vec<Changes<'_>> = vec![Vec::new(); FAN_OUT];
    for change in changes {
        if let Some(of_child) = by_child.get_mut(slot(change.0, depth)) {
            of_child.push(change);
        }
    }
    let mut more = 0;
    for (child, changes) in children.iter_mut().zip(by_child) {
        let (after, of_child) = rebuild(blobs, *child, changes, depth + 1)?;
        *child = after;
        more += of_child;
    }
    let total = before.saturating_add_signed(more);
    if total <= LEAF_MOST as u64 {
        let mut entries = BTreeMap::new();
        for child in children.into_iter().flatten() {
            collect(blobs, child, &mut entries)?;
        }
        return Ok((leaf_or_branch(blobs, entries, depth)?, more));
    }
    Ok((Some(put(blobs, &Node::Branch { count: total, children })?), more))
}

fn leaf_or_branch<B: Blobs>(
    blobs: &mut B,
    entries: BTreeMap<String, Digest>,
    depth: usize,
) -> Result<Option<Digest>, TreeError<B::Error>> {
    if entries.is_empty() {
        return Ok(None);
    }
    if entries.len() <= LEAF_MOST {
        return put(blobs, &Node::Leaf(entries)).map(Some);
    }
    let count = entries.len() as u64;
    let mut by_child: Vec<BTreeMap<String, Digest>> = vec![BTreeMap::new(); FAN_OUT];
    for (key, digest) in entries {
        if let Some(of_child) = by_child.get_mut(slot(&key, depth)) {
            of_child.insert(key, digest);
        }
    }
    let mut children = Vec::with_capacity(FAN_OUT);
    for entries in by_child {
        children.push(leaf_or_branch(blobs, entries, depth + 1)?);
    }
    put(blobs, &Node::Branch { count, children }).map(Some)
}

fn differ<B: Blobs>(
    blobs: &B,
    a: Option<Digest>,
    b: Option<Digest>,
    found: &mut Vec<Entry>,
) -> Result<(), TreeError<B::Error>> {
    if a == b {
        return Ok(());
    }
    let read = |at: Option<Digest>| at.map(|at| get(blobs, at)).transpose();
    if let (Some(Node::Branch { children: a, .. }), Some(Node::Branch { children: b, .. })) =
        (read(a)?, read(b)?)
    {
        return a.into_iter().zip(b).try_for_each(|(a, b)| differ(blobs, a, b, found));
    }
    let entries = |at: Option<Digest>| {
        let mut entries = BTreeMap::new();
        at.map(|at| collect(blobs, at, &mut entries)).transpose()?;
        Ok(entries)
    };
    let (a, mut b) = (entries(a)?, entries(b)?);
    for (key, before) in a {
        let after = b.remove(&key);
        if after != Some(before) {
            found.push(Entry { key, before: Some(before), after });
        }
    }
    found.extend(b.into_iter().map(|(key, after)| Entry { key, before: None, after: Some(after) }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Model = BTreeMap<String, Digest>;

    fn any_map() -> impl Strategy<Value = Model> {
        prop::collection::btree_map("[a-d]{1,4}", any::<u8>().prop_map(|n| Digest::of(&[n])), 0..200)
    }

    fn build(blobs: &mut MemoryBlobs, map: &Model) -> Tree {
        let tree = Tree::empty(blobs).unwrap();
        tree.with(blobs, map.iter().map(|(k, d)| (k.as_str(), Some(*d)))).unwrap()
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(map in any_map(), probe in "[a-d]{1,4}") {
            let mut blobs = MemoryBlobs::new();
            let tree = build(&mut blobs, &map);
            prop_assert_eq!(tree.len(&blobs).unwrap(), map.len() as u64);
            prop_assert_eq!(tree.lookup(&blobs, &probe).unwrap(), map.get(&probe).copied());
            prop_assert_eq!(tree.entries(&blobs).unwrap(), map);
        }

        #[test]
        fn equal_content_has_an_equal_root_however_it_came_about(a in any_map(), b in any_map()) {
            let mut blobs = MemoryBlobs::new();
            let (tree_a, tree_b) = (build(&mut blobs, &a), build(&mut blobs, &b));
            prop_assert_eq!(tree_a.root() == tree_b.root(), a == b);
            // Walk from a to b one entry at a time: additions, changes and deletions.
            let mut walked = tree_a;
            for key in a.keys().chain(b.keys()) {
                walked = walked.with(&mut blobs, [(key.as_str(), b.get(key).copied())]).unwrap();
            }
            prop_assert_eq!(walked.root(), tree_b.root());
        }

        #[test]
        fn applying_a_diff_gives_the_other_tree(a in any_map(), b in any_map()) {
            let mut blobs = MemoryBlobs::new();
            let (tree_a, tree_b) = (build(&mut blobs, &a), build(&mut blobs, &b));
            let diff = tree_a.diff(&tree_b, &blobs).unwrap();
            for entry in &diff {
                prop_assert_eq!(entry.before, a.get(&entry.key).copied());
                prop_assert_eq!(entry.after, b.get(&entry.key).copied());
                prop_assert_ne!(entry.before, entry.after);
            }
            let applied = tree_a.with(&mut blobs, diff.iter().map(|e| (e.key.as_str(), e.after))).unwrap();
            prop_assert_eq!(applied, tree_b);
        }
    }

    #[test]
    fn a_change_writes_with_the_change_and_not_with_the_tree() {
        let mut blobs = MemoryBlobs::new();
        let map: Model = (0..20_000).map(|n| (format!("object-{n}"), Digest::of(b"x"))).collect();
        let tree = build(&mut blobs, &map);
        let before = blobs.len();
        let changed = tree.with(&mut blobs, [("object-7", Some(Digest::of(b"y")))]).unwrap();
        assert!(blobs.len() - before <= 5, "one change wrote {} nodes", blobs.len() - before);
        assert_eq!(tree.diff(&changed, &blobs).unwrap().len(), 1);
    }

    /// Counts what is read.
    struct Counted(MemoryBlobs, std::cell::Cell<usize>);

    impl Blobs for Counted {
        type Error = std::convert::Infallible;

        fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Self::Error> {
            self.1.set(self.1.get() + 1);
            self.0.get(digest)
        }

        fn put(&mut self, bytes: Vec<u8>) -> Result<Digest, Self::Error> {
            self.0.put(bytes)
        }
    }

    #[test]
    fn a_change_reads_only_what_is_on_the_way_to_it() {
        let mut blobs = MemoryBlobs::new();
        let map: Model = (0..20_000).map(|n| (format!("object-{n}"), Digest::of(b"x"))).collect();
        let tree = build(&mut blobs, &map);
        let mut blobs = Counted(blobs, std::cell::Cell::new(0));
        for (key, digest) in
            [("object-7", Some(Digest::of(b"y"))), ("object-8", None), ("more", Some(Digest::of(b"")))]
        {
            blobs.1.set(0);
            tree.with(&mut blobs, [(key, digest)]).unwrap();
            assert!(blobs.1.get() <= 5, "{key}: {} nodes were read", blobs.1.get());
        }
    }

    #[test]
    fn a_fold_looks_again_only_at_what_changed() {
        let mut blobs = MemoryBlobs::new();
        let map: Model = (0..5_000).map(|n| (format!("object-{n}"), Digest::of(b"x"))).collect();
        let tree = build(&mut blobs, &map);
        let mut memo = BTreeMap::new();
        let mut looked = 0;
        let mut count =
            |tree: Tree, looked: &mut usize| -> Result<Vec<String>, TreeError<std::convert::Infallible>> {
                tree.fold(&blobs, &mut memo, &mut |key: &str, _: &Digest| {
                    *looked += 1;
                    Ok(vec![key.to_owned()])
                })
            };
        assert_eq!(count(tree, &mut looked).unwrap().len(), 5_000);
        assert_eq!(looked, 5_000);
        let mut changed_blobs = blobs.clone();
        let changed = tree.with(&mut changed_blobs, [("object-7", Some(Digest::of(b"y")))]).unwrap();
        looked = 0;
        let mut memo_after = memo.clone();
        let found: Result<Vec<String>, TreeError<std::convert::Infallible>> =
            changed.fold(&changed_blobs, &mut memo_after, &mut |key: &str, _: &Digest| {
                looked += 1;
                Ok(vec![key.to_owned()])
            });
        assert_eq!(found.unwrap().len(), 5_000);
        assert!(looked <= LEAF_MOST, "{looked} entries were looked at again");
    }

    #[test]
    fn a_missing_or_damaged_node_is_named() {
        let mut blobs = MemoryBlobs::new();
        let nowhere = Digest::of(b"nowhere");
        assert_eq!(Tree::at(nowhere).lookup(&blobs, "x"), Err(TreeError::Missing(nowhere)));
        let damaged = blobs.put(b"{}".to_vec()).unwrap();
        assert_eq!(Tree::at(damaged).entries(&blobs), Err(TreeError::Damaged(damaged)));
    }
}
