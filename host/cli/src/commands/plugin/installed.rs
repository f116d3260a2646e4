//! `sluice plugin install`, `list`, `upgrade` and `remove`: the plugins of a workspace.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;
use sluice_distribution::{Access, Artefact, Credentials, Limits as Bounds, Reference, Tag, fetch, tags};
use sluice_engine::config::PluginName;
use sluice_engine::install::{Differences, Incoming, Installed, Prepared, prepare, remove};
use sluice_engine::lock::{Lock, Locked};
use sluice_engine::upgrade::{ChangedSource, Impact, Promotion};
use sluice_model::Digest;
use sluice_plugin::Limits;
use sluice_plugin::manifest::Manifest;
use sluice_policy::facts::Plugin;

use super::{host, reference};
use crate::answer::Answer;
use crate::context::{Context, variable};
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style, counted};
use crate::show;
use crate::table::Rows;

/// The variables with which one signs in to a registry: which one, as whom, and with what.
const REGISTRY_VARIABLES: [&str; 3] = ["SLUICE_REGISTRY", "SLUICE_REGISTRY_USER", "SLUICE_REGISTRY_PASSWORD"];

/// What is said where nothing is written.
const DRY: &str = "would upgrade";

/// Promotions that are shown one by one, and data sources of each.
const MOST_PROMOTIONS: usize = 20;
const MOST_SOURCES: usize = 20;

/// Bytes of docker's configuration that are read.
const MOST_CONFIG: u64 = 1 << 20;

const INSTALL: &str = "\
Examples:
  sluice plugin install oci://registry.example/acme/orders-db:1.2.0
  sluice plugin install build/orders-db.wasm --vouch 'built by ourselves'

A plugin is taken if a `[[publisher]]` of sluice.toml signed it, or if you say with --vouch why it
is taken without. It counts once adopted. Where a registry wants a password, it is docker's, or that
of the variables SLUICE_REGISTRY, SLUICE_REGISTRY_USER and SLUICE_REGISTRY_PASSWORD.";

/// What is typed for `install`.
#[derive(Debug, clap::Args)]
#[command(after_help = INSTALL)]
pub(crate) struct Install {
    /// Where the plugin is: a file, a folder, or oci://REGISTRY/NAME:VERSION.
    #[arg(value_name = "FILE|REF")]
    from: Reference,
    /// What the workspace calls it [default: what its manifest says, else the file's name].
    #[arg(long)]
    name: Option<PluginName>,
    /// Why it is taken without the signature of an allowed publisher.
    #[arg(long, value_name = "REASON")]
    vouch: Option<String>,
}

/// What is typed for `upgrade`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sluice plugin upgrade orders-db\n  sluice plugin upgrade orders-db oci://registry.example/acme/orders-db:1.3.0\n  sluice plugin upgrade orders-db build/orders-db.wasm --dry-run\n\nSays what differs in what the plugin describes, and which data sources of which promotions would\ncome out otherwise: of each app and environment the version that would be promoted next, and the one\nthat was promoted last."
)]
pub(crate) struct Upgrade {
    /// The plugin.
    name: PluginName,
    /// Where the new version is [default: the newest where the plugin came from].
    #[arg(value_name = "FILE|REF")]
    to: Option<Reference>,
    /// Why it is taken without the signature of an allowed publisher.
    #[arg(long, value_name = "REASON")]
    vouch: Option<String>,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
}

/// What is typed for `remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sluice plugin remove orders-db")]
pub(crate) struct Remove {
    /// The plugin.
    name: PluginName,
}

/// Puts a plugin into the workspace.
pub(super) fn run_install(context: &Context, arguments: &Install) -> Result<Answer, Failure> {
    let Install { from, name, vouch } = arguments;
    let artefact = fetched(context, from)?;
    let name = match name {
        Some(name) => name.clone(),
        None => name_of(&artefact, from)?,
    };
    // What takes the place of another says what that changes.
    if let Some(there) = Lock::read(&folder(context)?)?.0.get(&name)
        && there.digest != artefact.digest
    {
        return Err(Failure::usage(
            format!("`{name}` is installed already, with another component"),
            format!(
                "put this one in its place with `sluice plugin upgrade {name} {from}`, or give it another `--name`"
            ),
        ));
    }
    let installed = prepared(context, &name, artefact, vouch.clone())?.put()?;
    told(&installed, "installed", None)
}

/// Puts another version in place of the one that is there.
pub(super) fn run_upgrade(context: &Context, arguments: &Upgrade) -> Result<Answer, Failure> {
    let Upgrade { name, to, vouch, dry_run } = arguments;
    let folder = folder(context)?;
    let lock = Lock::read(&folder)?;
    let Some(locked) = lock.0.get(name) else {
        return Err(Failure::usage(
            format!("there is no plugin `{name}` in `sluice.lock`"),
            "see what is there with `sluice plugin list`",
        ));
    };
    let from = match to {
        Some(to) => to.clone(),
        None => newest(context, name, &locked.source)?,
    };
    let artefact = fetched(context, &from)?;
    if artefact.digest == locked.digest {
        let mut page = Page::new();
        page.line(format!(
            "{name} is {} already: {}",
            locked.version.as_deref().unwrap_or("-"),
            locked.digest
        ));
        return Answer::new(&json!({ "name": name, "changed": false, "digest": locked.digest }), page);
    }
    // Why the last one was taken unsigned is no reason for the next.
    let component = artefact.component.clone();
    let prepared = prepared(context, name, artefact, vouch.clone())?;
    if to.is_none() {
        refuse_older(name, locked, &prepared.installed.locked)?;
    }
    // Before anything is written: what cannot be told must not be found out afterwards.
    let impact = impact(context, name, &component)?;
    if *dry_run {
        return told(&prepared.installed, DRY, Some(&impact));
    }
    told(&prepared.put()?, "upgraded", Some(&impact))
}

/// Refuses a version that is lower than the one that is there, where nobody asked for it: who keeps a
/// registry could put an old one, with its holes, in place of a new one.
fn refuse_older(name: &PluginName, before: &Locked, after: &Locked) -> Result<(), Failure> {
    let version = |locked: &Locked| locked.version.as_deref()?.parse::<semver::Version>().ok();
    match (version(before), version(after)) {
        (Some(old), Some(new)) if new < old => Err(Failure::usage(
            format!("`{}` has version {new} of `{name}`, and here is {old}", after.source),
            format!("if that is meant, say so: `sluice plugin upgrade {name} {}`", after.source),
        )),
        _ => Ok(()),
    }
}

/// What an upgrade would change in plans; or why that cannot be told.
fn impact(context: &Context, name: &PluginName, component: &[u8]) -> Result<Result<Impact, String>, Failure> {
    if !context.has_store() {
        return Ok(Err("this workspace has no store here, and so no plans".to_owned()));
    }
    let workspace = context.open()?;
    if workspace.adopted().is_err() {
        return Ok(Err("nothing was adopted yet".to_owned()));
    }
    let working = context.working("rendering data sources");
    let impact = workspace.impact(name, component)?;
    drop(working);
    Ok(Ok(impact))
}

/// Takes a plugin out of the workspace.
pub(super) fn run_remove(context: &Context, arguments: &Remove) -> Result<Answer, Failure> {
    let name = &arguments.name;
    remove(&folder(context)?, name)?;
    let mut page = Page::new();
    page.line(format!("removed {name}"));
    let answer = Answer::new(&json!({ "name": name, "removed": true }), page)?;
    Ok(answer.hint("It counts once an owner has adopted it:\n  sluice config adopt"))
}

/// Lists the plugins of the workspace as its files have them.
pub(super) fn run_list(context: &Context) -> Result<Answer, Failure> {
    let Some((folder, config)) = reference::configuration(context)? else {
        return Err(no_workspace());
    };
    let lock = Lock::read(&folder)?;
    // What people say of them stands in the store, where there is one.
    let told = context.open().ok().and_then(|workspace| workspace.told_of_plugins().ok()).unwrap_or_default();
    let now = context.ambient().now();
    let mut rows = Rows::new(&["NAME", "VERSION", "DIGEST", "KINDS", "TRUSTED BY", "CERTIFIED", "FROM"]);
    let mut data = Vec::new();
    for (name, configured) in &config.plugins {
        let path = folder.join(&configured.path);
        let bytes = input::file(&path, Limits::default().component_bytes as u64)?;
        let digest = Digest::of(&bytes);
        let locked = lock.0.get(name);
        let manifest = Manifest::read(&bytes).ok().flatten();
        let kinds = manifest.as_ref().map(|manifest| manifest.kinds.len());
        let trust = match locked {
            None => "nobody: it is not in sluice.lock".to_owned(),
            Some(locked) if locked.digest != digest => "nobody: sluice.lock has another".to_owned(),
            Some(locked) => locked.why(),
        };
        let version = locked.and_then(|locked| locked.version.clone());
        let told = told.iter().find(|told| told.digest == digest);
        rows.row([
            name.to_string(),
            version.clone().unwrap_or_else(|| "-".to_owned()),
            digest.short().to_string(),
            kinds.map_or_else(|| "-".to_owned(), |kinds| kinds.to_string()),
            trust.clone(),
            certified(told, now),
            locked.map_or_else(|| "-".to_owned(), |locked| locked.source.clone()),
        ]);
        data.push(json!({
            "name": name, "version": version, "digest": digest, "path": configured.path,
            "kinds": manifest.map(|manifest| manifest.kinds), "trusted": trust,
            "source": locked.map(|locked| &locked.source),
            "certified_by": told.and_then(|told| told.certified_by.clone()),
            "certified_until": told.and_then(|told| told.certified_until),
            "revoked": told.is_some_and(|told| told.is_revoked),
        }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "there are no plugins; put one here with `sluice plugin install`");
    Answer::new(&data, page)
}

/// Until when somebody certifies a plugin, in words.
fn certified(told: Option<&Plugin>, now: Timestamp) -> String {
    match told {
        Some(told) if told.is_revoked => "revoked".to_owned(),
        Some(Plugin { certified_by: Some(by), certified_until: Some(until), .. }) => {
            let ended = if *until <= now { " (over)" } else { "" };
            format!("until {}{ended}, by {by}", until.strftime("%Y-%m-%d"))
        }
        _ => "-".to_owned(),
    }
}

fn prepared(
    context: &Context,
    name: &PluginName,
    artefact: Artefact,
    vouched: Option<String>,
) -> Result<Prepared, Failure> {
    let folder = folder(context)?;
    let working = context.working("loading the plugin");
    let incoming = Incoming {
        component: artefact.component,
        signatures: artefact.signatures,
        source: artefact.source.to_string(),
        vouched,
    };
    // What is compiled now the workspace does not compile again. Whose keys are not here changes its files
    // all the same.
    let workspace = if context.has_store() { context.open().ok() } else { None };
    let prepared = match workspace {
        Some(workspace) => workspace.prepare_plugin(name, incoming)?,
        None => prepare(&folder, &host(context)?, name, incoming)?,
    };
    drop(working);
    Ok(prepared)
}

fn told(
    installed: &Installed,
    done: &str,
    impact: Option<&Result<Impact, String>>,
) -> Result<Answer, Failure> {
    let Installed { name, locked, before, differences, manifest } = installed;
    let mut page = Page::new();
    let version = locked.version.as_deref().unwrap_or("-");
    page.line(format!("{done} {name} {version}"));
    page.line(format!("digest:   {}", locked.digest));
    page.line(format!("from:     {}", locked.source));
    page.line(format!("trusted:  {}", locked.why()));
    if let Some(manifest) = manifest {
        page.line(format!("licence:  {}", manifest.licence));
        page.line(format!("kinds:    {}", manifest.kinds.join(", ")));
        for capability in &manifest.capabilities {
            page.line(format!("          {capability}"));
        }
    } else {
        page.styled(Style::Notice, "it has no manifest: nothing is known of it but what it describes");
    }
    if let Some(before) = before.as_ref().filter(|before| before.digest != locked.digest) {
        page.gap();
        page.line(format!("before:   {} {}", before.version.as_deref().unwrap_or("-"), before.digest));
        match differences {
            Differences::Known(found) => {
                for difference in found {
                    page.line(format!("          {difference}"));
                }
                if found.is_empty() {
                    page.line("          what it describes is the same");
                }
            }
            Differences::Unknown(why) => {
                page.styled(Style::Notice, format!("          what differs is not known: {why}"));
            }
        }
    }
    match impact {
        None => {}
        Some(Err(why)) => {
            page.gap().styled(Style::Quiet, format!("what plans it changes is not known: {why}"));
        }
        Some(Ok(impact)) => tell_impact(&mut page, impact),
    }
    let (differences, unknown) = match differences {
        Differences::Known(found) => (Some(found), None),
        Differences::Unknown(why) => (None, Some(why)),
    };
    let data = json!({
        "name": name, "version": locked.version, "digest": locked.digest, "source": locked.source,
        "publisher": locked.publisher, "vouched": locked.vouched, "differences": differences,
        "differences_unknown": unknown, "before": before.as_ref().map(|before| before.digest),
        "manifest": manifest,
        "impact": impact.and_then(|impact| impact.as_ref().ok()),
    });
    let answer = Answer::new(&data, page)?;
    if done == DRY {
        return Ok(answer.hint("Nothing was written."));
    }
    Ok(answer.hint(
        "It counts once an owner has adopted it; plans that it changes get another digest then and want new approvals:\n  \
         sluice config diff\n  sluice config adopt",
    ))
}

/// Says which data sources would come out otherwise.
fn tell_impact(page: &mut Page, impact: &Impact) {
    let looked = counted(impact.promotions.len(), "promotion has", "promotions have");
    page.heading("WHAT PLANS IT CHANGES");
    if impact.promotions.is_empty() {
        page.line("no promotion has data sources of it");
        return;
    }
    if impact.is_nothing() {
        page.styled(Style::Good, format!("{looked} data sources of it, and all come out the same"));
        return;
    }
    let changed: Vec<&Promotion> =
        impact.promotions.iter().filter(|promotion| !promotion.changed.is_empty()).collect();
    page.styled(
        Style::Notice,
        format!("{looked} data sources of it; in {} some come out otherwise", changed.len()),
    );
    for promotion in changed.iter().take(MOST_PROMOTIONS) {
        let Promotion { app_name, version, from, to, is_there, changed, same, .. } = promotion;
        let there = if *is_there { ", which was promoted already" } else { "" };
        page.gap().line(format!("{app_name} {version}, {from} -> {to}{there}"));
        for source in changed.iter().take(MOST_SOURCES) {
            tell_source(page, source);
        }
        if changed.len() > MOST_SOURCES {
            page.styled(Style::Quiet, format!("  … and {} more", changed.len() - MOST_SOURCES));
        }
        if *same > 0 {
            page.styled(
                Style::Quiet,
                format!("  the same: {}", counted(*same, "data source", "data sources")),
            );
        }
    }
    if changed.len() > MOST_PROMOTIONS {
        page.styled(
            Style::Quiet,
            format!("… and {} more; `-o json` has all", changed.len() - MOST_PROMOTIONS),
        );
    }
}

fn tell_source(page: &mut Page, source: &ChangedSource) {
    let ChangedSource { name, kind, options, slots, traits, problems, solved, .. } = source;
    page.line(format!("  {name} ({kind})"));
    for (what, differs) in [("options", options), ("secrets", slots), ("traits", traits)] {
        if !differs.is_empty() {
            page.line(format!("    {what}"));
            show::changes(page, differs);
        }
    }
    for problem in problems {
        page.styled(Style::Bad, format!("    new: {}: {}", problem.code, problem.message));
        page.line(format!("      fix: {}", problem.fix));
    }
    for problem in solved {
        page.styled(Style::Good, format!("    solved: {}: {}", problem.code, problem.message));
    }
}

fn fetched(context: &Context, from: &Reference) -> Result<Artefact, Failure> {
    let artefact = brought(context, from)?;
    let manifest = Manifest::read(&artefact.component).ok().flatten();
    match mistagged(from, manifest.as_ref().map(|manifest| manifest.version.as_str())) {
        None => Ok(artefact),
        Some(why) => {
            Err(Failure::failed(why, "ask its publisher which of the two is right, or name it by its digest"))
        }
    }
}

/// What lies where a reference leads, as it is.
pub(super) fn brought(context: &Context, from: &Reference) -> Result<Artefact, Failure> {
    let working = context.working("fetching the plugin");
    let artefact = fetch(from, &access()?).map_err(failed)?;
    drop(working);
    Ok(artefact)
}

/// Whether a version is tagged that its manifest does not say, in words. `publish` puts a component under
/// its own version: under another's tag is no mistake of its maker.
pub(super) fn mistagged(from: &Reference, says: Option<&str>) -> Option<String> {
    let version = |text: &str| text.parse::<semver::Version>().ok();
    let tagged = from.tag().and_then(|tag| version(tag.as_str()));
    let (tag, says) = tagged.zip(says.and_then(version)).filter(|(tag, says)| tag != says)?;
    Some(format!("`{from}` is tagged {tag}, and its manifest says {says}"))
}

/// The newest version where a plugin came from, as Semantic Versioning orders them.
fn newest(context: &Context, name: &PluginName, source: &str) -> Result<Reference, Failure> {
    let nowhere = || {
        Failure::usage(
            format!("`{name}` came from `{source}`, where no newer version can be looked for"),
            format!("say where it is with `sluice plugin upgrade {name} FILE|REF`"),
        )
    };
    let from: Reference = source.parse().map_err(|_| nowhere())?;
    if from.registry().is_none() {
        return Ok(from.unpinned());
    }
    let working = context.working("asking for versions");
    let known = tags(&from, &access()?).map_err(failed)?;
    drop(working);
    let versions: BTreeMap<semver::Version, Tag> =
        known.into_iter().filter_map(|tag| Some((tag.as_str().parse().ok()?, tag))).collect();
    // A version before the release of one is for who asks for it.
    let newest = versions.into_iter().rev().find(|(version, _)| version.pre.is_empty());
    newest.and_then(|(_, tag)| from.at(tag)).ok_or_else(nowhere)
}

/// What the workspace calls a plugin where nobody says.
fn name_of(artefact: &Artefact, from: &Reference) -> Result<PluginName, Failure> {
    let said = Manifest::read(&artefact.component).ok().flatten().map(|manifest| manifest.name);
    let text = from.to_string();
    let last = text.rsplit(['/', '\\']).next().unwrap_or(&text);
    let bare = last.split([':', '@']).next().unwrap_or(last);
    let name = said.unwrap_or_else(|| bare.strip_suffix(".wasm").unwrap_or(bare).to_owned());
    name.parse().map_err(|error| {
        Failure::usage(format!("the plugin cannot be called `{name}`: {error}"), "name it with `--name NAME`")
    })
}

fn folder(context: &Context) -> Result<PathBuf, Failure> {
    context.found_folder().ok_or_else(no_workspace)
}

fn no_workspace() -> Failure {
    Failure::usage(
        "there is no workspace here",
        "make one with `sluice init`, or name its folder with `--workspace`",
    )
}

pub(super) fn failed(error: sluice_distribution::Error) -> Failure {
    Failure::failed(error.to_string(), "")
}

/// With what one goes to where plugins are.
pub(super) fn access() -> Result<Access, Failure> {
    let folder = std::env::current_dir().map_err(Failure::file(std::path::Path::new(".")))?;
    let mut credentials = Credentials::none();
    let docker = variable("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".docker")))
        .map(|folder| folder.join("config.json"))
        .filter(|file| file.is_file());
    if let Some(file) = docker {
        let bytes = input::file(&file, MOST_CONFIG)?;
        credentials = credentials.with_docker_config(&bytes).map_err(|error| {
            Failure::usage(
                format!("`{}` cannot be used: {error}", file.display()),
                "mend it, or set DOCKER_CONFIG",
            )
        })?;
    }
    let text = |name: &str| variable(name).and_then(|text| text.into_string().ok());
    if let [Some(registry), Some(user), Some(password)] = REGISTRY_VARIABLES.map(text) {
        credentials = credentials.with_login(&registry, &user, &password);
    }
    let limits = Bounds { component_bytes: Limits::default().component_bytes, within: Bounds::WITHIN };
    Ok(Access { folder, credentials, limits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_the_version_that_the_manifest_says() {
        for (from, says, is_refused) in [
            ("oci://registry.example/acme/orders:1.2.0", Some("1.2.0"), false),
            ("oci://registry.example/acme/orders:1.3.0", Some("1.2.0"), true),
            // What is no version, or says none, is compared with nothing.
            ("oci://registry.example/acme/orders:stable", Some("1.2.0"), false),
            ("oci://registry.example/acme/orders:1.3.0", None, false),
            ("orders.wasm", Some("1.2.0"), false),
        ] {
            let refused = mistagged(&from.parse().unwrap(), says);
            assert_eq!(refused.is_some(), is_refused, "{from} {says:?}");
        }
    }

    #[test]
    fn only_a_lower_version_is_older() {
        let locked = |version: Option<&str>| Locked {
            version: version.map(str::to_owned),
            digest: Digest::of(b""),
            source: "here".to_owned(),
            publisher: None,
            vouched: Some("ours".to_owned()),
        };
        for (before, after, is_refused) in [
            (Some("1.10.0"), Some("1.9.0"), true),
            (Some("1.9.0"), Some("1.10.0"), false),
            (Some("1.9.0"), Some("1.9.0"), false),
            (Some("1.9.0"), Some("1.9.0-rc.1"), true),
            (None, Some("0.1.0"), false),
            (Some("1.0.0"), None, false),
        ] {
            let refused = refuse_older(&"orders".parse().unwrap(), &locked(before), &locked(after));
            assert_eq!(refused.is_err(), is_refused, "{before:?} {after:?}");
        }
    }
}
