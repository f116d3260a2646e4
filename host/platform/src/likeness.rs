//! What gives a secret away.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a text looks like that is, or may be, a secret. Provisional slots are named for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    /// It stands where a rule says that a secret is: no matter what it looks like.
    Declared,
    /// A PEM block (RFC 7468) of a private key.
    PrivateKey,
    /// A JSON Web Token (RFC 7519).
    Jwt,
    /// A token in the form that its issuer documents.
    Token,
    /// A webhook's address, which lets anybody call it.
    Webhook,
    /// A password in a URL's user information (RFC 3986 §3.2.1).
    UrlPassword,
    /// A value that code or a connection string assigns to a name such as `password`.
    Assignment,
    /// Credentials after an authorization scheme (RFC 9110 §11.4).
    Authorization,
    /// The value of a member or header whose name is that of a secret.
    Name,
    /// A long random value of a header or parameter, whatever its name.
    Random,
    /// More suspects in one text than can be judged one by one.
    Many,
}

impl Likeness {
    /// The word for it in documents and in the names of slots.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::PrivateKey => "private-key",
            Self::Jwt => "jwt",
            Self::Token => "token",
            Self::Webhook => "webhook",
            Self::UrlPassword => "url-password",
            Self::Assignment => "assignment",
            Self::Authorization => "authorization",
            Self::Name => "name",
            Self::Random => "random",
            Self::Many => "many",
        }
    }

    /// What it looks like, told to a person.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Declared => "a value declared to be secret",
            Self::PrivateKey => "a private key",
            Self::Jwt => "a JSON Web Token",
            Self::Token => "a token of a known issuer",
            Self::Webhook => "a webhook's address",
            Self::UrlPassword => "a password in a URL",
            Self::Assignment => "a value assigned to a secret's name",
            Self::Authorization => "credentials of an authorization header",
            Self::Name => "a value under a secret's name",
            Self::Random => "a long random value of a header or parameter",
            Self::Many => "many secrets in one text",
        }
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
