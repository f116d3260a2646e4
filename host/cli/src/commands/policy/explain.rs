//! `sluice policy explain`.

use std::path::PathBuf;

use serde_json::json;
use sluice_engine::config::did_you_mean;
use sluice_policy::{OWN_FINDINGS, OwnFinding, Pack};

use super::packs;
use crate::answer::Answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::{Page, Style};

const EXAMPLES: &str = "\
Examples:
  sluice policy explain window.closed
  sluice policy explain tests.stale --path policies/test-evidence";

/// What is typed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The finding's code.
    code: String,
    /// Packs, or folders of packs [default: those of the workspace].
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Says what a finding code means.
pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Answer, Failure> {
    let code = arguments.code.as_str();
    if let Some(own) = OWN_FINDINGS.iter().find(|own| own.code == code) {
        return of_every_gate(own);
    }
    let packs = packs(context, &arguments.paths)?;
    let meant: Vec<&Pack> = packs.iter().filter(|pack| pack.manifest().findings.contains_key(code)).collect();
    if meant.is_empty() {
        let of_packs = packs.iter().flat_map(|pack| pack.manifest().findings.keys()).map(String::as_str);
        let known = of_packs.chain(OWN_FINDINGS.iter().map(|own| own.code));
        let mut help = did_you_mean(code, known);
        if !help.ends_with('?') {
            help.push_str("; the problems of a plan are told with their fix by `sluice plan`");
        }
        return Err(Failure::usage(format!("no pack gives the finding `{code}`"), help));
    }
    let mut page = Page::new();
    let mut data = Vec::new();
    for pack in meant {
        let manifest = pack.manifest();
        let Some(finding) = manifest.findings.get(code) else { continue };
        page.heading(format!("{code}, of {} {}", manifest.name, manifest.version));
        page.line(&finding.doc);
        if let Some(fix) = &finding.fix {
            page.line(format!("  fix:   {fix}"));
        }
        if let Some(who) = &finding.who {
            page.line(format!("  who:   {who}"));
        }
        if finding.inviolable {
            page.styled(Style::Notice, "  Nothing lifts it: no waiver, and no emergency act.");
        }
        for (file, line) in given_at(pack, code) {
            page.line(format!("  at:    {file}:{line}"));
        }
        for link in &manifest.links {
            page.line(format!("  link:  {link}"));
        }
        data.push(json!({
            "policy": manifest.name,
            "version": manifest.version,
            "code": code,
            "doc": finding.doc,
            "fix": finding.fix,
            "who": finding.who,
            "inviolable": finding.inviolable,
            "links": manifest.links,
        }));
    }
    Answer::new(&data, page)
}

/// Says what a finding means that no policy declares.
fn of_every_gate(own: &OwnFinding) -> Result<Answer, Failure> {
    let mut page = Page::new();
    page.heading(format!("{}, of every gate", own.code));
    page.line(own.doc);
    page.line(format!("  fix:   {}", own.fix));
    page.line(format!("  who:   {}", own.who));
    Answer::new(&json!([{"code": own.code, "doc": own.doc, "fix": own.fix, "who": own.who}]), page)
}

/// The lines of a pack that give a finding.
fn given_at<'p>(pack: &'p Pack, code: &str) -> Vec<(&'p str, usize)> {
    let quoted = format!("\"{code}\"");
    let sources = pack.files().iter().filter(|(file, _)| file.ends_with(".rhai"));
    sources
        .flat_map(|(file, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| line.contains(&quoted));
            lines.map(|(at, _)| (file.as_str(), at + 1)).collect::<Vec<_>>()
        })
        .collect()
}
