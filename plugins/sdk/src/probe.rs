//! Whether a data source's target answers, and takes the credentials.

use crate::bindings::sluice::plugin::secrets::Credentials;
use crate::bindings::sluice::plugin::types::{Environment, Failure, Severity, Source};
use crate::judge::finding;
use crate::options::{Leaves, Side};
use crate::{Family, Serve, kind_of, remap, traits};

/// The bindings to the network and to probes, generated from `wit/1.0`.
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/1.0",
        inline: "
            package sluice:guest;
            world probe {
                import sluice:plugin/net@1.0.0;
                export sluice:plugin/probing@1.0.0;
            }
        ",
        world: "sluice:guest/probe",
        with: {
            "sluice:plugin/types@1.0.0": crate::bindings::sluice::plugin::types,
            "sluice:plugin/secrets@1.0.0": crate::bindings::sluice::plugin::secrets,
            "sluice:plugin/net@1.0.0": generate,
            "sluice:plugin/probing@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_probe",
        default_bindings_module: "sluice_guest::probe::bindings",
        generate_unused_types: true,
    });
}

pub use bindings::exports::sluice::plugin::probing::{Guest, Probed};
pub use bindings::sluice::plugin::net;

/// The network as a probe has it. In a component the host answers; a test answers as it likes.
pub trait Network {
    /// The slots that have a value.
    fn slots(&self) -> Vec<String>;

    /// Opens a connection and closes it again.
    ///
    /// # Errors
    /// Why there was none.
    fn reach(&self, host: &str, port: u16, tls: net::Tls) -> Result<(), net::Failure>;

    /// Makes one request, with secrets placed.
    ///
    /// # Errors
    /// Why there was no answer.
    fn http(&self, request: &net::Request, place: &[net::Placed]) -> Result<net::Response, net::Failure>;
}

/// The network that the host grants, and the credentials of one data source.
struct Granted(Credentials);

impl Network for Granted {
    fn slots(&self) -> Vec<String> {
        self.0.slots()
    }

    fn reach(&self, host: &str, port: u16, tls: net::Tls) -> Result<(), net::Failure> {
        net::reach(host, port, tls)
    }

    fn http(&self, request: &net::Request, place: &[net::Placed]) -> Result<net::Response, net::Failure> {
        net::http(&self.0, request, place)
    }
}

impl<F: Family + 'static> Guest for Serve<F> {
    fn probe(source: Source, target: Environment, credentials: Credentials) -> Result<Probed, Failure> {
        ask::<F>(source, &target, &Granted(credentials))
    }
}

/// Asks a rendered source's target through a network.
///
/// # Errors
/// When the family does not serve the kind.
pub fn ask<F: Family>(
    source: Source,
    target: &Environment,
    network: &dyn Network,
) -> Result<Probed, Failure> {
    let spec = kind_of::<F>(&source).ok_or(Failure::UnsupportedKind)?;
    let leaves = Leaves::new(spec, source.options);
    let options = leaves.options(Side::Bundle);
    let needed: Vec<_> = remap::needed(spec, &options).collect();
    let traits = traits::read(spec, &options, &needed);
    Ok(F::probe(spec, &options, &traits, target, network))
}

/// Whether all of these endpoints take a connection. Nothing is signed in to.
#[must_use]
pub fn reach(endpoints: &[String], target: &Environment, network: &dyn Network) -> Probed {
    let mut findings = Vec::new();
    for endpoint in endpoints {
        let Some(Address { host, port, tls }) = address(endpoint) else {
            findings.push(no_address(endpoint));
            continue;
        };
        if let Err(failure) = network.reach(&host, port, tls) {
            let message = format!("`{host}:{port}` in {} is not reached: {}", target.name, told(&failure));
            findings.push(finding(Severity::Warning, "target.unreachable", None, &message, fix(&failure)));
        }
    }
    // What has no address was not asked: it is neither there nor not.
    let is_unreached = findings.iter().any(|finding| finding.code == "target.unreachable");
    let reachable = (is_unreached || findings.is_empty()).then_some(!is_unreached);
    let reachable = reachable.filter(|_| !endpoints.is_empty());
    Probed { reachable, authenticated: None, findings }
}

fn no_address(endpoint: &str) -> crate::Finding {
    let message = format!("`{endpoint}` names no host and port");
    finding(
        Severity::Warning,
        "target.unknown",
        None,
        &message,
        "give the option its value for this environment",
    )
}

/// Where a connection goes.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    tls: net::Tls,
}

/// The address of an endpoint as traits name it: `host:port`, or a URL's scheme, host and port.
///
/// A bare `host:port` is reached without TLS: what databases speak negotiates it in a protocol of
/// their own.
fn address(endpoint: &str) -> Option<Address> {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let authority = rest.split(['/', '?', '#']).next()?;
    let (usual, tls) = match scheme {
        "https" | "wss" => (Some(443), net::Tls::Required),
        "http" | "ws" => (Some(80), net::Tls::Off),
        _ => (None, net::Tls::Off),
    };
    let inner = |text: &str| text.trim_start_matches('[').trim_end_matches(']').to_owned();
    // A colon within brackets is IPv6's own (RFC 3986, section 3.2.2).
    let at = authority.rfind(':').filter(|at| authority.rfind(']').is_none_or(|bracket| bracket < *at));
    let (host, port) = match at.and_then(|at| authority.split_at_checked(at)) {
        Some((host, port)) => (inner(host), port.get(1..)?.parse().ok()?),
        None => (inner(authority), usual?),
    };
    (!host.is_empty()).then_some(Address { host, port, tls })
}

/// What went wrong, in words.
#[must_use]
pub fn told(failure: &net::Failure) -> String {
    use net::Failure as F;
    match failure {
        F::NotGranted => "the workspace does not grant it".to_owned(),
        F::Unresolved => "its name has no address".to_owned(),
        F::PrivateAddress => "its address is private and not granted".to_owned(),
        F::Refused => "nobody answers there".to_owned(),
        F::TimedOut => "there was no answer in time".to_owned(),
        F::Tls(why) => format!("TLS failed, {why}"),
        F::TooLarge => "its answer is too large".to_owned(),
        F::Limit => "it was asked too often".to_owned(),
        F::BadRequest(why) | F::BadSecret(why) => why.clone(),
        F::BadResponse => "it does not speak HTTP".to_owned(),
    }
}

/// What would mend it.
#[must_use]
pub fn fix(failure: &net::Failure) -> &'static str {
    use net::Failure as F;
    match failure {
        F::NotGranted => "grant the host to the plugin in the configuration, if it may be asked",
        F::PrivateAddress => "grant the private range to the plugin in the configuration, if it may be asked",
        F::Unresolved => "correct the host in the environment's binding",
        F::BadSecret(_) => "bind the slot to a secret of this environment",
        _ => "see that the target runs and can be reached from here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network in which one host answers.
    struct One(&'static str);

    impl Network for One {
        fn slots(&self) -> Vec<String> {
            Vec::new()
        }

        fn reach(&self, host: &str, _port: u16, _tls: net::Tls) -> Result<(), net::Failure> {
            if host == self.0 { Ok(()) } else { Err(net::Failure::Refused) }
        }

        fn http(&self, _: &net::Request, _: &[net::Placed]) -> Result<net::Response, net::Failure> {
            Err(net::Failure::Refused)
        }
    }

    #[test]
    fn what_has_no_address_is_neither_reached_nor_unreached() {
        let target = Environment { name: "staging".to_owned(), order: 1 };
        for (endpoints, expected, codes) in [
            (&[][..], None, &[][..]),
            (&["up:1"], Some(true), &[]),
            (&["up:1", "down:1"], Some(false), &["target.unreachable"]),
            (&["nowhere"], None, &["target.unknown"]),
            (&["up:1", "nowhere"], None, &["target.unknown"]),
            (&["down:1", "nowhere"], Some(false), &["target.unreachable", "target.unknown"]),
        ] {
            let given: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            let probed = reach(&given, &target, &One("up"));
            assert_eq!(probed.reachable, expected, "{endpoints:?}");
            let told: Vec<_> = probed.findings.iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(told, codes, "{endpoints:?}");
        }
    }

    #[test]
    fn endpoints_are_addresses() {
        let some = |host: &str, port, tls| Some(Address { host: host.into(), port, tls });
        for (endpoint, expected) in [
            ("db.internal:5432", some("db.internal", 5432, net::Tls::Off)),
            ("https://api.example", some("api.example", 443, net::Tls::Required)),
            ("https://api.example:8443/v1", some("api.example", 8443, net::Tls::Required)),
            ("http://[::1]/x", some("::1", 80, net::Tls::Off)),
            ("[fd00::1]:5432", some("fd00::1", 5432, net::Tls::Off)),
            ("db.internal", None),
            (":5432", None),
            ("db:port", None),
            ("", None),
        ] {
            assert_eq!(address(endpoint), expected, "{endpoint}");
        }
    }
}
