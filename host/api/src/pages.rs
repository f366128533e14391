//! Lists come in pages: `limit` items, and a cursor that says where the next page begins. What stands in a cursor is nobody's affair but
//! this module's; each kind of list has its own, so that none is taken for another's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hookmill_domain::integration::IntegrationKey;
use hookmill_domain::key::Key;
use hookmill_store::{ListMax, Listed, Position, StoreError};
use serde::Serialize;

use crate::answers::Room;
use crate::auth::Caller;
use crate::bodies::FREE_BYTES;
use crate::parameters::Parameters;
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;

/// The most items of a page.
const LIMIT_MAX: u32 = 200;
/// The items of a page whose size nobody named.
const LIMIT_DEFAULT: u32 = 50;

/// A page as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page after which the list goes on at `next`, if it does.
    pub(crate) fn new(items: Vec<T>, next: Option<impl Cursor>) -> Page<T> {
        Page {
            items,
            next_cursor: next.map(|next| encode(&next)),
        }
    }

    /// A page out of one item more than it holds, if there are so many; the next page begins after the last one of it.
    pub(crate) fn of_one_more<I, C: Cursor>(mut found: Vec<I>, limit: u32, cursor: impl Fn(&I) -> C, show: impl Fn(I) -> T) -> Page<T> {
        let limit = limit as usize;
        let goes_on = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| goes_on).map(cursor);
        Page::new(found.into_iter().map(show).collect(), next)
    }
}

/// What the items of one page take in memory at most: a page of large ones is short.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Reads a page of at most `limit` items from a place in a list on: what is small at once, and the rest of a larger one when there is room for
/// it.
pub(crate) async fn read<T, P, F>(
    reception: &Reception,
    caller: &Caller,
    from: P,
    limit: u32,
    read: impl Fn(P, ListMax) -> F,
) -> Result<(Room, Vec<T>, Option<P>), Problem>
where
    F: Future<Output = Result<Listed<T, P>, StoreError>>,
{
    let items_max = limit as usize;
    let small = ListMax {
        items: items_max,
        bytes: FREE_BYTES,
    };
    let Listed {
        mut items,
        next,
        is_full,
        bytes,
    } = read(from, small).await?;
    let next = match next {
        Some(next) if is_full => next,
        // One large item may be all there is.
        next => return Ok((reception.room(caller, bytes as u64).await?, items, next)),
    };
    let room = reception.room(caller, (bytes + PAGE_BYTES_MAX) as u64).await?;
    let rest = ListMax {
        items: items_max - items.len(),
        bytes: PAGE_BYTES_MAX,
    };
    let rest = read(next, rest).await?;
    items.extend(rest.items);
    Ok((room, items, rest.next))
}

/// How many items a page is to hold.
pub(crate) fn limit(parameters: &Parameters) -> Result<u32, FieldError> {
    let wrong = || FieldError::parameter("limit", format!("must be a whole number from 1 to {LIMIT_MAX}"));
    match parameters.get("limit") {
        None => Ok(LIMIT_DEFAULT),
        Some(text) => text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(wrong),
    }
}

/// Where a page begins; `None` for the first one.
pub(crate) fn cursor<C: Cursor>(parameters: &Parameters) -> Result<Option<C>, FieldError> {
    let wrong = || FieldError::parameter("cursor", "must be the `next_cursor` of a page of this list");
    parameters.get("cursor").map(|text| decode(text).ok_or_else(wrong)).transpose()
}

/// A place in a list.
pub(crate) trait Cursor: Sized {
    /// Stands in front, so that cursors of one list are none of another's.
    const TAG: u8;
    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8>;
    /// What [`Cursor::to_bytes`] made.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

fn encode<C: Cursor>(cursor: &C) -> String {
    let mut bytes = vec![C::TAG];
    bytes.extend(cursor.to_bytes());
    BASE64.encode(bytes)
}

fn decode<C: Cursor>(text: &str) -> Option<C> {
    let bytes = BASE64.decode(text).ok()?;
    let (tag, rest) = bytes.split_first()?;
    (*tag == C::TAG).then(|| C::from_bytes(rest)).flatten()
}

/// Of runs and deliveries, the newest events' first.
impl Cursor for Position {
    const TAG: u8 = b'p';

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.event.as_i64().to_be_bytes().to_vec();
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.integration.0.to_be_bytes());
        bytes.extend(self.ordinal.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Position> {
        let (event, bytes) = bytes.split_first_chunk()?;
        let (generation, bytes) = bytes.split_first_chunk()?;
        let (integration, bytes) = bytes.split_first_chunk()?;
        Some(Position {
            event: Key::from_i64(i64::from_be_bytes(*event))?,
            generation: u32::from_be_bytes(*generation),
            integration: IntegrationKey(i64::from_be_bytes(*integration)),
            ordinal: u16::from_be_bytes(bytes.try_into().ok()?),
        })
    }
}

/// Of integrations, in the order of their making.
impl Cursor for IntegrationKey {
    const TAG: u8 = b'i';

    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<IntegrationKey> {
        Some(IntegrationKey(i64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// Of attempts, by their number.
pub(crate) struct AttemptNumber(pub(crate) u32);

impl Cursor for AttemptNumber {
    const TAG: u8 = b'a';

    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<AttemptNumber> {
        Some(AttemptNumber(u32::from_be_bytes(bytes.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        let position = Position {
            event: Key::from_i64(i64::MAX - 7).expect("positive"),
            generation: 3,
            integration: IntegrationKey(i64::MIN),
            ordinal: 65,
        };
        let text = encode(&position);
        assert_eq!(decode::<Position>(&text), Some(position));
        assert_eq!(decode::<IntegrationKey>(&text), None, "another list's");
        assert_eq!(decode::<IntegrationKey>(&encode(&IntegrationKey(9))), Some(IntegrationKey(9)));
    }

    #[test]
    fn what_is_no_cursor() {
        for text in [
            "",
            "cA",
            "c",
            "é",
            "p",
            &encode(&Position::TOP)[..20],
            &format!("{}AAAA", encode(&Position::TOP)),
        ] {
            assert_eq!(decode::<Position>(text), None, "{text}");
        }
        let negative = BASE64.encode([b"p".as_slice(), &[0xff; 22]].concat());
        assert_eq!(decode::<Position>(&negative), None);
    }

    #[test]
    fn limits() {
        let check = |query: &str| limit(&Parameters::read(query, &["limit"]).expect("a query")).ok();
        assert_eq!(check(""), Some(50));
        assert_eq!(check("limit=1"), Some(1));
        assert_eq!(check("limit=200"), Some(200));
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=", "limit=1e2"] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_more_tells_of_a_next_page() {
        let page = |found: Vec<i64>| Page::of_one_more(found, 2, |last| IntegrationKey(*last), |item| item);
        let full = page(vec![1, 2, 3]);
        assert_eq!(full.items, [1, 2]);
        assert_eq!(
            full.next_cursor.as_deref().and_then(decode::<IntegrationKey>),
            Some(IntegrationKey(2))
        );
        assert_eq!(page(vec![1, 2]).next_cursor, None);
        assert_eq!(page(vec![]).next_cursor, None);
    }
}
