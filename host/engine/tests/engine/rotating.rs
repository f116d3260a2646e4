//! How old a credential is: a value that comes again is as old as it was.

use sluice_engine::settings::{Filing, stream};
use sluice_model::SecretRef;
use sluice_vault::Secret;

use crate::stage::{Stage, environment};

const PLACE: &str = "secret://staging/elsewhere/password";

#[test]
fn only_another_value_makes_a_credential_younger() {
    let stage = Stage::copied(160);
    let reference: SecretRef = PLACE.parse().unwrap();
    let staging = environment("staging");
    let file = |value: &str| {
        stage.workspace.set_secret(&stage.ada, &reference, Secret::new(value).unwrap()).unwrap()
    };
    let filed = || {
        let mut work = stage.workspace.work();
        let settings = stage.workspace.settings(&mut work, &staging).unwrap();
        let filed = settings.filed(&work, &reference).unwrap().unwrap();
        (filed.version, filed.since)
    };
    let acts = || stage.workspace.records().head(&stream(&staging)).unwrap().unwrap().revision;
    let remove = || {
        let setting = sluice_engine::settings::Setting::Secret(reference.clone());
        stage.workspace.remove_setting(&stage.ada, &staging, &setting).unwrap();
    };

    assert_eq!(file("one"), Filing::Anew);
    let (_, first) = filed();
    stage.hand.set("2026-09-01T12:00:00Z");
    let before = acts();
    assert_eq!(file("one"), Filing::AsBefore { since: first });
    assert_eq!((filed(), acts()), ((1, first), before));

    assert_eq!(file("two"), Filing::Anew);
    let (version, second) = filed();
    assert!(version == 2 && second > first);
    stage.hand.set("2026-10-01T12:00:00Z");
    // Back to what it was, and by way of nothing.
    assert_eq!(file("one"), Filing::AsBefore { since: first });
    assert_eq!(filed(), (3, first));
    remove();
    assert_eq!(file("two"), Filing::AsBefore { since: second });
    assert_eq!(filed(), (4, second));
    assert_eq!(file("three"), Filing::Anew);
    assert!(filed().1 > second);
    // At another place it is another's first.
    let elsewhere: SecretRef = "secret://staging/another/password".parse().unwrap();
    let filing = stage.workspace.set_secret(&stage.ada, &elsewhere, Secret::new("one").unwrap()).unwrap();
    assert_eq!(filing, Filing::Anew);
}
