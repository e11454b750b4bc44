//! What a line asks for.

use std::time::Duration;

use anyhow::{Context, Result, bail};

#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    Ping,
    Get {
        key: &'a str,
    },
    Set {
        key: &'a str,
        value: &'a str,
        expiry: Option<Duration>,
    },
    Publish {
        channel: &'a str,
        text: &'a str,
    },
    Subscribe {
        channel: &'a str,
    },
}

impl<'a> Request<'a> {
    pub(super) fn parse(line: &'a str) -> Result<Self> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let mut word = |what| words.next().with_context(|| format!("{name}: no {what}"));
        let request = match name {
            "PING" => Self::Ping,
            "GET" => Self::Get { key: word("key")? },
            "SET" => Self::Set {
                key: word("key")?,
                value: word("value")?,
                expiry: words.next().map(milliseconds).transpose()?,
            },
            "PUBLISH" => Self::Publish {
                channel: word("channel")?,
                text: word("text")?,
            },
            "SUBSCRIBE" => Self::Subscribe {
                channel: word("channel")?,
            },
            _ => bail!("unknown request"),
        };
        if words.next().is_some() {
            bail!("{name}: too many words");
        }
        Ok(request)
    }
}

fn milliseconds(word: &str) -> Result<Duration> {
    Ok(Duration::from_millis(word.parse()?))
}
