//! Groups of options and slots that kinds of several families share.
//!
//! ToolJet's and Lowcoder's are named for what they are about; Appsmith writes the options of all
//! its kinds into one form, so its groups are in [`appsmith`].

pub mod appsmith;
pub mod aws;
pub mod certificates;
pub mod google;
pub mod oauth;
pub mod server;
pub mod tunnel;
pub mod uri;
