//! The orders, in a SQLite database in a temporary file.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cancel_context::Context;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use crate::branches::Failure;
use crate::record::Branch;

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
pub(crate) struct Database {
    path: PathBuf,
}

impl Database {
    pub(crate) fn create() -> rusqlite::Result<Self> {
        let name = format!("cancel-context-gateway-{}.sqlite", std::process::id());
        let path = std::env::temp_dir().join(name);
        let database = Self { path };
        Connection::open(&database.path)?.execute_batch(SCHEMA)?;
        Ok(database)
    }

    /// Queries the total of an order; takes at least `duration`, and ends when `ctx` does.
    pub(crate) fn total(&self, ctx: &Context, id: u32, duration: Duration) -> Result<i64, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        add_functions(&connection, ctx)?;
        let mut query = connection.prepare(TOTAL)?;

        let handle = connection.get_interrupt_handle();
        let _interrupt = ctx.interrupt_with(move || handle.interrupt());
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let total: Result<Option<i64>, _> =
            query.query_row(params![id, milliseconds], |row| row.get(0));
        if let Err(error) = &total {
            if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
                Branch::stopped(ctx, "by SQLite's interrupt");
            }
            ctx.check()?;
        }
        total?.ok_or(Failure::NoOrder(id))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("gateway: cannot remove {}: {error}", self.path.display());
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
