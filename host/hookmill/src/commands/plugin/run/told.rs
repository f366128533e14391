//! What is told of one event's run. Its form as JSON is that of the API's dry runs, with what says which event it was: fields are added, not
//! changed.

use hookmill_api::TriedShown;
use hookmill_domain::integration::Draft;
use hookmill_domain::names::{Kind, OrganizationName, ProductId};
use hookmill_domain::time::Time;
use hookmill_flow::{Came, Tried};
use hookmill_plugin_room::Fuel;
use serde::Serialize;

/// One event's run.
#[derive(Debug)]
pub(crate) struct Told {
    /// The event's id.
    pub(crate) event: String,
    /// Its kind.
    pub(crate) kind: Kind,
    /// Whose it is.
    pub(crate) organization: OrganizationName,
    /// The document's id.
    pub(crate) document: ProductId,
    /// When it was accepted, as the plugin is told.
    pub(crate) accepted_at: Time,
    /// What came of it.
    pub(crate) tried: Tried,
    /// How much it computed, if that was asked.
    pub(crate) fuel: Option<Fuel>,
}

/// It, as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ToldShown {
    event: String,
    kind: Kind,
    organization: OrganizationName,
    document: ProductId,
    accepted_at: Time,
    #[serde(flatten)]
    tried: TriedShown,
    #[serde(flatten)]
    fuel: Option<FuelShown>,
}

/// The fuel of a call. Where `fuel` is null, one of the others says why.
#[derive(Debug, Serialize)]
struct FuelShown {
    fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_more_than: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_uncounted: Option<String>,
}

impl From<Fuel> for FuelShown {
    fn from(fuel: Fuel) -> FuelShown {
        let (fuel, fuel_more_than, fuel_uncounted) = match fuel {
            Fuel::Used(used) => (Some(used), None, None),
            Fuel::MoreThan(max) => (None, Some(max), None),
            Fuel::Uncounted(why) => (None, None, Some(why.to_string())),
        };
        FuelShown {
            fuel,
            fuel_more_than,
            fuel_uncounted,
        }
    }
}

impl Told {
    /// Whether somebody would have to act.
    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.tried.came, Came::Parked(_))
    }

    /// For a program; `None` where the requests are not of that integration.
    pub(crate) fn shown(self, draft: &Draft) -> Option<ToldShown> {
        Some(ToldShown {
            event: self.event,
            kind: self.kind,
            organization: self.organization,
            document: self.document,
            accepted_at: self.accepted_at,
            tried: TriedShown::of(self.tried, None, draft)?,
            fuel: self.fuel.map(FuelShown::from),
        })
    }
}
