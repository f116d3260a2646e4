//! Options as data.

use crate::{OptionType, Sameness};

/// An option that has one of some texts. A flag is `true` or `false`, a number its digits; an
/// option that is absent or says nothing is the empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Is {
    /// The option.
    pub key: &'static str,
    /// The texts.
    pub one_of: &'static [&'static str],
}

/// An option that has one of these texts.
#[must_use]
pub const fn is(key: &'static str, one_of: &'static [&'static str]) -> Is {
    Is { key, one_of }
}

/// One option of a kind.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The platform's name of it. A token `*` is any one item of a list.
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
    /// It must be there where another option says so.
    When(Is),
    /// It must be there where the bundle has it.
    LikeBundle,
}

impl OptionSpec {
    /// An option that must be there.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { need: Need::Required, ..self }
    }

    /// An option that must be there where the bundle has it.
    #[must_use]
    pub const fn like_bundle(self) -> Self {
        Self { need: Need::LikeBundle, ..self }
    }

    /// An option that each environment decides for itself, and must where the bundle has it: how
    /// safely a source connects is never another environment's to say.
    #[must_use]
    pub const fn per_environment(self) -> Self {
        Self { across: Sameness::MayDiffer, need: Need::LikeBundle, ..self }
    }

    /// An option that must be there unless the other one is.
    #[must_use]
    pub const fn unless(self, other: &'static str) -> Self {
        Self { need: Need::Unless(other), ..self }
    }

    /// An option that must be there where another one is one of these.
    #[must_use]
    pub const fn when(self, key: &'static str, one_of: &'static [&'static str]) -> Self {
        Self { need: Need::When(is(key, one_of)), ..self }
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
