//! Breaks lines as rustc's pretty printer does.
//!
//! 1. A box that fits stays on its line.
//! 2. In a box that does not fit, a break becomes a new line only where what follows it, up to the
//!    next break of that box, does not fit either.

/// The width of a line.
const MARGIN: usize = 78;
/// However far in a line starts, it has room for this much.
const MIN_SPACE: usize = 60;
/// What is printed, in order.
pub(crate) enum Piece {
    Text(String),
    /// A space or a new line.
    Break,
    /// Starts a box, whose lines are this much further in.
    Begin(usize),
    End,
}

/// Prints the pieces.
pub(crate) fn print(pieces: &[Piece]) -> String {
    let lengths = lengths(pieces);
    let mut printed = String::new();
    let mut space = MARGIN;
    // The indent of each box that is broken; none for one that fits.
    let mut boxes: Vec<Option<usize>> = Vec::new();
    for (piece, length) in pieces.iter().zip(lengths) {
        match piece {
            Piece::Text(text) => {
                printed.push_str(text);
                space = space.saturating_sub(text.chars().count());
            }
            Piece::Begin(further) => {
                let outer = boxes.iter().rev().find_map(|indent| *indent);
                boxes.push((length > space).then(|| outer.unwrap_or(0) + further));
            }
            Piece::End => {
                boxes.pop();
            }
            // Outside of all boxes, every break may be a new line.
            Piece::Break => match boxes.last().copied().unwrap_or(Some(0)) {
                Some(indent) if length > space => {
                    printed.push('\n');
                    printed.push_str(&" ".repeat(indent));
                    space = MIN_SPACE.max(MARGIN.saturating_sub(indent));
                }
                _ => {
                    printed.push(' ');
                    space = space.saturating_sub(1);
                }
            },
        }
    }
    printed
}

/// For each box its length, for each break that of what follows it; both with the text after
/// them, up to the next break.
fn lengths(pieces: &[Piece]) -> Vec<usize> {
    let mut lengths = vec![0; pieces.len()];
    let mut open: Vec<usize> = Vec::new();
    let mut total = 0;
    let mut starts = vec![0; pieces.len()];
    for (index, piece) in pieces.iter().enumerate() {
        starts[index] = total;
        match piece {
            Piece::Text(text) => total += text.chars().count(),
            Piece::Break => {
                settle(pieces, &mut open, |start| {
                    lengths[start] = total - starts[start];
                });
                open.push(index);
                total += 1;
            }
            Piece::Begin(_) | Piece::End => open.push(index),
        }
    }
    settle(pieces, &mut open, |start| {
        lengths[start] = total - starts[start];
    });
    lengths
}

/// Takes what ends here off `open`: whole boxes, and the last break of the current one.
fn settle(pieces: &[Piece], open: &mut Vec<usize>, mut end: impl FnMut(usize)) {
    let mut depth = 0;
    while let Some(&index) = open.last() {
        match pieces[index] {
            Piece::Begin(_) if depth == 0 => return,
            Piece::Begin(_) => {
                depth -= 1;
                end(index);
            }
            Piece::End => depth += 1,
            Piece::Break | Piece::Text(_) => end(index),
        }
        let is_break = matches!(pieces[index], Piece::Break);
        open.pop();
        if is_break && depth == 0 {
            return;
        }
    }
}
