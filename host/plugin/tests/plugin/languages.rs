//! Plugins in other languages than Rust, where their toolchain was there when plugins were built.

use std::sync::Arc;
use std::time::Duration;

use crate::built::{bytes, component, examples, first_party, host_with_cache};
use sluice_plugin::conformance::{Grade, Suite};
use sluice_plugin::{NetFailure, Outside, Placed, Plugin, ProbeInput, Registry, Request, Response, Tls};
use wasmparser::{Parser, Payload};

/// JavaScript with WASI, and Python without.
const PLUGINS: [(&str, bool); 2] = [("aws-lambda", true), ("firebird", false)];

fn plugin(name: &str) -> Option<Plugin> {
    component(name).map(|component| host_with_cache().load(name, &component).unwrap())
}

#[test]
fn their_examples_come_out_as_expected_and_they_conform() {
    for (name, _) in PLUGINS {
        let Some(component) = component(name) else { continue };
        let suite = Suite { examples: examples(name), ..Suite::default() };
        let report = suite.run(host_with_cache(), name, &component);
        assert!(report.grade() >= Grade::Conforms, "{name}: {:#?}", report.checks);
    }
}

#[test]
fn two_runs_are_the_same_in_answer_and_use() {
    for (name, _) in PLUGINS {
        let Some(plugin) = plugin(name) else { continue };
        for example in examples(name) {
            let input = example.input().unwrap();
            let first = plugin.render(&input).unwrap();
            assert_eq!(plugin.render(&input).unwrap(), first, "{name}");
        }
    }
}

#[test]
fn one_of_them_uses_wasi_and_the_other_does_not() {
    for (name, uses_wasi) in PLUGINS {
        let Some(component) = component(name) else { continue };
        let (mut level, mut imports_wasi) = (0, false);
        for payload in Parser::new(0).parse_all(&component) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => level += 1,
                Payload::End(_) => level -= 1,
                // What lies deeper may be given by the component itself.
                Payload::ComponentImportSection(section) if level == 0 => {
                    imports_wasi |=
                        section.into_iter().any(|import| import.unwrap().name.name.starts_with("wasi:"));
                }
                _ => {}
            }
        }
        assert_eq!(imports_wasi, uses_wasi, "{name}");
    }
}

#[test]
fn each_kind_is_served_by_one_plugin_whatever_language_it_is_in() {
    let mut plugins: Vec<Plugin> = PLUGINS.into_iter().filter_map(|(name, _)| plugin(name)).collect();
    let mut served: Vec<_> = plugins.iter().flat_map(Plugin::describe).map(|d| d.kind.to_string()).collect();
    served.sort();
    if plugins.len() == PLUGINS.len() {
        assert_eq!(served, ["appsmith/AWS Lambda", "lowcoder/firebirdsql", "lowcoder/lambda"]);
    }
    let load = |name: &String| host_with_cache().load(name, &bytes(&format!("{name}.wasm"))).unwrap();
    plugins.extend(first_party().iter().map(load));
    // The registry refuses two plugins for one kind.
    let registry = Registry::new(plugins).unwrap();
    assert!(registry.kinds().count() > 80);
}

/// A network in which nobody answers otherwise than this.
struct Nobody(Result<(), NetFailure>);

impl Outside for Nobody {
    fn reach(&self, _: &str, _: u16, _: Tls, _: Duration) -> Result<(), NetFailure> {
        self.0.clone()
    }

    fn http(&self, _: &Request, _: &[Placed], _: Duration) -> Result<Response, NetFailure> {
        Err(NetFailure::BadResponse)
    }
}

#[test]
fn their_probes_tell_what_the_network_answers() {
    for (name, _) in PLUGINS {
        let Some(plugin) = plugin(name) else { continue };
        let input = examples(name).first().unwrap().input().unwrap();
        for (answer, reachable, told) in [
            (Ok(()), Some(true), ""),
            (Err(NetFailure::Refused), Some(false), "nobody answers there"),
            (Err(NetFailure::PrivateAddress), None, "its address is private and not granted"),
            (Err(NetFailure::Tls("no name fits".to_owned())), Some(false), "no name fits"),
        ] {
            let rendered = plugin.render(&input).unwrap();
            let source = sluice_plugin::DataSource { options: rendered.options, ..input.source.clone() };
            let target = input.target_environment.clone();
            let outside = Arc::new(Nobody(answer));
            let probed = plugin.probe(ProbeInput { source, target, slots: rendered.slots, outside }).unwrap();
            assert_eq!((probed.reachable, probed.authenticated), (reachable, None), "{name}");
            let notes: Vec<_> = probed.notes.iter().map(|note| (note.code.as_str(), &note.message)).collect();
            match notes.as_slice() {
                [] => assert_eq!(reachable, Some(true), "{name}"),
                [("target.unreachable", message)] => assert!(message.contains(told), "{name}: {message}"),
                others => panic!("{name}: {others:?}"),
            }
        }
    }
}
