//! A tunnel over SSH, as ToolJet spells it.

use crate::OptionType::{Number, Text};
use crate::spec::{OptionSpec, SlotSpec, choice, owned, secret};

/// The tunnel.
pub const SSH: &[OptionSpec] = &[
    choice("ssh_enabled", &["disabled", "enabled"], "Whether the connection goes through a tunnel")
        .per_environment(),
    choice("ssh_auth_type", &["private_key", "password"], "How the tunnel is opened").per_environment(),
    owned("ssh_host", Text, "The tunnel's host"),
    owned("ssh_port", Number, "The tunnel's port"),
    owned("ssh_username", Text, "The account on the tunnel's host"),
];

/// What opens it.
pub const SSH_SECRETS: &[SlotSpec] = &[
    secret("ssh-private-key", "ssh_private_key", "The tunnel's private key"),
    secret("ssh-passphrase", "ssh_passphrase", "The passphrase of the tunnel's private key"),
    secret("ssh-password", "ssh_password", "The password on the tunnel's host"),
];
