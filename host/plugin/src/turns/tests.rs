use std::future::pending;
use std::pin::{Pin, pin};

use futures_util::poll;

use super::*;

const A: Party = Some(OrganizationKey(1));
const B: Party = Some(OrganizationKey(2));
const HOST: Party = None;

fn turns(at_once: usize) -> Turns {
    Turns::new(at_once, 16, 16)
}

async fn taken(turns: &Turns, party: Party) -> Turn {
    turns.turn(party, Lane::Upload).await.expect("few wait")
}

type Pending<'a> = Pin<Box<dyn Future<Output = Option<Turn>> + 'a>>;

/// One who stands in the queue and is not served at once.
async fn waiting(turns: &Turns, party: Party, lane: Lane) -> Pending<'_> {
    let mut waiting: Pending = Box::pin(turns.turn(party, lane));
    assert!(poll!(&mut waiting).is_pending(), "{party:?} was served at once");
    waiting
}

async fn served(waiting: &mut Pending<'_>) -> Option<Turn> {
    match poll!(waiting) {
        std::task::Poll::Ready(turn) => turn,
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_party_has_one_at_a_time_and_others_go_past_it() {
    let turns = turns(2);
    let first = taken(&turns, A).await;
    let mut second = waiting(&turns, A, Lane::Load).await;
    let other = taken(&turns, B).await;
    drop(other);
    assert!(served(&mut second).await.is_none(), "there is a turn, but not for this party");
    drop(first);
    assert!(served(&mut second).await.is_some());
}

#[tokio::test]
async fn parties_are_served_in_turns_however_many_of_one_wait() {
    let turns = turns(1);
    let first = taken(&turns, HOST).await;
    let mut of_a = [waiting(&turns, A, Lane::Load).await, waiting(&turns, A, Lane::Load).await];
    let mut of_b = waiting(&turns, B, Lane::Load).await;
    drop(first);
    drop(served(&mut of_a[0]).await.expect("it came first"));
    assert!(served(&mut of_a[1]).await.is_none());
    drop(served(&mut of_b).await.expect("its party's first"));
    assert!(served(&mut of_a[1]).await.is_some());
}

#[tokio::test]
async fn uploads_and_loads_are_served_in_turns() {
    let turns = turns(1);
    let first = taken(&turns, HOST).await;
    let mut uploads = [waiting(&turns, A, Lane::Upload).await, waiting(&turns, B, Lane::Upload).await];
    let mut load = waiting(&turns, HOST, Lane::Load).await;
    drop(first);
    drop(served(&mut load).await.expect("an upload was the last"));
    let one = served(&mut uploads[0]).await.expect("a load was the last");
    let mut load = waiting(&turns, HOST, Lane::Load).await;
    drop(one);
    assert!(served(&mut uploads[1]).await.is_none());
    drop(served(&mut load).await.expect("an upload was the last"));
    assert!(served(&mut uploads[1]).await.is_some());
}

#[tokio::test]
async fn so_many_wait_of_each_lane() {
    let turns = Turns::new(1, 1, 2);
    let turn = taken(&turns, HOST).await;
    let upload = waiting(&turns, A, Lane::Upload).await;
    assert!(turns.turn(B, Lane::Upload).await.is_none());
    let loads = [waiting(&turns, A, Lane::Load).await, waiting(&turns, B, Lane::Load).await];
    assert!(turns.turn(HOST, Lane::Load).await.is_none());
    // Who leaves makes room.
    drop((upload, loads));
    let mut upload = waiting(&turns, B, Lane::Upload).await;
    drop(turn);
    assert!(served(&mut upload).await.is_some());
}

#[tokio::test]
async fn one_who_leaves_when_it_is_served_leaves_the_turn_to_the_next() {
    let turns = turns(1);
    let first = taken(&turns, HOST).await;
    let leaves = waiting(&turns, A, Lane::Load).await;
    let mut stays = waiting(&turns, B, Lane::Load).await;
    drop(first);
    assert!(served(&mut stays).await.is_none(), "it is not its turn yet");
    drop(leaves);
    drop(served(&mut stays).await.expect("the turn was left"));
    taken(&turns, A).await;
}

#[tokio::test]
async fn work_that_nobody_waits_for_gives_way() {
    let turns = turns(1);
    let (given_up, _turn) = tokio::join!(turns.spare(pending::<()>()), taken(&turns, A));
    assert_eq!(given_up, None);
}

#[tokio::test]
async fn it_has_a_turn_that_nobody_can_have() {
    let turns = turns(2);
    let urgent = taken(&turns, A).await;
    let _cannot = waiting(&turns, A, Lane::Load).await;
    assert_eq!(turns.spare(async { 1 }).await, Some(1));
    let mut spare = pin!(turns.spare(pending::<()>()));
    assert!(poll!(&mut spare).is_pending());
    drop(urgent);
    assert!(poll!(&mut spare).is_pending(), "there is one for both");
    let _other = waiting(&turns, B, Lane::Load).await;
    assert!(poll!(&mut spare).is_ready());
}

#[tokio::test]
async fn those_who_are_waited_for_stand_before_it() {
    let turns = turns(1);
    let first = taken(&turns, A).await;
    let order = Mutex::new(Vec::new());
    let spare = turns.spare(async { order.lock().expect("whole").push("spare") });
    let urgent = async {
        let _turn = taken(&turns, B).await;
        order.lock().expect("whole").push("urgent");
    };
    let end = async { drop(first) };
    let (done, (), ()) = tokio::join!(spare, urgent, end);
    assert_eq!(done, Some(()));
    assert_eq!(*order.lock().expect("whole"), ["urgent", "spare"]);
}

#[tokio::test]
async fn one_who_stops_waiting_is_not_waited_for() {
    let turns = turns(1);
    let turn = taken(&turns, A).await;
    drop(waiting(&turns, B, Lane::Upload).await);
    drop(turn);
    assert_eq!(turns.spare(async { 1 }).await, Some(1));
}
