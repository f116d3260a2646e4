//! The Merkle tree of RFC 6962 §2.1, with SHA-256.

use sluice_model::Digest;

/// The hash of a leaf: `SHA-256(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(entry.len().saturating_add(1));
    bytes.push(0);
    bytes.extend_from_slice(entry);
    Digest::of(&bytes)
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    let (_, rest) = bytes.split_at_mut(1);
    let (into_left, into_right) = rest.split_at_mut(32);
    into_left.copy_from_slice(left.as_bytes());
    into_right.copy_from_slice(right.as_bytes());
    Digest::of(&bytes)
}

/// The root over leaf hashes; that of no leaves is the hash of nothing.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// What must be kept of a tree to append to it: its size and the roots of its complete subtrees, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

/// Peaks do not fit a tree of that size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has {expected} complete subtrees, not {found}")]
pub struct BadFrontier {
    size: u64,
    expected: u32,
    found: usize,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier that was kept. Whether its hashes are right shows when a root is compared.
    ///
    /// # Errors
    /// When a tree of that size has another number of complete subtrees.
    pub fn from_parts(size: u64, peaks: Vec<Digest>) -> Result<Self, BadFrontier> {
        let expected = size.count_ones();
        if u32::try_from(peaks.len()) == Ok(expected) {
            Ok(Self { size, peaks })
        } else {
            Err(BadFrontier { size, expected, found: peaks.len() })
        }
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // One complete subtree is joined for each trailing one in the size, as a carry in binary addition.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| Digest::of(b""))
    }
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A number lies outside of the tree.
    #[error("the tree has no such leaf or size")]
    OutOfRange,
    /// More or fewer hashes than the sizes ask for.
    #[error("the proof has another number of hashes than the sizes ask for")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Mismatch,
}

/// The largest power of two below `size`, for two or more leaves (RFC 6962 §2.1).
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// The hashes that lead from the leaf at `index` to the root over `leaves` (RFC 6962 §2.1.1).
///
/// # Errors
/// When there is no such leaf.
pub fn inclusion_proof(leaves: &[Digest], index: u64) -> Result<Vec<Digest>, ProofError> {
    let index = usize::try_from(index).map_err(|_| ProofError::OutOfRange)?;
    if index >= leaves.len() {
        return Err(ProofError::OutOfRange);
    }
    let mut proof = Vec::new();
    let (mut rest, mut at) = (leaves, index);
    while rest.len() > 1 {
        let middle = split(rest.len());
        let (left, right) = rest.split_at(middle);
        if at < middle {
            proof.push(root(right));
            rest = left;
        } else {
            proof.push(root(left));
            rest = right;
            at = at.saturating_sub(middle);
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that `leaf` stands at `index` in the tree with that size and root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`] says why not.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let mut climb = Climb { node: index, last: size.saturating_sub(1) };
    let mut hash = *leaf;
    for step in proof {
        hash = match climb.next_sibling().ok_or(ProofError::Length)? {
            Side::Left => node_hash(step, &hash),
            Side::Right => node_hash(&hash, step),
        };
    }
    if !climb.is_done() {
        Err(ProofError::Length)
    } else if hash != *root {
        Err(ProofError::Mismatch)
    } else {
        Ok(())
    }
}

/// Where a sibling stands.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// The way from a node to the root, in numbers of nodes on a level (RFC 9162 §2.1.3.2: `fn` and `sn`).
struct Climb {
    /// The node.
    node: u64,
    /// The last node of the level.
    last: u64,
}

impl Climb {
    const fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    /// Goes up to a node that has just been joined with its sibling, and says where that stood; `None` at the
    /// root.
    const fn next_sibling(&mut self) -> Option<Side> {
        if self.is_done() {
            return None;
        }
        let is_left = self.node & 1 == 1 || self.node == self.last;
        if is_left {
            // A last node without a sibling is on the level above what it was below.
            while self.node & 1 == 0 && self.node != 0 {
                self.up();
            }
        }
        self.up();
        Some(if is_left { Side::Left } else { Side::Right })
    }

    /// Whether the root is reached.
    const fn is_done(&self) -> bool {
        self.last == 0
    }
}

/// The hashes that show that the tree over the first `old` leaves is the beginning of the tree over all
/// (RFC 6962 §2.1.2). Empty when `old` is none or all.
///
/// # Errors
/// When there are fewer than `old` leaves.
pub fn consistency_proof(leaves: &[Digest], old: u64) -> Result<Vec<Digest>, ProofError> {
    let old = usize::try_from(old).map_err(|_| ProofError::OutOfRange)?;
    if old > leaves.len() {
        return Err(ProofError::OutOfRange);
    }
    if old == 0 || old == leaves.len() {
        return Ok(Vec::new());
    }
    let mut proof = Vec::new();
    let (mut rest, mut at, mut whole) = (leaves, old, true);
    while at != rest.len() {
        let middle = split(rest.len());
        let (left, right) = rest.split_at(middle);
        if at <= middle {
            proof.push(root(right));
            rest = left;
        } else {
            proof.push(root(left));
            rest = right;
            at = at.saturating_sub(middle);
            whole = false;
        }
    }
    // The old root itself is left out where it is a subtree of its own: the verifier has it.
    if !whole {
        proof.push(root(rest));
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`ProofError`] says why not.
pub fn verify_consistency(
    old: (u64, &Digest),
    new: (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProofError> {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    if old == new || old == 0 {
        let same = if old == new { old_root == new_root } else { *old_root == Digest::of(b"") };
        return match (proof.is_empty(), same) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Mismatch),
            (true, true) => Ok(()),
        };
    }
    let mut steps = proof.iter();
    let mut climb = Climb { node: old.saturating_sub(1), last: new.saturating_sub(1) };
    while climb.node & 1 == 1 {
        climb.up();
    }
    let start = if old.is_power_of_two() { old_root } else { steps.next().ok_or(ProofError::Length)? };
    let (mut from_old, mut from_new) = (*start, *start);
    for step in steps {
        match climb.next_sibling().ok_or(ProofError::Length)? {
            Side::Left => {
                from_old = node_hash(step, &from_old);
                from_new = node_hash(step, &from_new);
            }
            Side::Right => from_new = node_hash(&from_new, step),
        }
    }
    if !climb.is_done() {
        Err(ProofError::Length)
    } else if from_old != *old_root || from_new != *new_root {
        Err(ProofError::Mismatch)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn naive_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    /// RFC 6962 §2.1.1, word for word.
    fn naive_path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = split(leaves.len());
        if m < k {
            [naive_path(m, &leaves[..k]), vec![naive_root(&leaves[k..])]].concat()
        } else {
            [naive_path(m - k, &leaves[k..]), vec![naive_root(&leaves[..k])]].concat()
        }
    }

    /// RFC 6962 §2.1.2, word for word.
    fn naive_subproof(m: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
        if m == leaves.len() {
            return if whole { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let k = split(leaves.len());
        if m <= k {
            [naive_subproof(m, &leaves[..k], whole), vec![naive_root(&leaves[k..])]].concat()
        } else {
            [naive_subproof(m - k, &leaves[k..], false), vec![naive_root(&leaves[..k])]].concat()
        }
    }

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// The vectors of certificate-transparency's reference tests (merkletree/testing).
    #[test]
    fn gives_the_known_roots() {
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let expected = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let hashes: Vec<_> = inputs.iter().map(|input| leaf_hash(input)).collect();
        for (size, root_hex) in expected.iter().enumerate() {
            assert_eq!(root(&hashes[..size]).hex(), *root_hex, "{size} leaves");
        }
    }

    #[test]
    fn every_proof_of_small_trees_holds_and_is_that_of_the_specification() {
        for size in 0..=33 {
            let leaves = leaves(size);
            let whole = root(&leaves);
            assert_eq!(whole, naive_root(&leaves));
            for index in 0..size {
                let proof = inclusion_proof(&leaves, index as u64).unwrap();
                assert_eq!(proof, naive_path(index, &leaves), "leaf {index} of {size}");
                verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &whole).unwrap();
            }
            for old in 0..=size {
                let proof = consistency_proof(&leaves, old as u64).unwrap();
                if old > 0 {
                    assert_eq!(proof, naive_subproof(old, &leaves, true), "{old} of {size}");
                }
                let before = root(&leaves[..old]);
                verify_consistency((old as u64, &before), (size as u64, &whole), &proof).unwrap();
            }
            assert_eq!(inclusion_proof(&leaves, size as u64), Err(ProofError::OutOfRange));
            assert_eq!(consistency_proof(&leaves, size as u64 + 1), Err(ProofError::OutOfRange));
        }
    }

    proptest! {
        #[test]
        fn the_frontier_gives_the_root_at_every_size(count in 0_usize..300) {
            let leaves = leaves(count);
            let mut frontier = Frontier::new();
            for (index, leaf) in leaves.iter().enumerate() {
                frontier.push(*leaf);
                prop_assert_eq!(frontier.size(), index as u64 + 1);
                let kept = Frontier::from_parts(frontier.size(), frontier.peaks().to_vec());
                prop_assert_eq!(&kept, &Ok(frontier.clone()));
            }
            prop_assert_eq!(frontier.root(), naive_root(&leaves));
            prop_assert!(Frontier::from_parts(count as u64 + 1, frontier.peaks().to_vec()).is_err()
                || (count as u64 + 1).count_ones() == (count as u64).count_ones());
        }

        #[test]
        fn a_proof_changed_anywhere_fails(
            size in 2_usize..200, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(),
            hash in any::<prop::sample::Index>(), bit in 0_usize..256,
        ) {
            let leaves = leaves(size);
            let whole = root(&leaves);
            let flip = |digest: &Digest| {
                let mut bytes = *digest.as_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                Digest::from_bytes(bytes)
            };
            let (index, size) = (at.index(size), size as u64);
            let proof = inclusion_proof(&leaves, index as u64).unwrap();
            let leaf = leaves[index];
            let check = |leaf: Digest, index, proof: &[Digest], root: Digest| {
                verify_inclusion(&leaf, index, size, proof, &root)
            };
            let mut wrong = proof.clone();
            let place = hash.index(wrong.len());
            wrong[place] = flip(&wrong[place]);
            prop_assert!(check(leaf, index as u64, &wrong, whole).is_err());
            prop_assert!(check(flip(&leaf), index as u64, &proof, whole).is_err());
            prop_assert!(check(leaf, index as u64, &proof, flip(&whole)).is_err());
            prop_assert!(check(leaf, index as u64 ^ 1, &proof, whole).is_err());
            prop_assert!(check(leaf, index as u64, &proof[1..], whole).is_err());
            prop_assert!(check(leaf, index as u64, &[&proof[..], &[leaf]].concat(), whole).is_err());

            let old = old.index(leaves.len() - 1) + 1;
            let before = root(&leaves[..old]);
            let proof = consistency_proof(&leaves, old as u64).unwrap();
            let old = old as u64;
            prop_assert!(verify_consistency((old, &flip(&before)), (size, &whole), &proof).is_err());
            prop_assert!(verify_consistency((old, &before), (size, &flip(&whole)), &proof).is_err());
            if !proof.is_empty() {
                let mut wrong = proof.clone();
                let place = hash.index(wrong.len());
                wrong[place] = flip(&wrong[place]);
                prop_assert!(verify_consistency((old, &before), (size, &whole), &wrong).is_err());
                prop_assert!(verify_consistency((old, &before), (size, &whole), &proof[1..]).is_err());
            }
        }
    }
}
