//! Kinds as data.

mod option;
mod slot;

use crate::connection::{Administrators, Connection};
use crate::sign_in::SignIn;
use crate::{Kind, KindDescription, OptionDescription, OptionType, Sameness, SecretShape, SlotDescription};

pub use option::{Is, Need, OptionSpec, choice, fixed, is, owned, place};
pub use slot::{Shape, SlotSpec, header_secrets, member_secret, pair_secret, secret, url_secret};

/// A platform's way to write options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// ToolJet: `{"host": {"value": "db", "encrypted": false}}`.
    ToolJet,
    /// Lowcoder: `{"host": "db"}`.
    Lowcoder,
    /// Appsmith: the members of a `datasourceConfiguration`, as in `{"url": "https://api"}`.
    Appsmith,
}

impl Platform {
    /// The name in a kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToolJet => "tooljet",
            Self::Lowcoder => "lowcoder",
            Self::Appsmith => "appsmith",
        }
    }

    /// Where an option's value stands. `key` may name a nested one, as in `authConfig/username`.
    #[must_use]
    pub fn at(self, key: &str) -> String {
        match self {
            Self::ToolJet => ["/", key, "/value"].concat(),
            Self::Lowcoder | Self::Appsmith => ["/", key].concat(),
        }
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

    /// Whether a secret may be the whole of what stands here.
    #[must_use]
    pub fn is_whole_slot(&self) -> bool {
        !self.deeper && self.slot.is_some_and(|slot| slot.or_whole || slot.shape == Shape::Whole)
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
    /// The ways in which a source connects. The first whose option says so is the one.
    pub connections: &'static [Connection],
    /// What tells that an account may do everything.
    pub administrators: Administrators,
    /// How a target is asked whether it takes the credentials. The first that the options say all of
    /// is the one; without any, that is not asked.
    pub sign_in: &'static [SignIn],
}

/// A kind of a platform of which nothing is said yet.
#[must_use]
pub const fn kind(platform: Platform, name: &'static str) -> KindSpec {
    KindSpec {
        platform,
        name,
        options: &[],
        slots: &[],
        connections: &[],
        administrators: Administrators::UNKNOWN,
        sign_in: &[],
    }
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
                Some((_, rest)) if rest.starts_with("encrypted/") => {
                    return Found { envelope: true, deeper: true, ..Found::default() };
                }
                _ => return Found::default(),
            },
            Platform::Lowcoder | Platform::Appsmith => (body, false),
        };
        let found = self.keyed(key, deeper);
        if self.platform == Platform::ToolJet || !found.is_unknown() {
            return found;
        }
        // A key of the other platforms may have several tokens, and so may what lies inside it.
        let mut outer = None;
        let mut rest = body;
        while let Some((inner, last_token)) = last_token(rest) {
            if last_token.as_bytes().first().is_some_and(u8::is_ascii_digit) {
                return self.find_item(body).unwrap_or(found);
            }
            if outer.is_none() {
                outer = Some(self.keyed(inner, true)).filter(|found| !found.is_unknown());
            }
            rest = inner;
        }
        outer.unwrap_or(found)
    }

    /// What the table says of a leaf in a list: of two keys that cover as much of it, the one without a
    /// `*` counts.
    #[cold]
    fn find_item(&self, body: &str) -> Option<Found> {
        let is_index = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
        let tokens = body.split('/').map(|token| if is_index(token) { "*" } else { token });
        let any_item = tokens.collect::<Vec<_>>().join("/");
        let ends = |text: &str| {
            [text.len()].into_iter().chain(text.rmatch_indices('/').map(|(end, _)| end)).collect::<Vec<_>>()
        };
        ends(body).into_iter().zip(ends(&any_item)).find_map(|(end, any_end)| {
            let keys = [body.get(..end), any_item.get(..any_end)];
            let mut found = keys.into_iter().flatten().map(|key| self.keyed(key, end != body.len()));
            found.find(|found| !found.is_unknown())
        })
    }

    /// Asked about each leaf, twice: as a call it costs a hundredth of a whole render.
    #[inline(always)]
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
        let slot = |slot: &SlotSpec| {
            let part = SlotDescription {
                name: slot.name.to_owned(),
                at: self.at(slot.key) + slot.shape.inside(self.platform),
                shape: slot.shape.describe(),
                required: slot.required,
                doc: slot.doc.to_owned(),
            };
            let whole = slot.or_whole.then(|| SlotDescription {
                name: [slot.name, "-whole"].concat(),
                shape: SecretShape::Whole,
                required: false,
                doc: "All of the option, where the platform keeps it as a secret".to_owned(),
                ..part.clone()
            });
            [part].into_iter().chain(whole)
        };
        KindDescription {
            kind: Kind { platform: self.platform.name().to_owned(), name: self.name.to_owned() },
            slots: self.slots().flat_map(slot).collect(),
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

/// What stands before a pointer's last token, and that token.
fn last_token(body: &str) -> Option<(&str, &str)> {
    let end = body.bytes().rposition(|byte| byte == b'/')?;
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
        owned("list", OptionType::Json, ""),
        owned("list/*/host", OptionType::Text, ""),
        fixed("list/1/host", OptionType::Text, ""),
    ];
    const SLOTS: &[SlotSpec] = &[
        secret("password", "password", ""),
        url_secret("in-url", "host", ""),
        member_secret("key", "account", "/key", "").or_whole(),
        header_secrets("headers", "headers", ""),
    ];

    fn spec(platform: Platform) -> KindSpec {
        KindSpec { options: &[OPTIONS], slots: &[SLOTS], ..kind(platform, "x") }
    }

    #[test]
    fn a_leaf_is_found_in_its_platforms_spelling() {
        use Platform::{Appsmith, Lowcoder, ToolJet};
        for (platform, leaf, option, slot, deeper, is_fixed) in [
            (ToolJet, "/host/value", Some("host"), Some("in-url"), false, false),
            (ToolJet, "/host/value/0", Some("host"), Some("in-url"), true, false),
            (ToolJet, "/host/values", None, None, false, false),
            (ToolJet, "/host", None, None, false, false),
            (ToolJet, "/host/encrypted", None, None, false, true),
            (ToolJet, "/host/encrypted/0", None, None, true, true),
            (ToolJet, "/host/encryption", None, None, false, false),
            (ToolJet, "/hostname/value", None, None, false, false),
            (ToolJet, "/ssl/value", Some("ssl"), None, false, true),
            (ToolJet, "/password/value", None, Some("password"), false, false),
            (Lowcoder, "/host", Some("host"), Some("in-url"), false, false),
            (Lowcoder, "/hostname", None, None, false, false),
            (Lowcoder, "/auth/user", Some("auth/user"), None, false, false),
            (Lowcoder, "/auth/user/x", Some("auth/user"), None, true, false),
            (Lowcoder, "/ssl/encrypted", Some("ssl"), None, true, true),
            (Lowcoder, "", None, None, false, false),
            (Appsmith, "/list/0/host", Some("list/*/host"), None, false, false),
            (Appsmith, "/list/1/host", Some("list/1/host"), None, false, true),
            (Appsmith, "/list/1/host/x", Some("list/1/host"), None, true, true),
            (Appsmith, "/list/10/host/2", Some("list/*/host"), None, true, false),
            (Appsmith, "/list/2/port", Some("list"), None, true, false),
            (Appsmith, "/none/2/port", None, None, false, false),
            (Appsmith, "/headers/0/value", None, Some("headers"), true, false),
        ] {
            let found = spec(platform).find(leaf);
            let told =
                (found.option.map(|o| o.key), found.slot.map(|s| s.name), found.deeper, found.is_fixed());
            assert_eq!(told, (option, slot, deeper, is_fixed), "{platform:?} {leaf}");
        }
    }

    #[test]
    fn a_secret_in_several_shapes_may_be_the_whole() {
        for (leaf, expected) in [
            ("/password", Some(("password", true))),
            ("/host", Some(("in-url", false))),
            ("/account", Some(("key", true))),
            ("/account/x", Some(("key", false))),
            ("/list", None),
        ] {
            let found = spec(Platform::Lowcoder).find(leaf);
            assert_eq!(found.slot.map(|slot| (slot.name, found.is_whole_slot())), expected, "{leaf}");
        }
    }

    #[test]
    fn slots_are_described_where_the_platform_writes_them() {
        for (platform, expected) in [
            (
                Platform::ToolJet,
                ["/password/value", "/host/value", "/account/value", "/account/value", "/headers/value/*/1"],
            ),
            (Platform::Appsmith, ["/password", "/host", "/account", "/account", "/headers/*/value"]),
        ] {
            let described = spec(platform).describe();
            assert_eq!(described.slots.iter().map(|slot| slot.at.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}
