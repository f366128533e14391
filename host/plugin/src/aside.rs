//! Work that runs guests' code and that no event waits for, on a thread of its own that stands back: the threads of whoever asks for it serve
//! everybody.

use std::io;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::manners::stand_back;

/// Does it to its end, or until whoever waits for it stops waiting. Nobody joins the thread: what a guest does on it ends within its limits, and
/// a process that ends does not wait for that.
pub(crate) async fn aside<T: Send + 'static>(name: &str, work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (mut reply, answer) = oneshot::channel();
    let runtime = Handle::current();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        stand_back();
        runtime.block_on(async {
            tokio::select! {
                done = work => drop(reply.send(done)),
                () = reply.closed() => {}
            }
        });
    })?;
    answer.await.map_err(|_| io::Error::other("the work was given up"))
}
