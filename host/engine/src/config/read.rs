//! From the text of `sluice.toml` to a checked [`Config`].

use std::collections::BTreeMap;
use std::ops::Range;

use sluice_model::{EnvironmentName, Kind};

use super::check::Check;
use super::error::{ConfigError, ConfigErrors, SourceText, did_you_mean};
use super::file::File;
use super::names::{CalendarName, PluginName};
use super::transition::Transition;
use super::workspace::Config;

/// Bytes of a configuration that are read: some hundred times what a large workspace needs.
pub const MOST_BYTES: usize = 1 << 20;

/// A part of a configuration that something outside it can find wrong: a policy that does not
/// exist, a parameter that the policy refuses, a plugin's file that is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The gate at this index of a transition's [`super::Rules::gates`].
    Gate(Transition, usize),
    /// A parameter of that gate.
    Parameter(Transition, usize, String),
    /// A plugin.
    Plugin(PluginName),
    /// A carried kind.
    Carried(Kind),
    /// A calendar.
    Calendar(CalendarName),
    /// An environment.
    Environment(EnvironmentName),
}

/// A configuration with its text, so that what is found wrong later is still told with its place.
#[derive(Debug, Clone)]
pub struct Document {
    /// What the text says.
    pub config: Config,
    source: SourceText,
    places: BTreeMap<Place, Range<usize>>,
}

impl Document {
    /// Reads and checks a configuration. `file` is its name in errors.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file; where it is not TOML or not of the
    /// right shape, the first such place only.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigErrors> {
        let source = SourceText { file: file.to_owned(), text: text.to_owned() };
        if text.len() > MOST_BYTES {
            let message = format!("{} bytes are more than the {MOST_BYTES} that are read", text.len());
            return Err(ConfigErrors(vec![source.error(0..0, message, "is this the right file?")]));
        }
        let raw: File =
            toml::from_str(text).map_err(|error| ConfigErrors(vec![shape_error(&source, &error)]))?;
        let (config, places) = Check::of(&source, &raw)?;
        Ok(Self { config, source, places })
    }

    /// An error at a part of this configuration.
    #[must_use]
    pub fn error(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) -> ConfigError {
        // A gate's parameter that is left out has no place; its gate has.
        let span = self.places.get(place).or_else(|| match place {
            Place::Parameter(transition, gate, _) => self.places.get(&Place::Gate(transition.clone(), *gate)),
            _ => None,
        });
        self.source.error(span.cloned().unwrap_or(0..0), message, help)
    }

    /// What is wrong with the kinds that the plugins say they serve: each kind must have one
    /// plugin, or be carried, and not both.
    #[must_use]
    pub fn check_kinds<'a>(
        &self,
        served: impl IntoIterator<Item = (&'a PluginName, &'a Kind)>,
    ) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut by: BTreeMap<&Kind, &PluginName> = BTreeMap::new();
        for (plugin, kind) in served {
            match by.insert(kind, plugin) {
                Some(other) if other != plugin => {
                    let message =
                        format!("the kind `{kind}` is served by the plugins `{other}` and `{plugin}`");
                    let help = "take one of the two out: a kind has one plugin";
                    errors.push(self.error(&Place::Plugin(plugin.clone()), message, help));
                }
                _ => {}
            }
            if self.config.carried.contains(kind) {
                let message = format!("the kind `{kind}` is carried, but the plugin `{plugin}` serves it");
                let help = format!("take `{kind}` out of `carried`, or the plugin out");
                errors.push(self.error(&Place::Carried(kind.clone()), message, help));
            }
        }
        errors.dedup();
        errors
    }
}

impl Config {
    /// Reads and checks a configuration. `file` is its name in errors.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigErrors> {
        Document::parse(text, file).map(|document| document.config)
    }
}

/// What the TOML reader says, in words for people.
fn shape_error(source: &SourceText, error: &toml::de::Error) -> ConfigError {
    let message = error.message().trim();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (message, help) = if message.starts_with("unknown field") {
        let field = quoted.next().unwrap_or_default();
        (format!("there is no setting `{field}` here"), did_you_mean(field, quoted))
    } else if message.starts_with("missing field") {
        let field = quoted.next().unwrap_or_default();
        (format!("the setting `{field}` is missing"), format!("add `{field} = …`"))
    } else if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        let expected = if matches!(expected, "u64" | "u32") { "a whole number" } else { expected };
        let example = if expected == "a boolean" { "`true` or `false`" } else { expected };
        (format!("expected {expected}, found {found}"), format!("write {example}"))
    } else if message == "duplicate key" {
        ("this stands twice".to_owned(), "take one out, or join them".to_owned())
    } else {
        let line = message.lines().next().unwrap_or_default();
        (line.to_owned(), "this must be TOML 1.0; texts stand in quotes".to_owned())
    };
    source.error(error.span().unwrap_or(0..0), message, help)
}
