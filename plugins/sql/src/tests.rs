use sluice_guest::{OptionLeaf, Part, Scalar, Value};

use super::*;

fn spec(name: &str) -> &'static KindSpec {
    Sql::kinds().iter().find(|spec| spec.name == name).unwrap()
}

fn options(leaves: &[(&str, &str)]) -> Options {
    let leaf = |(at, text): &(&str, &str)| OptionLeaf {
        at: (*at).to_owned(),
        value: Value::Plain(Scalar::Text((*text).to_owned())),
    };
    Options::new(leaves.iter().map(leaf).collect())
}

#[test]
fn finds_where_a_source_connects_to() {
    for (name, leaves, expected) in [
        ("postgresql", vec![("/host/value", "db")], Some("db:5432")),
        ("postgresql", vec![("/host/value", "db"), ("/port/value", "1")], Some("db:1")),
        ("postgresql", vec![("/connection_string/value", "postgres://u@db:7/x?y")], Some("db:7")),
        ("postgresql", vec![("/connection_string/value", "postgres://db/x")], Some("db:5432")),
        ("mssql", vec![("/host/value", "")], None),
    ] {
        assert_eq!(endpoint(spec(name), &options(&leaves)).as_deref(), expected, "{leaves:?}");
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
    let found = endpoint(spec("postgresql"), &Options::new(vec![leaf]));
    assert_eq!(found.as_deref(), Some("{{constants.HOST}}:5432"));
}

#[test]
fn an_absent_or_empty_switch_is_off() {
    assert_eq!(tls(spec("postgresql"), &options(&[])), Some(false));
    assert_eq!(tls(spec("postgresql"), &options(&[("/ssl_enabled/value", "true")])), Some(true));
    assert_eq!(tls(spec("mssql"), &options(&[("/azure/value", "")])), Some(false));
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
