//! What the file says of plugins: whose are taken, which there are, what they may use.

use std::collections::BTreeMap;

use sluice_ledger::PublicKey;
use sluice_model::Digest;
use sluice_plugin::{Limits, PluginLimits, Reason};
use sluice_vault::edge::{HostPattern, PrivateRange};

use super::super::file::{Located, PluginLimitsTable, PluginTable, ProbeTable, PublisherTable};
use super::super::names::{ByteSize, PluginName, PublisherName, TimeSpan};
use super::super::read::Place;
use super::super::workspace::{Plugin, Probing};
use super::Check;

impl Check<'_> {
    pub(super) fn publishers(
        &mut self,
        tables: &[Located<PublisherTable>],
    ) -> BTreeMap<PublisherName, PublicKey> {
        let mut publishers = BTreeMap::new();
        for table in tables {
            let PublisherTable { name, key } = table.get();
            let (Some(parsed), Some(public)) =
                (self.parse::<PublisherName>(name), self.parse::<PublicKey>(key))
            else {
                continue;
            };
            if publishers.insert(parsed, public).is_some() {
                let message = format!("there are two publishers named `{}`", name.get());
                self.wrong(name, message, "name each once");
            }
        }
        publishers
    }

    pub(super) fn plugins(&mut self, tables: &[Located<PluginTable>]) -> BTreeMap<PluginName, Plugin> {
        let mut plugins: BTreeMap<PluginName, Plugin> = BTreeMap::new();
        for table in tables {
            let PluginTable { name, path, digest, probe, limits } = table.get();
            let digest = digest.as_ref().and_then(|text| self.parse::<Digest>(text));
            let leads_out = std::path::Path::new(path.get())
                .components()
                .any(|part| !matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
            if path.get().is_empty() || leads_out || path.get().contains('\\') {
                let message = format!("`{}` is not a file in the workspace's folder", path.get());
                self.wrong(path, message, "write a path like `plugins/sql.wasm`, without `..`");
            }
            if let Some((other, _)) = plugins.iter().find(|(_, p)| p.path == *path.get()) {
                let message = format!("the plugin `{other}` is the same file");
                self.wrong(path, message, "take one of the two out");
            }
            let Some(parsed) = self.parse::<PluginName>(name) else { continue };
            self.places.insert(Place::Plugin(parsed.clone()), path.span());
            let probe = probe.as_ref().map(|ProbeTable { hosts, private }| Probing {
                hosts: hosts.iter().filter_map(|host| self.parse::<HostPattern>(host)).collect(),
                private: private.iter().filter_map(|range| self.parse::<PrivateRange>(range)).collect(),
            });
            let limits = self.plugin_limits(limits);
            let plugin = Plugin { path: path.get().clone(), digest, probe, limits };
            if plugins.insert(parsed, plugin).is_some() {
                let message = format!("there are two plugins named `{}`", name.get());
                self.wrong(name, message, "name each once");
            }
        }
        plugins
    }

    /// What one plugin, or each of the workspace, may use: of nothing more than the host allows, and of
    /// what every call needs not nothing.
    pub(super) fn plugin_limits(&mut self, table: &PluginLimitsTable) -> PluginLimits {
        let PluginLimitsTable {
            fuel,
            deadline,
            memory,
            table_elements,
            handles,
            answer,
            log,
            log_messages,
            findings,
            network_calls,
            calls,
        } = table;
        let mut limits = PluginLimits::default();
        let number = |limit: &Option<Located<u64>>| {
            limit.as_ref().map(|limit| usize::try_from(*limit.get()).unwrap_or(usize::MAX))
        };
        let mut size = |limit: &Option<Located<String>>| {
            let size = self.parse::<ByteSize>(limit.as_ref()?)?;
            Some(usize::try_from(size.bytes()).unwrap_or(usize::MAX))
        };
        let (memory_bytes, answer_bytes, log_bytes) = (size(memory), size(answer), size(log));
        let time = deadline.as_ref().and_then(|text| self.parse::<TimeSpan>(text));
        let time = time.map(|time| std::time::Duration::from_secs(time.seconds()));
        let span = |limit: &Option<Located<u64>>| limit.as_ref().map(Located::span);
        let text_span = |limit: &Option<Located<String>>| limit.as_ref().map(Located::span);
        let nothing = PluginLimits::default;
        let each = [
            (span(fuel), PluginLimits { fuel: fuel.as_ref().map(|fuel| *fuel.get()), ..nothing() }),
            (text_span(deadline), PluginLimits { deadline: time, ..nothing() }),
            (text_span(memory), PluginLimits { memory_bytes, ..nothing() }),
            (span(table_elements), PluginLimits { table_elements: number(table_elements), ..nothing() }),
            (span(handles), PluginLimits { handles: number(handles), ..nothing() }),
            (text_span(answer), PluginLimits { answer_bytes, ..nothing() }),
            (text_span(log), PluginLimits { log_bytes, ..nothing() }),
            (span(log_messages), PluginLimits { log_messages: number(log_messages), ..nothing() }),
            (span(findings), PluginLimits { findings: number(findings), ..nothing() }),
            (span(network_calls), PluginLimits { network_calls: number(network_calls), ..nothing() }),
            (
                calls.as_ref().map(Located::span),
                PluginLimits { calls: calls.as_ref().map(|calls| *calls.get()), ..nothing() },
            ),
        ];
        for (span, one) in each {
            let Some(span) = span else { continue };
            if let Err(reason) = Limits::default().with(&one) {
                let how = if matches!(reason, Reason::NothingAllowed(_)) { "more" } else { "less" };
                let help = format!("write {how}, or leave it out for the most that the host allows");
                self.errors.push(self.source.error(span, reason.to_string(), help));
                continue;
            }
            limits = limits.or(&one);
        }
        limits
    }
}
