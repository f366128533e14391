//! API keys: who calls, and what the caller may do.

use crate::ids::ApiKeyId;
use crate::integration::OrganizationKey;
use crate::names::{OrganizationName, ProductId};
use crate::time::Time;

/// What a key's holder may do. Each role but the operator's holds in one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, in every organization.
    Operator,
    /// Everything in its organization.
    Admin,
    /// Post events.
    Ingest,
    /// Read.
    Read,
}

impl Role {
    /// Each of them.
    pub const ALL: [Role; 4] = [Role::Operator, Role::Admin, Role::Ingest, Role::Read];

    /// As the API shows it and rows hold it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Ingest => "ingest",
            Role::Read => "read",
        }
    }

    /// The role of that text.
    pub fn from_text(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether its holder may read configuration, events and deliveries.
    pub fn may_read(self) -> bool {
        self != Role::Ingest
    }

    /// Whether its holder may change configuration and act on runs and deliveries.
    pub fn may_change(self) -> bool {
        matches!(self, Role::Operator | Role::Admin)
    }

    /// Whether its holder may post events.
    pub fn may_ingest(self) -> bool {
        self != Role::Read
    }
}

/// A key as the house knows it: never its text, only that text's digest, which stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names it.
    pub id: ApiKeyId,
    /// What its holder may do.
    pub role: Role,
    /// Absent for operators.
    pub organization: Option<(OrganizationKey, OrganizationName)>,
    /// Only events of these inboxes may be posted or seen; absent: all.
    pub inboxes: Option<Vec<ProductId>>,
    /// What it is for, in its maker's words.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Time,
    /// When it stops to hold; absent: never.
    pub expires_at: Option<Time>,
}

impl ApiKey {
    /// Whether it holds at that time.
    pub fn holds(&self, now: Time) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}
