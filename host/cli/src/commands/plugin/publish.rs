//! `sluice plugin publish`: a plugin, signed, to where others install it from.

use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_distribution::{Reference, Release, World, publish};
use sluice_engine::config::{BadText, PublisherName};
use sluice_engine::evidence::{PluginPredicate, Release as Said, plugin_subject};
use sluice_ledger::keyfile;
use sluice_ledger::statement::Statement;
use sluice_model::Digest;
use sluice_plugin::Host;
use sluice_plugin::manifest::Manifest;

use super::installed::{access, failed};
use super::project::Project;
use super::reference::{self, Found};
use super::{build, host};
use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::Page;

const EXAMPLES: &str = "\
Examples:
  sluice plugin publish . oci://registry.example/acme/orders-db:1.2.0 --key ~/keys/acme.key
  sluice plugin publish . dist/ --key ~/keys/acme.key

A project is built first where one of its files is younger than its component.
The component is signed with the key, which `sluice key new` makes; who installs it needs its
public part as a `[[publisher]]` of the name that the manifest says. A folder, which is there or
whose path ends with `/`, takes NAME.wasm, NAME.sig.json and NAME.manifest.json of the plugin's
name.";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A component or a plugin's project.
    #[arg(value_name = "FILE|PATH")]
    plugin: String,
    /// Where it goes: oci://REGISTRY/NAME:VERSION, a folder as in dist/, or a file NAME.wasm.
    #[arg(value_name = "REF")]
    to: Reference,
    /// The file of the publisher's key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Signs and publishes.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let host = host(context)?;
    let found = found(context, &host, &arguments.plugin)?;
    let manifest = Manifest::read(&found.bytes)
        .map_err(|error| Failure::usage(error.to_string(), "build it again with `sluice plugin build`"))?
        .ok_or_else(|| {
            Failure::usage(
                format!("`{}` has no manifest", found.path.display()),
                "put one into it with `sluice plugin build`",
            )
        })?;
    if let Some(tag) = arguments.to.tag().filter(|tag| tag.as_str() != manifest.version) {
        return Err(Failure::usage(
            format!(
                "the manifest says version {}, and it would be published as `{}`",
                manifest.version,
                tag.as_str()
            ),
            format!("name it `:{}`, or build another version", manifest.version),
        ));
    }
    let publisher: PublisherName = manifest.publisher.parse().map_err(|error: BadText| {
        Failure::usage(
            format!("its manifest's `publisher` is none that others can trust: {error}"),
            "correct it in `sluice-plugin.toml`, and build it again",
        )
    })?;
    let access = access()?;
    let to = arguments.to.for_plugin(&manifest.name, &access.folder).ok_or_else(|| {
        let written = &arguments.to;
        Failure::usage(
            format!("there is no folder `{written}`"),
            format!("write `{written}/` to have it made, or `{written}.wasm` for files of that name"),
        )
    })?;
    // What cannot be loaded, or says of itself what is not so, is not published.
    let plugin =
        host.load(&found.name, &found.bytes).map_err(|error| Failure::failed(error.to_string(), ""))?;
    if let Some(lie) = manifest.lies(&plugin).first() {
        return Err(Failure::failed(
            format!("its manifest is wrong: {lie}"),
            "build it again with `sluice plugin build`",
        ));
    }
    let key = keyfile::read(&arguments.key)?;
    let digest = Digest::of(&found.bytes);
    let now = context.ambient().now();
    let said = PluginPredicate::Release(Said { version: manifest.version.clone(), said_at: now });
    let statement = Statement {
        subject: vec![plugin_subject(&manifest.name, digest)],
        predicate_type: said.predicate_type().to_owned(),
        predicate: said.to_predicate(),
    };
    let release = Release {
        signature: Some(statement.sign(&key).to_json()),
        manifest: Some(manifest.to_json().map_err(|error| Failure::failed(error.to_string(), ""))?),
        world: World {
            exports: Vec::new(),
            imports: super::inspect::imports(&found.bytes),
            target: Some(format!("sluice:plugin/{}@1.0.0", manifest.world)),
        },
        created: now,
        component: found.bytes,
    };
    let working = context.working("publishing");
    let pinned = publish(&release, &to, &access).map_err(failed)?;
    drop(working);
    let mut page = Page::new();
    page.line(format!("published {} {} as {pinned}", manifest.name, manifest.version));
    page.line(format!("digest:    {digest}"));
    page.line(format!("publisher: {publisher} {}", key.public()));
    let files = pinned.files();
    for file in &files {
        page.line(format!("wrote:     {file}"));
    }
    let data = json!({
        "name": manifest.name, "version": manifest.version, "digest": digest, "reference": pinned.to_string(),
        "publisher": publisher, "key": key.public().to_string(), "files": files,
    });
    let answer = Answer::new(&data, page)?;
    Ok(answer.hint(format!(
        "\nOthers install it with\n  sluice plugin install {pinned}\nwhere their `sluice.toml` says\n\n[[publisher]]\nname = \
         \"{publisher}\"\nkey = \"{}\"",
        key.public()
    )))
}

/// The component that is meant. A project's is built first where one of its files is younger: what was
/// built before is not what its manifest and sources say now.
fn found(context: &Context, host: &Host, named: &str) -> Result<Found, Failure> {
    let path = Path::new(named);
    if !Project::is_at(path) {
        return reference::resolve(context, named);
    }
    let project = Project::read(path)?;
    let bytes = build::made(context, host, &project)?;
    Ok(Found { name: project.card.name.clone(), path: project.component(), bytes })
}
