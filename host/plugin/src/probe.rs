//! Whether a target answers: a rendered data source, probed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_model::{SecretRef, SlotName};

use crate::contract::{self, Network};
use crate::error::{PluginError, Reason, SourceName, shown};
use crate::leaf;
use crate::limits::Used;
use crate::outside::{Distance, Exchange, Outside, Recording};
use crate::plugin::Plugin;
use crate::render::{DataSource, Environment, Note, environment, members, notes};

/// A rendered data source to be probed.
pub struct ProbeInput {
    /// The data source as it was rendered for the target.
    pub source: DataSource,
    /// Where it stands.
    pub target: Environment,
    /// Which of the target's secrets fills which slot. The plugin learns the slots' names.
    pub slots: BTreeMap<SlotName, SecretRef>,
    /// The network, which holds the values.
    pub outside: Arc<dyn Outside>,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probed {
    /// Whether the target answers; `None` where the plugin has no way to tell, or did not ask.
    pub reachable: Option<bool>,
    /// Whether it takes the credentials; `None` where the plugin has no way to tell, or showed none.
    pub authenticated: Option<bool>,
    /// Whether the plugin said `yes` to one of them where what it asked cannot have shown that.
    pub is_unfounded: bool,
    /// What the plugin noticed.
    pub notes: Vec<Note>,
    /// What it asked the network, and was told: the values of secrets are not in it.
    pub recording: Recording,
    /// Whether it wanted to ask the network more often than it may.
    pub is_cut_short: bool,
    /// What it used of what it may.
    pub used: Used,
}

impl Plugin {
    /// Asks a rendered data source's target whether it answers and takes the credentials.
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no probe, does not serve the kind, or meets a limit. That
    /// the target does not answer is no error.
    pub fn probe(&self, input: ProbeInput) -> Result<Probed, PluginError> {
        let name =
            SourceName { logical_id: input.source.logical_id.clone(), name: shown(&input.source.name) };
        self.try_probe(input).map_err(|reason| self.failed(name, reason))
    }

    fn try_probe(&self, input: ProbeInput) -> Result<Probed, Reason> {
        let ProbeInput { source, target, slots, outside } = input;
        let kind = source.kind;
        let options = leaf::flatten(&members(&source.options), self.limits())?.0;
        let wire = contract::Source {
            logical_id: source.logical_id.to_string(),
            name: source.name,
            kind: (&kind).into(),
            options,
        };
        let to = environment(&target);
        let slots: Vec<String> = slots.keys().map(SlotName::to_string).collect();
        let ((answer, asked), used) = self.call_probe(|guest, store| {
            store.data_mut().network = Some(Network::new(outside));
            let credentials = contract::give_credentials(store, slots)?;
            let answer = guest.sluice_plugin_probing().call_probe(&mut *store, &wire, &to, credentials)?;
            let network = store.data().network.as_ref();
            let asked = network.map(|network| (network.recording.clone(), network.is_cut_short));
            Ok((answer, asked.unwrap_or_default()))
        })?;
        let (recording, is_cut_short) = asked;
        let answer = answer.map_err(|failure| self.refusal(&kind, &target.name, failure))?;
        let notes = notes(answer.findings, self.limits().findings)?;
        let contract::Probed { reachable, authenticated, .. } = answer;
        let told = (reachable, authenticated);
        let (reachable, authenticated) = believed(told, &recording, is_cut_short);
        let is_unfounded = [(told.0, reachable), (told.1, authenticated)]
            .into_iter()
            .any(|(told, believed)| told == Some(true) && believed.is_none());
        Ok(Probed { reachable, authenticated, is_unfounded, notes, recording, is_cut_short, used })
    }
}

/// What of a plugin's word, whether a target is reachable and takes the credentials, the questions
/// can have shown: what nobody was asked is not known, whatever the plugin makes of it.
fn believed(
    (reachable, authenticated): (Option<bool>, Option<bool>),
    recording: &Recording,
    is_cut_short: bool,
) -> (Option<bool>, Option<bool>) {
    let furthest = recording.0.iter().map(Exchange::distance).max().unwrap_or(Distance::Nowhere);
    let shown = |exchange: &&Exchange| exchange.has_shown_a_secret();
    let was_shown = recording.0.iter().any(|exchange| shown(&exchange));
    let was_taken = recording.0.iter().filter(shown).any(|exchange| exchange.failure().is_none());
    // A `no` may be about what the plugin could not ask.
    let was_asked = !is_cut_short && recording.ungranted().next().is_none();
    (
        reachable.filter(|yes| match yes {
            true => furthest == Distance::Target,
            false => was_asked && furthest > Distance::Nowhere,
        }),
        authenticated.filter(|yes| match yes {
            true => was_taken,
            false => was_asked && was_shown,
        }),
    )
}
