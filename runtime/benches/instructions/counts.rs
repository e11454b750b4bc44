//! The counts, the file they are committed in, and what has changed.

use std::error::Error;
use std::fmt;
use std::fs;

use crate::measure::Who;

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/counts.txt"
);

/// What the line of the compiler begins with.
const COMPILER: &str = "# compiler: ";

/// What a count may grow by: this part of it, or one instruction of what has but a few.
const ALLOWANCE: f64 = 0.02;

/// The instructions of one iteration of a workload.
struct Row {
    key: String,
    bare: Option<f64>,
    ours: Option<f64>,
}

/// Those of all workloads.
pub(crate) struct Counts {
    pub(crate) compiler: String,
    rows: Vec<Row>,
}

impl Counts {
    pub(crate) fn new(compiler: String) -> Self {
        Self {
            compiler,
            rows: Vec::new(),
        }
    }

    /// Adds what a contestant has taken for a workload.
    pub(crate) fn add(&mut self, key: &str, who: &str, count: f64) {
        if self.rows.last().is_none_or(|row| row.key != key) {
            self.rows.push(Row {
                key: key.to_owned(),
                bare: None,
                ours: None,
            });
        }
        if let Some(row) = self.rows.last_mut() {
            let is_ours = who == Who::Ours.key();
            let place = if is_ours {
                &mut row.ours
            } else {
                &mut row.bare
            };
            *place = Some(count);
        }
    }

    /// Those of the file.
    pub(crate) fn committed() -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        parse(&text).ok_or_else(|| format!("{PATH} is not as `--save` writes it").into())
    }

    pub(crate) fn save(&self) -> std::io::Result<()> {
        fs::write(PATH, self.to_string())
    }

    /// A contestant's count for a workload.
    fn of(&self, key: &str, who: Who) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.key == key)?;
        if who == Who::Ours { row.ours } else { row.bare }
    }
}

/// Reads what `Counts` are displayed as.
fn parse(text: &str) -> Option<Counts> {
    let mut lines = text.lines();
    let compiler = lines.find_map(|line| line.strip_prefix(COMPILER))?;
    let mut counts = Counts::new(compiler.to_owned());
    for line in lines.skip(1) {
        let [key, bare, ours] = line
            .split_whitespace()
            .collect::<Vec<_>>()
            .try_into()
            .ok()?;
        for (who, count) in [(Who::Bare, bare), (Who::Ours, ours)] {
            if count != "-" {
                counts.add(key, who.key(), count.parse().ok()?);
            }
        }
    }
    Some(counts)
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions of one iteration, without those of libraries."
        )?;
        writeln!(
            f,
            "# cargo bench -p cancel-context --bench instructions -- --save"
        )?;
        writeln!(f, "{COMPILER}{}", self.compiler)?;
        writeln!(f, "{:32}{:>10}{:>10}", "key", "bare", "ours")?;
        for row in &self.rows {
            let [bare, ours] = [row.bare, row.ours].map(number);
            writeln!(f, "{:32}{bare:>10}{ours:>10}", row.key)?;
        }
        Ok(())
    }
}

fn number(count: Option<f64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| format!("{count:.1}"))
}

/// A count that is not as it was committed.
pub(crate) struct Change {
    key: String,
    who: Who,
    committed: Option<f64>,
    now: Option<f64>,
}

impl Change {
    /// All of them, in the order of the workloads.
    pub(crate) fn between(committed: &Counts, now: &Counts) -> Vec<Self> {
        let [old, new] = [committed, now].map(|counts| counts.rows.iter().map(|row| &row.key));
        let is_missing = |key: &&String| now.rows.iter().all(|row| row.key != **key);
        let keys = new.chain(old.filter(is_missing));
        let all = keys.flat_map(|key| {
            [Who::Bare, Who::Ours].map(|who| Self {
                key: key.clone(),
                who,
                committed: committed.of(key, who),
                now: now.of(key, who),
            })
        });
        all.filter(|change| number(change.committed) != number(change.now))
            .collect()
    }

    pub(crate) fn header() -> String {
        let columns = ("key", "whose", "committed", "now", "change");
        let (key, who, committed, now, change) = columns;
        format!("{key:32}{who:>8}{committed:>12}{now:>10}{change:>10}")
    }

    /// Whether the count has grown by more than it may, or there is one of the two only.
    pub(crate) fn is_fault(&self) -> bool {
        match (self.committed, self.now) {
            (Some(committed), Some(now)) => now > committed + (committed * ALLOWANCE).max(1.0),
            (committed, now) => committed.is_some() || now.is_some(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match (self.committed, self.now) {
            (Some(committed), Some(now)) => format!("{:+.1} %", (now / committed - 1.0) * 100.0),
            (None, _) => "new".to_owned(),
            (_, None) => "missing".to_owned(),
        };
        let (who, fault) = (self.who.key(), if self.is_fault() { "  NO" } else { "" });
        let [committed, now] = [self.committed, self.now].map(number);
        write!(
            f,
            "{:32}{who:>8}{committed:>12}{now:>10}{change:>10}{fault}",
            self.key
        )
    }
}
