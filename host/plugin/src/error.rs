//! What goes wrong with plugins.

use std::fmt;

use sluice_model::{EnvironmentName, Kind, LogicalId, SecretRef, SlotName};

use crate::render::Note;

/// A plugin that was refused, or whose answer was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("plugin `{plugin}`{}: {reason}", At(.data_source.as_ref()))]
pub struct PluginError {
    /// The plugin's name.
    pub plugin: String,
    /// The data source it was called for; none while it is loaded.
    pub data_source: Option<SourceName>,
    /// What is wrong. Boxed, as errors travel through every result.
    pub reason: Box<Reason>,
}

/// Which data source an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceName {
    /// Its identity.
    pub logical_id: LogicalId,
    /// What people call it.
    pub name: String,
}

struct At<'e>(Option<&'e SourceName>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(source) => write!(f, ", data source `{}` ({})", source.name, source.logical_id),
            None => Ok(()),
        }
    }
}

/// What is wrong with a plugin or its answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason {
    /// The component has more bytes than are read.
    #[error("it has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many are read at most.
        limit: usize,
    },
    /// The bytes are no component that may run here.
    #[error("it is not a component that can run here: {0}")]
    NotAComponent(String),
    /// It is made of more than is compiled.
    #[error("it has {found} {part}, more than the limit of {most}")]
    OverBounds {
        /// What it has too much of.
        part: Part,
        /// How much it has, as far as that was counted.
        found: u64,
        /// How much is compiled.
        most: u64,
    },
    /// It was not compiled, and that need not be its fault.
    #[error("it was not compiled: {0}")]
    Compiler(CompilerFault),
    /// Its bytes, which had been there, are not.
    #[error("its component cannot be read again: {0}")]
    Gone(String),
    /// It wants something that no plugin gets.
    #[error(
        "it imports `{0}`, which is not offered to plugins; a plugin imports only `sluice:plugin` and parts of WASI 0.2"
    )]
    UnknownImport(String),
    /// It does not implement the contract.
    #[error(
        "it implements neither the world `data-source` nor `data-source-with-probe` of `sluice:plugin@1.0.0`: {0}"
    )]
    NotThisWorld(String),
    /// What it says of its kinds does not hold together.
    #[error("its description of `{kind}` is wrong: {what}")]
    BadDescription {
        /// The kind as the plugin wrote it.
        kind: String,
        /// What is wrong.
        what: String,
    },
    /// It broke off.
    #[error("it broke off: {0}")]
    Trap(String),
    /// It used more than it may.
    #[error("it used more than the limit of {most} {limit}")]
    Exceeded {
        /// Which limit.
        limit: Limit,
        /// What was allowed.
        most: u64,
    },
    /// It is given more than the host has for any plugin.
    #[error("it is given {asked} {limit}, more than the host's limit of {most}")]
    BeyondTheHost {
        /// Which limit.
        limit: Limit,
        /// What it is given.
        asked: u64,
        /// What the host allows.
        most: u64,
    },
    /// It is given nothing of what every call needs.
    #[error("it is given no {0}, and no call gets anywhere without")]
    NothingAllowed(
        /// Of what.
        Limit,
    ),
    /// The data source or binding is larger than plugins are given.
    #[error("the options are more than the limit of {most} {limit}")]
    InputTooLarge {
        /// Which limit.
        limit: Limit,
        /// What is allowed.
        most: u64,
    },
    /// It asked the network while it made a data source, which it may only do in a probe.
    #[error("it asked the network outside of a probe")]
    NetworkOutsideOfProbe,
    /// It cannot probe.
    #[error("it implements the world `data-source`, which has no probe")]
    NoProbe,
    /// It does not serve the kind.
    #[error("it does not serve the kind `{0}`")]
    UnsupportedKind(Kind),
    /// It answered with another data source than it was asked about.
    #[error("it changed the data source's {0}")]
    IdentityChanged(&'static str),
    /// The options are wrong, says the plugin.
    #[error("the options are invalid: {}", Listed(.0))]
    Invalid(Vec<Note>),
    /// The binding lacks options, says the plugin.
    #[error("the binding of `{environment}` lacks `{}`, which is never taken from another environment", .options.join("`, `"))]
    Incomplete {
        /// The target.
        environment: EnvironmentName,
        /// Pointers of the options.
        options: Vec<String>,
    },
    /// An option that the environment owns came from the source environment.
    #[error("it answered with the source environment's option at `{at}` instead of the target's")]
    FromAnotherEnvironment {
        /// Where.
        at: String,
    },
    /// An option that the environment owns is not what the binding says.
    #[error("it changed the option at `{at}`, which only the target's owners may")]
    NotTheBindings {
        /// Where.
        at: String,
    },
    /// An option that must match is not what the bundle says.
    #[error("it changed the option at `{at}`, which must be the same in every environment")]
    NotTheBundles {
        /// Where.
        at: String,
    },
    /// An option that nobody set.
    #[error("it made up an option at `{at}`")]
    MadeUp {
        /// Where.
        at: String,
    },
    /// An option is missing from the answer.
    #[error("it left out the option at `{at}`")]
    LeftOut {
        /// Where.
        at: String,
    },
    /// Binding and bundle cannot be put together.
    #[error(
        "the binding and the bundle do not fit at `{at}`: the one has a value there, the other has members"
    )]
    Clash {
        /// Where.
        at: String,
    },
    /// The answer has the same place twice.
    #[error("it answered twice for the option at `{at}`")]
    Twice {
        /// Where.
        at: String,
    },
    /// It chose a secret that was not offered.
    #[error("it chose secret number {index}, but only {offered} were offered")]
    NotOffered {
        /// The position it chose, from 0.
        index: u32,
        /// How many there were.
        offered: usize,
    },
    /// It filled a slot that it was not asked about.
    #[error("it filled the slot `{slot}`, which it was not asked about")]
    SlotNotAsked {
        /// The slot as the plugin wrote it.
        slot: String,
    },
    /// It filled a slot twice.
    #[error("it filled the slot `{slot}` twice")]
    SlotTwice {
        /// The slot.
        slot: SlotName,
    },
    /// A reference leads into another environment than the target.
    #[error("the secret `{reference}` belongs to another environment than the target `{target}`")]
    ForeignSecret {
        /// The reference.
        reference: SecretRef,
        /// The target.
        target: EnvironmentName,
    },
}

/// What a component can have too much of, before it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Sections, of all modules and components in it.
    Sections,
    /// Components and modules inside each other.
    Levels,
    /// Types inside each other.
    TypeLevels,
    /// Core modules.
    Modules,
    /// Components inside it.
    Components,
    /// Types.
    Types,
    /// Functions, also imported and adapted ones.
    Functions,
    /// Bytes of one function.
    FunctionBytes,
    /// Variables of one function.
    Locals,
    /// Instances.
    Instances,
    /// Aliases.
    Aliases,
    /// Imports.
    Imports,
    /// Exports.
    Exports,
    /// Globals.
    Globals,
    /// Tables.
    Tables,
    /// Elements that its tables begin with.
    TableElements,
    /// Memories.
    Memories,
    /// Bytes that its memories begin with.
    MemoryBytes,
    /// Segments of data and of elements.
    Segments,
    /// Elements in segments.
    SegmentElements,
    /// Bytes of one name.
    NameBytes,
}

impl Part {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::NameBytes as usize + 1;
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sections => "sections",
            Self::Levels => "levels of components inside each other",
            Self::TypeLevels => "levels of types inside each other",
            Self::Modules => "core modules",
            Self::Components => "components inside it",
            Self::Types => "types",
            Self::Functions => "functions",
            Self::FunctionBytes => "bytes in one function",
            Self::Locals => "variables in one function",
            Self::Instances => "instances",
            Self::Aliases => "aliases",
            Self::Imports => "imports",
            Self::Exports => "exports",
            Self::Globals => "globals",
            Self::Tables => "tables",
            Self::TableElements => "table elements to begin with",
            Self::Memories => "memories",
            Self::MemoryBytes => "bytes of memory to begin with",
            Self::Segments => "segments",
            Self::SegmentElements => "elements in segments",
            Self::NameBytes => "bytes in one name",
        })
    }
}

/// Why the process that compiles has no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompilerFault {
    /// It was not started.
    #[error("its compiler cannot be started: {0}")]
    NotStarted(String),
    /// It ended without an answer: by its limit of memory or processor time, or by a mistake.
    #[error(
        "its compiler ended before it was done, as it does where that takes too much memory or time ({0})"
    )]
    Died(String),
    /// There was no answer in time.
    #[error("its compiler was not done within {milliseconds} ms")]
    TimedOut {
        /// How long it had.
        milliseconds: u64,
    },
    /// It answered something else.
    #[error("its compiler answered nonsense: {0}")]
    Nonsense(String),
    /// It makes code for another engine.
    #[error("its compiler is of another version than this host")]
    OtherEngine,
}

/// What a plugin can use too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Instructions.
    Fuel,
    /// Wall-clock time.
    Deadline,
    /// Linear memory.
    Memory,
    /// Table elements.
    TableElements,
    /// Stack.
    Stack,
    /// Resource handles at a time.
    Handles,
    /// What it hands to the host at a time.
    Answer,
    /// Text in the log.
    LogBytes,
    /// Messages in the log.
    LogMessages,
    /// Findings in an answer.
    Findings,
    /// Leaves of options.
    Options,
    /// Text in options.
    OptionBytes,
    /// Questions to the network.
    NetworkCalls,
    /// Calls at a time.
    Calls,
}

impl Limit {
    /// Whether no call gets anywhere with none of it.
    pub(crate) const fn is_needed(self) -> bool {
        matches!(
            self,
            Self::Fuel | Self::Deadline | Self::Memory | Self::Handles | Self::Answer | Self::Calls
        )
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fuel => "units of fuel",
            Self::Deadline => "milliseconds of time",
            Self::Memory => "bytes of memory",
            Self::TableElements => "table elements",
            Self::Stack => "bytes of stack",
            Self::Handles => "resource handles",
            Self::Answer => "bytes in one answer",
            Self::LogBytes => "bytes of log",
            Self::LogMessages => "log messages",
            Self::Findings => "findings",
            Self::Options => "options",
            Self::OptionBytes => "bytes of options",
            Self::NetworkCalls => "questions to the network",
            Self::Calls => "calls at a time",
        })
    }
}

struct Listed<'e>(&'e [Note]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, note) in self.0.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{note}")?;
        }
        Ok(())
    }
}

/// A text that a plugin wrote, fit to be shown: of bounded length, without control characters.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 500;
    let mut shown: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
