//! Workflow commands as GitHub documents them: `::error file=…,line=…,title=…::message`. Of each
//! level it shows ten for a step, so the worst come first and the rest are counted.

use std::fmt::Write as _;

use super::{Told, Weight};

/// Annotations of one level that GitHub shows for a step.
const ANNOTATIONS: usize = 10;

pub(super) fn write(told: &[Told<'_>]) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut text = String::new();
    for weight in [Weight::Error, Weight::Warning, Weight::Note] {
        let word = if weight == Weight::Note { "notice" } else { weight.as_str() };
        let all: Vec<_> = told.iter().filter(|told| told.weight == weight).collect();
        let rest = all.len().saturating_sub(ANNOTATIONS);
        // The last place says how many there are more.
        let shown = if rest == 0 { all.len() } else { ANNOTATIONS - 1 };
        for told in all.iter().take(shown) {
            let (file, line, column) = told.spot();
            let title = property(&format!("{} {}", told.gate, told.code));
            let column = column.map(|column| format!(",col={column}")).unwrap_or_default();
            let place = format!("file={},line={line}{column}", property(file));
            let _ = writeln!(text, "::{word} {place},title={title}::{}", data(&told.in_full()));
        }
        if rest > 0 {
            let _ = writeln!(text, "::{word} title=sluice::and {} more of this level", all.len() - shown);
        }
    }
    text
}
