//! The bodies of the fuzz targets on random bytes: what they make of them is judged.

use crate::spoil;
use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// How often each end was come to.
static ENDS: Mutex<BTreeMap<&'static str, usize>> = Mutex::new(BTreeMap::new());

fn come_to(end: &'static str) {
    *ENDS.lock().unwrap().entry(end).or_default() += 1;
}

fn made_of_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 20..500)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        cases: 4_000,
        ..ProptestConfig::default()
    })]
    fn random_components(bytes in made_of_bytes()) {
        come_to(spoil::component::spoil(&bytes));
    }

    fn random_sources(bytes in made_of_bytes()) {
        come_to(spoil::source::spoil(&bytes));
    }
}

#[test]
fn whatever_is_there_is_judged() {
    random_components();
    random_sources();
    // What never comes to an end is not tested by it.
    let ends = ENDS.lock().unwrap();
    for end in [
        "no component",
        "over bounds",
        "good",
        "rendered",
        "credentials taken",
        "credentials refused",
        "invalid",
        "incomplete",
    ] {
        assert!(ends.get(end).is_some_and(|times| *times > 0), "nothing comes to `{end}`: {ends:?}");
    }
}
