//! What the command prints, for each step of the story and for each way to go wrong.
//!
//! Each scene is typed into the real command, and what it prints is compared, word for word, with
//! a file in `answers/`, after everything that differs from one run to the next was replaced by
//! what it is: `[DIGEST]`, `[KEY]`, `[TIME]`. `SLUICE_UPDATE=1` writes the files anew; a file that
//! is missing is a failure.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod governance;
#[cfg(test)]
#[cfg(unix)]
mod integrations;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod plugins;
#[cfg(test)]
mod policies;
#[cfg(test)]
#[cfg(unix)]
mod registry;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod steps;
#[cfg(test)]
#[path = "../../../../xtask/src/story.rs"]
mod story;
#[cfg(test)]
#[cfg(unix)]
mod terminal;
