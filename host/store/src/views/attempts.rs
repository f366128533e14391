//! The attempts of a delivery.

use bytes::Bytes;
use hookmill_domain::time::Time;
use rusqlite::{Row, params};

use crate::StoreError;
use crate::records::{Attempt, DeliveryRef};
use crate::store::Store;

impl Store {
    /// The attempts of a delivery, the first one first.
    pub async fn attempts(&self, delivery: DeliveryRef) -> Result<Vec<Attempt>, StoreError> {
        self.read_list(move |connection| {
            let DeliveryRef { run, ordinal } = delivery;
            let place = params![run.event.as_i64(), run.generation, run.integration.0, ordinal];
            let mut read = connection.prepare_cached(
                "SELECT number, ended_at, duration_us, status, code, detail, response FROM attempt
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4 ORDER BY number",
            )?;
            let rows: Vec<Attempt> = read.query_map(place, read_attempt)?.collect::<rusqlite::Result<_>>()?;
            if !rows.is_empty() {
                return Ok(rows);
            }
            // Taken at once: the outcome's own row tells of the one attempt.
            let mut read = connection.prepare_cached(
                "SELECT attempts, recorded_at, duration_us, status, NULL, NULL, response FROM outcome
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4 AND state = 1 AND attempts = 1",
            )?;
            read.query_map(place, read_attempt)?.collect()
        })
        .await
    }
}

fn read_attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        number: row.get(0)?,
        ended_at: Time::from_millis(row.get(1)?),
        duration_us: row.get::<_, Option<i64>>(2)?.unwrap_or(0) as u64,
        status: row.get(3)?,
        code: row.get(4)?,
        detail: row.get(5)?,
        response: row.get::<_, Option<Vec<u8>>>(6)?.map(Bytes::from).unwrap_or_default(),
    })
}
