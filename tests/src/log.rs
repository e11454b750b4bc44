//! What was logged: the events of `tracing`, each with its fields and the span that it was in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber, subscriber};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How important it is.
    pub level: Level,
    /// What a filter goes by.
    pub target: &'static str,
    /// The name of the span that it was in.
    pub span: Option<&'static str>,
    /// The texts, that of the message by `message`.
    pub fields: BTreeMap<&'static str, String>,
}

impl Event {
    /// The text of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// Collects events; for the code of one thread.
#[derive(Clone, Default)]
pub struct Log {
    entries: Arc<Mutex<Entries>>,
    /// What is done at each event.
    hook: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Entries {
    events: Vec<Event>,
    /// The names of all spans; an id is the place of one, from 1 on.
    spans: Vec<&'static str>,
    entered: Vec<Id>,
}

impl Log {
    /// One that does something at each event.
    pub fn with_hook(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            hook: Some(Arc::new(hook)),
            ..Self::default()
        }
    }

    /// Runs `action`, whose events come here.
    pub fn during<R>(&self, action: impl FnOnce() -> R) -> R {
        subscriber::with_default(self.clone(), action)
    }

    /// As [`during`](Self::during), on a runtime of this thread with a paused clock.
    ///
    /// # Panics
    ///
    /// Panics if the runtime cannot be built.
    pub fn during_async<F: Future>(&self, future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime can be built");
        self.during(|| runtime.block_on(future))
    }

    /// The events so far; forgets them.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }

    /// The only event so far; forgets it.
    ///
    /// # Panics
    ///
    /// Panics if there is none, or another one.
    #[must_use]
    #[track_caller]
    pub fn only(&self) -> Event {
        let [event] = <[Event; 1]>::try_from(self.take()).expect("there is one event");
        event
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut entries = self.lock();
        entries.spans.push(attributes.metadata().name());
        Id::from_u64(entries.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut entries = self.lock();
        let name = |id: &Id| entries.spans[usize::try_from(id.into_u64()).unwrap() - 1];
        let span = entries.entered.last().map(name);
        entries.events.push(Event {
            level: *event.metadata().level(),
            target: event.metadata().target(),
            span,
            fields: fields.0,
        });
        drop(entries);
        if let Some(hook) = &self.hook {
            hook();
        }
    }

    fn enter(&self, span: &Id) {
        self.lock().entered.push(span.clone());
    }

    fn exit(&self, span: &Id) {
        self.lock().entered.pop_if(|last| last == span);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("events", &self.lock().events)
            .finish_non_exhaustive()
    }
}
