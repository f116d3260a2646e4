//! How a plugin lies in a registry: manifests written and read.
//!
//! Sources: the CNCF working group's [Wasm OCI Artifact layout][layout] for the component, the [OCI image
//! specification 1.1][image] for signatures and lists of them.
//!
//! [layout]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
//! [image]: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_model::Digest;
use sluice_model::json::{canonical, read};

use crate::artefact::{MANIFEST_BYTES, Release};

/// Bytes of a manifest. 4 MiB: what the distribution specification has registries take.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// Media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Media type of a list of manifests.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Media type of a DSSE envelope, and type of the artefact that is one.
pub(super) const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT: &str = "application/wasm";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The annotation that holds the plugin's manifest.
const PLUGIN_MANIFEST: &str = "dev.sluice.plugin.manifest";

/// Something to be put into a registry: a manifest and the blobs that it names.
pub(super) struct Packed {
    pub(super) manifest: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) blobs: Vec<Vec<u8>>,
}

impl Packed {
    fn new(manifest: &Value, blobs: Vec<Vec<u8>>) -> Self {
        let manifest = canonical(manifest);
        Self { digest: Digest::of(&manifest), manifest, blobs }
    }
}

/// A blob as a manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: u64,
}

/// What a plugin's artefact says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unpacked {
    pub(super) component: Blob,
    pub(super) manifest: Option<Vec<u8>>,
}

/// A manifest as an entry of a list, or as the subject of another.
pub(super) fn descriptor(manifest: &[u8]) -> Value {
    describe(MANIFEST, manifest)
}

fn describe(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() })
}

/// A release as an artefact.
pub(super) fn pack(release: &Release) -> Packed {
    let mut component = json!({ "exports": release.world.exports, "imports": release.world.imports });
    if let (Some(target), Some(members)) = (&release.world.target, component.as_object_mut()) {
        members.insert("target".into(), json!(target));
    }
    // The system's name is that of every component, whatever it imports.
    let config = canonical(&json!({
        "created": release.created,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [Digest::of(&release.component)],
        "component": component,
    }));
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(CONFIG, &config),
        "layers": [describe(COMPONENT, &release.component)],
    });
    let text = release.manifest.as_deref().map(String::from_utf8_lossy);
    if let (Some(text), Some(members)) = (text, manifest.as_object_mut()) {
        members.insert("annotations".into(), json!({ PLUGIN_MANIFEST: text }));
    }
    Packed::new(&manifest, vec![release.component.clone(), config])
}

/// A signature as an artefact that refers to another.
pub(super) fn pack_signature(envelope: &[u8], subject: &Value) -> Packed {
    let nothing = b"{}".to_vec();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ENVELOPE,
        "config": describe(EMPTY, &nothing),
        "layers": [describe(ENVELOPE, envelope)],
        "subject": subject,
    });
    Packed::new(&manifest, vec![nothing, envelope.to_vec()])
}

/// The list of what refers to an artefact, a signature's descriptor added to what it was.
pub(super) fn with_referrer(list: Option<&[u8]>, signature: &Value) -> Result<Vec<u8>, String> {
    let mut entries = match list {
        Some(bytes) => read_as::<Index>(bytes)?.manifests,
        None => Vec::new(),
    };
    let mut entry = signature.clone();
    if let Some(members) = entry.as_object_mut() {
        members.insert("artifactType".into(), json!(ENVELOPE));
    }
    entries.push(entry);
    Ok(canonical(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries })))
}

/// A manifest, as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: serde_json::Map<String, Value>,
}

/// A list of manifests. Entries are kept as they are: others may have written them.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// Reads a plugin's manifest; the error says what is missing or odd.
pub(super) fn unpack(bytes: &[u8]) -> Result<Unpacked, String> {
    let manifest = read_manifest(bytes)?;
    if manifest.config.is_none_or(|config| config.media_type != CONFIG) {
        return Err(format!("its configuration is not of type `{CONFIG}`"));
    }
    let component = only_layer(manifest.layers, COMPONENT)?;
    let manifest = match manifest.annotations.get(PLUGIN_MANIFEST) {
        None => None,
        Some(Value::String(text)) if text.len() <= MANIFEST_BYTES => Some(text.clone().into_bytes()),
        Some(_) => {
            return Err(format!("its annotation `{PLUGIN_MANIFEST}` is no text of {MANIFEST_BYTES} bytes"));
        }
    };
    Ok(Unpacked { component, manifest })
}

/// Reads the manifest of a signature of the artefact with the digest `subject`.
pub(super) fn unpack_signature(bytes: &[u8], subject: Digest) -> Result<Blob, String> {
    let manifest = read_manifest(bytes)?;
    if manifest.artifact_type.as_deref() != Some(ENVELOPE) {
        return Err(format!("what is listed as its signature is not of type `{ENVELOPE}`"));
    }
    if manifest.subject.is_none_or(|of| of.digest != subject) {
        return Err("what is listed as its signature belongs to another artefact".into());
    }
    only_layer(manifest.layers, ENVELOPE)
}

fn read_manifest(bytes: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest = read_as(bytes)?;
    if manifest.schema_version != 2 {
        return Err("its manifest is not of schema version 2".into());
    }
    match manifest.media_type.as_deref() {
        None | Some(MANIFEST) => Ok(manifest),
        Some(_) => Err(format!("its manifest is not of type `{MANIFEST}`")),
    }
}

fn only_layer(layers: Option<Vec<Descriptor>>, media_type: &str) -> Result<Blob, String> {
    match layers.unwrap_or_default().as_slice() {
        [layer] if layer.media_type == media_type => Ok(Blob { digest: layer.digest, size: layer.size }),
        _ => Err(format!("it has not exactly one layer, of type `{media_type}`")),
    }
}

/// What serde says may repeat what was read, which was written by strangers: it is left out.
fn read_as<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let value = read(bytes, MOST_BYTES).map_err(|_| "its manifest is not JSON".to_owned())?;
    serde_json::from_value(value).map_err(|_| "its manifest has not the form of one".to_owned())
}

#[cfg(test)]
mod tests {
    use crate::artefact::World;

    use super::*;

    fn release() -> Release {
        Release {
            component: b"component".to_vec(),
            signature: None,
            manifest: Some(b"{ \"name\": \"sql\" }".to_vec()),
            world: World {
                exports: vec!["sluice:plugin/data-sources@1.0.0".into()],
                imports: vec!["sluice:plugin/log@1.0.0".into()],
                target: Some("sluice:plugin/data-source@1.0.0".into()),
            },
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_release_lies_as_the_layout_says() {
        let packed = pack(&release());
        let [component, config] = packed.blobs.as_slice() else { panic!("two blobs") };
        assert_eq!(component, b"component");
        let config: Value = serde_json::from_slice(config).unwrap();
        assert_eq!(
            config,
            json!({
                "created": "2026-01-02T03:04:05Z",
                "architecture": "wasm",
                "os": "wasip2",
                "layerDigests": [Digest::of(b"component")],
                "component": {
                    "exports": ["sluice:plugin/data-sources@1.0.0"],
                    "imports": ["sluice:plugin/log@1.0.0"],
                    "target": "sluice:plugin/data-source@1.0.0",
                },
            })
        );
        let manifest: Value = serde_json::from_slice(&packed.manifest).unwrap();
        assert_eq!(
            manifest,
            json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.wasm.config.v0+json",
                    "digest": Digest::of(&packed.blobs[1]),
                    "size": packed.blobs[1].len(),
                },
                "layers": [{
                    "mediaType": "application/wasm",
                    "digest": Digest::of(b"component"),
                    "size": 9,
                }],
                "annotations": { "dev.sluice.plugin.manifest": "{ \"name\": \"sql\" }" },
            })
        );
        assert_eq!(packed.digest, Digest::of(&packed.manifest));
        let unpacked = unpack(&packed.manifest).unwrap();
        assert_eq!(unpacked.component, Blob { digest: Digest::of(b"component"), size: 9 });
        assert_eq!(unpacked.manifest, release().manifest);
    }

    #[test]
    fn a_signature_refers_and_is_listed_once_added() {
        let artefact = pack(&release());
        let signature = pack_signature(b"{\"payload\":\"\"}", &descriptor(&artefact.manifest));
        let blob = unpack_signature(&signature.manifest, artefact.digest).unwrap();
        assert_eq!(blob, Blob { digest: Digest::of(b"{\"payload\":\"\"}"), size: 14 });
        let other = unpack_signature(&signature.manifest, signature.digest).unwrap_err();
        assert_eq!(other, "what is listed as its signature belongs to another artefact");
        assert!(unpack_signature(&artefact.manifest, artefact.digest).is_err());
        let entry = descriptor(&signature.manifest);

        let foreign = json!({ "mediaType": "x/y", "digest": "sha512:00", "size": 1, "platform": {} });
        let list = canonical(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [foreign] }));
        for (list, before) in [(None, vec![]), (Some(list.as_slice()), vec![foreign])] {
            let list: Value = serde_json::from_slice(&with_referrer(list, &entry).unwrap()).unwrap();
            let mut entries = before;
            entries.push(json!({
                "mediaType": MANIFEST,
                "artifactType": ENVELOPE,
                "digest": signature.digest,
                "size": signature.manifest.len(),
            }));
            assert_eq!(list, json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }));
        }
        assert!(with_referrer(Some(b"[]"), &entry).is_err());
    }

    #[test]
    fn what_is_no_plugin_is_refused_by_what_it_lacks() {
        let manifest: Value = serde_json::from_slice(&pack(&release()).manifest).unwrap();
        let layer = manifest["layers"][0].clone();
        for (pointer, value, expected) in [
            ("/schemaVersion", json!(1), "schema version 2"),
            ("/mediaType", json!(INDEX), "its manifest is not of type"),
            (
                "/config/mediaType",
                json!("application/vnd.oci.image.config.v1+json"),
                "its configuration is not",
            ),
            ("/layers", json!([]), "not exactly one layer"),
            ("/layers", json!([layer, layer]), "not exactly one layer"),
            ("/layers/0/mediaType", json!("application/vnd.oci.image.layer.v1.tar"), "not exactly one layer"),
            ("/layers/0/size", json!(-1), "has not the form"),
            ("/layers/0/digest", json!("sha512:00"), "has not the form"),
            ("/layers/0/digest", json!("sha256:../../secret"), "has not the form"),
            ("/annotations/dev.sluice.plugin.manifest", json!(1), "is no text"),
            (
                "/annotations/dev.sluice.plugin.manifest",
                json!("x".repeat(MANIFEST_BYTES + 1)),
                "is no text of 262144 bytes",
            ),
            ("", json!({ "manifests": [] }), "has not the form"),
            ("", json!([]), "has not the form"),
        ] {
            let mut odd = manifest.clone();
            *odd.pointer_mut(pointer).unwrap() = value;
            let error = unpack(&canonical(&odd)).unwrap_err();
            assert!(error.contains(expected), "{pointer}: {error}");
        }
        assert_eq!(unpack(b"<html>").unwrap_err(), "its manifest is not JSON");
        let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
        assert_eq!(unpack(&deep).unwrap_err(), "its manifest is not JSON");
    }
}
