//! A source file: its text, and what is found in it.

use std::path::{Path, PathBuf};

use cancel_context_syntax::inspect::{self, Inspection, Place};
use unicode_width::UnicodeWidthChar;

use crate::outcome::Failure;

/// How far down a file may say that it is generated.
const HEADER_LINES: usize = 10;
/// What the compiler counts a tab as.
const TAB_WIDTH: usize = 4;

/// A file that was read and parsed.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) found: Inspection,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(|error| Failure::new(path, &error))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let (valid, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            Failure {
                place: Some(end_of(&String::from_utf8_lossy(valid))),
                ..Failure::new(path, &"not UTF-8 from here on")
            }
        })?;
        let found = inspect::inspect(&text);
        // What was found has places of its own.
        proc_macro2::extra::invalidate_current_thread_spans();
        let mut found = found.map_err(|error| Failure {
            place: Some(error.place),
            ..Failure::new(path, &error.message)
        })?;
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
        found.map_places(|place| shown(place, lines.get(place.line - 1).unwrap_or(&"")));
        Ok(Self {
            path: path.to_owned(),
            text,
            found,
        })
    }

    /// Whether a comment at the top says that the file is written by a program.
    pub(crate) fn is_generated(&self) -> bool {
        let text = self.text.trim_start_matches('\u{feff}');
        text.lines().take(HEADER_LINES).any(|line| {
            let line = line.trim_start();
            let is_comment = ["//", "/*", "*"]
                .iter()
                .any(|start| line.starts_with(start));
            is_comment && (line.contains("@generated") || line.contains("DO NOT EDIT"))
        })
    }
}

/// The place behind `text`.
fn end_of(text: &str) -> Place {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place {
        line: text.matches('\n').count() + 1,
        column: last.chars().count() + 1,
    }
}

/// The place as a cancellation reports it: wide characters take two columns, a tab four.
fn shown(place: Place, line: &str) -> Place {
    let before = line.chars().take(place.column - 1);
    let width = before.map(|character| match character {
        '\t' => TAB_WIDTH,
        _ => character.width().unwrap_or(1),
    });
    Place {
        column: width.sum::<usize>() + 1,
        ..place
    }
}
