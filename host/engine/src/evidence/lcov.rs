//! Coverage reports in LCOV's tracefile format, as `geninfo(1)` describes it.

use std::collections::BTreeMap;

/// How many there are of something, and how many of them ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many there are.
    pub total: u64,
    /// How many of them ran.
    pub covered: u64,
}

/// What a coverage report says, over all its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageReport {
    /// The test's name (`TN`), where one is given.
    pub name: Option<String>,
    /// What was counted, such as `line` or `branch`; never empty.
    pub units: BTreeMap<&'static str, Counted>,
}

/// Why a coverage report is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
    /// A line says something that it cannot.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing is counted.
    #[error("it counts neither lines nor branches: look why nothing ran, and bring the report of a run")]
    Nothing,
}

/// What one file's record says of one unit.
#[derive(Default)]
struct Unit {
    /// The totals that it gives, if it does.
    total: Option<u64>,
    covered: Option<u64>,
    /// The single lines or branches with whether they ran.
    single: BTreeMap<String, bool>,
}

impl Unit {
    /// The counts, where it gives any; totals and single ones must agree.
    fn counted(&self) -> Result<Option<Counted>, String> {
        let own = Counted {
            total: self.single.len() as u64,
            covered: self.single.values().filter(|ran| **ran).count() as u64,
        };
        let said = match (self.total, self.covered) {
            (None, None) => return Ok((own.total > 0).then_some(own)),
            (Some(total), Some(covered)) if covered <= total => Counted { total, covered },
            (Some(total), Some(covered)) => return Err(format!("{covered} of {total} are covered")),
            _ => return Err("of how many there are and how many ran, one is missing".to_owned()),
        };
        if own.total > 0 && own != said {
            return Err(format!(
                "it says {} of {}, and its lines say {} of {}",
                said.covered, said.total, own.covered, own.total
            ));
        }
        Ok(Some(said))
    }
}

impl CoverageReport {
    /// Reads a report; whoever calls this has bounded its bytes.
    ///
    /// # Errors
    /// When it is no report, contradicts itself or counts nothing.
    pub fn read(bytes: &[u8]) -> Result<Self, CoverageError> {
        let text = std::str::from_utf8(bytes).map_err(|_| CoverageError::NotText)?;
        let mut report = Self { name: None, units: BTreeMap::new() };
        let mut record: Option<(Unit, Unit)> = None;
        let mut last = 0;
        for (index, content) in text.lines().enumerate() {
            let content = content.trim();
            let line = index + 1;
            last = line;
            let wrong = |problem: String| CoverageError::Line { line, problem };
            if content == "end_of_record" {
                let ended = record.take().ok_or_else(|| wrong("no `SF` begins this record".to_owned()))?;
                report.take(&ended).map_err(wrong)?;
                continue;
            }
            let Some((key, value)) = content.split_once(':') else {
                if content.is_empty() || content.starts_with('#') {
                    continue;
                }
                return Err(wrong(format!("`{}` is no line of LCOV", short(content))));
            };
            match (key, &mut record) {
                ("TN", _) => {
                    let name = value.trim();
                    report.name = report.name.take().or_else(|| (!name.is_empty()).then(|| name.to_owned()));
                }
                ("SF", None) => record = Some(Default::default()),
                ("SF", Some(_)) => return Err(wrong("the record before has no end".to_owned())),
                (key, Some((lines, branches))) => {
                    read_line(key, value, lines, branches).map_err(wrong)?;
                }
                (_, None) => return Err(wrong(format!("`{}` stands in no record", short(key)))),
            }
        }
        if record.is_some() {
            return Err(CoverageError::Line { line: last, problem: "the last record has no end".to_owned() });
        }
        report.units.retain(|_, counted| counted.total > 0);
        if report.units.is_empty() { Err(CoverageError::Nothing) } else { Ok(report) }
    }

    fn take(&mut self, (lines, branches): &(Unit, Unit)) -> Result<(), String> {
        for (name, unit) in [("line", lines), ("branch", branches)] {
            let Some(counted) = unit.counted()? else { continue };
            let sum = self.units.entry(name).or_default();
            let too_many = || "there are more than can be counted".to_owned();
            sum.total = sum.total.checked_add(counted.total).ok_or_else(too_many)?;
            sum.covered = sum.covered.checked_add(counted.covered).ok_or_else(too_many)?;
        }
        Ok(())
    }
}

/// One line of a record; what says nothing of lines or branches is not looked at.
fn read_line(key: &str, value: &str, lines: &mut Unit, branches: &mut Unit) -> Result<(), String> {
    let number = |text: &str| -> Result<u64, String> {
        text.trim().parse().map_err(|_| format!("`{}` is no count", short(text)))
    };
    match key {
        "LF" => lines.total = Some(number(value)?),
        "LH" => lines.covered = Some(number(value)?),
        "BRF" => branches.total = Some(number(value)?),
        "BRH" => branches.covered = Some(number(value)?),
        // LINE,HITS with an optional checksum.
        "DA" => {
            let mut parts = value.split(',');
            let (line, hits) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let ran = number(hits)? > 0;
            *lines.single.entry(number(line)?.to_string()).or_default() |= ran;
        }
        // LINE,BLOCK,BRANCH,TAKEN; a dash where the block never ran.
        "BRDA" => {
            let (place, taken) = value.rsplit_once(',').unwrap_or((value, ""));
            let ran = taken.trim() != "-" && number(taken)? > 0;
            *branches.single.entry(place.to_owned()).or_default() |= ran;
        }
        _ => {}
    }
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(total: u64, covered: u64) -> Counted {
        Counted { total, covered }
    }

    #[test]
    fn a_report_is_the_sum_of_its_records() {
        let report = CoverageReport::read(
            b"TN:orders\nSF:a.js\nFN:1,f\nFNF:1\nFNH:1\nDA:1,3\nDA:2,0\nLF:2\nLH:1\nBRDA:1,0,0,-\nBRDA:1,0,1,2\nBRF:2\nBRH:1\nend_of_record\nTN:\nSF:b.js\nLF:10\nLH:10\nend_of_record\nSF:c.js\nDA:1,1\nDA:1,0\nend_of_record\n",
        )
        .unwrap();
        assert_eq!(report.name.as_deref(), Some("orders"));
        assert_eq!(report.units, BTreeMap::from([("line", counted(13, 12)), ("branch", counted(2, 1))]));
    }

    #[test]
    fn what_is_no_report_or_contradicts_itself_is_refused() {
        for (text, expected) in [
            ("", "it counts neither lines nor branches"),
            ("SF:a\nLF:0\nLH:0\nend_of_record", "it counts neither"),
            ("<coverage/>", "line 1: `<coverage/>` is no line of LCOV"),
            ("LF:1", "line 1: `LF` stands in no record"),
            ("SF:a\nLF:1\nLH:2\nend_of_record", "line 4: 2 of 1 are covered"),
            ("SF:a\nLF:1\nend_of_record", "line 3: of how many there are and how many ran, one is missing"),
            ("SF:a\nLF:3\nLH:3\nDA:1,1\nend_of_record", "line 5: it says 3 of 3, and its lines say 1 of 1"),
            ("SF:a\nLF:1\nLH:1", "line 3: the last record has no end"),
            ("SF:a\nSF:b", "line 2: the record before has no end"),
            ("end_of_record", "line 1: no `SF` begins this record"),
            ("SF:a\nDA:1,many", "line 2: `many` is no count"),
            ("SF:a\nLF:-1", "line 2: `-1` is no count"),
            (
                "SF:a\nLF:18446744073709551615\nLH:0\nend_of_record\nSF:b\nLF:1\nLH:0\nend_of_record",
                "line 8: there are more than can be counted",
            ),
        ] {
            let error = CoverageReport::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        assert_eq!(CoverageReport::read(&[0xff]), Err(CoverageError::NotText));
    }
}
