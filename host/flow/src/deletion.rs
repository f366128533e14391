//! Deleting a version of a plugin, once nothing can need it any more.

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::names::PluginName;
use hookmill_store::{Deleted, Deletion, Needed, User, Withdrawal};

use crate::changes::{ChangeError, TRIES_MAX};
use crate::chores::Chore;
use crate::river::River;

/// Integrations whose open runs are looked at in one read.
const USERS_AT_ONCE: usize = 200;

impl River {
    /// Deletes a version of a plugin of the organization, or of the host for `None`. Its number means its bytes for ever, and these go when
    /// no version has them.
    ///
    /// # Errors
    /// [`ChangeError::Needed`] while it is active, an integration pins it, or an open run is one under it, or may be.
    pub async fn delete_plugin_version(&self, owner: Option<OrganizationKey>, name: PluginName, version: u32) -> Result<(), ChangeError> {
        let _turn = self.inner.deletions.turn(owner).ok_or(ChangeError::Busy)?;
        for _ in 0..TRIES_MAX {
            let deletion = match self.inner.store.begin_deletion(owner, name.clone(), version).await? {
                Withdrawal::NotFound => return Err(ChangeError::NotFound),
                Withdrawal::Needed(needed) => return Err(ChangeError::Needed(Box::new(needed))),
                Withdrawal::Begun(deletion) => deletion,
            };
            let needed = self.needed(&deletion).await?;
            if needed.is_any() {
                return Err(ChangeError::Needed(Box::new(needed)));
            }
            match self.inner.store.delete_version(deletion, self.now()).await? {
                Deleted::Done(component) => {
                    if let Some(digest) = component {
                        self.bring(Chore::Remove(digest)).await;
                    }
                    return Ok(());
                }
                Deleted::Moved => {}
            }
        }
        Err(ChangeError::Busy)
    }

    async fn needed(&self, deletion: &Deletion) -> Result<Needed, ChangeError> {
        let mut needed = Needed::default();
        // What was on disk before this has left memory after it.
        self.inner.store.settle().await?;
        for pinned in [true, false] {
            if !pinned && !deletion.was_active() {
                continue;
            }
            let mut after = IntegrationKey(i64::MIN);
            loop {
                let store = &self.inner.store;
                let users = store.version_users(deletion.clone(), pinned, after, USERS_AT_ONCE).await?;
                let Some(last) = users.last() else { break };
                after = last.key;
                needed = self.needed_by(deletion, users, needed).await?;
                if needed.is_enough() {
                    return Ok(needed);
                }
            }
        }
        Ok(needed)
    }

    /// What of these users' open runs needs it: those in memory, and those on disk.
    async fn needed_by(&self, deletion: &Deletion, users: Vec<User>, needed: Needed) -> Result<Needed, ChangeError> {
        // One at a time: each may have thousands.
        let with_runs = users.into_iter().map(|user| {
            let runs = self.inner.lanes.look(|yard| yard.taken_runs(user.key));
            (user, runs.into_iter().collect())
        });
        let users = with_runs.collect();
        // What memory has given up a moment ago is on its way to the disk.
        self.inner.store.settle().await?;
        Ok(self.inner.store.add_needs(deletion.clone(), users, needed).await?)
    }
}
