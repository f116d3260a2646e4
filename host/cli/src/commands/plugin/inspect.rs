//! `sluice plugin inspect`.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sluice_distribution::{Artefact, NotAReference, Reference};
use sluice_ledger::{Envelope, PublicKey};
use sluice_model::{Digest, json};
use sluice_plugin::KindDescription;
use sluice_plugin::manifest::{Manifest, ManifestError, World};
use wasmparser::{Parser, Payload};

use super::reference::{self, Found};
use super::{host, installed, is_kept};
use crate::answer::{Answer, Exit};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style};
use crate::show::amount;
use crate::table::Rows;

const EXAMPLES: &str = "\
Examples:
  sluice plugin inspect build/orders-db.wasm
  sluice plugin inspect sql
  sluice plugin inspect sql -o json
  sluice plugin inspect oci://registry.example/acme/orders-db:1.2.0

A signature is looked for in the file NAME.sig.json beside the component, or in the registry. What a
registry has is fetched to be looked at, and not installed.
Ends with exit code 1 where the plugin cannot be loaded here, or its manifest says what is not so.";

/// Bytes of a signature that are read: a statement of some lines in base64.
const MOST_SIGNATURE: u64 = 1 << 20;

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A component, a plugin's project, a plugin of the workspace, or oci://REGISTRY/NAME:VERSION.
    #[arg(value_name = "FILE|NAME|REF")]
    plugin: String,
}

/// What a plugin is.
#[derive(Debug, Serialize)]
struct Inspected {
    name: String,
    /// Where it was fetched, pinned.
    from: Option<String>,
    digest: Digest,
    bytes: usize,
    /// What it says of itself.
    manifest: Option<Manifest>,
    /// What is not so of that; or why it is none.
    manifest_problems: Vec<String>,
    /// What it imports, whether it is offered or not.
    imports: Vec<String>,
    world: Option<World>,
    kinds: Vec<Kind>,
    /// Nanoseconds that compiling took, now or before; none where it cannot be loaded.
    compile_ns: Option<u64>,
    /// Whether it was compiled before, and what came of it was kept.
    compile_kept: bool,
    /// Why it cannot be loaded.
    problem: Option<String>,
    signatures: Vec<Signature>,
}

/// A kind that it serves.
#[derive(Debug, Serialize)]
struct Kind {
    kind: String,
    options: usize,
    slots: Vec<String>,
}

/// A signature that is kept with it.
#[derive(Debug, Serialize)]
struct Signature {
    /// Publishers and people of the workspace whose signature is good and is about this component.
    by: Vec<String>,
    /// The keys that it names.
    keys: Vec<String>,
    /// Why it counts for nothing.
    problem: Option<String>,
}

/// Looks.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let subject = if arguments.plugin.starts_with(SCHEME) {
        fetched(context, &arguments.plugin)?
    } else {
        here(reference::resolve(context, &arguments.plugin)?)?
    };
    let working = context.working("loading the plugin");
    let inspected = inspect(context, &subject)?;
    drop(working);
    let is_sound = inspected.problem.is_none() && inspected.manifest_problems.is_empty();
    let answer = Answer::new(&inspected, page(&inspected))?;
    Ok(if is_sound { answer } else { answer.exit(Exit::Failed) })
}

/// What a reference into a registry begins with.
const SCHEME: &str = "oci://";

/// What is looked at.
struct Subject {
    name: String,
    bytes: Vec<u8>,
    /// Signatures that are kept with it.
    signatures: Vec<Vec<u8>>,
    /// Where it was fetched: as it was named, and pinned.
    from: Option<(Reference, Reference)>,
}

/// A component of this machine, with the signature that lies beside it.
fn here(found: Found) -> Result<Subject, Failure> {
    let Found { name, path, bytes } = found;
    let path = path.with_extension("sig.json");
    let signatures = if path.is_file() { vec![input::file(&path, MOST_SIGNATURE)?] } else { Vec::new() };
    Ok(Subject { name, bytes, signatures, from: None })
}

/// What a registry has. Nothing of it is kept.
fn fetched(context: &Context, named: &str) -> Result<Subject, Failure> {
    let from: Reference = named.parse().map_err(|error: NotAReference| {
        Failure::usage(error.to_string(), "name one such as `oci://registry.example/acme/orders-db:1.2.0`")
    })?;
    let Artefact { component: bytes, signatures, source, .. } = installed::brought(context, &from)?;
    Ok(Subject { name: named.to_owned(), bytes, signatures, from: Some((from, source)) })
}

fn inspect(context: &Context, subject: &Subject) -> Result<Inspected, Failure> {
    let Subject { name, bytes, signatures, from } = subject;
    let digest = Digest::of(bytes);
    let host = host(context)?;
    let loaded = host.load(name, bytes);
    let mut manifest_problems = Vec::new();
    let manifest = Manifest::read(bytes).unwrap_or_else(|error| {
        // That the bytes are no component is said once.
        if !matches!(error, ManifestError::NotAComponent(_)) {
            manifest_problems.push(error.to_string());
        }
        None
    });
    if let (Some(manifest), Ok(plugin)) = (&manifest, &loaded) {
        manifest_problems.extend(manifest.lies(plugin));
    }
    if let Some((from, _)) = from {
        let says = manifest.as_ref().map(|manifest| manifest.version.as_str());
        manifest_problems.extend(installed::mistagged(from, says));
    }
    let (world, kinds, problem) = match &loaded {
        Ok(plugin) => (
            Some(if plugin.has_probe() { World::DataSourceWithProbe } else { World::DataSource }),
            plugin.describe().iter().map(Kind::of).collect(),
            None,
        ),
        Err(error) => (None, Vec::new(), Some(error.reason.to_string())),
    };
    Ok(Inspected {
        name: name.clone(),
        from: from.as_ref().map(|(_, pinned)| pinned.to_string()),
        digest,
        bytes: bytes.len(),
        manifest,
        manifest_problems,
        imports: imports(bytes),
        world,
        kinds,
        compile_ns: loaded
            .as_ref()
            .ok()
            .map(|plugin| u64::try_from(plugin.compile_time().as_nanos()).unwrap_or(u64::MAX)),
        compile_kept: is_kept(&host),
        problem,
        signatures: told(context, signatures, digest),
    })
}

impl Kind {
    fn of(description: &KindDescription) -> Self {
        Self {
            kind: description.kind.to_string(),
            options: description.options.len(),
            slots: description.slots.iter().map(|slot| slot.rule.name.to_string()).collect(),
        }
    }
}

/// The names of what a component imports, in order. Of what is no component there are none; loading
/// says so.
pub(super) fn imports(component: &[u8]) -> Vec<String> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                found.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

/// What signatures say of a component, held against those whom the workspace here knows.
fn told(context: &Context, signatures: &[Vec<u8>], digest: Digest) -> Vec<Signature> {
    // A configuration that is not sound yet names nobody.
    let known: Vec<(String, PublicKey)> = match reference::configuration(context) {
        Err(_) | Ok(None) => Vec::new(),
        Ok(Some((_, config))) => {
            let publishers =
                config.publishers.iter().map(|(name, key)| (format!("publisher `{name}`"), *key));
            let people = config.people.iter().map(|(name, person)| (format!("`{name}`"), person.key));
            publishers.chain(people).collect()
        }
    };
    signatures.iter().map(|envelope| judged(envelope, digest, &known)).collect()
}

/// What a signature says of a component.
fn judged(envelope: &[u8], digest: Digest, known: &[(String, PublicKey)]) -> Signature {
    let none = |problem: String| Signature { by: Vec::new(), keys: Vec::new(), problem: Some(problem) };
    let envelope = match Envelope::parse(envelope) {
        Ok(envelope) => envelope,
        Err(error) => return none(error.to_string()),
    };
    let named: Vec<String> = envelope.signatures().iter().map(|signature| signature.keyid.clone()).collect();
    let keys: Vec<PublicKey> = known.iter().map(|(_, key)| *key).collect();
    let (by, problem) = match envelope.verify(&keys) {
        Ok(signed) if signed.statement.subject.iter().any(|subject| subject.digest == digest) => {
            let is_signer = |(_, key): &&(String, PublicKey)| signed.signers.contains(key);
            (known.iter().filter(is_signer).map(|(name, _)| name.clone()).collect(), None)
        }
        Ok(_) => (Vec::new(), Some("it is about another component".to_owned())),
        // Nobody is known where there is no workspace: then only what it is about can be said.
        Err(_) if known.is_empty() && !is_about(envelope.payload(), digest) => {
            (Vec::new(), Some("it is about another component".to_owned()))
        }
        Err(_) if known.is_empty() => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Signature { by, keys: named, problem }
}

/// Whether a statement that nobody vouches for names the digest.
fn is_about(payload: &[u8], digest: Digest) -> bool {
    let Ok(statement) = json::read(payload, payload.len()) else { return false };
    let subjects = statement.get("subject").and_then(Value::as_array);
    let names = |subject: &Value| {
        subject.pointer("/digest/sha256").and_then(Value::as_str) == Some(digest.hex().as_str())
    };
    subjects.is_some_and(|subjects| subjects.iter().any(names))
}

fn page(inspected: &Inspected) -> Page {
    let mut page = Page::new();
    match &inspected.manifest {
        Some(manifest) => {
            page.heading(format!("{} {}", manifest.name, manifest.version));
            page.line(&manifest.description);
            page.gap();
            page.line(format!("publisher  {}, as it says of itself", manifest.publisher));
            page.line(format!("licence    {}", manifest.licence));
            page.line(format!("needs      Sluice {} or later", manifest.minimum_host));
        }
        None => {
            page.heading(&inspected.name).gap().line("manifest   none");
        }
    }
    if let Some(from) = &inspected.from {
        page.line(format!("from       {from}"));
    }
    page.line(format!("digest     {}", inspected.digest));
    page.line(format!("size       {}", amount::bytes(inspected.bytes as u64)));
    if let Some(nanos) = inspected.compile_ns {
        let before = if inspected.compile_kept { " before, and kept: it took" } else { " in" };
        page.line(format!("compiled  {before} {}", amount::time(Duration::from_nanos(nanos))));
    }
    if inspected.signatures.is_empty() {
        let looked =
            if inspected.from.is_some() { "the registry has none" } else { "no `.sig.json` lies beside it" };
        page.styled(Style::Quiet, format!("signed     by nobody: {looked}"));
    }
    for signature in &inspected.signatures {
        signature_line(&mut page, signature);
    }
    if let Some(world) = inspected.world {
        page.line(format!("world      {world}"));
    }
    let imports =
        if inspected.imports.is_empty() { "nothing".to_owned() } else { inspected.imports.join(", ") };
    page.line(format!("imports    {imports}"));
    if let Some(manifest) = &inspected.manifest {
        page.heading("WHAT IT CAN DO");
        for capability in &manifest.capabilities {
            page.line(format!("  {capability}"));
        }
    }
    if !inspected.kinds.is_empty() {
        page.gap();
        let mut rows = Rows::new(&["KIND", "OPTIONS", "SECRETS"]);
        for kind in &inspected.kinds {
            rows.row([kind.kind.clone(), kind.options.to_string(), kind.slots.join(", ")]);
        }
        rows.onto(&mut page, "");
    }
    if let Some(problem) = &inspected.problem {
        page.gap().styled(Style::Bad, format!("it cannot be loaded: {problem}"));
    }
    if !inspected.manifest_problems.is_empty() {
        page.gap().styled(Style::Bad, "its manifest is not to be believed");
        for problem in &inspected.manifest_problems {
            page.line(format!("  {problem}"));
        }
    }
    page
}

fn signature_line(page: &mut Page, signature: &Signature) {
    match signature {
        Signature { problem: Some(problem), .. } => page.styled(Style::Bad, format!("signed     {problem}")),
        Signature { by, keys, .. } if by.is_empty() => {
            let keys = keys.join("`, `");
            page.styled(
                Style::Notice,
                format!("signed     by the key `{keys}`, which nobody here is known by"),
            )
        }
        Signature { by, .. } => page.styled(Style::Good, format!("signed     by {}", by.join(", "))),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use sluice_ledger::{KeyPair, Statement, Subject};

    use super::*;

    fn pair(seed: u8) -> KeyPair {
        KeyPair::from_seed(&zeroize::Zeroizing::new([seed; 32]))
    }

    #[test]
    fn a_signature_counts_where_its_key_is_known_and_it_is_about_the_component() {
        let (this, other) = (Digest::of(b"this"), Digest::of(b"other"));
        let signed = |key: &KeyPair, digest: Digest| {
            let subject = vec![Subject { name: "plugin/orders".to_owned(), digest }];
            let predicate_type = "https://sluice.dev/plugin-release/v1".to_owned();
            Statement { subject, predicate_type, predicate: Map::new() }.sign(key).to_json()
        };
        let known = [("publisher `acme`".to_owned(), pair(1).public())];
        let nobody: [(String, PublicKey); 0] = [];
        for (envelope, known, by, problem) in [
            (signed(&pair(1), this), &known[..], vec!["publisher `acme`"], None),
            (signed(&pair(1), other), &known[..], vec![], Some("about another component")),
            (signed(&pair(2), this), &known[..], vec![], Some("nobody who is known")),
            (signed(&pair(2), this), &nobody[..], vec![], None),
            (signed(&pair(2), other), &nobody[..], vec![], Some("about another component")),
            (b"{}".to_vec(), &nobody[..], vec![], Some("not a signed statement")),
        ] {
            let judged = judged(&envelope, this, known);
            assert_eq!(judged.by, by);
            let told = judged.problem.unwrap_or_default();
            assert!(
                told.contains(problem.unwrap_or_default()) && told.is_empty() == problem.is_none(),
                "{told}"
            );
        }
    }

    #[test]
    fn what_inner_parts_import_is_not_the_components() {
        let names = |bytes: &[u8]| imports(bytes);
        assert!(names(b"\0asm\x0d\0\x01\0").is_empty());
        assert!(names(b"no component").is_empty());
    }
}
