//! What no probe should do.

use std::cell::RefCell;

use sluice_guest::judge::finding;
use sluice_guest::probe::{Guest, Probed, net};
use sluice_guest::{Credentials, Environment, Failure, Finding, Severity, Source};

use crate::acts;
use crate::misbehaving::Plugin;

/// Asks the network where there is none.
pub(crate) fn act_outside_of_a_probe(name: &str) {
    match name {
        "reach-early" => drop(net::reach("db.staging.example", 443, net::Tls::Required)),
        "forge-early" => drop(get(&forged(1), Vec::new())),
        _ => {}
    }
}

/// A handle that nobody gave.
fn forged(number: u32) -> Credentials {
    #[allow(unsafe_code, reason = "the act is to make up a handle")]
    // SAFETY: none is needed: the number is the host's to check.
    unsafe {
        Credentials::from_handle(number)
    }
}

fn request(url: &str) -> net::Request {
    net::Request { method: "GET".to_owned(), url: url.to_owned(), headers: Vec::new(), body: None }
}

fn get(credentials: &Credentials, place: Vec<net::Placed>) -> Result<net::Response, net::Failure> {
    net::http(credentials, &request("https://db.staging.example/"), &place)
}

fn placed(slot: &str) -> net::Placed {
    net::Placed { slot: slot.to_owned(), at: net::Placement::Bearer }
}

fn told(of: &str, answer: &Result<net::Response, net::Failure>) -> Finding {
    let message = match answer {
        Ok(response) => {
            format!("{} {:?} {}", response.status, response.headers, String::from_utf8_lossy(&response.body))
        }
        Err(failure) => format!("{failure:?}"),
    };
    finding(Severity::Note, of, None, &message, "")
}

thread_local! {
    /// What was kept of an earlier call.
    static KEPT: RefCell<Vec<Credentials>> = const { RefCell::new(Vec::new()) };
}

impl Guest for Plugin {
    fn probe(source: Source, _target: Environment, credentials: Credentials) -> Result<Probed, Failure> {
        let mut findings = Vec::new();
        match source.name.as_str() {
            "trap" => acts::trap(),
            "loop" => acts::run_for_ever(),
            "allocate" => acts::allocate_without_end(),
            "recurse" => drop(std::hint::black_box(acts::recurse(1))),
            "hoard-handles" => acts::hoard_handles(&source),
            "findings" => findings = vec![finding(Severity::Note, "x", None, "x", ""); 10_000],
            "unsupported" => return Err(Failure::UnsupportedKind),
            // Handles.
            "forged-handle" => drop(std::hint::black_box(forged(7_777).slots())),
            "forged-handle-in-a-request" => findings.push(told("forged", &get(&forged(4), Vec::new()))),
            "handle-of-another-type" => {
                // The number of whatever else this instance holds, if anything.
                (0..200).for_each(|number| drop(std::hint::black_box(forged(number).slots())));
            }
            "used-after-it-was-dropped" => {
                let number = credentials.handle();
                drop(credentials);
                drop(std::hint::black_box(forged(number).slots()));
                return Ok(nothing(findings));
            }
            "dropped-twice" => {
                let number = credentials.handle();
                drop(credentials);
                drop(forged(number));
                return Ok(nothing(findings));
            }
            "kept" => {
                let before = KEPT.with_borrow(Vec::len);
                KEPT.with_borrow_mut(|kept| kept.push(credentials));
                findings.push(finding(Severity::Note, "kept", None, &before.to_string(), ""));
                return Ok(nothing(findings));
            }
            // The network.
            "other-host" => {
                let answer = net::http(&credentials, &request("https://elsewhere.example/"), &[]);
                findings.push(told("other-host", &answer));
            }
            "other-slot" => {
                findings.push(told("other-slot", &get(&credentials, vec![placed("of-somebody-else")])));
            }
            "reach-often" => {
                let answers = (0..20).map(|_| net::reach("db.staging.example", 443, net::Tls::Required));
                findings.extend(
                    answers.map(|answer| finding(Severity::Note, "reach", None, &format!("{answer:?}"), "")),
                );
            }
            "reach-for-ever" => loop {
                drop(std::hint::black_box(net::reach("db.staging.example", 443, net::Tls::Off)));
            },
            "giant-request" => {
                let body = Some(vec![0; 8 << 20]);
                let giant = net::Request { body, ..request("https://db.staging.example/") };
                findings.push(told("giant", &net::http(&credentials, &giant, &[])));
            }
            "many-headers" => {
                let header = net::Header { name: "x".to_owned(), value: "x".repeat(1_000) };
                let giant =
                    net::Request { headers: vec![header; 8_000], ..request("https://db.staging.example/") };
                findings.push(told("giant", &net::http(&credentials, &giant, &[])));
            }
            "giant-host" => {
                let answer = net::reach(&"x".repeat(5 << 20), 1, net::Tls::Off);
                findings.push(finding(Severity::Note, "giant", None, &format!("{answer:?}"), ""));
            }
            "many-places" => {
                findings.push(told("places", &get(&credentials, vec![placed("password"); 200_000])));
            }
            // What it says of the target, whatever it was told.
            claims if claims.starts_with("claims-") => {
                match claims.rsplit('-').next() {
                    Some("reach") => {
                        drop(std::hint::black_box(net::reach("db.staging.example", 443, net::Tls::Required)));
                    }
                    Some("request") => drop(std::hint::black_box(get(&credentials, Vec::new()))),
                    Some("secret") => {
                        drop(std::hint::black_box(get(&credentials, vec![placed("password")])));
                    }
                    _ => {}
                }
                let told = Some(claims.starts_with("claims-yes"));
                return Ok(Probed { reachable: told, authenticated: told, findings });
            }
            // All that can be learned of a secret: what a server gives back of it, and its slot's name.
            _ => {
                let slots = credentials.slots();
                let place = slots.iter().map(|slot| placed(slot)).collect();
                findings.push(finding(Severity::Note, "slots", None, &slots.join(" "), ""));
                findings.push(told("reflected", &get(&credentials, place)));
            }
        }
        Ok(nothing(findings))
    }
}

fn nothing(findings: Vec<Finding>) -> Probed {
    Probed { reachable: None, authenticated: None, findings }
}
