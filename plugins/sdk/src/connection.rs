//! How the sources of a kind connect, as data: what traits are read from.

use crate::spec::Is;

/// One way in which a source connects.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The option that says that it is this way; without one it is.
    pub when: Option<Is>,
    /// Where it leads: the first that the options say something of.
    pub endpoints: &'static [Endpoint],
    /// Whether it is encrypted: the first that the options say something of.
    pub tls: &'static [Tls],
    /// Who signs in: the first that the options name.
    pub accounts: &'static [Account],
    /// What lets a source in.
    pub admission: Admission,
}

/// A way that leads here and is encrypted where the endpoint's scheme says so.
#[must_use]
pub const fn to(endpoints: &'static [Endpoint]) -> Connection {
    Connection { when: None, endpoints, tls: &[Tls::Scheme], accounts: &[], admission: Admission::Unsaid }
}

/// As [`to`], to what answers nobody without a credential.
#[must_use]
pub const fn closed(endpoints: &'static [Endpoint]) -> Connection {
    Connection { admission: Admission::Credential, ..to(endpoints) }
}

/// Where a way of connecting leads.
#[derive(Debug, Clone, Copy)]
pub enum Endpoint {
    /// `host:port`. The host may also be a URL, or have its port with it.
    Host {
        /// The option that names the host; several where it is of a list's items.
        host: &'static str,
        /// The option that names the port, empty where there is none. Of a list, the member beside
        /// the host.
        port: &'static str,
        /// The port where no option says one; empty where there is no usual one.
        usual: &'static str,
    },
    /// The scheme, host and port of each of these options that holds a URL.
    Urls(&'static [&'static str]),
    /// The servers of a connection string.
    ConnectionString {
        /// The option that holds it.
        key: &'static str,
        /// The port where it says none.
        usual: &'static str,
    },
    /// An option between two texts, such as a subdomain.
    Around(&'static str, &'static str, &'static str),
    /// A service of Amazon's in the region that the option says.
    Aws {
        /// The service, as in its address.
        service: &'static str,
        /// The option that says the region.
        region: &'static str,
    },
    /// The same for all sources.
    Always(&'static str),
}

/// What says whether a connection is encrypted.
#[derive(Debug, Clone, Copy)]
pub enum Tls {
    /// The schemes of the endpoints: encrypted only if all are and each says so. A scheme inside an
    /// expression says nothing.
    Scheme,
    /// Nothing: the driver does not connect otherwise.
    Always,
    /// A flag. The platforms take an absent or empty one as off.
    Flag(&'static str),
    /// An option that turns encryption on with one of these texts, and off with any other.
    Only(Is),
    /// An option, by its text.
    Choice {
        /// The option.
        key: &'static str,
        /// With these texts it is encrypted.
        on: &'static [&'static str],
        /// With these it is not. The empty text is an option that says nothing.
        off: &'static [&'static str],
    },
    /// The scheme or the parameters of a connection string.
    ConnectionString(&'static str),
}

/// What names the account.
#[derive(Debug, Clone, Copy)]
pub enum Account {
    /// An option.
    Option(&'static str),
    /// The user in a URL or connection string.
    ConnectionString(&'static str),
}

/// What lets a source in, and so tells whether what it reaches is open to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The options do not say who else may read what a source reaches.
    Unsaid,
    /// The source shows a credential.
    Credential,
    /// An account, or a secret in one of these options. A source that names none of them gets in
    /// as anybody does; where a secret may be left empty, nothing is said.
    By(&'static [&'static str]),
}

/// What tells that an account may do everything. Upper and lower case are the same.
#[derive(Debug, Clone, Copy)]
pub struct Administrators {
    /// Names of such accounts that come with the server or a hosted service.
    pub accounts: &'static [&'static str],
    /// The option that names the role the account takes on, and such roles.
    pub roles: Option<Is>,
}

impl Administrators {
    /// Nothing tells.
    pub const UNKNOWN: Self = Self { accounts: &[], roles: None };

    /// Accounts of these names.
    #[must_use]
    pub const fn named(accounts: &'static [&'static str]) -> Self {
        Self { accounts, roles: None }
    }
}
