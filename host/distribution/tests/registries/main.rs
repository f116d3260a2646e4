//! Plugins in registries: a real one, Debian's `docker-registry`, on loopback; and one that lies.
#![cfg(test)]

mod liar;
mod real;

use std::path::Path;
use std::time::Duration;

use sluice_distribution::{Access, Artefact, Credentials, Error, Limits, Reference, Release, World};

/// Bytes of a component in these tests.
const COMPONENT_BYTES: usize = 5 << 20;

fn access() -> Access {
    Access {
        folder: Path::new(".").to_owned(),
        credentials: Credentials::none(),
        limits: Limits { component_bytes: COMPONENT_BYTES, within: Duration::from_secs(60) },
    }
}

fn release(component: &[u8]) -> Release {
    Release {
        component: component.to_vec(),
        signature: None,
        manifest: None,
        world: World {
            exports: vec!["sluice:plugin/data-sources@1.0.0".into()],
            imports: vec![],
            target: Some("sluice:plugin/data-source@1.0.0".into()),
        },
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn fetch(text: &str, access: &Access) -> Result<Artefact, Error> {
    sluice_distribution::fetch(&reference(text), access)
}

fn publish(release: &Release, text: &str, access: &Access) -> Result<Reference, Error> {
    sluice_distribution::publish(release, &reference(text), access)
}

fn tags(text: &str, access: &Access) -> Result<Vec<String>, Error> {
    let tags = sluice_distribution::tags(&reference(text), access)?;
    Ok(tags.iter().map(ToString::to_string).collect())
}

/// The message of what must not succeed.
fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was let through"),
        Err(error) => error.to_string(),
    }
}
