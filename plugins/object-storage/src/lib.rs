//! Plugin for object storage, S3, Google Cloud Storage and MinIO, as ToolJet and Lowcoder spell
//! them.

mod kinds;

use sluice_guest::judge::finding;
use sluice_guest::options::Options;
use sluice_guest::spec::KindSpec;
use sluice_guest::{Environment, Family, Finding, Serve, Severity, Traits};

/// The object stores.
#[derive(Debug)]
pub struct ObjectStorage;

/// The account that a MinIO server comes with.
const MINIO_ROOT: [&str; 2] = ["minioadmin", "minio"];

impl Family for ObjectStorage {
    fn kinds() -> &'static [KindSpec] {
        kinds::KINDS
    }

    fn traits(spec: &KindSpec, options: &Options<'_>) -> Traits {
        let endpoint = kinds::endpoint(spec, options);
        let account = ["access_key", "accessKey"].into_iter().find_map(|key| options.text(key));
        Traits {
            tls: match &endpoint {
                Some(at) if at.starts_with("http://") => Some(false),
                Some(at) if at.starts_with("https://") => Some(true),
                _ => options.flag("ssl_enabled"),
            },
            endpoints: endpoint.into_iter().collect(),
            privileged: account.as_deref().filter(|_| spec.name == "minio").map(|a| MINIO_ROOT.contains(&a)),
            public_access: None,
            account,
        }
    }

    fn notes(
        _spec: &KindSpec,
        _options: &Options<'_>,
        traits: &Traits,
        target: &Environment,
    ) -> Vec<Finding> {
        let mut notes = Vec::new();
        if traits.tls == Some(false) {
            let message = format!("the connection to the store in {} is not encrypted", target.name);
            notes.push(finding(
                Severity::Warning,
                "tls.off",
                None,
                &message,
                "bind an endpoint that encrypts",
            ));
        }
        if traits.privileged == Some(true) {
            let message =
                format!("the data source uses the account that every server in {} comes with", target.name);
            let fix = "bind an account that may do only what the app needs";
            notes.push(finding(Severity::Warning, "account.privileged", None, &message, fix));
        }
        notes
    }
}

#[cfg(target_arch = "wasm32")]
mod export {
    type Plugin = super::Serve<super::ObjectStorage>;
    sluice_guest::bindings::export!(Plugin with_types_in sluice_guest::bindings);
    sluice_guest::probe::bindings::export_probe!(Plugin with_types_in sluice_guest::probe::bindings);
}

/// What the component exports.
pub type Plugin = Serve<ObjectStorage>;

#[cfg(test)]
mod tests;
