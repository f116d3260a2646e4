//! Which function each call of a policy means, remembered from one evaluation to the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use rhai::{AST, Caches};

use crate::sandbox::Compiled;

/// Which function each call means, by name and types: Rhai looks that up in all its modules, and what
/// it has found is true for as long as its functions are the same.
#[derive(Default)]
pub(crate) struct Known {
    /// For all policies without functions of their own.
    api: Caches,
    /// For each policy with some.
    own: HashMap<u64, Caches>,
}

/// What of a policy decides which function a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Functions of the API only.
    Api,
    /// Also functions of its own, which no two of its files call alike. The number is this policy's.
    Own(u64),
    /// A name that stands for several functions, so that what is found depends on who asks first.
    Clashing,
}

impl Calls {
    /// Of a policy that was compiled.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut seen = BTreeSet::new();
        let mut functions = compiled.sources().flat_map(AST::iter_functions).peekable();
        if functions.peek().is_none() {
            Self::Api
        } else if functions.all(|function| seen.insert((function.name, function.params.len()))) {
            Self::Own(NEXT.fetch_add(1, Ordering::Relaxed))
        } else {
            Self::Clashing
        }
    }
}

/// Policies with functions of their own that an engine remembers, and calls that it remembers of
/// each sort: all there are in practice. Beyond it forgets them all and begins anew.
const MOST_KNOWN_POLICIES: usize = 128;
const MOST_KNOWN_CALLS: usize = 4_096;

impl Known {
    /// What is known of such calls; `None` where nothing may be kept.
    pub(crate) fn of(&mut self, calls: &Calls) -> Option<&mut Caches> {
        let known = match calls {
            Calls::Clashing => return None,
            Calls::Api => &mut self.api,
            Calls::Own(policy) => {
                if self.own.len() >= MOST_KNOWN_POLICIES && !self.own.contains_key(policy) {
                    self.own.clear();
                }
                self.own.entry(*policy).or_default()
            }
        };
        if known.fn_resolution_cache_mut().dict.len() > MOST_KNOWN_CALLS {
            *known = Caches::new();
        }
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many policies there are, an engine remembers a few.
    #[test]
    fn what_is_remembered_of_calls_is_bounded() {
        let mut known = Known::default();
        for policy in 0..1_000 {
            known.of(&Calls::Own(policy)).unwrap();
            assert!(known.own.len() <= MOST_KNOWN_POLICIES);
        }
        for call in 0..=MOST_KNOWN_CALLS as u64 {
            known.of(&Calls::Api).unwrap().fn_resolution_cache_mut().dict.insert(call, None);
        }
        assert_eq!(known.of(&Calls::Api).unwrap().fn_resolution_cache_mut().dict.len(), 0);
        assert!(known.of(&Calls::Clashing).is_none());
    }
}
