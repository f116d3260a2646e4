//! Encryption and certificates, as ToolJet spells them.

use crate::OptionType::Flag;
use crate::connection::Tls;
use crate::spec::{OptionSpec, SlotSpec, choice, fixed, secret};

/// Whether the connection is encrypted, and which certificates are checked.
pub const SSL: &[OptionSpec] =
    &[fixed("ssl_enabled", Flag, "Whether the connection is encrypted").per_environment(), CHECKED];

/// Which certificates are checked.
pub const CHECKED: OptionSpec = choice(
    "ssl_certificate",
    &["none", "ca_certificate", "self_signed", "client_certificate"],
    "Which certificates are checked",
)
.per_environment();

/// What says whether a connection with [`SSL`] is encrypted.
pub const SSL_ENABLED: &[Tls] = &[Tls::Flag("ssl_enabled")];

/// The files of [`SSL`].
pub const FILES: &[SlotSpec] = &[
    secret("ca-cert", "ca_cert", "The certificate authority's certificate"),
    secret("client-key", "client_key", "The client's private key"),
    secret("client-cert", "client_cert", "The client's certificate"),
    secret("root-cert", "root_cert", "The root certificate"),
];
