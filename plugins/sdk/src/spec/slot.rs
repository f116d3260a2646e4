//! Places for secrets as data.

use super::Platform;
use super::option::{Is, is};
use crate::SecretShape;

/// One place for a secret.
#[derive(Debug, Clone, Copy)]
pub struct SlotSpec {
    /// The slot's name.
    pub name: &'static str,
    /// The option it sits in.
    pub key: &'static str,
    /// How.
    pub shape: Shape,
    /// Whether it may as well be the whole of the option: where the platform itself keeps all of it
    /// as a secret.
    pub or_whole: bool,
    /// Whether the source is of no use without it.
    pub required: bool,
    /// The option that says that the source is of no use without the secret.
    pub needed_when: Option<Is>,
    /// One sentence.
    pub doc: &'static str,
}

/// How a secret sits in an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The whole value.
    Whole,
    /// The password in a URL.
    Url,
    /// The value of this key in a connection string.
    KeyValue(&'static str),
    /// The member at this pointer in JSON that is held as text.
    Member(&'static str),
    /// The value of a header or parameter, in a list of them.
    Header,
}

impl Shape {
    /// The shape in the contract's words.
    pub(super) fn describe(self) -> SecretShape {
        match self {
            Self::Whole => SecretShape::Whole,
            Self::Url => SecretShape::UrlUserinfo,
            Self::KeyValue(key) => SecretShape::KeyValue(key.to_owned()),
            Self::Member(at) => SecretShape::JsonMember(at.to_owned()),
            Self::Header => SecretShape::HeaderValue,
        }
    }

    /// Where inside the option the secret's text stands.
    pub(super) const fn inside(self, platform: Platform) -> &'static str {
        match (self, platform) {
            (Self::Header, Platform::ToolJet) => "/*/1",
            (Self::Header, Platform::Lowcoder | Platform::Appsmith) => "/*/value",
            _ => "",
        }
    }
}

const fn slot(name: &'static str, key: &'static str, shape: Shape, doc: &'static str) -> SlotSpec {
    SlotSpec { name, key, shape, or_whole: false, required: false, needed_when: None, doc }
}

/// A secret that is the whole of an option.
#[must_use]
pub const fn secret(name: &'static str, key: &'static str, doc: &'static str) -> SlotSpec {
    slot(name, key, Shape::Whole, doc)
}

/// The password in a URL.
#[must_use]
pub const fn url_secret(name: &'static str, key: &'static str, doc: &'static str) -> SlotSpec {
    slot(name, key, Shape::Url, doc)
}

/// The value of the key `of` in a connection string.
#[must_use]
pub const fn pair_secret(
    name: &'static str,
    key: &'static str,
    of: &'static str,
    doc: &'static str,
) -> SlotSpec {
    slot(name, key, Shape::KeyValue(of), doc)
}

/// The member at the pointer `at` in an option that holds JSON as text.
#[must_use]
pub const fn member_secret(
    name: &'static str,
    key: &'static str,
    at: &'static str,
    doc: &'static str,
) -> SlotSpec {
    slot(name, key, Shape::Member(at), doc)
}

/// The values in a list of headers or parameters whose name or scheme says secret.
#[must_use]
pub const fn header_secrets(name: &'static str, key: &'static str, doc: &'static str) -> SlotSpec {
    slot(name, key, Shape::Header, doc)
}

impl SlotSpec {
    /// A secret that may as well be the whole of the option.
    #[must_use]
    pub const fn or_whole(self) -> Self {
        Self { or_whole: true, ..self }
    }

    /// A secret without which the source is of no use.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// A secret without which the source is of no use where the option is one of these.
    #[must_use]
    pub const fn needed_when(self, key: &'static str, one_of: &'static [&'static str]) -> Self {
        Self { needed_when: Some(is(key, one_of)), ..self }
    }
}
