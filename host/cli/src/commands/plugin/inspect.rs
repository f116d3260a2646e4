//! `sluice plugin inspect`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sluice_ledger::{Envelope, PublicKey};
use sluice_model::{Digest, json};
use sluice_plugin::KindDescription;
use sluice_plugin::manifest::{Manifest, ManifestError, World};
use wasmparser::{Parser, Payload};

use super::reference::{self, Found};
use super::{host, is_kept};
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

A signature is looked for in the file NAME.sig.json beside the component.
Ends with exit code 1 where the plugin cannot be loaded here, or its manifest says what is not so.";

/// Bytes of a signature that are read: a statement of some lines in base64.
const MOST_SIGNATURE: u64 = 1 << 20;

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A component, a plugin's project, or a plugin of the workspace.
    #[arg(value_name = "FILE|NAME")]
    plugin: String,
}

/// What a plugin is.
#[derive(Debug, Serialize)]
struct Inspected {
    name: String,
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
    /// Nanoseconds that compiling and describing took; none where it was compiled before.
    compile_ns: Option<u64>,
    /// Why it cannot be loaded.
    problem: Option<String>,
    signature: Option<Signature>,
}

/// A kind that it serves.
#[derive(Debug, Serialize)]
struct Kind {
    kind: String,
    options: usize,
    slots: Vec<String>,
}

/// A signature that lies beside it.
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
    let found = reference::resolve(context, &arguments.plugin)?;
    let working = context.working("loading the plugin");
    let inspected = inspect(context, &found)?;
    drop(working);
    let is_sound = inspected.problem.is_none() && inspected.manifest_problems.is_empty();
    let answer = Answer::new(&inspected, page(&inspected))?;
    Ok(if is_sound { answer } else { answer.exit(Exit::Failed) })
}

fn inspect(context: &Context, found: &Found) -> Result<Inspected, Failure> {
    let Found { name, path, bytes } = found;
    let digest = Digest::of(bytes);
    let clock = context.stopwatch();
    let host = host(context)?;
    let began = clock();
    let loaded = host.load(name, bytes);
    let took = clock().saturating_sub(began);
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
        digest,
        bytes: bytes.len(),
        manifest,
        manifest_problems,
        imports: imports(bytes),
        world,
        kinds,
        compile_ns: (loaded.is_ok() && !is_kept(&host))
            .then(|| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        problem,
        signature: signature(context, path, digest)?,
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

/// The signature that lies beside a component, held against those whom the workspace here knows.
fn signature(context: &Context, component: &Path, digest: Digest) -> Result<Option<Signature>, Failure> {
    let path = component.with_extension("sig.json");
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = input::file(&path, MOST_SIGNATURE)?;
    // A configuration that is not sound yet names nobody.
    let known = match reference::configuration(context) {
        Err(_) | Ok(None) => Vec::new(),
        Ok(Some((_, config))) => {
            let publishers =
                config.publishers.iter().map(|(name, key)| (format!("publisher `{name}`"), *key));
            let people = config.people.iter().map(|(name, person)| (format!("`{name}`"), person.key));
            publishers.chain(people).collect()
        }
    };
    Ok(Some(judged(&bytes, digest, &known)))
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
    page.line(format!("digest     {}", inspected.digest));
    page.line(format!("size       {}", amount::bytes(inspected.bytes as u64)));
    match (inspected.compile_ns, &inspected.problem) {
        (Some(nanos), _) => {
            page.line(format!("compiled   in {}", amount::time(Duration::from_nanos(nanos))));
        }
        (None, None) => {
            page.styled(
                Style::Quiet,
                "compiled   before, and kept; `sluice plugin bench --fresh` measures it",
            );
        }
        (None, Some(_)) => {}
    }
    signature_line(&mut page, inspected.signature.as_ref());
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

fn signature_line(page: &mut Page, signature: Option<&Signature>) {
    match signature {
        None => page.styled(Style::Quiet, "signed     by nobody: no `.sig.json` lies beside it"),
        Some(Signature { problem: Some(problem), .. }) => {
            page.styled(Style::Bad, format!("signed     {problem}"))
        }
        Some(Signature { by, keys, .. }) if by.is_empty() => {
            let keys = keys.join("`, `");
            page.styled(
                Style::Notice,
                format!("signed     by the key `{keys}`, which nobody here is known by"),
            )
        }
        Some(Signature { by, .. }) => page.styled(Style::Good, format!("signed     by {}", by.join(", "))),
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
