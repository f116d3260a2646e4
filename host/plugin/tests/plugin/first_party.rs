//! The first-party plugins on options as the platforms write them.

use crate::built::{candidate, input, registry, slot, tooljet};
use serde_json::{Value, json};
use sluice_model::content::{Part, mark};
use sluice_plugin::{Plugin, Reason, RenderInput, Rendered, Severity};

fn plugin(kind: &str) -> &'static Plugin {
    registry().for_kind(&kind.parse().unwrap()).unwrap_or_else(|| panic!("no plugin for {kind}"))
}

fn render(input: &RenderInput) -> Rendered {
    plugin(&input.source.kind.to_string()).render(input).unwrap_or_else(|error| panic!("{error}"))
}

fn codes(rendered: &Rendered) -> Vec<&str> {
    rendered.notes.iter().map(|note| note.code.as_str()).collect()
}

fn postgres() -> RenderInput {
    let source = tooljet([
        ("host", json!("db.dev.example")),
        ("port", json!(5432)),
        ("database", json!("orders")),
        ("username", json!("dev")),
        ("password", slot("password")),
        ("ssl_enabled", json!(true)),
        ("ssl_certificate", json!("none")),
    ]);
    let binding = json!({
        "host": {"value": "db.staging.example"},
        "port": {"value": "6432"},
        "database": {"value": "orders"},
        "username": {"value": "orders_app"},
        "ssl_enabled": {"value": true},
        "ssl_certificate": {"value": "none"},
    });
    input("tooljet/postgresql", "orders", source, binding)
}

#[test]
fn a_tooljet_database_gets_the_targets_place_and_account() {
    let rendered = render(&postgres());
    let expected = json!({
        "host": {"value": "db.staging.example", "encrypted": false},
        "port": {"value": "6432", "encrypted": false},
        "database": {"value": "orders", "encrypted": false},
        "username": {"value": "orders_app", "encrypted": false},
        "password": {"value": slot("password"), "encrypted": true},
        "ssl_enabled": {"value": true, "encrypted": false},
        "ssl_certificate": {"value": "none", "encrypted": false},
    });
    assert_eq!(rendered.options, expected);
    assert_eq!(rendered.traits.endpoints, ["db.staging.example:6432"]);
    assert_eq!(rendered.traits.tls, Some(true));
    assert_eq!(rendered.traits.account.as_deref(), Some("orders_app"));
    assert_eq!(rendered.traits.privileged, Some(false));
    assert_eq!(rendered.slots[&"password".parse().unwrap()].to_string(), "secret://staging/orders/new");
    assert_eq!(codes(&rendered), [""; 0]);
}

#[test]
fn nothing_falls_back_to_the_source() {
    for (drop, lacking) in
        [(&["host"][..], "/host/value"), (&["host", "port", "database", "username"], "/host/value")]
    {
        let mut input = postgres();
        let binding = input.binding.as_object_mut().unwrap();
        drop.iter().for_each(|key| drop_member(binding, key));
        let reason = *plugin("tooljet/postgresql").render(&input).unwrap_err().reason;
        let Reason::Incomplete { environment, options } = reason else { panic!("{reason}") };
        assert_eq!((environment.as_str(), options), ("staging", vec![lacking.to_owned()]));
    }
    let mut input = postgres();
    drop_member(input.binding.as_object_mut().unwrap(), "username");
    assert_eq!(render(&input).options["username"], json!({"encrypted": false}));
    input.binding = Value::Null;
    assert!(matches!(
        *plugin("tooljet/postgresql").render(&input).unwrap_err().reason,
        Reason::Incomplete { .. }
    ));
}

fn drop_member(members: &mut serde_json::Map<String, Value>, key: &str) {
    members.remove(key).unwrap();
}

#[test]
fn what_must_match_comes_with_the_bundle() {
    let mut input = postgres();
    let option = "allow_dynamic_connection_parameters";
    input.source.options[option] = json!({"value": true, "encrypted": false});
    input.binding[option] = json!({"value": false});
    let rendered = render(&input);
    assert_eq!(rendered.options[option]["value"], json!(true));
    assert_eq!(codes(&rendered), ["option.must-match"]);
}

#[test]
fn the_same_place_as_the_source_is_an_error_and_an_administrator_or_no_tls_a_warning() {
    let mut input = postgres();
    for key in ["host", "port", "database"] {
        input.binding[key] = input.source.options[key].clone();
    }
    input.binding["username"]["value"] = json!("Postgres");
    input.binding["ssl_enabled"]["value"] = json!(false);
    let rendered = render(&input);
    let graves: Vec<_> = rendered.notes.iter().map(|n| (n.severity, n.code.as_str())).collect();
    assert_eq!(
        graves,
        [
            (Severity::Error, "option.must-differ"),
            (Severity::Warning, "tls.off"),
            (Severity::Warning, "account.privileged"),
        ]
    );
    assert_eq!((rendered.traits.tls, rendered.traits.privileged), (Some(false), Some(true)));
    // Another database on the same server is another place.
    input.binding["database"]["value"] = json!("orders_staging");
    assert!(!codes(&render(&input)).contains(&"option.must-differ"));
}

#[test]
fn an_expression_is_the_same_everywhere_and_means_another_thing_in_each() {
    let mut input = postgres();
    for key in ["host", "port", "database"] {
        let value = json!(format!("{{{{constants.DB_{key}}}}}"));
        input.source.options[key]["value"] = value.clone();
        input.binding[key] = json!({"value": value});
    }
    let rendered = render(&input);
    assert_eq!(codes(&rendered), [""; 0]);
    assert_eq!(rendered.options["host"]["value"], json!("{{constants.DB_host}}"));
    assert_eq!(rendered.traits.endpoints, ["{{constants.DB_host}}:{{constants.DB_port}}"]);
}

#[test]
fn how_safely_a_source_connects_is_the_targets_to_say() {
    let mut input = postgres();
    input.source.options["ssl_enabled"]["value"] = json!(false);
    let rendered = render(&input);
    assert_eq!(rendered.options["ssl_enabled"]["value"], json!(true));
    assert_eq!(rendered.traits.tls, Some(true));
}

#[test]
fn a_slot_that_the_configuration_calls_for_is_missed_and_the_others_are_filled() {
    let source = tooljet([
        ("url", json!("https://dev.example")),
        ("auth_type", json!("basic")),
        ("password", slot("password")),
        ("bearer_token", slot("bearer-token")),
        ("client_secret", slot("client-secret")),
    ]);
    for (auth, offered, missing) in [
        ("none", vec![], vec![]),
        ("basic", vec![], vec!["password"]),
        ("basic", vec!["password"], vec![]),
        ("bearer", vec!["client-secret"], vec!["bearer-token"]),
    ] {
        let binding = json!({"url": {"value": "https://staging.example"}, "auth_type": {"value": auth}});
        let mut input = input("tooljet/restapi", "api", source.clone(), binding);
        input.candidates = offered.iter().map(|label| candidate(&format!("api/{label}"), label, 1)).collect();
        let rendered = render(&input);
        let lacking: Vec<_> = rendered.missing_slots.iter().map(|slot| slot.as_str()).collect();
        let filled: Vec<_> = rendered.slots.keys().map(|slot| slot.as_str()).collect();
        assert_eq!((lacking, filled), (missing, offered), "{auth}");
    }
}

#[test]
fn a_connection_string_keeps_its_parts_around_the_secret() {
    let url = |host: &str| {
        let slot = Part::Slot("connection-password".parse().unwrap());
        mark(&[Part::Text("postgres://app:".into()), slot, Part::Text(format!("@{host}/orders"))])
    };
    let source = tooljet([("connection_type", json!("string")), ("connection_string", url("dev.example"))]);
    let binding = json!({"connection_type": {"value": "string"},
        "connection_string": {"value": url("staging.example:6432")}});
    let mut input = input("tooljet/postgresql", "orders", source, binding);
    input.candidates.push(candidate("orders/url", "connection password", 1));
    let rendered = render(&input);
    assert_eq!(rendered.options["connection_string"]["value"], url("staging.example:6432"));
    assert_eq!(rendered.traits.endpoints, ["staging.example:6432"]);
    assert_eq!(rendered.slots.len(), 1);
}

#[test]
fn slots_are_filled_by_name_then_by_label_and_else_are_missing() {
    let mut input = postgres();
    let own: sluice_model::SecretRef = "secret://staging/mine".parse().unwrap();
    input.slots_bound.insert("password".parse().unwrap(), own.clone());
    input.slots_bound.insert("pasword".parse().unwrap(), own.clone());
    let rendered = render(&input);
    assert_eq!(rendered.slots.into_iter().collect::<Vec<_>>(), [("password".parse().unwrap(), own)]);
    assert_eq!(rendered.notes[0].code, "slot.unknown");

    let mut input = postgres();
    input.candidates.clear();
    // Not required, so it may stay empty.
    input.source.options["ca_cert"] = json!({"value": slot("ca-cert"), "encrypted": true});
    let rendered = render(&input);
    assert_eq!(rendered.missing_slots, ["password".parse().unwrap()]);
    assert!(rendered.slots.is_empty());
}

#[test]
fn what_is_only_suspected_is_not_filled() {
    let mut input = postgres();
    input.binding["connection_options"] =
        json!({"value": [["token", mark(&[Part::Provisional("suspect".parse().unwrap())])]]});
    let rendered = render(&input);
    assert_eq!(rendered.options["connection_options"]["value"], input.binding["connection_options"]["value"]);
    assert_eq!(rendered.slots.len(), 1);
    assert_eq!(rendered.missing_slots, []);
}

#[test]
fn ill_typed_and_unknown_options_are_named() {
    let error = |input: &RenderInput| plugin("tooljet/postgresql").render(input).unwrap_err().to_string();
    for (key, value, expected) in [
        ("port", json!("many"), "`port` must be a number at `/port/value`"),
        ("host", json!(["a"]), "`host` must be a single value at `/host/value/0`"),
        ("username", json!(true), "`username` must be a text"),
    ] {
        let mut wrong = postgres();
        wrong.binding[key]["value"] = value.clone();
        assert!(error(&wrong).contains(expected), "{}", error(&wrong));
        let mut wrong = postgres();
        wrong.source.options[key]["value"] = value;
        assert!(error(&wrong).contains(expected), "{}", error(&wrong));
    }
    let mut wrong = postgres();
    wrong.source.options["ssl_certificate"]["value"] = json!("maybe");
    assert!(error(&wrong).contains("one of the choices: none, ca_certificate"), "{}", error(&wrong));

    let mut unknown = postgres();
    unknown.binding["novelty"] = json!({"value": 1});
    let rendered = render(&unknown);
    assert_eq!(rendered.options["novelty"], json!({"value": 1}));
    assert_eq!(codes(&rendered), ["option.unknown"]);
}

#[test]
fn bundle_and_binding_that_do_not_fit_are_refused() {
    let mut input = postgres();
    input.binding["ssl_enabled"] = json!(null);
    let error = plugin("tooljet/postgresql").render(&input).unwrap_err();
    assert!(matches!(&*error.reason, Reason::Clash { at } if at == "/ssl_enabled"), "{error}");
}

#[test]
fn the_other_databases_are_rendered_in_their_platforms_spelling() {
    for (kind, user, port) in [
        ("tooljet/mysql", "username", "3306"),
        ("tooljet/mariadb", "user", "3306"),
        ("tooljet/mssql", "username", "1433"),
    ] {
        let source = tooljet([("host", json!("dev")), (user, json!("root")), ("password", slot("password"))]);
        let binding = json!({"host": {"value": "staging"}, user: {"value": "app"}});
        let rendered = render(&input(kind, "db", source, binding));
        assert_eq!(rendered.options["host"]["value"], json!("staging"), "{kind}");
        assert_eq!(rendered.traits.endpoints, [format!("staging:{port}")], "{kind}");
        assert_eq!(rendered.traits.account.as_deref(), Some("app"), "{kind}");
        assert_eq!(rendered.slots.len(), 1, "{kind}");
    }
    for (kind, port) in [("postgres", "5432"), ("mysql", "3306"), ("mariadb", "3306"), ("mssql", "1433")]
        .map(|(k, p)| (format!("lowcoder/{k}"), p))
    {
        let source = json!({"host": "dev", "port": 1, "database": "d", "username": "u",
            "password": slot("password"), "usingSsl": true});
        let binding = json!({"host": "staging", "database": "d", "username": "sa", "usingSsl": true});
        let rendered = render(&input(&kind, "db", source, binding));
        let expected = json!({"host": "staging", "database": "d", "username": "sa",
            "password": slot("password"), "usingSsl": true});
        assert_eq!(rendered.options, expected, "{kind}");
        assert_eq!(rendered.traits.endpoints, [format!("staging:{port}")], "{kind}");
        assert_eq!(rendered.traits.privileged, Some(true), "{kind}");
    }
}

#[test]
fn http_interfaces_get_the_targets_address_and_headers() {
    let source = tooljet([
        ("url", json!("https://api.dev.example/v1")),
        ("auth_type", json!("bearer")),
        ("headers", json!([["X-Team", "dev"], ["", ""]])),
        ("bearer_token", slot("bearer-token")),
        ("client_secret", slot("client-secret")),
    ]);
    let binding = json!({
        "url": {"value": "http://api.staging.example:8080/v1"},
        "auth_type": {"value": "bearer"},
        "headers": {"value": [["X-Team", "{{constants.TEAM}}"]]},
    });
    let mut of_tooljet = input("tooljet/restapi", "api", source.clone(), binding.clone());
    of_tooljet.candidates = vec![candidate("api/bearer", "bearer_token", 1)];
    let rendered = render(&of_tooljet);
    assert_eq!(rendered.options["headers"]["value"], json!([["X-Team", "{{constants.TEAM}}"]]));
    assert_eq!(rendered.traits.endpoints, ["http://api.staging.example:8080"]);
    assert_eq!(rendered.traits.tls, Some(false));
    assert_eq!(codes(&rendered), ["tls.off"]);
    assert_eq!(rendered.slots.keys().map(|s| s.as_str()).collect::<Vec<_>>(), ["bearer-token"]);
    assert_eq!(rendered.missing_slots, []);
    assert_eq!(render(&input("tooljet/graphql", "api", source, binding)).options, rendered.options);

    let source = json!({"url": "https://dev.example", "headers": [{"key": "a", "value": "b"}],
        "authConfig": {"type": "BASIC_AUTH", "username": "dev", "password": slot("password")}});
    let binding = json!({"url": "https://staging.example", "headers": [], "authConfig": {"username": "app"}});
    for kind in ["lowcoder/restApi", "lowcoder/graphql"] {
        let rendered = render(&input(kind, "api", source.clone(), binding.clone()));
        let expected = json!({"url": "https://staging.example", "headers": [],
            "authConfig": {"type": "BASIC_AUTH", "username": "app", "password": slot("password")}});
        assert_eq!(rendered.options, expected, "{kind}");
        assert_eq!((rendered.traits.tls, rendered.traits.account.as_deref()), (Some(true), Some("app")));
    }
}

#[test]
fn an_address_is_needed_where_the_bundle_has_one() {
    // The static source that every app of ToolJet has says nothing, and needs nothing.
    for options in [json!({}), Value::Null] {
        assert_eq!(render(&input("tooljet/restapi", "static", options, json!({}))).options, json!({}));
    }
    for (kind, source, lacking) in [
        ("tooljet/restapi", tooljet([("url", json!("https://dev.example"))]), "/url/value"),
        ("lowcoder/graphql", json!({"url": "https://dev.example"}), "/url"),
    ] {
        let reason = *plugin(kind).render(&input(kind, "api", source, json!({}))).unwrap_err().reason;
        assert!(matches!(&reason, Reason::Incomplete { options, .. } if options == &[lacking]), "{reason}");
    }
}

#[test]
fn object_stores_get_the_targets_place_and_account() {
    for (kind, source, binding, expected, endpoint) in [
        (
            "tooljet/s3",
            tooljet([
                ("access_key", json!("DEV")),
                ("secret_key", slot("secret-key")),
                ("region", json!("us-west-1")),
            ]),
            json!({"access_key": {"value": "STG"}, "region": {"value": "eu-central-1"}}),
            json!({"access_key": {"value": "STG", "encrypted": false}, "secret_key": {"value": slot("secret-key"), "encrypted": true},
                "region": {"value": "eu-central-1", "encrypted": false}}),
            "https://s3.eu-central-1.amazonaws.com",
        ),
        (
            "tooljet/gcs",
            tooljet([("private_key", slot("private-key"))]),
            json!({}),
            json!({"private_key": {"value": slot("private-key"), "encrypted": true}}),
            "https://storage.googleapis.com",
        ),
        (
            "tooljet/minio",
            tooljet([("host", json!("dev")), ("access_key", json!("a")), ("secret_key", slot("secret-key"))]),
            json!({"host": {"value": "staging"}, "access_key": {"value": "b"}}),
            json!({"host": {"value": "staging", "encrypted": false}, "access_key": {"value": "b", "encrypted": false},
                "secret_key": {"value": slot("secret-key"), "encrypted": true}}),
            "staging:9000",
        ),
        (
            "lowcoder/s3",
            json!({"accessKey": "DEV", "secretKey": slot("secret-key"), "endpointUrl": ""}),
            json!({"accessKey": "STG", "endpointUrl": "https://store.staging.example"}),
            json!({"accessKey": "STG", "secretKey": slot("secret-key"), "endpointUrl": "https://store.staging.example"}),
            "https://store.staging.example",
        ),
        (
            "lowcoder/googleCloudStorage",
            json!({"privateKey": slot("private-key"), "region": "us", "specVersion": "v1.0"}),
            json!({"region": "eu"}),
            json!({"privateKey": slot("private-key"), "region": "eu", "specVersion": "v1.0"}),
            "https://storage.googleapis.com",
        ),
        (
            "lowcoder/minio",
            json!({"accessKey": "minioadmin", "secretKey": slot("secret-key"), "endPoint": "https://dev"}),
            json!({"accessKey": "app", "endPoint": "https://staging"}),
            json!({"accessKey": "app", "secretKey": slot("secret-key"), "endPoint": "https://staging"}),
            "https://staging",
        ),
    ] {
        let rendered = render(&input(kind, "store", source, binding));
        assert_eq!(rendered.options, expected, "{kind}");
        assert_eq!(rendered.traits.endpoints, [endpoint], "{kind}");
        assert_eq!(rendered.missing_slots.len(), 1, "{kind}");
    }
}
