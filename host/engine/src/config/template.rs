//! The configuration that `sluice init` writes, and the person that `sluice key new` puts into it.

use sluice_ledger::PublicKey;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::names::{BadText, PersonName, PluginName, RoleName, WorkspaceName};

/// The text of a new workspace's `sluice.toml`, with comments, and with these plugins, each by its file
/// under `plugins/`.
///
/// Nobody is in it yet, so it is refused until [`put_person`] has put the first person in, who
/// then owns all of it.
///
/// # Errors
/// When `name` is no workspace's name.
pub fn template<'p>(
    name: &str,
    plugins: impl IntoIterator<Item = (&'p PluginName, &'p str)>,
) -> Result<String, BadText> {
    let name: WorkspaceName = name.parse()?;
    let mut tables = String::new();
    for (plugin, file) in plugins {
        tables.push_str(&format!("[[plugin]]\nname = \"{plugin}\"\npath = \"plugins/{file}\"\n\n"));
    }
    Ok(TEMPLATE.replace("{name}", name.as_str()).replace("{plugins}", &tables))
}

/// A person could not be put into the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutPersonError {
    /// The text is not TOML.
    #[error("the configuration is not TOML, so nobody can be put into it: run `sluice config check`")]
    NotToml,
    /// Something else stands where people do.
    #[error("`person` is not a list of tables: write each person as `[[person]]`")]
    NotAList,
}

/// The text with the person's key put in: in their own `[[person]]` where there is one, in a new
/// one otherwise. Where there was nobody, the person becomes the owner wherever no owner is named.
/// All else, comments and layout too, stays as it is.
///
/// # Errors
/// [`PutPersonError`], with nothing changed.
pub fn put_person(
    text: &str,
    name: &PersonName,
    key: &PublicKey,
    roles: &[RoleName],
) -> Result<String, PutPersonError> {
    let mut document: DocumentMut = text.parse().map_err(|_| PutPersonError::NotToml)?;
    let people = match document.get_mut("person") {
        None => None,
        Some(item) => Some(item.as_array_of_tables_mut().ok_or(PutPersonError::NotAList)?),
    };
    let mut person = Table::new();
    person.insert("name", value(name.as_str()));
    person.insert("key", value(key.to_string()));
    person.insert("roles", value(roles.iter().map(RoleName::as_str).collect::<Array>()));
    person.decor_mut().set_prefix("\n");
    if let Some(people) = people {
        let there = people.iter_mut().find(|p| p.get("name").and_then(Item::as_str) == Some(name.as_str()));
        let is_there = there.map(|there| there.insert("key", value(key.to_string()))).is_some();
        if !is_there {
            people.push(person);
        }
        return Ok(document.to_string());
    }
    own_what_nobody_owns(&mut document, name);
    // A list that is new has no place of its own in the document and would come out first.
    let mut text = document.to_string();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut people = ArrayOfTables::new();
    people.push(person);
    let mut tail = DocumentMut::new();
    tail.insert("person", Item::ArrayOfTables(people));
    Ok(format!("{text}{tail}"))
}

/// A plugin could not be put into the text, or taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutPluginError {
    /// The text is not TOML.
    #[error("the configuration is not TOML, so no plugin can be put into it: run `sluice config check`")]
    NotToml,
    /// Something else stands where plugins do.
    #[error("`plugin` is not a list of tables: write each plugin as `[[plugin]]`")]
    NotAList,
}

/// The text with a plugin that lies at `path`; one of that name stays as it is. All else, comments and
/// layout too, stays.
///
/// # Errors
/// [`PutPluginError`], with nothing changed.
pub fn put_plugin(text: &str, name: &PluginName, path: &str) -> Result<String, PutPluginError> {
    let mut document: DocumentMut = text.parse().map_err(|_| PutPluginError::NotToml)?;
    let mut plugin = Table::new();
    plugin.insert("name", value(name.as_str()));
    plugin.insert("path", value(path));
    plugin.decor_mut().set_prefix("\n");
    if let Some(item) = document.get_mut("plugin") {
        let plugins = item.as_array_of_tables_mut().ok_or(PutPluginError::NotAList)?;
        if !plugins.iter().any(|there| is_named(there, name)) {
            plugins.push(plugin);
        }
        return Ok(document.to_string());
    }
    let mut text = document.to_string();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut plugins = ArrayOfTables::new();
    plugins.push(plugin);
    let mut tail = DocumentMut::new();
    tail.insert("plugin", Item::ArrayOfTables(plugins));
    Ok(format!("{text}{tail}"))
}

/// The text without a plugin.
///
/// # Errors
/// [`PutPluginError`], with nothing changed.
pub fn take_plugin(text: &str, name: &PluginName) -> Result<String, PutPluginError> {
    let mut document: DocumentMut = text.parse().map_err(|_| PutPluginError::NotToml)?;
    if let Some(item) = document.get_mut("plugin") {
        let plugins = item.as_array_of_tables_mut().ok_or(PutPluginError::NotAList)?;
        plugins.retain(|there| !is_named(there, name));
    }
    Ok(document.to_string())
}

fn is_named(table: &Table, name: &PluginName) -> bool {
    table.get("name").and_then(Item::as_str) == Some(name.as_str())
}

/// Puts the person into every empty list of owners.
fn own_what_nobody_owns(document: &mut DocumentMut, name: &PersonName) {
    let environments = document.get_mut("environment").and_then(Item::as_array_of_tables_mut);
    for environment in environments.into_iter().flat_map(ArrayOfTables::iter_mut) {
        own_if_nobody_does(environment, name);
    }
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_mut) {
        own_if_nobody_does(workspace, name);
    }
}

fn own_if_nobody_does(table: &mut Table, name: &PersonName) {
    let owners = table.get_mut("owners").and_then(Item::as_array_mut);
    if let Some(owners) = owners.filter(|owners| owners.is_empty()) {
        owners.push(name.as_str());
    }
}

const TEMPLATE: &str = r#"# The workspace of Sluice. What stands here counts once `sluice config adopt` has adopted it.
# For editors, `sluice config schema` writes its JSON Schema.

[workspace]
name = "{name}"
# Who may adopt a changed configuration: names of people, or "role:NAME". The first person whose
# key `sluice key new` makes becomes the owner wherever none is named yet.
owners = []
# One person alone cannot check themselves; every verdict shows this. Take it out when a second
# person is added.
single_operator = "the workspace was just set up by one person"
# Kinds of data source that no plugin serves: the target's binding is used as it is.
carried = []

# The environments, in the order of promotion. Others can be added between development and
# production. A platform that calls one otherwise: native = { tooljet = "NAME" }
[[environment]]
name = "development"
owners = []

[[environment]]
name = "staging"
owners = []
# true where the data are copies of production data: then masking must be shown for each source.
holds_production_data = false

[[environment]]
name = "production"
owners = []

# Before each transition stand gates. Levels: hard, soft, warn, audit.
[[transition]]
on = ["development -> staging"]

[[transition.gate]]
policy = "test-evidence"
level = "hard"
parameters = { min_executed = 1, max_age = "7d" }

[[transition.gate]]
policy = "data-masking"
level = "hard"

[[transition]]
on = ["staging -> production"]

[[transition.gate]]
policy = "test-evidence"
level = "hard"

[[transition.gate]]
policy = "data-masking"
level = "hard"

[[transition.gate]]
policy = "release-window"
level = "hard"
waivable = true
parameters = { calendar = "working-hours" }

[[transition.gate]]
policy = "approvals"
level = "hard"
# How many people of each role approve.
parameters = { roles = { approver = 1 } }

[[transition]]
on = ["release staging", "release production"]
ungated = "a release shows what the gates of its promotion have let through"

[[transition]]
on = ["rollback staging", "rollback production"]
ungated = "what is gone back to has passed the gates before, and must not wait"

# When production may be changed.
[[calendar]]
name = "working-hours"
time_zone = "UTC"

[[calendar.allowed]]
title = "working hours"
start = "2026-01-05T09:00:00"
duration = "8h"
repeat = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"

[[calendar.frozen]]
title = "end of the year"
start = "2026-12-18T00:00:00"
duration = "P17D"
repeat = "FREQ=YEARLY"

[limits]
import = "64 MiB"

[waivers]
longest = "7d"

# What renders data sources for their target. A kind of data source has one plugin.
{plugins}# The people. Built-in roles: approver, auditor, builder, release-manager.
"#;
