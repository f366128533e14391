//! The attempts of a delivery.

use bytes::Bytes;
use hookmill_domain::time::Time;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{ATTEMPT_BYTES, Filling, ListMax, Listed, TEXT_TIMES};
use crate::StoreError;
use crate::records::{Attempt, DeliveryRef};
use crate::store::Store;

impl Store {
    /// The attempts of a delivery, the first one first, at most `max`, after the one of that number (0: from the first on). A delivery may be
    /// retried for ever, and each of its attempts has its row.
    pub async fn attempts(&self, delivery: DeliveryRef, after: u32, max: ListMax) -> Result<Listed<Attempt, u32>, StoreError> {
        self.read_list(move |connection| {
            let DeliveryRef { run, ordinal } = delivery;
            let mut read = connection.prepare_cached(
                "SELECT number, ended_at, duration_us, status, code, detail, response FROM attempt
                 WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4 AND number > ?5 ORDER BY number",
            )?;
            let place = params![run.event.as_i64(), run.generation, run.integration.0, ordinal, after];
            let (mut page, mut last) = (Filling::new(max), after);
            for attempt in read.query_map(place, read_attempt)? {
                let attempt = attempt?;
                if !page.has_room(attempt.answer_bytes()) {
                    return Ok(page.end(Some(last)));
                }
                last = attempt.number;
                page.push(attempt);
            }
            if last == 0 {
                // Taken at once: the outcome's own row tells of the one attempt.
                let mut read = connection.prepare_cached(
                    "SELECT attempts, recorded_at, duration_us, status, NULL, NULL, response FROM outcome
                     WHERE event = ?1 AND generation = ?2 AND integration = ?3 AND ordinal = ?4 AND state = 1 AND attempts = 1",
                )?;
                let place = params![run.event.as_i64(), run.generation, run.integration.0, ordinal];
                if let Some(attempt) = read.query_row(place, read_attempt).optional()? {
                    page.push(attempt);
                }
            }
            Ok(page.end(None))
        })
        .await
    }
}

impl Attempt {
    /// How many bytes it takes, at most, while it is answered.
    fn answer_bytes(&self) -> usize {
        let texts = [&self.code, &self.detail].into_iter().flatten().map(String::len);
        ATTEMPT_BYTES + TEXT_TIMES * (texts.sum::<usize>() + self.response.len())
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
