//! `sluice secret`.

use std::ffi::OsString;

use serde_json::{Value, json};
use sluice_engine::settings::{Filing, Setting};
use sluice_engine::suspicion::Suspected;
use sluice_model::{EnvironmentName, SecretRef, SlotName};

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, quoted};
use crate::table::Rows;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// File a secret, read from standard input.
    #[command(
        after_help = "Examples:\n  sluice secret set staging/orders-db/password < password.txt\n  sluice secret set secret://staging/orders-db/password < password.txt\n\nA data source is offered the secrets under its name or id. One line end at the end of the input is\nnot part of the value."
    )]
    Set {
        /// Where it lies: `ENV/PATH`, or `secret://ENV/PATH`.
        #[arg(value_name = "ENV/PATH", value_parser = reference)]
        reference: SecretRef,
        /// Values come from standard input only.
        #[arg(hide = true)]
        value: Vec<OsString>,
    },
    /// List an environment's secrets: where they lie and how old they are, never what they are.
    #[command(after_help = "Examples:\n  sluice secret list staging")]
    List {
        /// The environment.
        #[arg(value_name = "ENV")]
        environment: EnvironmentName,
    },
    /// Remove a secret.
    #[command(after_help = "Examples:\n  sluice secret remove staging/orders-db/password")]
    Remove {
        /// Where it lies: `ENV/PATH`, or `secret://ENV/PATH`.
        #[arg(value_name = "ENV/PATH", value_parser = reference)]
        reference: SecretRef,
    },
    /// List what looks like a secret in the working copy and waits for a person's word.
    #[command(after_help = "Examples:\n  sluice secret suspicions")]
    Suspicions,
    /// Say that what looks like a secret is one: each environment then files its own.
    #[command(
        after_help = "Examples:\n  sluice secret confirm name@/options/headers/1/1 --reason \"the supplier's API key\"\n  sluice secret confirm name@/options/headers/1/1 --in loadInvoice --reason \"the supplier's API key\""
    )]
    Confirm(Judged),
    /// Say that what looks like a secret is none: its text is put back.
    #[command(
        after_help = "Examples:\n  sluice secret dismiss name@/options/headers/1/1 --reason \"a public key\"\n  sluice secret dismiss name@/options/headers/1/1 --in loadInvoice --reason \"a public key\""
    )]
    Dismiss(Judged),
}

/// A person's word about what looks like a secret.
#[derive(Debug, clap::Args)]
pub(crate) struct Judged {
    /// The slot, as `sluice secret suspicions` shows it.
    slot: SlotName,
    /// The name or id of the object in which it stands, where several have a slot of that name.
    #[arg(long = "in", value_name = "OBJECT")]
    object: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Reads `ENV/PATH`, with or without `secret://`.
fn reference(text: &str) -> Result<SecretRef, String> {
    let whole = if text.starts_with("secret://") { text.to_owned() } else { format!("secret://{text}") };
    whole.parse().map_err(|_| "write `ENVIRONMENT/PATH`, such as `staging/orders-db/password`".to_owned())
}

/// Runs `sluice secret`.
pub(crate) fn run(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Set { reference, value } => {
            input::refuse_typed(&value, &format!("sluice secret set {}", quoted(&reference.to_string())))?;
            set(context, &reference)
        }
        Command::List { environment } => list(context, &environment),
        Command::Remove { reference } => remove(context, &reference),
        Command::Suspicions => suspicions(context),
        Command::Confirm(judged) => judge(context, &judged, true),
        Command::Dismiss(judged) => judge(context, &judged, false),
    }
}

fn set(context: &Context, reference: &SecretRef) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    workspace.known_environment(reference.environment())?;
    let value = input::value(context, &format!("`{reference}`"), true)?;
    if value.expose().is_empty() {
        return Err(Failure::usage("the value is empty", "pipe the secret in"));
    }
    let filing = workspace.set_secret(&actor, reference, value)?;
    let mut page = Page::new();
    match filing {
        Filing::Anew => {
            page.line(format!("filed {reference}"));
            Answer::new(&json!({ "reference": reference }), page)
        }
        Filing::AsBefore { since } => {
            page.line(format!("{reference} had this value before: it stays as old as it is, since {since}"));
            let answer = Answer::new(&json!({ "reference": reference, "same_since": since }), page)?;
            Ok(answer.hint("only another value makes a credential younger"))
        }
    }
}

fn list(context: &Context, environment: &EnvironmentName) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let mut work = workspace.work();
    let settings = workspace.settings(&mut work, environment)?;
    let now = context.ambient().now();
    let mut rows = Rows::new(&["PATH", "VERSION", "AGE"]);
    let mut data: Vec<Value> = Vec::new();
    for (path, filed) in settings.secrets(&work)? {
        let seconds = now.as_second().saturating_sub(filed.since.as_second()).max(0);
        let days = seconds / 86_400;
        let reference = SecretRef::new(environment.clone(), path.clone())?;
        rows.row([path.clone(), filed.version.to_string(), format!("{days} days")]);
        data.push(json!({
            "reference": reference, "path": path, "version": filed.version, "since": filed.since, "age_days": days
        }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "no secrets");
    Answer::new(&data, page)
}

fn remove(context: &Context, reference: &SecretRef) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    workspace.remove_setting(&actor, reference.environment(), &Setting::Secret(reference.clone()))?;
    let mut page = Page::new();
    page.line(format!("removed {reference}"));
    Answer::new(&json!({ "reference": reference, "removed": true }), page)
}

fn suspicions(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let found = workspace.suspicions(&mut workspace.work())?;
    let mut rows = Rows::new(&["SLOT", "IN", "AT", "LOOKS LIKE", "ID"]);
    let mut data: Vec<Value> = Vec::new();
    for suspicion in &found {
        rows.row([
            suspicion.slot.to_string(),
            suspicion.name.clone(),
            suspicion.at.to_string(),
            suspicion.what.in_words().to_owned(),
            suspicion.object.to_string(),
        ]);
        data.push(json!({
            "slot": suspicion.slot, "object": suspicion.object, "name": suspicion.name, "at": suspicion.at,
            "what": suspicion.what,
        }));
    }
    let mut page = Page::new();
    rows.onto(&mut page, "nothing that looks like a secret waits for a word");
    let answer = Answer::new(&data, page)?;
    Ok(match found.first() {
        Some(first) => {
            let mut words = quoted(first.slot.as_str());
            if found.iter().filter(|other| other.slot == first.slot).count() > 1 {
                words = format!("{words} --in {}", quoted(first.object.as_str()));
            }
            answer.hint(format!(
                "\nSay of each whether it is one:\n  sluice secret confirm {words} --reason TEXT\n  sluice secret dismiss {words} --reason TEXT"
            ))
        }
        None => answer,
    })
}

fn judge(context: &Context, judged: &Judged, is_secret: bool) -> Result<Answer, Failure> {
    let (workspace, actor) = context.open_as_actor()?;
    let named = Suspected { slot: judged.slot.clone(), object: judged.object.clone() };
    let suspicion = workspace.judge(&actor, &named, is_secret, &judged.reason)?;
    let mut page = Page::new();
    page.line(format!(
        "`{}` in `{}` is {}a secret, says `{}`",
        suspicion.slot,
        suspicion.name,
        if is_secret { "" } else { "not " },
        actor.name
    ));
    let data = json!({
        "slot": suspicion.slot, "object": suspicion.object, "secret": is_secret, "by": actor.name,
        "reason": judged.reason,
    });
    Ok(Answer::new(&data, page)?
        .hint("\nIt counts for versions that are cut from now on: `sluice version cut APP`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_with_or_without_its_scheme() {
        for text in ["staging/orders-db/password", "secret://staging/orders-db/password"] {
            assert_eq!(reference(text).unwrap().to_string(), "secret://staging/orders-db/password");
        }
        for text in ["", "staging", "Staging/x", "staging/", "staging/../x", "https://staging/x"] {
            assert!(reference(text).is_err(), "{text}");
        }
    }
}
