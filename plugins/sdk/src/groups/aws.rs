//! Accounts of Amazon Web Services, as ToolJet spells them.
//!
//! The key's id names the account, so it must differ; the region alone does not.

use crate::OptionType::Text;
use crate::connection::{Account, Admission, Connection, Endpoint, to};
use crate::spec::{OptionSpec, SlotSpec, choice, owned, place, secret};

/// The account and the region.
pub const ACCOUNT: &[OptionSpec] = &[
    place("access_key", Text, "The account's key id"),
    owned("region", Text, "The region of the service"),
    choice(
        "instance_metadata_credentials",
        &["iam_access_keys", "ec2_instance_credentials", "aws_instance_credentials", "aws_arn_role"],
        "Where credentials come from",
    ),
    place("role_arn", Text, "The role to take on"),
];

/// The account's secret. Sources of old releases have keys and do not say so.
pub const SECRET: &[SlotSpec] = &[secret("secret-key", "secret_key", "The account's secret key")
    .needed_when("instance_metadata_credentials", &["", "iam_access_keys"])];

/// A connection to a service with the account. What else the account's owner opens to the world,
/// these options do not say.
#[must_use]
pub const fn by_account(endpoints: &'static [Endpoint]) -> Connection {
    Connection { accounts: &[Account::Option("access_key"), Account::Option("role_arn")], ..to(endpoints) }
}

/// As [`by_account`], to a service that answers nobody without an account.
#[must_use]
pub const fn closed(endpoints: &'static [Endpoint]) -> Connection {
    Connection { admission: Admission::Credential, ..by_account(endpoints) }
}
