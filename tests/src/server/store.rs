//! Keys, values and channels; the task that removes what has expired.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cancel_context::cancellable;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep_until};

use crate::parts::Part;

/// How many messages a slow subscriber may be behind.
const BACKLOG: usize = 1024;

/// What all connections share.
#[derive(Clone, Debug, Default)]
pub struct Store(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Another key is the next to expire.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<String, Entry>,
    /// Sorted by the time.
    expirations: BTreeSet<(Instant, String)>,
    channels: HashMap<String, broadcast::Sender<Arc<str>>>,
}

#[derive(Debug)]
struct Entry {
    value: String,
    expires: Option<Instant>,
}

impl Store {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        let state = self.lock();
        state.entries.get(key).map(|entry| entry.value.clone())
    }

    /// Sets a key, for ever or for some time.
    pub fn set(&self, key: &str, value: &str, expiry: Option<Duration>) {
        let expires = expiry.map(|expiry| Instant::now() + expiry);
        let value = value.to_owned();
        let mut state = self.lock();
        let previous = state
            .entries
            .insert(key.to_owned(), Entry { value, expires });
        if let Some(expired) = previous.and_then(|entry| entry.expires) {
            state.expirations.remove(&(expired, key.to_owned()));
        }
        let Some(expires) = expires else { return };
        let is_next = state.next_expiration().is_none_or(|next| expires < next);
        state.expirations.insert((expires, key.to_owned()));
        drop(state);
        if is_next {
            self.0.changed.notify_one();
        }
    }

    /// Sends a message to all who have subscribed; gives their number.
    pub(super) fn publish(&self, channel: &str, text: &str) -> usize {
        let state = self.lock();
        let channel = state.channels.get(channel);
        channel.map_or(0, |sender| sender.send(text.into()).unwrap_or(0))
    }

    pub(super) fn subscribe(&self, channel: &str, part: Part) -> Subscription {
        let mut state = self.lock();
        let channel = state.channels.entry(channel.to_owned());
        let sender = channel.or_insert_with(|| broadcast::Sender::new(BACKLOG));
        Subscription {
            messages: sender.subscribe(),
            _part: part,
        }
    }

    /// Removes what has expired; gives the time of the next expiration.
    fn remove_expired(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        while state.next_expiration()? <= now {
            let (_, key) = state.expirations.pop_first()?;
            state.entries.remove(&key);
        }
        state.next_expiration()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_expiration(&self) -> Option<Instant> {
        self.expirations.first().map(|(expires, _)| *expires)
    }
}

/// Removes each key of `store` when it expires; never ends.
#[cancellable(implicit, inherit_spawns)]
pub async fn purge(store: Store, _part: Part) {
    loop {
        let changed = store.0.changed.notified();
        match store.remove_expired() {
            Some(next) => tokio::select! {
                () = sleep_until(next) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}

#[derive(Debug)]
pub(super) struct Subscription {
    messages: broadcast::Receiver<Arc<str>>,
    _part: Part,
}

#[cancellable(implicit, inherit_spawns)]
impl Subscription {
    /// The next message that was not missed.
    pub(super) async fn next(&mut self) -> Option<Arc<str>> {
        loop {
            match self.messages.recv().await {
                Ok(text) => return Some(text),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
