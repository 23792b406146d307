//! Which due runs there is room for. Two bulkheads keep a source that never answers from holding up
//! the rest: reads wait on others and so have places of their own, many more than there are
//! workers; and few of these are given to one server, so that the rest of them stay free.

use std::collections::BTreeMap;

use super::options::Options;
use crate::{
    catalog::runs::{Claim, Room},
    domain::{BatchSpec, JobKind},
};

/// The jobs that may begin beside those under way, and the batches whose server is busy enough.
pub(super) fn room_left<'c>(
    under_way: impl Iterator<Item = &'c Claim>,
    batches: &[BatchSpec],
    options: &Options,
) -> Room {
    let (reads, others): (Vec<&Claim>, Vec<&Claim>) =
        under_way.partition(|claim| claim.job == JobKind::Ingest);
    let mut jobs = Vec::new();
    if reads.len() < options.n_reads {
        jobs.push(JobKind::Ingest);
    }
    if others.len() < options.n_workers {
        jobs.extend(JobKind::ALL.iter().filter(|job| **job != JobKind::Ingest));
    }
    let servers: Vec<(&BatchSpec, String)> =
        batches.iter().filter_map(|batch| Some((batch, batch.source.kind.server()?))).collect();
    let mut n_reads: BTreeMap<&str, usize> = BTreeMap::new();
    for (batch, server) in &servers {
        let n_busy = reads.iter().filter(|claim| claim.batch == batch.name).count();
        *n_reads.entry(server).or_default() += n_busy;
    }
    let is_busy =
        |server: &str| n_reads.get(server).is_some_and(|n| options.n_reads_per_server <= *n);
    let unread = servers.iter().filter(|(_, server)| is_busy(server));
    Room { jobs, unread: unread.map(|(batch, _)| batch.name.clone()).collect() }
}
