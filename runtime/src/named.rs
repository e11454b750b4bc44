//! A context that can be cancelled and has a name of its own, as one node: that of a request, of which there are many.

use crate::canceller::Cancellers;

/// As many bytes as leave [`Named`] the size of a cache line.
const ROOM: usize = 38;

/// What is apart from the node.
pub(crate) struct Named {
    pub(crate) cancellers: Cancellers,
    pub(crate) name: Name,
}

/// A name, which takes no memory of its own if it is short.
#[derive(Clone)]
pub(crate) enum Name {
    Short { length: u8, bytes: [u8; ROOM] },
    Long(Box<str>),
}

impl Name {
    /// Two words.
    pub(crate) fn of(first: &str, second: &str) -> Self {
        let length = first.len() + 1 + second.len();
        if length > ROOM {
            return Self::Long([first, second].join(" ").into());
        }
        let mut bytes = [b' '; ROOM];
        bytes[..first.len()].copy_from_slice(first.as_bytes());
        bytes[first.len() + 1..length].copy_from_slice(second.as_bytes());
        Self::Short {
            length: u8::try_from(length).expect("it is in the room"),
            bytes,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Short { length, bytes } => {
                str::from_utf8(&bytes[..usize::from(*length)]).expect("it was made of two texts")
            }
            Self::Long(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // guarantee B6
    #[test]
    fn names_of_all_lengths_are_read_as_they_were() {
        for length in 0..100 {
            let path = format!("/{}", "ä".repeat(length));
            let name = Name::of("DELETE", &path);
            assert_eq!(name.as_str(), format!("DELETE {path}"));
            assert_eq!(matches!(name, Name::Long(_)), 8 + 2 * length > ROOM);
        }
        assert_eq!(Name::of("", "").as_str(), " ");
    }
}
