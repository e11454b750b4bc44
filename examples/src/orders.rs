//! Orders in a SQLite database in a temporary file, with a query that takes as long as it is told to.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cancel_context::{Cancelled, Context};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

const SCHEMA: &str = "
    CREATE TABLE item (customer_order INTEGER, cents INTEGER);
    WITH RECURSIVE line(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM line WHERE n < 999)
    INSERT INTO item SELECT n / 10, 100 + n % 10 FROM line;
";

/// Adds up the items of an order again and again until `?2` milliseconds have passed. All of it is
/// one step of SQLite's machine: nothing returns to us before it is done or interrupted.
const TOTAL: &str = "
    WITH RECURSIVE reading(n) AS (
        SELECT begin() UNION ALL SELECT n + 1 FROM reading WHERE elapsed_ms() < ?2
    )
    SELECT max((SELECT sum(cents) FROM item WHERE customer_order = ?1 AND cents > n % 100))
    FROM reading
";

/// A database file, removed when this is dropped.
#[derive(Debug)]
pub struct Orders {
    path: PathBuf,
}

/// Why a query has no result.
#[derive(Debug)]
pub enum QueryError {
    /// Its context has ended.
    Cancelled {
        /// Why.
        cancelled: Cancelled,
        /// It was stopped in the middle.
        is_interrupted: bool,
    },
    /// It has failed.
    Failed(rusqlite::Error),
}

impl Orders {
    /// Makes a database for the program of this name.
    ///
    /// # Errors
    ///
    /// Returns that of SQLite.
    pub fn create(program: &str) -> rusqlite::Result<Self> {
        let name = format!("cancel-context-{program}-{}.sqlite", std::process::id());
        let path = std::env::temp_dir().join(name);
        let orders = Self { path };
        Connection::open(&orders.path)?.execute_batch(SCHEMA)?;
        Ok(orders)
    }

    /// Queries the total of an order, in cents; takes at least `duration`, and ends when `ctx` does. `None` if there
    /// is no such order.
    ///
    /// # Errors
    ///
    /// Returns why the context has ended, or what has failed.
    pub fn total(
        &self,
        ctx: &Context,
        id: u32,
        duration: Duration,
    ) -> Result<Option<i64>, QueryError> {
        self.query(ctx, id, duration).map_err(|error| {
            let code = error.sqlite_error_code();
            match ctx.check() {
                Err(cancelled) => QueryError::Cancelled {
                    cancelled,
                    is_interrupted: code == Some(ErrorCode::OperationInterrupted),
                },
                Ok(()) => QueryError::Failed(error),
            }
        })
    }

    fn query(&self, ctx: &Context, id: u32, duration: Duration) -> rusqlite::Result<Option<i64>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        add_functions(&connection, ctx)?;
        let mut query = connection.prepare(TOTAL)?;

        let handle = connection.get_interrupt_handle();
        let _interrupt = ctx.interrupt_with(move || handle.interrupt());
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        query.query_row(params![id, milliseconds], |row| row.get(0))
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled { cancelled, .. } => cancelled.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for QueryError {}

impl Drop for Orders {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn add_functions(connection: &Connection, ctx: &Context) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8;
    let ctx = ctx.clone();
    // The query calls it as it begins to run. SQLite forgets an interrupt that comes before that;
    // one that comes after this check is not forgotten.
    connection.create_scalar_function("begin", 0, flags, move |_| {
        let checked = ctx.check().map(|()| 0_i64);
        checked.map_err(|cancelled| rusqlite::Error::UserFunctionError(cancelled.into()))
    })?;
    let began = Instant::now();
    connection.create_scalar_function("elapsed_ms", 0, flags, move |_| {
        Ok(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
    })
}
