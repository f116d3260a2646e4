//! `sluice ledger`.

use std::path::PathBuf;

use serde_json::json;
use sluice_engine::audit::audit;

use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::page::{Page, Style};

/// Bytes of a checkpoint that are read: a signed note has some hundred.
const MOST_CHECKPOINT: u64 = 1 << 20;

/// What is typed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Verify the ledger, here or in a copied store; needs no key and changes nothing.
    #[command(
        after_help = "Examples:\n  sluice ledger verify\n  sluice ledger verify --checkpoint kept.txt\n  sluice ledger verify /backup/store.db --log-key ed25519:AAAA --checkpoint kept.txt\n\nWithout a checkpoint kept elsewhere nobody can see that the newest entries were cut off. Without the\nlog's key the one that the first entry names is believed."
    )]
    Verify {
        /// The store's file [default: the workspace's own].
        file: Option<PathBuf>,
        /// A checkpoint that was kept elsewhere, as `sluice promote` or `sluice ledger checkpoint`
        /// printed it.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// The log's public key, as `sluice init` printed it.
        #[arg(long, value_name = "KEY")]
        log_key: Option<String>,
    },
    /// Print the newest signed checkpoint, for keeping elsewhere.
    #[command(after_help = "Examples:\n  sluice ledger checkpoint > kept.txt")]
    Checkpoint,
}

/// Runs `sluice ledger`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Verify { file, checkpoint, log_key } => {
            verify(context, file.clone(), checkpoint.as_ref(), log_key.as_deref())
        }
        Command::Checkpoint => newest(context),
    }
}

fn verify(
    context: &Context,
    file: Option<PathBuf>,
    checkpoint: Option<&PathBuf>,
    log_key: Option<&str>,
) -> Result<Answer, Failure> {
    let file = match file {
        Some(file) => file,
        None => context.folder()?.join(".sluice").join("store.db"),
    };
    if !file.is_file() {
        return Err(Failure::usage(
            format!("`{}` is not a store's file", file.display()),
            "name the file `store.db` of a workspace's `.sluice`, or of a copy of it",
        ));
    }
    let kept = checkpoint.map(|path| input::file(path, MOST_CHECKPOINT)).transpose()?;
    let working = context.working("verifying the ledger");
    let audited = audit(&file, kept.as_deref(), log_key)?;
    drop(working);
    let mut page = Page::new();
    for found in &audited {
        page.styled(Style::Good, format!("the ledger of workspace {} is whole", found.workspace));
        page.line(format!("entries      {}", found.size));
        page.line(format!("root         {}", found.root));
        page.line(format!("signatures   {} acts checked with their authors' keys", found.signatures));
        page.line(format!("checkpoints  {} agree", found.checkpoints));
        if found.not_replayed > 0 {
            page.styled(
                Style::Notice,
                format!(
                    "not replayed {} decisions, made for facts that this version does not know: what was recorded of \
                     them is all there is",
                    found.not_replayed
                ),
            );
        }
        if !found.overtaken.is_empty() {
            let entries: Vec<String> = found.overtaken.iter().map(ToString::to_string).collect();
            page.styled(
                Style::Notice,
                format!(
                    "overtaken    {}: done while another configuration was adopted than the one that they were judged by; look at them",
                    entries.join(", ")
                ),
            );
        }
        if found.unlogged > 0 {
            page.styled(
                Style::Notice,
                format!("unlogged     {} revisions that the next command enters", found.unlogged),
            );
        }
        page.line(format!("log key      {}", found.log_key));
    }
    if audited.is_empty() {
        return Err(Failure::failed(
            format!("`{}` holds no workspace", file.display()),
            "name the file `store.db` of a workspace's `.sluice`",
        ));
    }
    let mut answer = Answer::new(&json!({ "whole": true, "ledgers": audited }), page)?;
    if kept.is_none() {
        answer = answer
            .hint("\nWithout a checkpoint kept elsewhere (`--checkpoint FILE`) a cut-off end is not seen");
    }
    if log_key.is_none() {
        answer = answer.hint("The log key above is the one that the first entry names: compare it with the one that `sluice init` printed");
    }
    Ok(answer)
}

fn newest(context: &Context) -> Result<Answer, Failure> {
    let workspace = context.open()?;
    let note = workspace.records().newest_note()?.ok_or_else(|| {
        Failure::failed(
            "the ledger has no checkpoint yet",
            "it gets one with the first act: `sluice config adopt`",
        )
    })?;
    Answer::new(&json!({ "checkpoint": note }), Page::raw(note))
}
