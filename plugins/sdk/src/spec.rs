//! Kinds as data.

use crate::options::covers;
use crate::{Kind, KindDescription, OptionDescription, OptionType, Sameness, SecretShape, SlotDescription};

/// A platform's way to write options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// ToolJet: `{"host": {"value": "db", "encrypted": false}}`.
    ToolJet,
    /// Lowcoder: `{"host": "db"}`.
    Lowcoder,
}

impl Platform {
    /// The name in a kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToolJet => "tooljet",
            Self::Lowcoder => "lowcoder",
        }
    }

    /// Where an option's value stands. `key` may name a nested one, as in `authConfig/username`.
    #[must_use]
    pub fn at(self, key: &str) -> String {
        match self {
            Self::ToolJet => format!("/{key}/value"),
            Self::Lowcoder => format!("/{key}"),
        }
    }
}

/// One option of a kind.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The platform's name of it.
    pub key: &'static str,
    /// What it may hold.
    pub ty: OptionType,
    /// For a choice, the texts it may be.
    pub choices: &'static [&'static str],
    /// Whether the source is of no use without it.
    pub need: Need,
    /// Who decides what it holds.
    pub across: Sameness,
    /// One sentence.
    pub doc: &'static str,
}

/// Whether an option must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It may be absent.
    Optional,
    /// It must be there.
    Required,
    /// It must be there unless the option of this key is.
    Unless(&'static str),
}

impl OptionSpec {
    /// An option that must be there.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { need: Need::Required, ..self }
    }

    /// An option that must be there unless the other one is.
    #[must_use]
    pub const fn unless(self, other: &'static str) -> Self {
        Self { need: Need::Unless(other), ..self }
    }
}

const fn option(key: &'static str, ty: OptionType, across: Sameness, doc: &'static str) -> OptionSpec {
    OptionSpec { key, ty, choices: &[], need: Need::Optional, across, doc }
}

/// An option that names, with its like, the place a source connects to.
#[must_use]
pub const fn place(key: &'static str, ty: OptionType, doc: &'static str) -> OptionSpec {
    option(key, ty, Sameness::MustDiffer, doc)
}

/// An option that the environment owns.
#[must_use]
pub const fn owned(key: &'static str, ty: OptionType, doc: &'static str) -> OptionSpec {
    option(key, ty, Sameness::MayDiffer, doc)
}

/// An option that means the same everywhere and comes with the bundle.
#[must_use]
pub const fn fixed(key: &'static str, ty: OptionType, doc: &'static str) -> OptionSpec {
    option(key, ty, Sameness::MustMatch, doc)
}

/// A choice that means the same everywhere.
#[must_use]
pub const fn choice(key: &'static str, choices: &'static [&'static str], doc: &'static str) -> OptionSpec {
    OptionSpec { choices, ..option(key, OptionType::Choice, Sameness::MustMatch, doc) }
}

/// One place for a secret.
#[derive(Debug, Clone, Copy)]
pub struct SlotSpec {
    /// The slot's name.
    pub name: &'static str,
    /// The option it sits in.
    pub key: &'static str,
    /// How.
    pub shape: Shape,
    /// Whether the source is of no use without it.
    pub required: bool,
    /// One sentence.
    pub doc: &'static str,
}

/// The shapes that first-party kinds use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The whole value.
    Whole,
    /// The password in a URL.
    Url,
}

/// A secret that is the whole of an option.
#[must_use]
pub const fn secret(name: &'static str, key: &'static str, doc: &'static str) -> SlotSpec {
    SlotSpec { name, key, shape: Shape::Whole, required: false, doc }
}

/// The password in a URL.
#[must_use]
pub const fn url_secret(name: &'static str, key: &'static str, doc: &'static str) -> SlotSpec {
    SlotSpec { name, key, shape: Shape::Url, required: false, doc }
}

impl SlotSpec {
    /// A secret without which the source is of no use.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// One kind.
#[derive(Debug, Clone, Copy)]
pub struct KindSpec {
    /// The platform.
    pub platform: Platform,
    /// The platform's name of the kind.
    pub name: &'static str,
    /// The options, in groups that kinds share.
    pub options: &'static [&'static [OptionSpec]],
    /// The slots, in groups that kinds share.
    pub slots: &'static [&'static [SlotSpec]],
}

/// How ToolJet stores each option beside its value: structure, not a setting, so it comes with
/// the bundle.
const ENVELOPE: &str = "/*/encrypted";

impl KindSpec {
    /// The options.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionSpec> {
        self.options.iter().copied().flatten()
    }

    /// The slots.
    pub fn slots(&self) -> impl Iterator<Item = &'static SlotSpec> {
        self.slots.iter().copied().flatten()
    }

    /// Where an option of this kind stands.
    #[must_use]
    pub fn at(&self, key: &str) -> String {
        self.platform.at(key)
    }

    /// The pointers of the options that come with the bundle.
    #[must_use]
    pub fn fixed(&self) -> Vec<String> {
        let envelope = (self.platform == Platform::ToolJet).then(|| ENVELOPE.to_owned());
        self.options()
            .filter(|option| option.across == Sameness::MustMatch)
            .map(|option| self.at(option.key))
            .chain(envelope)
            .collect()
    }

    /// Whether something in the table covers a leaf.
    #[must_use]
    pub fn knows(&self, described: &[String], leaf: &str) -> bool {
        (self.platform == Platform::ToolJet && covers(ENVELOPE, leaf))
            || described.iter().any(|at| covers(at, leaf))
    }

    /// The pointers of all options and slots.
    #[must_use]
    pub fn described(&self) -> Vec<String> {
        self.options().map(|o| o.key).chain(self.slots().map(|s| s.key)).map(|key| self.at(key)).collect()
    }

    /// The table in the contract's words.
    #[must_use]
    pub fn describe(&self) -> KindDescription {
        let envelope = (self.platform == Platform::ToolJet).then(|| OptionDescription {
            at: ENVELOPE.to_owned(),
            ty: OptionType::Flag,
            choices: Vec::new(),
            required: false,
            across_environments: Sameness::MustMatch,
            doc: "How the platform stores the option".to_owned(),
        });
        let option = |option: &OptionSpec| OptionDescription {
            at: self.at(option.key),
            ty: option.ty,
            choices: option.choices.iter().map(|&choice| choice.to_owned()).collect(),
            required: option.need == Need::Required,
            across_environments: option.across,
            doc: option.doc.to_owned(),
        };
        let slot = |slot: &SlotSpec| SlotDescription {
            name: slot.name.to_owned(),
            at: self.at(slot.key),
            shape: match slot.shape {
                Shape::Whole => SecretShape::Whole,
                Shape::Url => SecretShape::UrlUserinfo,
            },
            required: slot.required,
            doc: slot.doc.to_owned(),
        };
        KindDescription {
            kind: Kind { platform: self.platform.name().to_owned(), name: self.name.to_owned() },
            slots: self.slots().map(slot).collect(),
            options: self.options().map(option).chain(envelope).collect(),
        }
    }
}
