//! Kinds as data.

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
            Self::ToolJet => ["/", key, "/value"].concat(),
            Self::Lowcoder => ["/", key].concat(),
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
    /// The option, and the texts of it, with which the source is of no use without the secret.
    pub needed_when: Option<(&'static str, &'static [&'static str])>,
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
    SlotSpec { name, key, shape: Shape::Whole, required: false, needed_when: None, doc }
}

/// The password in a URL.
#[must_use]
pub const fn url_secret(name: &'static str, key: &'static str, doc: &'static str) -> SlotSpec {
    SlotSpec { name, key, shape: Shape::Url, required: false, needed_when: None, doc }
}

impl SlotSpec {
    /// A secret without which the source is of no use.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// A secret without which the source is of no use where the option is one of these.
    #[must_use]
    pub const fn needed_when(self, key: &'static str, is: &'static [&'static str]) -> Self {
        Self { needed_when: Some((key, is)), ..self }
    }
}

/// What the table says of a leaf.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// The option that it is, or lies in.
    pub option: Option<&'static OptionSpec>,
    /// The slot whose option it is, or lies in.
    pub slot: Option<&'static SlotSpec>,
    /// Whether it lies inside the option.
    pub deeper: bool,
    /// Whether it is what ToolJet keeps beside each value.
    pub envelope: bool,
}

impl Found {
    /// Whether the leaf comes with the bundle.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.envelope || self.option.is_some_and(|option| option.across == Sameness::MustMatch)
    }

    /// Whether nothing in the table covers the leaf.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        !self.envelope && self.option.is_none() && self.slot.is_none()
    }

    /// Whether a secret is the whole of what stands here.
    #[must_use]
    pub fn is_whole_slot(&self) -> bool {
        !self.deeper && self.slot.is_some_and(|slot| slot.shape == Shape::Whole)
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

    /// What the table says of a leaf.
    #[must_use]
    pub fn find(&self, leaf: &str) -> Found {
        let Some(body) = leaf.strip_prefix('/') else { return Found::default() };
        let (key, deeper) = match self.platform {
            Platform::ToolJet => match first_token(body) {
                Some((_, "encrypted")) => return Found { envelope: true, ..Found::default() },
                Some((key, "value")) => (key, false),
                Some((key, rest)) if rest.starts_with("value/") => (key, true),
                _ => return Found::default(),
            },
            Platform::Lowcoder => (body, false),
        };
        let found = self.keyed(key, deeper);
        if self.platform != Platform::Lowcoder || !found.is_unknown() {
            return found;
        }
        // A key of Lowcoder may have several tokens, and so may what lies inside it.
        let outer = body.rmatch_indices('/').filter_map(|(end, _)| body.get(..end));
        outer.map(|key| self.keyed(key, true)).find(|found| !found.is_unknown()).unwrap_or(found)
    }

    fn keyed(&self, key: &str, deeper: bool) -> Found {
        let option = first(self.options, |option| is_key(option.key, key));
        let slot = first(self.slots, |slot| is_key(slot.key, key));
        Found { option, slot, deeper, envelope: false }
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

/// A pointer's first token and what follows it.
fn first_token(body: &str) -> Option<(&str, &str)> {
    // A search for a character would cost several times what these few bytes do.
    let end = body.bytes().position(|byte| byte == b'/')?;
    Some((body.get(..end)?, body.get(end + 1..)?))
}

/// Whether two keys are the same. Most are told apart by their length or their last byte.
pub(crate) fn is_key(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.as_bytes().last() == b.as_bytes().last() && a == b
}

fn first<T>(groups: &'static [&'static [T]], is: impl Fn(&T) -> bool) -> Option<&'static T> {
    for group in groups {
        for item in *group {
            if is(item) {
                return Some(item);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[OptionSpec] = &[
        owned("host", OptionType::Text, ""),
        fixed("ssl", OptionType::Flag, ""),
        owned("auth/user", OptionType::Text, ""),
    ];
    const SLOTS: &[SlotSpec] = &[secret("password", "password", ""), url_secret("in-url", "host", "")];

    fn spec(platform: Platform) -> KindSpec {
        KindSpec { platform, name: "x", options: &[OPTIONS], slots: &[SLOTS] }
    }

    #[test]
    fn a_leaf_is_found_in_its_platforms_spelling() {
        use Platform::{Lowcoder, ToolJet};
        for (platform, leaf, option, slot, deeper, is_fixed) in [
            (ToolJet, "/host/value", Some("host"), Some("in-url"), false, false),
            (ToolJet, "/host/value/0", Some("host"), Some("in-url"), true, false),
            (ToolJet, "/host/values", None, None, false, false),
            (ToolJet, "/host", None, None, false, false),
            (ToolJet, "/host/encrypted", None, None, false, true),
            (ToolJet, "/hostname/value", None, None, false, false),
            (ToolJet, "/ssl/value", Some("ssl"), None, false, true),
            (ToolJet, "/password/value", None, Some("password"), false, false),
            (Lowcoder, "/host", Some("host"), Some("in-url"), false, false),
            (Lowcoder, "/hostname", None, None, false, false),
            (Lowcoder, "/auth/user", Some("auth/user"), None, false, false),
            (Lowcoder, "/auth/user/x", Some("auth/user"), None, true, false),
            (Lowcoder, "/ssl/encrypted", Some("ssl"), None, true, true),
            (Lowcoder, "", None, None, false, false),
        ] {
            let found = spec(platform).find(leaf);
            let told =
                (found.option.map(|o| o.key), found.slot.map(|s| s.name), found.deeper, found.is_fixed());
            assert_eq!(told, (option, slot, deeper, is_fixed), "{platform:?} {leaf}");
        }
    }
}
