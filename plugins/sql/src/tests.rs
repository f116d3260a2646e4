use sluice_guest::options::{Leaves, Side};
use sluice_guest::{OptionLeaf, Part, Scalar, Value};

use super::*;

fn spec(name: &str) -> &'static KindSpec {
    Sql::kinds().iter().find(|spec| spec.name == name).unwrap()
}

fn leaves(name: &str, leaves: &[(&str, &str)]) -> Leaves {
    let leaf = |(at, text): &(&str, &str)| OptionLeaf {
        at: (*at).to_owned(),
        value: Value::Plain(Scalar::Text((*text).to_owned())),
    };
    Leaves::new(spec(name), leaves.iter().map(leaf).collect())
}

#[test]
fn finds_where_a_source_connects_to() {
    for (name, given, expected) in [
        ("postgresql", vec![("/host/value", "db")], Some("db:5432")),
        ("postgresql", vec![("/host/value", "db"), ("/port/value", "1")], Some("db:1")),
        ("postgresql", vec![("/connection_string/value", "postgres://u@db:7/x?y")], Some("db:7")),
        ("postgresql", vec![("/connection_string/value", "postgres://db/x")], Some("db:5432")),
        ("mssql", vec![("/host/value", "")], None),
    ] {
        let leaves = leaves(name, &given);
        let found = endpoint(spec(name), &leaves.options(Side::Binding));
        assert_eq!(found.as_deref(), expected, "{given:?}");
    }
}

#[test]
fn an_endpoint_shows_expressions_and_never_a_password() {
    let parts = vec![
        Part::Literal("postgres://app:".into()),
        Part::Slot("connection-password".into()),
        Part::Literal("@".into()),
        Part::Expression("constants.HOST".into()),
    ];
    let leaf = OptionLeaf { at: "/connection_string/value".into(), value: Value::Composed(parts) };
    let leaves = Leaves::new(spec("postgresql"), vec![leaf]);
    let found = endpoint(spec("postgresql"), &leaves.options(Side::Binding));
    assert_eq!(found.as_deref(), Some("{{constants.HOST}}:5432"));
}

#[test]
fn an_absent_or_empty_switch_is_off() {
    for (name, given, expected) in [
        ("postgresql", vec![], Some(false)),
        ("postgresql", vec![("/ssl_enabled/value", "true")], Some(true)),
        ("mssql", vec![("/azure/value", "")], Some(false)),
    ] {
        let leaves = leaves(name, &given);
        assert_eq!(tls(spec(name), &leaves.options(Side::Binding)), expected, "{name} {given:?}");
    }
}

#[test]
fn no_kind_has_an_option_or_slot_twice() {
    for spec in Sql::kinds() {
        let mut keys: Vec<_> = spec.options().map(|o| o.key).chain(spec.slots().map(|s| s.name)).collect();
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all, "{}", spec.name);
    }
}
