//! Plugin for HTTP interfaces, REST and GraphQL, as ToolJet and Lowcoder spell them.

mod kinds;

use sluice_guest::judge::finding;
use sluice_guest::options::Options;
use sluice_guest::spec::KindSpec;
use sluice_guest::{Environment, Family, Finding, Serve, Severity, Traits};

/// The HTTP interfaces.
#[derive(Debug)]
pub struct Http;

impl Family for Http {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }

    fn traits(_spec: &KindSpec, options: &Options<'_>) -> Traits {
        let urls: Vec<_> = kinds::URLS.iter().filter_map(|key| options.text(key)).collect();
        let schemes: Vec<_> = urls.iter().filter_map(|url| encrypted(url)).collect();
        Traits {
            endpoints: urls.iter().filter_map(|url| origin(url)).collect(),
            // Encrypted only if all are and each says so; a scheme inside an expression says nothing.
            tls: if schemes.contains(&false) {
                Some(false)
            } else {
                (!urls.is_empty() && schemes.len() == urls.len()).then_some(true)
            },
            account: kinds::ACCOUNTS.iter().find_map(|key| options.text(key)),
            privileged: None,
            public_access: None,
        }
    }

    fn notes(spec: &KindSpec, options: &Options<'_>, _traits: &Traits, target: &Environment) -> Vec<Finding> {
        kinds::URLS
            .iter()
            .filter(|key| options.text(key).is_some_and(|url| encrypted(&url) == Some(false)))
            .map(|key| {
                let message = format!("requests from {} are not encrypted", target.name);
                finding(
                    Severity::Warning,
                    "tls.off",
                    Some(&spec.at(key)),
                    &message,
                    "bind a URL that begins with `https`",
                )
            })
            .collect()
    }
}

/// Whether a URL's scheme encrypts, where it is one that is known.
fn encrypted(url: &str) -> Option<bool> {
    match url.split_once("://")?.0.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

/// Scheme, host and port of a URL, without the user.
fn origin(url: &str) -> Option<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        // All of it is an expression, perhaps with a path behind it.
        return url.starts_with("{{").then(|| url.to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then(|| format!("{scheme}://{host}"))
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::Http>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<Http>;

#[cfg(test)]
mod tests;
