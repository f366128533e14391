//! Changes under way. One that has begun is finished, also when its client does not wait for the answer: it would else stop somewhere
//! between the disk and what the river remembers of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::RwLock;

/// The changes under way; each holds the lock for reading until its end.
#[derive(Clone, Default)]
pub(crate) struct Changes(Arc<RwLock<()>>);

impl Changes {
    /// Lets a change run to its end, whether or not somebody waits for it. `None` if it panicked.
    pub(crate) async fn finish<T: Send + 'static>(&self, change: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let under_way = self.0.clone().read_owned().await;
        let change = tokio::spawn(async move {
            let ended = change.await;
            drop(under_way);
            ended
        });
        change
            .await
            .inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "a change panicked"))
            .ok()
    }

    /// Waits for the changes under way, at most that long.
    pub(crate) async fn drain(&self, drain: Duration) {
        if tokio::time::timeout(drain, self.0.write()).await.is_err() {
            tracing::warn!("changes under way took too long to end");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_change_is_finished_without_its_client() {
        let changes = Changes::default();
        let (leave, wait) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        {
            let mut change = pin!(changes.finish(async {
                wait.await.expect("leave is given");
                done.send(7).expect("somebody listens");
            }));
            assert!(change.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            // The client goes away.
        }
        {
            let mut drain = pin!(changes.drain(Duration::from_secs(60)));
            assert_eq!(
                drain.as_mut().poll(&mut Context::from_waker(Waker::noop())),
                Poll::Pending,
                "one is under way"
            );
            leave.send(()).expect("it waits");
            drain.await;
        }
        assert_eq!(ended.await, Ok(7));
    }

    #[tokio::test]
    async fn answers_come_back_and_the_drain_is_bounded() {
        let changes = Changes::default();
        assert_eq!(changes.finish(async { 5 }).await, Some(5));
        let mut endless = pin!(changes.finish(std::future::pending::<()>()));
        assert!(endless.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        changes.drain(Duration::from_millis(10)).await;
    }
}
