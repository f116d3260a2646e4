//! Plugin for relational databases: PostgreSQL, MySQL, MariaDB and SQL Server, as ToolJet and
//! Lowcoder spell them.

mod kinds;

use sluice_guest::judge::finding;
use sluice_guest::options::{Options, is_blank};
use sluice_guest::spec::KindSpec;
use sluice_guest::{Environment, Family, Finding, Serve, Severity, Traits};

/// The relational databases.
#[derive(Debug)]
pub struct Sql;

/// Accounts that come with the database or a hosted service and may do everything.
const ADMINISTRATORS: [&str; 9] =
    ["root", "postgres", "sa", "admin", "administrator", "mysql", "mariadb.sys", "rdsadmin", "cloudsqladmin"];

impl Family for Sql {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }

    fn traits(spec: &KindSpec, options: &Options<'_>) -> Traits {
        let account = kinds::account(options);
        Traits {
            endpoints: endpoint(spec, options).into_iter().collect(),
            tls: tls(spec, options),
            privileged: account.as_deref().map(|a| ADMINISTRATORS.contains(&a.to_lowercase().as_str())),
            public_access: None,
            account,
        }
    }

    fn notes(spec: &KindSpec, _options: &Options<'_>, traits: &Traits, target: &Environment) -> Vec<Finding> {
        let mut notes = Vec::new();
        if traits.tls == Some(false) {
            let message = format!("the connection to the database in {} is not encrypted", target.name);
            notes.push(finding(
                Severity::Warning,
                "tls.off",
                kinds::tls_key(spec).map(|key| spec.at(key)).as_deref(),
                &message,
                "turn TLS on in the first environment and cut a version",
            ));
        }
        if traits.privileged == Some(true) {
            let message = format!("the data source connects to {} as an administrator", target.name);
            let fix = "bind an account that may do only what the app needs";
            notes.push(finding(Severity::Warning, "account.privileged", None, &message, fix));
        }
        notes
    }
}

/// `host:port`, with the database's usual port where the options name none.
fn endpoint(spec: &KindSpec, options: &Options<'_>) -> Option<String> {
    if let Some(host) = options.text("host") {
        let port = options.text("port").unwrap_or_else(|| kinds::usual_port(spec).to_owned());
        return Some(format!("{host}:{port}"));
    }
    let uri = options.text("connection_string")?;
    let after_scheme = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then(|| {
        if host.contains(':') { host.to_owned() } else { format!("{host}:{}", kinds::usual_port(spec)) }
    })
}

/// What the kind's TLS switch says.
fn tls(spec: &KindSpec, options: &Options<'_>) -> Option<bool> {
    let key = kinds::tls_key(spec)?;
    // Both platforms take an absent or empty switch as off.
    match options.get(key) {
        Some(value) if !is_blank(value) => options.flag(key),
        _ => Some(false),
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::Sql>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<Sql>;

#[cfg(test)]
mod tests;
