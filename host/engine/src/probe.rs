//! Probes: whether an environment's data source can be reached and takes its credentials.
//!
//! The plugin asks, through the vault's edge and nothing else; what its manifest does not ask for, or
//! the configuration does not grant, it does not get. What it found is an act, and a fact for gates
//! while the data source is rendered as it was then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_model::{Digest, EnvironmentName, LogicalId, SecretRef, SlotName};
use sluice_plugin::manifest::{ENDPOINTS, Manifest};
use sluice_plugin::{
    DataSource, Environment, Exchange, Header, NetFailure, Note, Outside, Placed, Placement, Plugin,
    ProbeInput, Request, Response, Severity, Tls, Told, Used,
};
use sluice_vault::Secret;
use sluice_vault::edge::{self, Clock, Edge, Grant, HostPattern, Network, Roots};

use crate::act::What;
use crate::ambient::Ambient;
use crate::config::{PluginName, Probing};
use crate::error::{Error, Result};
use crate::permission::Wish;
use crate::records::{Actor, again};
use crate::render::{self, Rendered};
use crate::scan::Find;
use crate::settings::{Filed, Settings};
use crate::state::{Work, unit_of};
use crate::workspace::Workspace;

/// The network that probes go through, and whose certificates it believes.
pub struct Through {
    /// Names and connections.
    pub network: Arc<dyn Network>,
    /// Whose certificates count.
    pub roots: Roots,
}

/// What a probe found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The data source.
    pub source: LogicalId,
    /// What people call it.
    pub name: String,
    /// The plugin that asked, by name.
    pub plugin: String,
    /// Whether the target answers, where the plugin can tell.
    pub reachable: Option<bool>,
    /// Whether it takes the credentials, where the plugin can tell.
    pub authenticated: Option<bool>,
    /// What the plugin noticed.
    pub notes: Vec<Note>,
    /// What it asked the network and what came of it, in order: no secret is in it.
    pub asked: Vec<Told>,
    /// What it used of what it may.
    pub used: Used,
}

/// The newest probe of a data source as it is rendered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// Whether the target answered.
    pub reachable: Option<bool>,
    /// Whether it took the credentials.
    pub authenticated: Option<bool>,
    /// When.
    pub at: Timestamp,
}

/// What the configuration kept a probe from asking, each with what lets it.
fn not_asked(plugin: &Plugin, probed: &sluice_plugin::Probed) -> Vec<Note> {
    let note = |code: &str, message: String, fix: String| Note {
        severity: Severity::Warning,
        code: code.to_owned(),
        at: None,
        message,
        fix: Some(fix),
    };
    let place = format!("the `[[plugin]]` table of `{}` in `sluice.toml`", plugin.name());
    let mut places = BTreeSet::new();
    for exchange in probed.recording.ungranted() {
        places.insert(match exchange {
            Exchange::Reach { host, port, .. } => format!("{host}:{port}"),
            Exchange::Http { request, .. } => {
                host_of(&request.url).map_or_else(|| request.url.clone(), |host| host.to_string())
            }
        });
    }
    let mut notes: Vec<Note> = places
        .into_iter()
        .map(|host| {
            let message = format!("`{host}` was not asked: the adopted configuration does not grant it");
            let fix = format!(
                "in {place}: `probe = {{ hosts = [\"{host}\"] }}`, with `private = [\"ADDRESS\"]` where it lies in a \
                 private range; then `sluice config adopt`"
            );
            note("probe.not-granted", message, fix)
        })
        .collect();
    if probed.is_cut_short {
        let most = plugin.limits().network_calls;
        let message = format!("it may ask the network {most} times in a probe, and wanted to ask more");
        notes.push(note("probe.cut-short", message, format!("raise `network-calls` in `limits` of {place}")));
    }
    notes
}

/// Which filing of its secret fills each slot, by number.
fn filled(work: &Work<'_>, settings: &Settings, rendered: &Rendered) -> Result<BTreeMap<SlotName, u64>> {
    let mut filled = BTreeMap::new();
    for (slot, reference) in &rendered.slots {
        if let Some(filed) = settings.filed(work, reference)? {
            filled.insert(slot.clone(), filed.version);
        }
    }
    Ok(filled)
}

fn stream(environment: &EnvironmentName, source: &LogicalId) -> String {
    format!("env/{environment}/probes/{source}")
}

impl Workspace {
    /// Asks the plugin of a data source whether the environment's target answers, and keeps what it
    /// found.
    ///
    /// # Errors
    /// When the actor does not own the environment, the source cannot be rendered for it, its plugin
    /// has no probe, or the plugin fails. That the target does not answer is no error.
    pub fn probe(
        &self,
        actor: &Actor,
        environment: &EnvironmentName,
        source: &str,
        through: Through,
    ) -> Result<Report> {
        self.permit(actor, Wish::Own(environment))?;
        let mut work = self.work();
        let settings = self.settings(&mut work, environment)?;
        let rendered = self.rendered_for(&mut work, &settings, environment, source)?;
        let registry = self.plugins()?;
        let Some(plugin) = registry.for_kind(&rendered.kind).filter(|plugin| plugin.has_probe()) else {
            return Err(Error::invalid(
                format!(
                    "no plugin can probe the kind `{}` of data source `{}`",
                    rendered.kind, rendered.name
                ),
                "take a plugin of the world `data-source-with-probe` for it",
            ));
        };
        let granted = self.granted(plugin.name(), &plugin.digest(), &rendered)?;
        let order = self.config()?.position(environment).unwrap_or_default();
        let outside = Granted::new(Edge::new(
            granted,
            self.opened(&work, &settings, &rendered.slots)?,
            through.roots,
            edge::Limits::default(),
            through.network,
            Arc::new(Time(self.records().shared_ambient())),
        ));
        let probed = plugin.probe(ProbeInput {
            source: DataSource {
                logical_id: rendered.source.clone(),
                name: rendered.name.clone(),
                kind: rendered.kind.clone(),
                options: rendered.options.clone(),
            },
            target: Environment {
                name: environment.clone(),
                order: u32::try_from(order).unwrap_or(u32::MAX),
            },
            slots: rendered.slots.clone(),
            outside: Arc::new(outside),
        });
        // What was tried counts even where it failed: what an earlier probe found is no longer the
        // newest.
        let what = What::Probed {
            environment: environment.clone(),
            source: rendered.source.clone(),
            plugin: plugin.digest(),
            rendered: render::digest(&rendered)?,
            reachable: probed.as_ref().ok().and_then(|probed| probed.reachable),
            authenticated: probed.as_ref().ok().and_then(|probed| probed.authenticated),
            filled: filled(&work, &settings, &rendered)?,
            failed: probed.as_ref().err().map(ToString::to_string),
        };
        let name = stream(environment, &rendered.source);
        again(|| {
            let after = self.records().newest(&name)?;
            self.records().append(actor, &name, after, what.clone(), &BTreeMap::new())
        })?;
        let mut probed = probed?;
        probed.notes.extend(not_asked(plugin, &probed));
        Ok(Report {
            source: rendered.source,
            name: rendered.name,
            plugin: plugin.name().to_owned(),
            reachable: probed.reachable,
            authenticated: probed.authenticated,
            notes: probed.notes,
            asked: probed.recording.0.iter().map(Exchange::told).collect(),
            used: probed.used,
        })
    }

    /// The newest probe of a data source, if it was rendered then as it is now, and had the secrets
    /// that it has now.
    pub(crate) fn probed(
        &self,
        work: &Work<'_>,
        settings: &Settings,
        environment: &EnvironmentName,
        rendered: &Rendered,
    ) -> Result<Option<Probed>> {
        let Some(newest) = self.records().head(&stream(environment, &rendered.source))? else {
            return Ok(None);
        };
        let at = newest.act.at;
        match newest.act.what {
            What::Probed { rendered: then, reachable, authenticated, filled: with, .. }
                if then == render::digest(rendered)? && with == filled(work, settings, rendered)? =>
            {
                Ok(Some(Probed { reachable, authenticated, at }))
            }
            _ => Ok(None),
        }
    }

    /// A data source as it would be in an environment now.
    fn rendered_for(
        &self,
        work: &mut Work<'_>,
        settings: &Settings,
        environment: &EnvironmentName,
        source: &str,
    ) -> Result<Rendered> {
        let object = self.data_source(work, source)?;
        let environments = &self.config()?.environments;
        if environments.first().is_some_and(|first| first.name == *environment) {
            return Err(Error::invalid(
                format!(
                    "`{environment}` is the first environment, whose data sources are the platform's own"
                ),
                "probe an environment that is promoted into",
            ));
        }
        let mut found = None;
        // As it would come: from the environment before, or from where it is at all.
        let before = self.config()?.position(environment).unwrap_or_default();
        for from in environments.iter().take(before).rev() {
            let (_, state) = self.environment(work, &from.name)?;
            if let Some(digest) = state.object_digest(work, unit_of(&object), &object.id)? {
                found = Some((from.name.clone(), digest));
                break;
            }
        }
        let Some((from, digest)) = found else { return Err(Error::ContentMissing(Digest::of(b""))) };
        let Some(kind) = object.source_kind else {
            return Err(Error::invalid(
                format!("`{}` is part of its platform", object.name),
                "probe another",
            ));
        };
        let find = Find::Source { id: object.id, name: object.name.clone(), kind, digest };
        let rendering = self.render(work, settings, &from, environment, &find)?;
        if let Some(problem) = rendering.problems.into_iter().next() {
            return Err(Error::invalid(problem.message, problem.fix));
        }
        rendering.rendered.ok_or_else(|| {
            Error::invalid(
                format!("`{}` cannot be rendered for `{environment}`", object.name),
                "see its plan",
            )
        })
    }

    /// The secrets that fill these slots.
    fn opened(
        &self,
        work: &Work<'_>,
        settings: &Settings,
        slots: &BTreeMap<SlotName, SecretRef>,
    ) -> Result<BTreeMap<String, Secret>> {
        let mut opened = BTreeMap::new();
        for (slot, reference) in slots {
            let filed: Option<Filed> = settings.filed(work, reference)?;
            if let Some(filed) = filed {
                opened.insert(slot.to_string(), self.open_sealed(reference, &filed)?);
            }
        }
        Ok(opened)
    }

    /// What a plugin's probe of a data source may ask: what its manifest asks for, as far as the
    /// configuration grants it. A plugin without a manifest asks for the source's endpoints.
    fn granted(&self, plugin: &str, digest: &Digest, rendered: &Rendered) -> Result<Grant> {
        let name: Option<PluginName> = plugin.parse().ok();
        let plugins = &self.config()?.plugins;
        let Some(probing) = name.and_then(|name| plugins.get(&name)?.probe.clone()) else {
            return Ok(Grant::default());
        };
        let bytes = self.records().store().blob(digest)?.ok_or(Error::ContentMissing(*digest))?;
        let asked = match Manifest::read(&bytes) {
            Ok(Some(manifest)) => manifest.probe_hosts,
            Ok(None) => vec![ENDPOINTS.to_owned()],
            // What cannot be read asks for nothing.
            Err(_) => Vec::new(),
        };
        Ok(probing.grant(&asked, &rendered.traits.endpoints))
    }
}

impl Probing {
    /// The hosts that are both granted and asked for, each by the narrower of the two.
    fn grant(&self, asked: &[String], endpoints: &[String]) -> Grant {
        let mut hosts = Vec::new();
        let mut wanted: Vec<HostPattern> = Vec::new();
        for asked in asked {
            if asked == ENDPOINTS {
                wanted.extend(endpoints.iter().filter_map(|endpoint| host_of(endpoint)));
            } else {
                wanted.extend(asked.parse::<HostPattern>().ok());
            }
        }
        for granted in &self.hosts {
            for wanted in &wanted {
                hosts.extend(granted.within(wanted));
            }
        }
        Grant { hosts, private: self.private.clone() }
    }
}

/// The host and port of an endpoint as traits name it: `host:port`, or a URL's scheme, host and port.
fn host_of(endpoint: &str) -> Option<HostPattern> {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let authority = rest.split(['/', '?', '#']).next()?;
    let usual = match scheme {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        _ => None,
    };
    authority.parse().ok().or_else(|| HostPattern::host(authority, usual?).ok())
}

/// The vault's edge as a plugin sees it.
#[derive(Debug)]
pub struct Granted {
    edge: Edge,
}

impl Granted {
    /// What this edge gives a plugin.
    #[must_use]
    pub fn new(edge: Edge) -> Self {
        Self { edge }
    }
}

impl Outside for Granted {
    fn reach(
        &self,
        host: &str,
        port: u16,
        tls: Tls,
        within: Duration,
    ) -> std::result::Result<(), NetFailure> {
        let tls = match tls {
            Tls::Off => edge::Tls::Off,
            Tls::Required => edge::Tls::Required,
        };
        self.edge.reach(host, port, tls, within).map_err(failure)
    }

    fn http(
        &self,
        request: &Request,
        place: &[Placed],
        within: Duration,
    ) -> std::result::Result<Response, NetFailure> {
        let request = edge::Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request
                .headers
                .iter()
                .map(|header| edge::Header { name: header.name.clone(), value: header.value.clone() })
                .collect(),
            body: request.body.clone(),
        };
        let place: Vec<edge::Placed> = place
            .iter()
            .map(|placed| edge::Placed { slot: placed.slot.clone(), at: placement(&placed.at) })
            .collect();
        let response = self.edge.http(&request, &place, within).map_err(failure)?;
        let headers =
            response.headers.into_iter().map(|header| Header { name: header.name, value: header.value });
        Ok(Response { status: response.status, headers: headers.collect(), body: response.body })
    }
}

fn placement(at: &Placement) -> edge::Placement {
    match at {
        Placement::Header(name) => edge::Placement::Header(name.clone()),
        Placement::Query(name) => edge::Placement::Query(name.clone()),
        Placement::BasicPassword(user) => edge::Placement::BasicPassword(user.clone()),
        Placement::Bearer => edge::Placement::Bearer,
        Placement::ClientCertificate => edge::Placement::ClientCertificate,
    }
}

fn failure(failure: edge::Failure) -> NetFailure {
    use edge::Failure as F;
    match failure {
        F::NotGranted => NetFailure::NotGranted,
        F::Unresolved => NetFailure::Unresolved,
        F::PrivateAddress => NetFailure::PrivateAddress,
        F::Refused => NetFailure::Refused,
        F::TimedOut => NetFailure::TimedOut,
        F::Tls(why) => NetFailure::Tls(why),
        F::TooLarge => NetFailure::TooLarge,
        F::Limit => NetFailure::Limit,
        F::BadRequest(why) => NetFailure::BadRequest(why),
        F::BadSecret(why) => NetFailure::BadSecret(why),
        F::BadResponse(_) => NetFailure::BadResponse,
    }
}

/// The engine's clock as the vault's edge takes it.
struct Time(Arc<dyn Ambient>);

impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
