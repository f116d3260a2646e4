//! The body of the fuzz target on random bytes: what it makes of them is asked, and judged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold should stop the test with the policy that shows it"
)]

mod acme;
mod spoil;

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// How often each end was come to.
static ENDS: Mutex<BTreeMap<&'static str, usize>> = Mutex::new(BTreeMap::new());

fn made_of_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 20..500)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]
    fn random_policies(bytes in made_of_bytes()) {
        *ENDS.lock().unwrap().entry(spoil::spoil(&bytes)).or_default() += 1;
    }
}

#[test]
fn whatever_is_asked_about_whatever_facts_is_refused_or_judged() {
    random_policies();
    // What never comes to an end is not tested by it.
    let ends = ENDS.lock().unwrap();
    for end in ["refused", "no facts", "fault", "deny", "undecided", "pass"] {
        assert!(ends.get(end).is_some_and(|times| *times > 0), "no policy is {end}: {ends:?}");
    }
}
