//! The options of services of clouds.
//!
//! ToolJet: its manifests of the kinds, 2.x and 3.x.

use sluice_guest::OptionType::Text;
use sluice_guest::connection::Endpoint;
use sluice_guest::groups::aws;
use sluice_guest::spec::{KindSpec, OptionSpec, Platform, kind, place};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[aws::ACCOUNT, ATHENA],
        slots: &[aws::SECRET],
        connections: &[aws::closed(&[Endpoint::Aws { service: "athena", region: "region" }])],
        ..kind(Platform::ToolJet, "athena")
    },
    KindSpec {
        options: &[aws::ACCOUNT],
        slots: &[aws::SECRET],
        connections: &[aws::closed(&[Endpoint::Aws { service: "textract", region: "region" }])],
        ..kind(Platform::ToolJet, "textract")
    },
];

const ATHENA: &[OptionSpec] = &[
    place("output_location", Text, "The bucket that results are written to"),
    place("database", Text, "The database"),
];
